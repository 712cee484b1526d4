"""MATH from the hub, in the release's raw and test forms and under its paths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from w2s_factory.records import MATH_RAW, Form
from w2s_factory.release.benchmark_splits import SEED, gold_command, halves, write_splits
from w2s_factory.release.fetch import Fetched
from w2s_factory.release.hub import Row, inner_folder, split_rows
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MATH = "EleutherAI/hendrycks_math"
MATH_TEST = "HuggingFaceH4/MATH-500"
MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)

_FORM: Form[Row] = Form("rows of MATH", dict.fromkeys(("problem", "solution", "level", "type"), (str,)))


def fetch_math(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """Fetch the release's 500 test problems, and the other problems in two halves.

    How the published halves were drawn is not known: these are drawn with the release's seed.

    Args:
        origin: A local folder that holds the two hub sets under the last parts of their names
            (`hendrycks_math/algebra` and so on, `MATH-500`); None for the hub.
        output_dir: The root below which the files are written, as in the release.
        force: Replace files that have other content.

    Raises:
        UserError: `datasets` is missing, the rows are not MATH's, a file has other content, or the local
            folder lacks one of these folders.
        DelegateError: The hub can't be reached.
    """
    test = split_rows(_hub_set(origin, MATH_TEST), None, "test", MATH_RAW)
    known = {row["problem"] for row in test}
    others = [row for row in _raw_rows(_hub_set(origin, MATH)) if row["problem"] not in known]
    raw = {f"train_{half}": [others[n] for n in numbers] for half, numbers in halves(len(others)).items()}
    task = get_task("math")
    files = write_splits(task, {**raw, "test": test}, output_dir, origin or MATH, force=force)
    drawn = (
        f"train_1 and train_2 are halves of the other {len(others):,} problems, drawn with seed {SEED}; how "
        "the published halves were drawn is not known (w2s-factory fetch release has them)"
    )
    notes = (
        "test is the published one",
        drawn,
        "the unique_id of a training problem is its place on the hub, which has no file numbers of MATH",
    )
    return Fetched(output_dir, files, notes, gold_command(task, output_dir))


def _hub_set(origin: str | None, name: str) -> str:
    """Return a set's name on the hub, or its path in a local folder: the last part of that name."""
    return name if origin is None else inner_folder(origin, name.rpartition("/")[2])


def _raw_rows(origin: str) -> Iterator[Row]:
    """Yield MATH's problems in the release's raw form; the answer is what the solution boxes last."""
    for subject in MATH_SUBJECTS:
        inner_folder(origin, subject)
        for split in ("train", "test"):
            for number, row in enumerate(split_rows(origin, subject, split, _FORM)):
                level = re.search(r"\d", row["level"])
                yield {
                    "problem": row["problem"],
                    "solution": row["solution"],
                    "answer": last_boxed(row["solution"]),
                    "subject": row["type"],
                    "level": int(level[0]) if level else 0,  # two of MATH's problems are of "Level ?"
                    "unique_id": f"{split}/{subject}/hub-row-{number}",
                }


def last_boxed(solution: str) -> str:
    r"""Return what a MATH solution boxes last, `\boxed{...}` or `\fbox{...}`; empty if nothing is boxed."""
    start = max(solution.rfind(r"\boxed{"), solution.rfind(r"\fbox{"))
    if start < 0:
        short = re.findall(r"\\boxed (\S+?)[$\s]", solution)
        return short[-1] if short else ""
    inside = solution[solution.index("{", start) + 1 :]
    depth = 1
    for place, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if not depth:
            return inside[:place]
    return ""
