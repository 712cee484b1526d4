"""What is written where rows are too long; which rows are is said here, not counted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import long_rows
from w2s_factory.llamafactory.datasets import named_datasets
from w2s_factory.llamafactory.installation import Installation
from w2s_factory.llamafactory.long_rows import Lengths, LongRow
from w2s_factory.llamafactory.training_config import read_config

ROWS = [{"content": "a", "output": "b"}, {"content": "a " * 99, "output": "b"}]


def settle(folder: Path, data: Path) -> tuple[Any, dict[str, int]]:
    """Drop the rows of `data` that are longer than 20 characters, for a training into `folder/out`."""
    values = {"dataset": "rows", "dataset_dir": str(data), "output_dir": str(folder / "out")}
    (folder / "train.yaml").write_text(yaml.safe_dump(values))
    config = read_config(folder / "train.yaml")
    installation = Installation(("cli",), Path(sys.executable), None)
    return long_rows.settle_long_rows(config, named_datasets(config), installation, "drop", lambda _: None)


@pytest.fixture(autouse=True)
def _measured_by_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(_config: Any, dataset: Any, _installation: Any) -> Lengths:
        rows = json.loads(dataset.file.read_text())
        long = [
            LongRow(place, str(place), 99, True) for place, row in enumerate(rows) if len(row["content"]) > 20
        ]
        return Lengths(dataset, len(rows), tuple(long), 20)

    monkeypatch.setattr(long_rows, "measure", measure)


def made(folder: Path, rows: Any = ROWS, file_name: str = "rows.json") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file_name).write_text(json.dumps(rows))
    columns = {"prompt": "content", "response": "output"}
    index = {"rows": {"file_name": file_name, "columns": columns}, "other": {"file_name": "other.json"}}
    (folder / "dataset_info.json").write_text(json.dumps(index))
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_rows_that_fit_are_written_and_written_again(tmp_path: Path) -> None:
    data = made(tmp_path / "data")
    config, dropped = settle(tmp_path, data)
    assert dropped == {"rows": 1}
    written = Path(config.values["dataset_dir"])
    assert json.loads((written / "0_rows.json").read_text()) == ROWS[:1]
    made(data, [*ROWS, ROWS[0]])
    settle(tmp_path, data)
    assert json.loads((written / "0_rows.json").read_text()) == [ROWS[0], ROWS[0]]
    made(data, ROWS, "renamed.json")
    settle(tmp_path, data)
    assert json.loads((written / "0_renamed.json").read_text()) == ROWS[:1]


def data_lies_there(folder: Path) -> Path:
    return made(folder / "out.data")


def index_of_others_lies_there(folder: Path) -> Path:
    made(folder / "out.data", [])
    return made(folder / "data")


def our_index_was_changed(folder: Path) -> Path:
    data = made(folder / "data")
    settle(folder, data)
    index = folder / "out.data" / "dataset_info.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"more": {"file_name": "more.json"}}))
    return data


def a_file_of_that_name_lies_there(folder: Path) -> Path:
    (folder / "out.data").mkdir()
    (folder / "out.data" / "0_rows.json").write_text("mine")
    return made(folder / "data")


def what_we_wrote_is_trained_on(folder: Path) -> Path:
    settle(folder, made(folder / "data"))
    (folder / "out.data" / "0_rows.json").write_text(json.dumps(ROWS))
    return folder / "out.data"


def what_we_wrote_was_linked_to_what_is_trained_on(folder: Path) -> Path:
    data = made(folder / "data")
    settle(folder, data)
    (folder / "out.data" / "0_rows.json").unlink()
    (folder / "out.data" / "0_rows.json").symlink_to(data / "rows.json")
    return data


@pytest.mark.parametrize(
    "prepared",
    [
        what_we_wrote_was_linked_to_what_is_trained_on,
        data_lies_there,
        index_of_others_lies_there,
        our_index_was_changed,
        a_file_of_that_name_lies_there,
        what_we_wrote_is_trained_on,
    ],
)
def test_nothing_else_is_written_over(prepared: Any, tmp_path: Path) -> None:
    data = prepared(tmp_path)
    before = contents(tmp_path / "out.data")
    with pytest.raises(UserError, match="which holds other data"):
        settle(tmp_path, data)
    assert contents(tmp_path / "out.data") == before
