"""Build the embedded task `arithmetic`: questions with worked solutions, gold answers, simulated results.

`make data` runs this script, which reproduces `data/arithmetic/` byte for byte. docs/arithmetic.md
describes the data.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from arithmetic.solvers import ICL, WEAK, answer, final_answer, right
from arithmetic.stories import draw_problem

from w2s_factory.records import Outputs
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arithmetic.problems import Problem
    from arithmetic.solvers import Solver

    from w2s_factory.records import Result

SEED = 20240718
SIZES = {"train_1": 1500, "train_2": 1500, "dev": 500, "test": 500}
ROOT = Path(__file__).resolve().parent.parent / "data" / "arithmetic"
TASK = get_task("arithmetic")


def distinct_problems(random: Random) -> Iterator[Problem]:
    """Problems without end, no question twice."""
    seen = set()
    while True:
        problem = draw_problem(random)
        if problem.question not in seen:
            seen.add(problem.question)
            yield problem


def raw_row(number: int, problem: Problem, random: Random) -> dict[str, Any]:
    """A problem in GSM8K's raw form."""
    return {"id": f"arithmetic_{number}", "question": problem.question, "answer": right(problem, random)}


def result_row(number: int, problem: Problem, habits: Mapping[Solver, int], random: Random) -> Result:
    """A simulated response, scored: the solvers write the answer plainly, so scoring is comparing."""
    response = answer(problem, habits, random)
    pred, gold = final_answer(response), final_answer(right(problem, random))
    return {
        "id": number,
        "prompt": TASK.prompt(problem.question),
        "response": response,
        "pred": pred,
        "gold": gold,
        "result": pred == gold,
    }


def make(root: Path, *, force: bool) -> None:
    """Write every file of the task below `root`."""
    random = Random(SEED)
    numbered = enumerate(distinct_problems(random))
    parts = {split: [next(numbered) for _ in range(size)] for split, size in SIZES.items()}
    with Outputs(force=force) as outputs:
        for name, problems in parts.items():
            split = TASK.splits[name]
            raw = [raw_row(number, problem, random) for number, problem in problems]
            outputs.rows(root / split.raw, raw)
            outputs.rows(root / split.test, [TASK.test_row(row, split.tag) for row in raw])
        for side, habits in {"weak": WEAK, "icl": ICL}.items():
            rows = [
                result_row(place, problem, habits, random)
                for place, (_, problem) in enumerate(parts["train_2"])
            ]
            outputs.rows(root / "examples" / f"{side}_results.jsonl", rows)


def main() -> None:
    """Parse the command line and make the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where to write (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="overwrite files that hold something else")
    options = parser.parse_args()
    make(options.root, force=options.force)
    print(f"wrote {options.root}")


if __name__ == "__main__":
    main()
