from __future__ import annotations

import json

import pytest

from w2s_factory import UserError
from w2s_factory.llamafactory.dataset_info import pair_entry, sft_entry
from w2s_factory.llamafactory.datasets import check_datasets
from w2s_factory.llamafactory.versions import for_version

NEW, OLD = for_version("0.9.5"), for_version("0.6.2")

INDEX = {
    "toy": sft_entry("toy.json"),
    "lost": sft_entry("lost.json"),
    "list_pairs": pair_entry("toy.json", "release"),
    "column_pairs": pair_entry("toy.json", "columns"),
    "shared_gpt": {"file_name": "toy.json", "formatting": "sharegpt", "ranking": True},
    "shared_gpt_columns": {
        "file_name": "toy.json",
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {"messages": "m", "chosen": "c", "rejected": "r"},
    },
    "hub": {"hf_hub_url": "owner/name"},
    "nameless": {},
    "odd": 7,
    "no_columns": {"file_name": "toy.json", "columns": None},
    "odd_columns": {"file_name": "toy.json", "ranking": True, "columns": [{}]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "toy.json").write_text("[]")
    (tmp_path / "dataset_info.json").write_text(json.dumps(INDEX))
    return tmp_path


@pytest.mark.parametrize(
    ("names", "method", "version"),
    [
        ("toy", None, NEW),
        ("toy, hub", None, OLD),
        ("column_pairs", "dpo", NEW),
        ("list_pairs", "orpo", OLD),
        ("shared_gpt_columns", "dpo", NEW),
        ("shared_gpt", "dpo", OLD),
    ],
)
def test_suits(folder, names, method, version):
    check_datasets(names, folder, method=method, version=version)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("tou", r'no dataset "tou" in .*dataset_info\.json\. Did you mean "toy"\?'),
        ("toy,", 'no dataset ""'),
        ("toy,9999", r'no dataset "9999" in .*\. It holds: toy, lost, list_pairs'),
        ("lost", r'"lost" .*: its file .*lost\.json does not exist'),
        ("odd", '"odd" in .*: expected an object'),
        ("no_columns", '"no_columns" in .*: `columns` must be an object'),
        ("odd_columns", '"odd_columns" in .*: `columns` must be an object'),
        ("nameless", '"nameless" in .*: has no file_name'),
    ],
)
def test_is_not_found(folder, names, problem):
    with pytest.raises(UserError, match=problem) as error:
        check_datasets(names, folder, method=None, version=NEW)
    assert error.value.field == "dataset"
    assert str(folder / "dataset_info.json") in str(error.value)


@pytest.mark.parametrize(
    ("names", "method", "version", "problem"),
    [
        ("column_pairs", None, NEW, "holds preference pairs, which sft does not train on"),
        ("toy", "dpo", NEW, "does not hold preference pairs, which dpo trains on"),
        ("list_pairs", "dpo", NEW, r"has one list column .*0\.9\.5 needs chosen .* --format columns"),
        ("column_pairs", "orpo", OLD, r"has chosen and .*0\.6\.2 needs one list .* --format release"),
        (
            "shared_gpt",
            "dpo",
            NEW,
            r"has one list column .*0\.9\.5 needs chosen and rejected columns \(see [^ ]*\)$",
        ),
    ],
)
def test_does_not_suit(folder, names, method, version, problem):
    with pytest.raises(UserError, match=problem) as error:
        check_datasets(names, folder, method=method, version=version)
    assert error.value.field == "dataset"


def test_no_index(tmp_path):
    with pytest.raises(UserError, match=r"no dataset_info\.json in "):
        check_datasets("toy", tmp_path, method=None, version=NEW)


def test_an_index_not_yet_written(tmp_path):
    check_datasets("toy", tmp_path, method=None, version=NEW, index=INDEX)
    with pytest.raises(UserError, match="It holds none"):
        check_datasets("toy", tmp_path, method=None, version=NEW, index={})


def test_a_long_index_is_not_listed_whole(tmp_path):
    index = {f"set_{number}": sft_entry("a.json") for number in range(40)}
    with pytest.raises(UserError, match=r"set_\d+ and 28 more \(see [^ ]*\)$"):
        check_datasets("none", tmp_path, method=None, version=NEW, index=index)
