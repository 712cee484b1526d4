"""The files and folders meant by a folder's name."""

from __future__ import annotations

from w2s_factory.folders import seed_number, seeds_in


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
