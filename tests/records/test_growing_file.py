from __future__ import annotations

import pytest

from w2s_factory.records.growing_file import GrowingFile


def followed(path) -> GrowingFile[list[bytes]]:
    return GrowingFile(path, list, list.append)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (None, []),
        (b"", []),
        (b"a\nb\n", [b"a\n", b"b\n"]),
        (b"a\nhalf", [b"a\n"]),
        (b"half", []),
        (b"\n\xff\n", [b"\n", b"\xff\n"]),
    ],
    ids=["missing", "empty", "whole", "half written", "only half", "not text"],
)
def test_whole_lines_count(tmp_path, content, lines):
    path = tmp_path / "log"
    if content is not None:
        path.write_bytes(content)
    assert followed(path).state() == lines


def test_each_look_reads_on(tmp_path):
    path = tmp_path / "log"
    file = followed(path)
    assert file.state() == []
    for added, lines in ((b"a\nb", [b"a\n"]), (b"", [b"a\n"]), (b"c\nd\n", [b"a\n", b"bc\n", b"d\n"])):
        with path.open("ab") as end:
            end.write(added)
        assert file.state() == lines


def test_what_was_read_is_not_read_again(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\nb\n")
    taken: list[bytes] = []
    file = GrowingFile(path, list, lambda _, line: taken.append(line))
    for _ in range(3):
        file.state()
    assert taken == [b"a\n", b"b\n"]


@pytest.mark.parametrize("how", ["cut", "replaced", "deleted"])
def test_another_file_starts_the_state_over(tmp_path, how):
    path = tmp_path / "log"
    path.write_bytes(b"first\nsecond\n")
    file = followed(path)
    file.state()
    if how == "cut":
        path.write_bytes(b"x\n")
    elif how == "replaced":
        other = tmp_path / "other"
        other.write_bytes(b"x\nand much longer than before\n")
        other.replace(path)
    else:
        path.unlink()
    expected = {"cut": [b"x\n"], "replaced": [b"x\n", b"and much longer than before\n"], "deleted": []}
    assert file.state() == expected[how]


def test_a_folder_in_its_place_is_like_nothing_yet(tmp_path):
    assert followed(tmp_path).state() == []
