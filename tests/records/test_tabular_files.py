"""Data files of any kind, with the places of their rows, and the files of a split in a folder."""

from __future__ import annotations

import builtins
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from w2s_factory import UserError
from w2s_factory.records.tabular_files import read_data, split_files


def placed(path):
    return [(place.number, row) for place, row in read_data(path)]


def test_csv_with_the_lines_on_which_rows_begin(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('\ufeffid,text\n1,"one,\n""two"""\n\n2,x\u2028y\n', encoding="utf-8")
    assert placed(file) == [(2, {"id": 1, "text": 'one,\n"two"'}), (5, {"id": 2, "text": "x\u2028y"})]


@pytest.mark.parametrize(
    ("ids", "read"), [(["1", "2"], [1, 2]), (["01", "2"], ["01", "2"]), (["1", ""], ["1", ""])]
)
def test_ids_of_csv(tmp_path, ids, read):
    file = tmp_path / "a.csv"
    file.write_text("id,text\n" + "".join(f"{each},x\n" for each in ids))
    assert [row["id"] for _, row in placed(file)] == read


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", r"a.csv:1: expected a first line with the names of the columns"),
        ("a.csv", "a,b\n1\n", r"a.csv:2: expected 2 columns, got 1"),
        ("a.csv", 'a,b\n1,"x"y\n', r"a.csv:2: is not CSV"),
        ("a.csv", 'a,b\n1,"x\n', r"a.csv:\d: is not CSV"),
        ("a.csv", b"a,b\n1,\xff\n", r"a.csv:2: is not UTF-8 text"),
        ("a.json", "{", r"a.json:1: broken JSON"),
        ("a.parquet", "PAR1", r"a.parquet: is not a Parquet file"),
        ("a.txt", "a", r"a.txt: expected a file that ends in .jsonl, .json, .csv, .tsv, .parquet"),
        ("a.csv", None, r"a.csv: no such file"),
        ("a.parquet", None, r"a.parquet: no such file"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(tmp_path, name, text, message):
    file = tmp_path / name
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message):
        list(read_data(file))


def test_long_values_of_csv(tmp_path):
    (tmp_path / "a.csv").write_text(f"a\n{'x' * 200_000}\n")
    assert placed(tmp_path / "a.csv") == [(2, {"a": "x" * 200_000})]


@pytest.mark.parametrize(
    ("when", "kind"), [(2**62, pa.timestamp("us")), (1, pa.timestamp("s", "Nowhere/Else"))]
)
def test_values_of_parquet_that_have_no_form_in_python(tmp_path, when, kind):
    parquet.write_table(pa.table({"a": ["x"], "when": pa.array([when], kind)}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r'a.parquet: field "when": cannot be read \(\w+Error: ') as error:
        list(read_data(tmp_path / "a.parquet"))
    assert "\n" not in str(error.value)


def test_parquet_needs_a_package(tmp_path, monkeypatch):
    file = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_pylist([{"a": 1}]), file)
    assert placed(file) == [(1, {"a": 1})]
    known = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return known(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        UserError,
        match=r"a.parquet: the package pyarrow is not installed. Install the extra hub: .* -m pip install -c ",
    ):
        list(read_data(file))


@pytest.fixture
def folder(tmp_path):
    """A folder that is laid out as data sets on the hub are."""
    for name in ("main/train-00000-of-00002.parquet", "main/train-00001-of-00002.parquet", "main/test.jsonl", "README.md",
                 "other/data/validation.csv", "both/test.csv", "both/test.jsonl", "main/.cache/train.csv"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"a": name}))
    return tmp_path


@pytest.mark.parametrize(
    ("config", "split", "names"),
    [
        ("main", "train", ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]),
        ("main", "test", ["test.jsonl"]),
        ("other", "validation", ["validation.csv"]),
        ("other", None, ["validation.csv"]),
    ],
)
def test_files_of_a_split(folder, config, split, names):
    assert [file.name for file in split_files(folder, config, split)] == names
    assert [file.name for file in split_files(folder / config, config, split)] == names
    assert [file.name for file in split_files(folder / config, None, split)] == names


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [
        ("mian", "train", r'field "config": has no such folder. Did you mean "main"\?'),
        ("main", "trian", r'main: field "split": has no split "trian". Did you mean "train"\?'),
        ("main", None, r'main: field "split": is missing. It has test, train'),
        ("both", "test", r"both: holds the split in several formats: test.csv, test.jsonl. Name one file"),
        (
            None,
            "train",
            r"expected data files in it .* got none. Its configurations may be: both, main, other",
        ),
    ],
)
def test_splits_that_are_not_there(folder, config, split, message):
    with pytest.raises(UserError, match=message):
        split_files(folder, config, split)
