"""The release's splits of GSM8K, MATH and OlympicArena: how they are drawn, written, and rebuilt."""

from __future__ import annotations

import random
import shlex
from typing import TYPE_CHECKING, Any

from w2s_factory.records import TEST, Form, Outputs, read, write
from w2s_factory.release.fetch import files_below

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from w2s_factory.records import Test
    from w2s_factory.tasks import Task

SEED = 42
"""The release's seed for most of what it draws."""

GSM8K_ROWS = 7473
"""The number of GSM8K's training rows: half 2 has 3,737 of them, half 1 the other 3,736."""

ROWS: Form[dict[str, Any]] = Form("rows", {})
"""Rows with any keys, for files that are rebuilt from rows as they are."""


def halves(count: int, seed: int = SEED) -> dict[int, list[int]]:
    """Return the numbers of the training rows in each half: 1 trains the weak model, 2 is its questions.

    The numbers 0 to `count` - 1 are shuffled, then split; of an odd count half 2 has one more.
    """
    numbers = list(range(count))
    random.Random(seed).shuffle(numbers)
    middle = (count + 1) // 2
    return {1: sorted(numbers[middle:]), 2: sorted(numbers[:middle])}


def write_splits(
    task: Task, raw: Mapping[str, list[dict[str, Any]]], root: Path, origin: str, *, force: bool
) -> dict[Path, int]:
    """Write the raw and the test form of splits under the release's paths.

    Args:
        task: The benchmark.
        raw: The raw rows by split; a split may be given in the test form already.
        root: The root below which the files are written.
        origin: The source of the rows; none of its files is overwritten.
        force: Replace files that have other content.

    Returns:
        The files written, with their number of rows.
    """
    files: dict[Path, int] = {}
    with Outputs(reads=files_below(origin), force=force) as outputs:
        for name, rows in raw.items():
            split = task.splits[name]
            tests = rows if "source" in rows[0] else [task.test_row(row, split.tag) for row in rows]
            files[root / split.raw] = outputs.rows(
                root / split.raw, rows, TEST if tests is rows else task.raw_form
            )
            files[root / split.test] = outputs.rows(root / split.test, tests, TEST)
        outputs.note(packages=["datasets"], task=task.name, origin=origin)
    return files


def gold_command(task: Task, root: Path) -> str:
    """Return the command that builds gold training data from the weak model's half."""
    raw = root / task.splits["train_1"].raw
    return shlex.join(
        ["w2s-factory", "build-data", "--stage", "gold", "--task", task.name, "--input", str(raw)]
    )


def gsm8k_test_row(task: Task, raw: Mapping[str, Any]) -> Test:
    """Return a row of GSM8K's test set as published: without the commas that training golds keep."""
    row = task.test_row(raw, task.splits["test"].tag)
    return {**row, "answer": row["answer"].replace(",", "")}


def rebuild_gsm8k_test(out: Path, test: Path, *, task: Task) -> None:
    """Write the raw GSM8K test set, which is published in the test form, from its questions and solutions."""
    raw = ({"question": row["question"], "answer": row["solution"]} for row in read(test, TEST))
    write(out, (gsm8k_test_row(task, row) for row in raw))


def rebuild_gsm8k_ids(out: Path, published: Path, *, half: int) -> None:
    """Write a raw GSM8K half with the ids of its original rows drawn again; all else is as published."""
    ids = iter([f"gsm8k_{number}" for number in halves(GSM8K_ROWS)[half]])
    rows = read(published, ROWS)
    with_ids = (
        row if str(row.get("id")).startswith("aug_") else {**row, "id": next(ids, None)} for row in rows
    )
    write(out, with_ids)


def rebuild_math_raw(out: Path, test: Path) -> None:
    """Write raw MATH rows from the test form."""
    raw = (
        {
            "problem": row["question"],
            "solution": row["solution"],
            "answer": row["answer"],
            **row["tag"],
        }
        for row in read(test, TEST)
    )
    write(out, raw)


def rebuild_olympic_input(out: Path, output: Path) -> None:
    """Write OlympicArena's input from its output, whose rows have a response besides."""
    rows = read(output, ROWS)
    write(out, ({key: value for key, value in row.items() if key != "response"} for row in rows))
