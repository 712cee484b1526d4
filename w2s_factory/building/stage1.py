"""Stage I: the questions on which weak and icl responses agree (paper, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building.agreement import Agreement, agreeing
from w2s_factory.building.placing import Built, Recipe, place_datasets
from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from w2s_factory.records import Result, Sft
    from w2s_factory.tasks import Task

SIDES = ("weak", "icl", "hybrid")
"""The three datasets of an iteration, in the order of the release's index."""


@dataclass(frozen=True)
class Stage1:
    """What `build_stage1` did: the counts, and the three datasets by side."""

    agreement: Agreement
    built: dict[str, Built]


def build_stage1(
    task: Task,
    weak: str | Path,
    icl: str | Path,
    output_dir: str | Path,
    *,
    weak_name: str = "weak",
    iteration: int = 1,
    recipe: Recipe | None = None,
) -> Stage1:
    """Keep the questions on which two results files agree; write hybrid, weak and icl datasets.

    The files are the release's `train_{task}_{weak_name}_iter{n}_{side}.json`: for each kept question,
    in the order of the weak results, `weak` has the weak response, `icl` the other, `hybrid` both, weak
    first. The prompt is always the zero-shot one.

    Args:
        task: Decides what agreeing means.
        weak: Results of the weak side (iteration 2: of the model trained on iteration 1's weak set).
        icl: Results of the icl side on the same questions.
        output_dir: Folder for the datasets, `dataset_info.json` and a training config each.
        weak_name: The weak model, as file and dataset names have it.
        iteration: 1, or 2 for results of the models iteration 1 made.
        recipe: Layout and training config; the defaults of `Recipe` if None.

    Raises:
        UserError: Results without `pred`, with missing, different or repeated ids, or unreadable; or no
            question is left; nothing is written then.
    """
    agreement = Agreement()
    kept = list(agreeing(task, Path(weak), Path(icl), agreement))
    if not kept:
        raise UserError(f"weak and icl agree on none of {agreement.questions} questions", file=weak)
    sides = {f"iter{iteration}_{side}": rows for side, rows in _sides(kept).items()}
    built = place_datasets(
        task,
        {task.file_stem(weak_name, kind): rows for kind, rows in sides.items()},
        Path(output_dir),
        inputs=(weak, icl),
        recipe=recipe or Recipe(),
    )
    return Stage1(agreement, dict(zip(SIDES, built, strict=True)))


def _sides(kept: list[tuple[Result, Result]]) -> dict[str, Iterable[Sft]]:
    weak = [_row(weak, weak) for weak, _ in kept]
    icl = [_row(weak, icl) for weak, icl in kept]
    return {"weak": weak, "icl": icl, "hybrid": _interleaved(weak, icl)}


def _interleaved(weak: list[Sft], icl: list[Sft]) -> Iterator[Sft]:
    for pair in zip(weak, icl, strict=True):
        yield from pair


def _row(question: Result, answer: Result) -> Sft:
    return {"id": question["id"], "content": question["prompt"], "output": answer["response"]}
