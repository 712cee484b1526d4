"""Stage I: the questions on which weak and icl responses agree (paper, section 3.1), padded on request."""

from __future__ import annotations

import os
import random
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from w2s_factory.building.agreement import Agreement, agreeing
from w2s_factory.building.dataset_files import Built, Recipe, place_datasets
from w2s_factory.building.joining import identical
from w2s_factory.errors import UserError
from w2s_factory.folders import results_in
from w2s_factory.quantities import SEED, Iteration, PaddedSize
from w2s_factory.ranges import Seed, check, check_fields
from w2s_factory.records import rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from w2s_factory.records import Result, RowsLike, Sft
    from w2s_factory.tasks import Task

ItemT = TypeVar("ItemT")

PADDED_KEYS = ("gold", "pred", "result")
"""What every row of a padded set carries besides, in the published order, where its results have it."""


@dataclass(frozen=True, kw_only=True)
class Padding:
    """How a Stage I set is padded. Which questions pad the published sets is not reproducible.

    Attributes:
        to: Questions a side shall have.
        seed: Of the draw of those added.
    """

    to: PaddedSize
    seed: Seed = SEED

    def __post_init__(self) -> None:
        check_fields(self)

    def drawn(self, kept: int, others: Sequence[ItemT]) -> list[ItemT]:
        """The questions added to `kept` ones, in drawn order.

        Raises:
            UserError: More are kept already, or there are not enough others.
        """
        missing = self.to - kept
        if missing < 0:
            raise UserError(f"{kept} questions are kept, more than {self.to}", field="--pad-to")
        if missing > len(others):
            raise UserError(
                f"{kept} questions are kept and {len(others)} are not: too few for {self.to}",
                field="--pad-to",
            )
        return random.Random(self.seed).sample(others, missing)


SIDES = ("weak", "icl", "hybrid")
"""The three datasets of an iteration, in the order of the release's index."""


class EqualResultsWarning(UserWarning):
    """Weak and icl results are equal, so they agree on everything: the same file was probably copied."""


@dataclass(frozen=True)
class Stage1:
    """What `build_stage1` did.

    Attributes:
        agreement: The counts.
        built: The three datasets by side.
        unpadded: Of padded ones, the same before padding; else empty.
        identical: Whether both results files hold the same bytes, so that they agree on everything.
    """

    agreement: Agreement
    built: dict[str, Built]
    unpadded: dict[str, Built]
    identical: bool = False

    def to_frame(self, side: str = "hybrid") -> pd.DataFrame:
        """Return the rows of a side's dataset as a DataFrame."""
        return self.built[side].to_frame()


def build_stage1(
    task: Task | str,
    weak: RowsLike,
    icl: RowsLike,
    output_dir: str | Path | None = None,
    *,
    weak_name: str = "weak",
    iteration: Iteration = 1,
    padding: Padding | None = None,
    recipe: Recipe | None = None,
) -> Stage1:
    """Keep the questions on which two results files agree; write hybrid, weak and icl datasets.

    The files are the release's `train_{task}_{weak_name}_iter{n}_{side}.json`: for each kept question,
    in the order of the weak results, `weak` has the weak response, `icl` the other, `hybrid` both, weak
    first. The prompt is always the zero-shot one.

    With `padding` the sets also hold questions on which the results disagree, as the release's padded MATH
    sets: rows carry `gold`, `pred`, `result`; `hybrid` is the kept rows in turn, then the other weak rows,
    then the other icl rows. The sets before padding go to `*_wo_aug.json`.

    Args:
        task: Decides what agreeing means.
        weak: Results of the weak side (iteration 2: of the model trained on iteration 1's weak set).
        icl: Results of the icl side on the same questions.
        output_dir: Folder for the datasets, `dataset_info.json` and a training config each; None to write
            nothing.
        weak_name: The weak model, as file and dataset names have it.
        iteration: 1, or 2 for results of the models iteration 1 made.
        padding: To how many questions, and with which seed; None for the questions that agree alone.
        recipe: Layout and training config; the defaults of `Recipe` if None.

    Raises:
        UserError: Both results are one file or one object, without `pred`, with missing, different or
            repeated ids, or unreadable; no question is left, or there are too few to pad with; nothing is
            written then.
    """
    check(iteration, Iteration, "iteration")
    _refuse_one_object(weak, icl)
    task, weak, icl = get_task(task), rows_of(weak, "weak", results_in), rows_of(icl, "icl", results_in)
    same_bytes = identical(weak, icl)
    if same_bytes:
        problem = f"{weak} and {icl} are equal, so they agree on everything"
        warnings.warn(problem, EqualResultsWarning, stacklevel=2)
    agreement = Agreement()
    others: list[tuple[Result, Result]] = []
    kept = list(agreeing(task, weak, icl, agreement, others if padding else None))
    if not kept:
        raise UserError(f"weak and icl agree on none of {agreement.questions} questions", file=weak)
    sets = _sides(kept)
    if padding:
        padded = _sides(kept, padding.drawn(len(kept), others), keys=PADDED_KEYS)
        sets = padded | {f"{side}_wo_aug": rows for side, rows in sets.items()}
    built = place_datasets(
        task,
        {task.file_stem(weak_name, f"iter{iteration}_{side}"): rows for side, rows in sets.items()},
        None if output_dir is None else Path(output_dir),
        inputs=(weak, icl),
        recipe=recipe or Recipe(),
        padding=asdict(padding) if padding else None,
    )
    by_side = dict(zip(SIDES, built, strict=False))
    unpadded = dict(zip(SIDES, built[len(SIDES) :], strict=False))
    return Stage1(agreement, by_side, unpadded, same_bytes)


def _refuse_one_object(weak: RowsLike, icl: RowsLike) -> None:
    """Refuse the same rows in memory on both sides, as one file is refused (`identical`)."""
    if weak is icl and not isinstance(weak, (str, os.PathLike)):
        problem = "expected results of another model, got the same object on both sides"
        raise UserError(problem, field="icl", hint="It is the object given as weak")


def _sides(
    kept: list[tuple[Result, Result]],
    others: Iterable[tuple[Result, Result]] = (),
    keys: tuple[str, ...] = (),
) -> dict[str, Iterable[Sft]]:
    """The three sets of kept questions, then of others, with further keys of the results."""
    weak, weak_tail = ([_row(one, one, keys) for one, _ in pairs] for pairs in (kept, others))
    icl, icl_tail = ([_row(one, other, keys) for one, other in pairs] for pairs in (kept, others))
    hybrid = [*_interleaved(weak, icl), *weak_tail, *icl_tail]
    return {"weak": weak + weak_tail, "icl": icl + icl_tail, "hybrid": hybrid}


def _interleaved(weak: list[Sft], icl: list[Sft]) -> Iterator[Sft]:
    for pair in zip(weak, icl, strict=True):
        yield from pair


def _row(question: Result, answer: Result, keys: tuple[str, ...]) -> Sft:
    row: Sft = {"id": question["id"], "content": question["prompt"], "output": answer["response"]}
    more = {key: answer[key] for key in keys if key in answer}  # type: ignore[literal-required]
    return {**row, **more}  # type: ignore[typeddict-item]  # padded rows carry keys of results
