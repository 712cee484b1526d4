"""Draw further questions of the embedded task, none of which is in its splits, in the release's test form.

python scripts/fresh_questions.py --number 500 --seed 18 --output fresh.jsonl
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

from arithmetic.pretraining_documents import task_questions
from arithmetic.stories import draw_problem
from make_arithmetic import TASK, raw_row

from w2s_factory.errors import UserError
from w2s_factory.records import Outputs


def main() -> None:
    """Parse the command line and write the questions."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--number", type=int, required=True, help="how many")
    parser.add_argument("--seed", type=int, required=True, help="of the draw")
    parser.add_argument("--output", type=Path, required=True, help="a file that does not exist yet")
    options = parser.parse_args()
    if options.number < 1:
        parser.error(f"--number: expected at least 1, got {options.number}")
    random, seen, rows = Random(options.seed), set(task_questions()), []
    while len(rows) < options.number:
        problem = draw_problem(random)
        if problem.question not in seen:
            seen.add(problem.question)
            rows.append(TASK.test_row(raw_row(len(rows), problem, random), "ARITHMETIC_FRESH"))
    try:
        with Outputs() as outputs:
            outputs.rows(options.output, rows)
    except UserError as error:
        parser.error(f"{error.file}: {error.problem}. Name another --output")


if __name__ == "__main__":
    main()
