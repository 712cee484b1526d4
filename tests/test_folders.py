"""The files and folders meant by a folder's name."""

from __future__ import annotations

import pytest

from w2s_factory.errors import UserError
from w2s_factory.folders import responses_in, seed_number, seeds_in


def test_seeds_are_folders_named_so_in_the_order_of_their_numbers(tmp_path):
    for name in ("seed10", "seed2", "seed02", "seedling", "seed1.bak", "seed"):
        (tmp_path / name).mkdir()
    (tmp_path / "seed3").write_text("a file")
    (tmp_path / "seed4").symlink_to("nowhere")
    found = seeds_in(tmp_path)
    assert [path.name for path in found] == ["seed02", "seed2", "seed4", "seed10"]
    assert [seed_number(path) for path in found] == [2, 2, 4, 10]


def test_what_is_not_a_folder_has_no_seeds(tmp_path):
    assert seeds_in(tmp_path / "seed3") == []


def test_a_folder_of_one_sampled_answer_means_that_seed(tmp_path):
    seed = tmp_path / "t0.6/seed3"
    seed.mkdir(parents=True)
    (seed / "output.jsonl").touch()
    assert responses_in(tmp_path) == seed / "output.jsonl"
    (seed / "results.jsonl").touch()
    assert responses_in(tmp_path) == seed / "results.jsonl"


def test_a_folder_of_several_samples_is_not_one_file(tmp_path):
    for name in ("seed0", "seed1"):
        (tmp_path / "t1.0" / name).mkdir(parents=True)
        (tmp_path / "t1.0" / name / "output.jsonl").touch()
    with pytest.raises(UserError, match="is a folder without"):
        responses_in(tmp_path)
