"""Datasets of preference pairs, each written with the file of its pairs' origins next to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from w2s_factory.building.conversion import place_pairs
from w2s_factory.building.dataset_files import Built, Recipe, Rows
from w2s_factory.building.pair_origins import sidecar
from w2s_factory.building.prompt_form import PromptForm
from w2s_factory.records import Table, is_stdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from w2s_factory.building.response_rule import ResponseRule
    from w2s_factory.records import Pair, PairForm, RowSource, Vote
    from w2s_factory.scoring.noted_way import NotedWay
    from w2s_factory.tasks import Task

CountsT = TypeVar("CountsT")


@dataclass(frozen=True)
class PairDataset(Generic[CountsT]):
    """A dataset of preference pairs; its classes describe the attributes."""

    counts: CountsT
    built: Built
    origins: Path | Table | None

    def to_frame(self) -> pd.DataFrame:
        """Return the pairs as a DataFrame."""
        return self.built.to_frame()

    @classmethod
    def placed(  # noqa: PLR0913  the pairs, and what their builders share
        cls,
        counts: CountsT,
        task: Task,
        pairs: Iterable[Pair],
        origins: Rows,
        output: str | Path | None,
        *,
        first: Vote,
        way: NotedWay,
        prompt_form: PromptForm | None,
        response_rule: ResponseRule,
        form: PairForm | None,
        recipe: Recipe | None,
        inputs: Iterable[RowSource],
        facts: Mapping[str, Any],
    ) -> Self:
        """Write the pairs, their origins, the index entry and the config.

        Args:
            counts: The counts of the pairs.
            task: The task.
            pairs: The pairs, in the published form.
            origins: Their origins, in the same order.
            output: The pair file; None to write nothing.
            first: The first vote, which says whether questions have a system prompt.
            way: How the responses were scored.
            prompt_form: How the model to train will be asked; as it was for the samples if None.
            response_rule: How responses are read.
            form: `release` or `columns`; None for the form that the LLaMA-Factory version reads.
            recipe: The layout and the training config; the preset `dpo` and the defaults of `Recipe` if None.
            inputs: The files that were read.
            facts: What the manifest notes besides what the two rules do.

        Raises:
            UserError: As `place_pairs`.
        """
        prompt_form = (prompt_form or PromptForm()).of(task)
        file = Table("origins", origins.rows) if output is None else sidecar(output)
        built = place_pairs(
            task,
            (prompt_form.applied(task, pair, "instruction") for pair in pairs),
            output,
            system=prompt_form.has_system(first),
            form=form,
            inputs=inputs,
            recipe=prompt_form.recipe(response_rule.recipe(recipe or Recipe(preset="dpo"))),
            more={file: origins} if isinstance(file, Path) else None,
            facts={**facts, **prompt_form.facts, **response_rule.facts(way)},
        )
        return cls(counts, built, None if is_stdout(output) else file)
