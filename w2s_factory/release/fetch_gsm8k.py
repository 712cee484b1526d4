"""GSM8K from the hub, in the release's raw and test forms and under its paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2s_factory.records import Form
from w2s_factory.release.benchmark_splits import (
    GSM8K_ROWS,
    gold_command,
    gsm8k_test_row,
    halves,
    write_splits,
)
from w2s_factory.release.fetch import Fetched
from w2s_factory.release.hub import Row, split_rows
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path

GSM8K = "openai/gsm8k"
"""The name on the hub."""

_FORM: Form[Row] = Form("rows of GSM8K", {"question": (str,), "answer": (str,)})


def fetch_gsm8k(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """Fetch the test split, and the training rows split as in the release.

    The published halves also hold augmented rows. These are not fetched: they are not on the hub, and how
    they were split is not known.

    Args:
        origin: A name on the hub or a local folder with the splits `train` and `test`; None for the hub.
        output_dir: The root below which the files are written, as in the release.
        force: Replace files that have other content.

    Raises:
        UserError: `datasets` is missing, the rows are not GSM8K's, or a file has other content.
        DelegateError: The hub can't be reached.
    """
    source = origin or GSM8K
    train = split_rows(source, "main", "train", _FORM)
    test = split_rows(source, "main", "test", _FORM)
    raw = {
        f"train_{half}": [{"id": f"gsm8k_{number}", **train[number]} for number in numbers]
        for half, numbers in halves(len(train)).items()
    }
    task = get_task("gsm8k")
    tests = [{**gsm8k_test_row(task, row)} for row in test]
    files = write_splits(task, {**raw, "test": tests}, output_dir, source, force=force)
    return Fetched(output_dir, files, _notes(len(train)), gold_command(task, output_dir))


def _notes(count: int) -> tuple[str, ...]:
    if count != GSM8K_ROWS:
        return (
            f"GSM8K has {GSM8K_ROWS:,} training rows, these are {count:,}; they are split in the same way",
        )
    augmented = (
        "the published halves also hold augmented rows (3,264 and 3,263), which are not on the hub and whose "
        "split is not known: w2s-factory fetch release has them"
    )
    return (
        "train_1 and train_2 hold the original rows of the published halves, in the published order",
        augmented,
    )
