"""Measure the rows per second of each scoring mode against a plain loop over SymPy, in the same run.

    python scripts/bench_scoring.py --json

Both sides are whole processes, including start-up and reading, and read the same files. The plain loop
extracts final answers as the release does and compares every row with `parse_latex` and `simplify`, one
after the other. The data are read from a clone of the release (`--release`, or `W2S_RELEASE`). For GSM8K
they are the published results; for MATH, the file named by `--math` (rows with response, answer and
answer_key; by default the scoring vectors next to the release), or else the 500 test answers compared
with each other.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

PUBLISHED = "outputs/gsm8k_train_2/zero_shot/llama2_7b_gsm8k_1/zero-shot/direct/results.jsonl"

PLAIN = """
import json, sys
from sympy import simplify
from sympy.parsing.latex import parse_latex
from w2s_factory import get_task
task, right = get_task(sys.argv[1]), 0
golds = [json.loads(line)["answer"] for line in open(sys.argv[2])]
for line, answer in zip(open(sys.argv[3]), golds, strict=True):
    pred = task.normalise(task.extract(json.loads(line)["response"]))
    gold = task.normalise(answer)
    try:
        mine, theirs = parse_latex(pred), parse_latex(gold)
    except Exception:
        right += pred == gold
        continue
    try:
        right += bool(simplify(theirs - mine) == 0)
    except Exception:
        pass
print(right)
"""
FOUND = click.Path(path_type=Path, exists=True)
VECTORS = "../release_facts/cases/scoring_vectors.jsonl"
IDLE = "import w2s_factory.scoring.score"


def measured(command: list[str]) -> tuple[float, float, str]:
    """Wall-clock and processor seconds of a command, children included, and its last line of output."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, spent, done.stdout.strip()


def best(command: list[str], runs: int) -> tuple[float, float, str]:
    """The quickest of some runs."""
    return min(measured(command) for _ in range(runs))


def write_lines(path: Path, rows: list[dict]) -> Path:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def math_rows(release: Path, vectors: Path | None) -> list[dict]:
    """Responses with golds: the rows of a file, or MATH's test answers against their neighbours' golds."""
    if vectors:
        rows = map(json.loads, vectors.open(encoding="utf-8"))
        return [row for row in rows if row["answer_key"] == "The answer is:"]
    with (release / "data/test/math.jsonl").open(encoding="utf-8") as file:
        golds = [json.loads(line)["answer"] for line in file]
    taken = [
        (pred, gold)
        for shift in (0, 1)
        for pred, gold in zip(golds, golds[shift:] + golds[:shift], strict=True)
    ]
    return [{"response": f"The answer is: {pred}", "answer": gold} for pred, gold in taken]


def inputs(name: str, release: Path, vectors: Path | None, folder: Path) -> tuple[Path, Path]:
    """The golds and the outputs of a task."""
    if name == "gsm8k":
        return release / "data/test/gsm8k_train_2.jsonl", release / PUBLISHED
    rows = math_rows(release, vectors)
    tests = [
        {"source": "", "question": "", "solution": "", "answer": row["answer"], "tag": {}} for row in rows
    ]
    outputs = [{"id": place, "prompt": "", "response": row["response"]} for place, row in enumerate(rows)]
    return write_lines(folder / "golds.jsonl", tests), write_lines(folder / "outputs.jsonl", outputs)


def bench(name: str, golds: Path, outputs: Path, folder: Path, runs: int) -> dict:
    """The seconds of each mode and of the plain loop on one task's rows."""
    rows = sum(1 for _ in outputs.open(encoding="utf-8"))
    command = [sys.executable, "-m", "w2s_factory", "score", "--task", name, "--golds", str(golds)]
    taken = {"plain loop": measured([sys.executable, "-c", PLAIN, name, str(golds), str(outputs)])}
    for mode in ("published", "symbolic", "math-verify"):
        written = [
            "--input",
            str(outputs),
            "--output",
            str(folder / name / mode / "results.jsonl"),
            "--mode",
            mode,
        ]
        taken[mode] = best([*command, *written, "--force"], runs)
    idle = best([sys.executable, "-c", IDLE], runs)[0]
    plain = taken["plain loop"][0]
    return {
        "task": name,
        "rows": rows,
        "start_up_seconds": round(idle, 3),
        "modes": {
            mode: {
                "seconds": round(wall, 3),
                "processor_seconds": round(spent, 3),
                "rows_per_second": round(rows / wall),
                "times_the_plain_loop": round(plain / wall, 1),
                "right": int(said.split()[0]),
            }
            for mode, (wall, spent, said) in taken.items()
        },
    }


@click.command()
@click.option("--release", envvar="W2S_RELEASE", required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--math", "vectors", type=click.Path(path_type=Path, exists=True), help="Rows to score as MATH."
)
@click.option("--runs", default=3, show_default=True, help="The quickest of so many counts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(release: Path, vectors: Path | None, runs: int, as_json: bool) -> None:
    """Measure every mode on GSM8K and MATH rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = [
            bench(task, *inputs(task, release, vectors, folder), folder, runs) for task in ("gsm8k", "math")
        ]
    if as_json:
        click.echo(json.dumps({"cores": len(os.sched_getaffinity(0)), "tasks": found}, indent=2))
        return
    for task in found:
        click.echo(f"{task['task']}: {task['rows']} rows, start-up {task['start_up_seconds']} s")
        for mode, one in task["modes"].items():
            click.echo(
                f"  {mode:<12}{one['seconds']:>8.2f} s {one['rows_per_second']:>8} rows/s "
                f"{one['times_the_plain_loop']:>7} x  right {one['right']}"
            )


if __name__ == "__main__":
    main()
