"""Stage I: datasets of the questions on which weak and icl answers agree (paper, 3.1), padded on request."""

from __future__ import annotations

import os
import random
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from w2s_factory.building.agreement import agreeing
from w2s_factory.building.dataset_files import WEAK_NAME, Built, Recipe, Rows, place_datasets
from w2s_factory.building.joining import same_content
from w2s_factory.building.prompt_form import PromptForm, zero_shot
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.errors import UserError
from w2s_factory.folders import results_in
from w2s_factory.quantities import FIRST_ITERATION, SEED, Iteration, PaddedSize
from w2s_factory.ranges import Seed, check, check_fields
from w2s_factory.records import SFT, rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from w2s_factory.building.agreement import AgreeingQuestions, Agreement
    from w2s_factory.records import Result, RowsLike, RowSource, Sft
    from w2s_factory.tasks import Task

ItemT = TypeVar("ItemT")

SIDES = ("weak", "icl", "hybrid")
"""The three datasets of an iteration, in the order of the release's index."""

PADDED_KEYS = ("gold", "pred", "result")
"""The keys of results that rows of padded sets have too, in the published order."""


@dataclass(frozen=True, kw_only=True)
class Padding:
    """Padding of a Stage I set with questions on which weak and icl disagree.

    The draw that padded the published sets cannot be reproduced.

    Attributes:
        to: The number of questions of each side after padding.
        seed: The seed of the draw of the added questions.
    """

    to: PaddedSize
    seed: Seed = SEED

    def __post_init__(self) -> None:
        check_fields(self)

    def drawn(self, kept: int, others: Sequence[ItemT]) -> list[ItemT]:
        """Return the questions to add, in the order drawn.

        Args:
            kept: The number of questions to which they are added.
            others: The questions to draw from.

        Raises:
            UserError: More questions are kept than asked for, or there are too few others.
        """
        missing = self.to - kept
        if missing < 0:
            raise UserError(f"{kept} questions are kept, more than {self.to}", field="--pad-to")
        if missing > len(others):
            problem = f"{kept} questions are kept and {len(others)} are not: too few for {self.to}"
            raise UserError(problem, field="--pad-to")
        return random.Random(self.seed).sample(others, missing)


class EqualResultsWarning(UserWarning):
    """A warning that weak and icl results are equal, so that they agree on everything.

    Probably one of the files is a copy of the other.
    """


@dataclass(frozen=True)
class Stage1:
    """The result of `build_stage1`.

    Attributes:
        agreement: The counts.
        built: The three datasets by side.
        unpadded: The three datasets before padding; empty if there is no padding.
        identical: Whether both results files have the same bytes, so that they agree on everything.
    """

    agreement: Agreement
    built: dict[str, Built]
    unpadded: dict[str, Built]
    identical: bool = False

    def to_frame(self, side: str = "hybrid") -> pd.DataFrame:
        """Return the rows of a side's dataset as a DataFrame."""
        return self.built[side].to_frame()


def build_stage1(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    weak: RowsLike,
    icl: RowsLike,
    output_dir: str | Path | None = None,
    *,
    weak_name: str = WEAK_NAME,
    iteration: Iteration = FIRST_ITERATION,
    padding: Padding | None = None,
    prompt_form: PromptForm | None = None,
    response_rule: ResponseRule | None = None,
    recipe: Recipe | None = None,
) -> Stage1:
    """Build the weak, icl and hybrid datasets of the questions on which weak and icl results agree.

    The files are the release's `train_{task}_{weak_name}_iter{n}_{side}.json`. For each question kept, in the
    order of the weak results, `weak` has the weak response, `icl` the icl response, and `hybrid` both, weak
    first. The prompt is always the zero-shot one; its form and its system prompt are those of the icl
    results: these are of the strong model, which the datasets train.

    With `padding` the sets also have questions on which the results disagree, as the release's padded MATH
    sets: rows also have `gold`, `pred` and `result`, and `hybrid` ends with the added weak rows, then the
    added icl rows. The sets before padding go to `*_wo_aug.json`.

    Args:
        task: The task that says when two answers are equal.
        weak: Results of the weak side (in iteration 2: of the model trained on the weak set of iteration 1).
        icl: Results of the icl side on the same questions.
        output_dir: The folder for the datasets, `dataset_info.json` and a training config each; None to write
            nothing.
        weak_name: The weak model's name in the names of files and datasets.
        iteration: The iteration, for the names; 2 for results of the models that iteration 1 trained.
        padding: The number of questions to pad to, and the seed; None for no padding.
        prompt_form: How the strong model will be asked; as it was in the icl results if None.
        response_rule: How responses are read, and the part of them to train on; the published way if None.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: Both results are the same file or object, cannot be read, have no `pred`, were scored in
            different ways, or differ in their questions; some icl results have a system prompt and some have
            none; no question is left, or there are too few to pad with. Nothing is written then.
    """
    check(iteration, Iteration, "iteration")
    _refuse_one_object(weak, icl)
    task, weak, icl = get_task(task), rows_of(weak, "weak", results_in), rows_of(icl, "icl", results_in)
    prompt_form, response_rule = (prompt_form or PromptForm()).of(task), response_rule or ResponseRule()
    same_bytes, way = same_content(weak, icl), response_rule.way(task, weak, icl)
    if same_bytes:
        problem = f"{weak} and {icl} are equal, so they agree on everything"
        warnings.warn(problem, EqualResultsWarning, stacklevel=2)
    agreed = agreeing(task, weak, icl, response_rule)
    if not agreed.kept:
        raise _no_agreement(agreed.agreement, weak)
    sides = _Sides(partial(_row, task, prompt_form), agreed)
    sets = sides.sets(agreed.kept)
    if padding:
        added = padding.drawn(len(agreed.kept), agreed.others())
        padded = sides.sets(agreed.kept, added, PADDED_KEYS)
        sets = padded | {f"{side}_wo_aug": rows for side, rows in sets.items()}
    [(_, first)] = agreed.pairs(agreed.kept[:1])
    stems = {side: task.file_stem(weak_name, f"iter{iteration}_{side}") for side in sets}
    built = place_datasets(
        task,
        {stems[side]: Rows(rows, SFT, system=prompt_form.has_system(first)) for side, rows in sets.items()},
        None if output_dir is None else Path(output_dir),
        inputs=(weak, icl),
        recipe=response_rule.recipe(prompt_form.recipe(recipe or Recipe())),
        facts={
            "padding": asdict(padding) if padding else None,
            **prompt_form.facts,
            **response_rule.facts(way),
        },
    )
    by_side = dict(zip(SIDES, built, strict=False))
    unpadded = dict(zip(SIDES, built[len(SIDES) :], strict=False))
    return Stage1(agreed.agreement, by_side, unpadded, same_bytes)


