"""Which questions are asked."""

from __future__ import annotations

import pytest

from w2s_factory.errors import UserError
from w2s_factory.generating import read_questions, split_file
from w2s_factory.records import write
from w2s_factory.tasks import get_task


def test_a_split_of_the_embedded_task():
    questions = read_questions(split_file(get_task("arithmetic"), "dev"))
    assert (len(questions), questions[3].id) == (500, 3)


def test_the_release_does_not_move_a_task_with_files_of_its_own(tmp_path):
    arithmetic = get_task("arithmetic")
    assert split_file(arithmetic, "dev", tmp_path) == split_file(arithmetic, "dev")


@pytest.mark.parametrize(
    ("split", "release", "message"),
    [
        ("train_3", None, 'task gsm8k has no split "train_3". It has train_1, train_2, test'),
        ("train_2", None, "--release DIR or W2S_RELEASE"),
        ("train_2", "nowhere", "no such file; expected the questions of split train_2"),
    ],
)
def test_what_is_not_there(tmp_path, split, release, message):
    with pytest.raises(UserError, match=message):
        split_file(get_task("gsm8k"), split, tmp_path / release if release else None)


def test_an_id_that_stands_there_twice(tmp_path):
    write(tmp_path / "q.jsonl", [{"id": 1, "question": "a"}, {"id": 1, "question": "b"}])
    with pytest.raises(UserError, match=r"q.jsonl:2.*again"):
        read_questions(tmp_path / "q.jsonl")
