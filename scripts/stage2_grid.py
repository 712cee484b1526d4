"""Train the grid of docs/stage2.md from one M_plus, and evaluate each setting on `dev`.

    EXPERIMENT=experiments/arithmetic_stage2.yaml
    w2s-factory run $EXPERIMENT --preset dev -- --until seed0_headroom seed0_merge_m_plus
    python scripts/stage2_grid.py runs/arithmetic_stage2_dev

`run` carries out one seed up to M_plus and its pairs. Settings that have a row in the table are
not trained again: name another `--output` to repeat the published grid.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from w2s_factory.llamafactory.policy_movement import SHOWN, logged_curves
from w2s_factory.llamafactory.preference_methods import METHODS

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "stage2_grid.csv"
RAW = argparse.RawDescriptionHelpFormatter
FOLDER = "seed0"
"""Seed 0 alone; the selected settings get three seeds, in the experiment."""
MODEL, PAIRS = f"{FOLDER}/models/m_plus", "arithmetic_small_iter1_hybrid_paired"
"""M_plus, and the name of its pairs in the run's dataset_info.json."""
RATES = (1e-4, 3e-4, 1e-3, 3e-3)
BETAS = {"dpo": (0.1, 0.5), "orpo": (0.1, 1.0), "simpo": (2.0, 10.0)}
SFT_TERMS = {"dpo": (0.0, 1.0), "orpo": (0.0,), "simpo": (0.0, 1.0)}
"""ORPO's loss has an SFT term of its own, so it gets none in addition."""
LONG = 3
LONG_RATE = 3e-4
"""Epochs and rate of one more setting of each method: with its first beta, without an SFT term."""


class Setting(NamedTuple):
    """One training of the grid."""

    method: str
    rate: float
    beta: float
    sft_term: float
    epochs: int = 1

    @property
    def name(self) -> str:
        """Return a name for files, which is also the row's key."""
        return f"{self.method}_rate{self.rate:g}_beta{self.beta:g}_sft{self.sft_term:g}_epochs{self.epochs}"

    @property
    def overrides(self) -> dict[str, Any]:
        """Return the arguments that differ from the method's preset."""
        chosen = {
            "learning_rate": self.rate,
            "pref_beta": self.beta,
            "pref_ftx": self.sft_term,
            "num_train_epochs": self.epochs,
            "logging_steps": 5,
        }
        return chosen | ({"simpo_gamma": self.beta / 2} if self.method == "simpo" else {})


def grid() -> list[Setting]:
    """Return all settings, those of one method after those of another."""
    settings = []
    for method in METHODS:
        betas = BETAS[method]
        settings += [Setting(method, *values) for values in product(RATES, betas, SFT_TERMS[method])]
        settings.append(Setting(method, LONG_RATE, betas[0], 0.0, LONG))
    return settings


def commands(setting: Setting) -> list[list[str]]:
    """Return the commands that train a setting and evaluate it on `dev`, to be run in the run's folder."""
    program = [sys.executable, "-m", "w2s_factory"]
    config, trained = f"grid/{setting.name}.yaml", f"grid/models/{setting.name}"
    answers, dev = f"grid/outputs/{setting.name}", f"{FOLDER}/data/test/arithmetic_dev.jsonl"
    changes = [word for key, value in setting.overrides.items() for word in ("--set", f"{key}={value}")]
    make = ["--preset", f"tiny_base_{setting.method}", "--model", MODEL, "--dataset", PAIRS]
    make += ["--dataset-dir", FOLDER, "--output-dir", trained, "--output", config, "--force", "--cpu"]
    ask = ["--task", "arithmetic", "--questions", dev, "--model", MODEL, "--adapter", trained]
    ask += ["--engine", "transformers", "--engine-option", "batch_size=128", "--max-tokens", "64"]
    rate = ["--task", "arithmetic", "--golds", dev, "--input", f"{answers}/output.jsonl"]
    return [
        [*program, "make-config", *make, *changes],
        [*program, "train", config, "--force"],
        [*program, "generate", *ask, "--output-dir", answers, "--restart-if-changed"],
        [*program, "score", *rate, "--output", f"{answers}/results.jsonl", "--force"],
    ]


def result(setting: Setting, run: Path) -> dict[str, Any]:
    """Return the row of a finished setting: how the policy moved, and its accuracy in percent."""
    rows = [json.loads(line) for line in (run / f"grid/outputs/{setting.name}/results.jsonl").open()]
    row: dict[str, Any] = {"name": setting.name} | setting._asdict()
    curves = logged_curves(run / "grid" / "models" / setting.name)
    row["last logged step"] = curves["loss"][-1][0]
    for key, words in SHOWN.items():
        row[f"{words}, first"], row[f"{words}, last"] = (
            f"{curves[key][place][1]:.4g}" if key in curves else "" for place in (0, -1)
        )
    row["dev"] = f"{100 * sum(answer['result'] for answer in rows) / len(rows):.1f}"
    return row


def carry_out(setting: Setting, run: Path) -> dict[str, Any]:
    """Train and evaluate one setting, and return its row; the commands and their output go to its log."""
    began, environment = datetime.now(UTC), {**os.environ, "OMP_NUM_THREADS": "1"}
    with (run / "grid" / f"{setting.name}.log").open("w") as log:
        for command in commands(setting):
            print("$", shlex.join(command), file=log, flush=True)
            subprocess.run(command, cwd=run, env=environment, stdout=log, stderr=log, check=True)
    seconds = (datetime.now(UTC) - began).seconds
    return result(setting, run) | {"began": began.isoformat(timespec="seconds"), "seconds": seconds}


def main() -> None:
    """Parse the command line and train what has no row yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("run", type=Path, nargs="?", help="the run's folder; without it, the grid is printed")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the table (default: %(default)s)")
    parser.add_argument(
        "--jobs", type=int, default=2, help="trainings at the same time (default: %(default)s)"
    )
    options = parser.parse_args()
    if options.run is None:
        print("\n".join(setting.name for setting in grid()))
        return
    if options.jobs < 1:
        parser.error(f"--jobs: expected at least 1, got {options.jobs}")
    if not (options.run / MODEL).is_dir():
        parser.error(f"{options.run}: expected the folder of a finished run, with {MODEL}")
    try:
        done = {row["name"] for row in rows_of(options.output)}
        options.output.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, LookupError) as error:
        parser.error(f"{options.output}: expected a table of this program, got {error!r}")
    left = [setting for setting in grid() if setting.name not in done]
    if not left:
        print(f"{options.output} has all {len(grid())} settings; name another --output to train them again")
    (options.run / "grid").mkdir(exist_ok=True)
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            for row in pool.map(lambda setting: carry_out(setting, options.run.resolve()), left):
                add(row, options.output)
                print(f"{row['name']}: {row['dev']} on dev, {row['seconds']} s", flush=True)
    except subprocess.CalledProcessError as error:
        logs = options.run / "grid/*.log"
        raise SystemExit(f"this command failed ({logs} have its output): {shlex.join(error.cmd)}") from None


def rows_of(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table; none if it does not exist."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def add(row: dict[str, Any], table: Path) -> None:
    """Add a row to a table, with the names of the columns above the first."""
    new = not table.exists()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