def _no_agreement(agreement: Agreement, weak: RowSource) -> UserError:
    """Return the error that no question is left, with the number of responses without a final answer."""
    problem = f"weak and icl agree on none of {agreement.questions} questions"
    if not agreement.weak_unanswered and not agreement.icl_unanswered:
        return UserError(problem, file=weak, topic="no-agreement")
    problem += (
        f"; {agreement.weak_unanswered:,} weak and {agreement.icl_unanswered:,} icl responses have no final "
        "answer"
    )
    hint = "Check --extract, and the stop texts of generate"
    return UserError(problem, file=weak, hint=hint, topic="no-agreement")


def _refuse_one_object(weak: RowsLike, icl: RowsLike) -> None:
    """Refuse the same object in memory on both sides, as `same_content` refuses the same file."""
    if weak is icl and not isinstance(weak, (str, os.PathLike)):
        problem = "expected results of another model, got the same object on both sides"
        raise UserError(problem, field="icl", hint="It is the object given as weak")


@dataclass(frozen=True)
class _Sides:
    """The rows of the three datasets, which are built while they are written.

    Attributes:
        row: Returns a question's row, see `_row`.
        agreed: The questions.
    """

    row: Callable[[Result, Result, Result, str | None, tuple[str, ...]], Sft]
    agreed: AgreeingQuestions

    def sets(
        self, kept: Sequence[int], others: Sequence[int] = (), keys: tuple[str, ...] = ()
    ) -> dict[str, Iterator[Sft]]:
        """Return the rows of each dataset: of the questions kept, then of others.

        Args:
            kept: The numbers of the questions kept.
            others: The numbers of the questions added.
            keys: The keys of results that rows have, too.
        """
        rows = partial(self._rows, keys=keys)
        return {
            "weak": chain(rows(kept, (0,)), rows(others, (0,))),
            "icl": chain(rows(kept, (1,)), rows(others, (1,))),
            "hybrid": chain(rows(kept, (0, 1)), rows(others, (0,)), rows(others, (1,))),
        }

    def _rows(
        self, numbers: Sequence[int], sides: tuple[int, ...], *, keys: tuple[str, ...]
    ) -> Iterator[Sft]:
        """Yield the rows of questions: one for each of the sides, 0 for weak and 1 for icl."""
        for pair in self.agreed.pairs(numbers):
            for side in sides:
                answer = pair[side]
                yield self.row(*pair, answer, self.agreed.rules[side].text(answer), keys)


def _row(
    task: Task,
    prompt_form: PromptForm,
    weak: Result,
    icl: Result,
    answer: Result,
    output: str | None,
    keys: tuple[str, ...],
) -> Sft:
    """Return the row with a question's zero-shot prompt, as the strong model is asked, and a response to it.

    Args:
        task: The task.
        prompt_form: How the strong model will be asked.
        weak: The weak result on the question.
        icl: The icl result on it.
        answer: The one of them whose response the row has.
        output: The text of the response that is trained on.
        keys: The keys of results that rows have, too.
    """
    content = zero_shot(task, weak["prompt"], icl["prompt"])
    row = {"id": weak["id"], "content": content, "output": output}
    row |= {"system": icl["system"]} if "system" in icl else {}
    more = {key: answer[key] for key in keys if key in answer}  # type: ignore[literal-required]
    return {**prompt_form.applied(task, row, "content"), **more}  # type: ignore[typeddict-item]  # padded rows have keys of results
