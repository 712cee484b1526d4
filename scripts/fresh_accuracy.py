"""Ask the models of a finished run of the embedded task fresh questions, and tabulate their accuracies.

    python scripts/fresh_questions.py --number 1000 --seed 19 --output fresh.jsonl
    python scripts/fresh_accuracy.py runs/arithmetic_stage2 --questions fresh.jsonl --output fresh

Each model is asked by the command of the run's plan, so with the run's settings. Answers that are there
already are kept. The intervals are those of the report.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from w2s_factory.experiment.report.models import difference, share_right
from w2s_factory.records import Outputs
from w2s_factory.scoring.verdicts import read_verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAW = argparse.RawDescriptionHelpFormatter
M_PLUS = "iter1_hybrid"
"""The model with which all others are compared."""


class Asked(NamedTuple):
    """A model of one seed: its name in the plan, the seed's folder, and the command that asks it."""

    model: str
    seed: str
    command: list[str]


def planned(plan: Path, split: str = "test") -> list[Asked]:
    """Return the commands by which a run's models answered the split, in the plan's order."""
    found = []
    for step in json.loads(plan.read_text("utf-8"))["steps"]:
        seed, _, name = step["rule"].partition("_generate_")
        if name.endswith(f"_{split}"):
            found.append(Asked(name.removesuffix(f"_{split}"), seed, shlex.split(step["commands"])))
    return found


def answered(asked: Asked, run: Path, questions: Path, output: Path) -> list[bool]:
    """Ask a model, score its answers, and return the verdicts in the order of the questions."""
    folder = output / asked.seed / asked.model
    program = [sys.executable, "-m", "w2s_factory"]
    generate = [*program, *asked.command[1:]]
    generate[generate.index("--questions") + 1] = str(questions)
    generate[generate.index("--output-dir") + 1] = str(folder)
    rate = ["--task", "arithmetic", "--golds", str(questions), "--input", str(folder / "output.jsonl")]
    score = [*program, "score", *rate, "--output", str(folder / "results.jsonl"), "--force"]
    for command in (generate, score):
        subprocess.run(command, cwd=run, check=True, stdout=subprocess.DEVNULL)
    return list(read_verdicts(folder).values())


def rows(verdicts: dict[str, NDArray[np.bool_]]) -> list[dict[str, str]]:
    """Return a row for each model: mean, interval, each seed, and the difference from M_plus, in points."""
    table = []
    for model, right in verdicts.items():
        mean, low, high = (f"{100 * share:.1f}" for share in share_right(right))
        gain = [f"{100 * share:+.1f}" for share in difference(verdicts[M_PLUS], right)]
        row = {"model": model, "mean": mean, "low": low, "high": high}
        row["seeds"] = ", ".join(f"{100 * share:.1f}" for share in right.mean(axis=1))
        row |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True)) if model != M_PLUS else {}
        table.append(row)
    return table


def main() -> None:
    """Parse the command line, ask all models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("run", type=Path, help="the run's folder, with its plan.json and models")
    parser.add_argument("--questions", type=Path, required=True, help="a file of fresh_questions.py")
    parser.add_argument("--output", type=Path, required=True, help="the folder of answers and fresh.csv")
    options = parser.parse_args()
    if not (options.run / "plan.json").is_file() or not options.questions.is_file():
        parser.error("expected the folder of a run with plan.json, and a file of questions")
    verdicts: dict[str, list[list[bool]]] = {}
    for asked in planned(options.run / "plan.json"):
        right = answered(asked, options.run, options.questions.resolve(), options.output.resolve())
        verdicts.setdefault(asked.model, []).append(right)
        print(f"{asked.seed} {asked.model}: done", file=sys.stderr, flush=True)
    table = pd.DataFrame(rows({model: np.array(right) for model, right in verdicts.items()}))
    with Outputs(force=True) as outputs:
        outputs.text(options.output / "fresh.csv", table.to_csv(index=False))
    print(table.to_string(index=False, na_rep=""))


if __name__ == "__main__":
    main()
