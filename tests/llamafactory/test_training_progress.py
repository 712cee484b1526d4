"""The progress of a training, from `trainer_log.jsonl` as LLaMA-Factory leaves it at any moment."""

from __future__ import annotations

import json
import math
import os

import pytest

from w2s_factory.llamafactory.training_progress import FollowedTraining, TrainingProgress

NOW = 1_000_000.0


def line(step, clock, total=100, **more) -> str:
    values = {"current_steps": step, "total_steps": total, "elapsed_time": clock, "remaining_time": "0:00:01"}
    return json.dumps(values | more) + "\n"


def progress(folder, text, *, ago=0.0, resumes=False) -> TrainingProgress | None:
    if text is not None:
        (folder / "trainer_log.jsonl").write_text(text)
        os.utime(folder / "trainer_log.jsonl", (NOW - ago, NOW - ago))
    return FollowedTraining(folder, resumes=resumes).progress(NOW, NOW - 100)


FIRST, SECOND = line(10, "0:00:20", loss=2.5), line(20, "0:00:40", loss=2.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        (FIRST[:20], None),
        ("not JSON\n[]\n{}\n", None),
        (FIRST, TrainingProgress(10, 100, 2.5, 2.0, 180.0)),
        (FIRST + SECOND, TrainingProgress(20, 100, 2.0, 2.0, 160.0)),
        (FIRST + SECOND[:-5], TrainingProgress(10, 100, 2.5, 2.0, 180.0)),
        (FIRST + line(20, "0:00:40"), TrainingProgress(20, 100, 2.5, 2.0, 160.0)),
        (FIRST + "null\n" + SECOND, TrainingProgress(20, 100, 2.0, 2.0, 160.0)),
        (line(1, "0:00:00", loss=3), TrainingProgress(1, 100, 3.0)),
        (line(50, "1 day, 0:00:00"), TrainingProgress(50, 100, None, 1728.0, 86400.0)),
        (line(50, "soon"), None),
        (line("50", "0:00:10"), None),
        (line(90, "0:10:00", loss=9.0) + FIRST, TrainingProgress(10, 100, 2.5, 2.0, 180.0)),
    ],
    ids=[
        "missing", "empty", "half a line", "no lines", "one", "two", "half a second", "end without loss",
        "damaged line", "no time yet", "days", "no clock", "no number", "an earlier training's first",
    ],
)  # fmt: skip
def test_a_log_at_any_moment(tmp_path, text, expected):
    assert progress(tmp_path, text) == expected


def test_the_time_since_the_last_line_is_taken_off(tmp_path):
    assert progress(tmp_path, FIRST, ago=30).remaining_seconds == pytest.approx(150)
    assert progress(tmp_path, line(99, "0:00:59"), ago=60).remaining_seconds == 0


def test_an_earlier_trainings_log_does_not_count(tmp_path):
    assert progress(tmp_path, FIRST, ago=200) is None


def test_a_resumed_training_is_measured_between_its_own_lines(tmp_path):
    resumed = line(60, "0:00:05", loss=1.0)
    assert progress(tmp_path, resumed, resumes=True) == TrainingProgress(60, 100, 1.0)
    text = FIRST + resumed + line(70, "0:00:25", loss=0.5)
    assert progress(tmp_path, text, resumes=True) == TrainingProgress(70, 100, 0.5, 2.0, 60.0)


def test_a_loss_that_is_not_a_number_is_shown_as_it_is(tmp_path):
    assert math.isnan(progress(tmp_path, line(10, "0:00:20", loss=math.nan)).loss)
