"""Ask the models of a finished run of the embedded task fresh questions, and tabulate their accuracies.

    python scripts/fresh_questions.py --number 1000 --seed 19 --output fresh.jsonl
    python scripts/fresh_accuracy.py runs/arithmetic_stage2 --questions fresh.jsonl --output fresh

Each model is asked and its answers are scored by the commands of the run's plan, so with the run's settings;
all questions are asked, even if the run had a limit. The answers of one file of questions have a folder of
their own: those that are there already are kept, and other questions are refused. The intervals are those of
the report.
"""

from __future__ import annotations

import argparse
import json
import re
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
    from collections.abc import Iterable

    from numpy.typing import NDArray

RAW = argparse.RawDescriptionHelpFormatter
CONTROL = "sft_chosen"
"""The model with which the others are compared besides M_plus, where the run has it."""


class Asked(NamedTuple):
    """A model of one seed: its name in the plan, its seed, and the commands that ask and score it."""

    model: str
    seed: str
    generate: list[str]
    score: list[str]


def planned(plan: Path) -> list[Asked]:
    """Return the commands by which models answered the test split and were scored, in the order of the plan.

    Raises:
        ValueError: The file is not a plan, or no model answered the test split.
    """
    try:
        steps = {step["rule"]: step["commands"] for step in json.loads(plan.read_text("utf-8"))["steps"]}
        found = [
            Asked(name, seed, shlex.split(command), _strict(steps[f"{seed}_score_{name}_test"]))
            for rule, command in steps.items()
            if (match := re.fullmatch(r"(seed\d+)_generate_(.+)_test", rule))
            for seed, name in [match.groups()]
        ]
    except (OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{plan}: expected the plan of a run, got {error!r}") from None
    if not m_plus_of(asked.model for asked in found):
        raise ValueError(f"{plan}: expected M_plus among the models that answered test, got none")
    return found


def _strict(commands: str) -> list[str]:
    """Return the command that scores answers in the task's format: the last, after one for any format."""
    return shlex.split(commands.splitlines()[-1])


def m_plus_of(models: Iterable[str]) -> str:
    """Return the name of M_plus, the hybrid model of the last iteration; an empty one if there is none."""
    numbers = [int(match[1]) for name in models if (match := re.fullmatch(r"iter(\d+)_hybrid", name))]
    return f"iter{max(numbers)}_hybrid" if numbers else ""


def answered(asked: Asked, run: Path, questions: Path, output: Path) -> list[bool]:
    """Ask a model, score its answers, and return the verdicts in the order of the questions."""
    folder = output / asked.seed / asked.model
    answers, results = str(folder / "output.jsonl"), str(folder / "results.jsonl")
    for command, changes in (
        (asked.generate, {"--questions": str(questions), "--output-dir": str(folder)}),
        (asked.score, {"--golds": str(questions), "--input": answers, "--output": results}),
    ):
        words = [sys.executable, "-m", "w2s_factory", *command[1:]]
        for option, value in changes.items():
            words[words.index(option) + 1] = value
        if "--limit" in words:
            del words[words.index("--limit") : words.index("--limit") + 2]
        words = [word for word in words if word not in ("--partial", "--restart-if-changed")]
        subprocess.run(words, cwd=run, check=True, stdout=subprocess.DEVNULL)
    return list(read_verdicts(folder).values())


def rows(verdicts: dict[str, NDArray[np.bool_]]) -> list[dict[str, str]]:
    """Return a row for each model: mean, interval, each seed, differences from M_plus and the control."""
    m_plus, table = m_plus_of(verdicts), []
    for model, right in verdicts.items():
        mean, low, high = (f"{100 * share:.1f}" for share in share_right(right))
        row = {"model": model, "mean": mean, "low": low, "high": high}
        row["seeds"] = ", ".join(f"{100 * share:.1f}" for share in right.mean(axis=1))
        for name, other in (("gain", m_plus), ("over_sft", CONTROL)):
            if other in verdicts and model != other:
                value, low, high = (
                    f"{100 * share + 0.0:+.1f}" for share in difference(verdicts[other], right)
                )
                row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        table.append(row)
    return table


def main() -> None:
    """Parse the command line, ask all models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("run", type=Path, help="the run's folder, with its plan.json and models")
    parser.add_argument("--questions", type=Path, required=True, help="a file of fresh_questions.py")
    parser.add_argument("--output", type=Path, required=True, help="the folder of answers and fresh.csv")
    options = parser.parse_args()
    if not options.questions.is_file():
        parser.error(f"{options.questions}: no such file; make it with fresh_questions.py")
    verdicts: dict[str, list[list[bool]]] = {}
    try:
        for asked in planned(options.run / "plan.json"):
            right = answered(asked, options.run, options.questions.resolve(), options.output.resolve())
            verdicts.setdefault(asked.model, []).append(right)
            print(f"{asked.seed} {asked.model}: done", file=sys.stderr, flush=True)
    except ValueError as error:
        parser.error(str(error))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"this command failed: {shlex.join(error.cmd)}") from None
    table = pd.DataFrame(rows({model: np.array(right) for model, right in verdicts.items()}))
    with Outputs(force=True) as outputs:
        outputs.text(options.output / "fresh.csv", table.to_csv(index=False))
    print(table.to_string(index=False, na_rep=""))


if __name__ == "__main__":
    main()
