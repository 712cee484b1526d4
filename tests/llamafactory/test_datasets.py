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
    "list_pairs": pair_entry("toy.json", "list"),
    "column_pairs": pair_entry("toy.json", "columns"),
    "shared_gpt": {"file_name": "toy.json", "formatting": "sharegpt", "ranking": True},
    "hub": {"hf_hub_url": "owner/name"},
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
        ("shared_gpt", "dpo", NEW),
        ("shared_gpt", "dpo", OLD),
    ],
)
def test_suits(folder, names, method, version):
    check_datasets(names, folder, method=method, version=version)


@pytest.mark.parametrize(
    ("names", "method", "version", "problem"),
    [
        ("tou", None, NEW, r'no dataset "tou"\. It holds: toy, lost, list_pairs'),
        ("toy,", None, NEW, 'no dataset ""'),
        ("toy,none", None, NEW, 'no dataset "none"'),
        ("lost", None, NEW, r'"lost" names the file lost\.json, which is not there'),
        ("odd", None, NEW, '"odd": expected an object'),
        ("no_columns", None, NEW, '"no_columns": `columns` must be an object'),
        ("odd_columns", "dpo", NEW, '"odd_columns": `columns` must be an object'),
        ("column_pairs", None, NEW, "holds preference pairs, not supervised rows"),
        ("toy", "dpo", NEW, "holds no preference pairs, which dpo needs"),
        ("list_pairs", "dpo", NEW, r"up to 0\.7\.1 \(one list\), not as 0\.9\.5"),
        ("column_pairs", "orpo", OLD, r"from 0\.8\.0 on \(chosen, rejected\), not as 0\.6\.2"),
    ],
)
def test_does_not_suit(folder, names, method, version, problem):
    with pytest.raises(UserError, match=problem) as error:
        check_datasets(names, folder, method=method, version=version)
    assert str(folder / "dataset_info.json") in str(error.value)


def test_no_index(tmp_path):
    with pytest.raises(UserError, match=r"holds no dataset_info\.json"):
        check_datasets("toy", tmp_path, method=None, version=NEW)


def test_an_index_not_yet_written(tmp_path):
    check_datasets("toy", tmp_path, method=None, version=NEW, index=INDEX)
    with pytest.raises(UserError, match="It holds none"):
        check_datasets("toy", tmp_path, method=None, version=NEW, index={})


def test_a_long_index_is_not_listed_whole(tmp_path):
    index = {f"set_{number}": sft_entry("a.json") for number in range(40)}
    with pytest.raises(UserError, match=r"set_\d+ and 28 more$"):
        check_datasets("none", tmp_path, method=None, version=NEW, index=index)
