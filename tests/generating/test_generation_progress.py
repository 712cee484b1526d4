"""The progress of a generation, from journals and logs as `generate` leaves them at any moment."""

from __future__ import annotations

import json
import os

import pytest

from w2s_factory.generating.generation_progress import FollowedGeneration, ResponsesProgress

NOW = 1_000_000.0
HEADER = json.dumps({"settings": {"seed": 0}, "rows": 40, "questions": 40})
LOADING = "engine transformers, model some/model\nLoading weights: 100%|#####| 12/12 [00:01<00:00, 9.1it/s]\n"
BAR = "\r  0%|          | {}/{} [{}<?, {} responses/s]"


def bar(done, total=40, clock="00:00", pace="?") -> str:
    return BAR.format(done, total, clock, pace)


def row(name, tokens=10, **more) -> str:
    return json.dumps({"id": name, "seed": 0, "text": "x", "finish": "stop", "tokens": tokens, **more})


def rows(count, **more) -> str:
    return "".join(f"{row(name, **more)}\n" for name in range(count))


class Step:
    """The files of a generation that began 100 seconds ago."""

    def __init__(self, folder) -> None:
        self.folder, self.log = folder, folder / "step.log"
        self.began = NOW - 100

    def printed(self, text, ago=0.0) -> None:
        self.log.write_text(text)
        os.utime(self.log, (NOW - ago, NOW - ago))

    def journal(self, text, part=".") -> None:
        (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / part / "output.journal.jsonl").write_text(text)

    def follow(self, *parts) -> FollowedGeneration:
        return FollowedGeneration([self.folder / part / "output.jsonl" for part in parts or ["."]], self.log)

    def progress(self, *parts) -> ResponsesProgress | None:
        return self.follow(*parts).progress(NOW, self.began)


@pytest.fixture
def step(tmp_path):
    return Step(tmp_path)


@pytest.mark.parametrize(
    ("journal", "done"),
    [
        (f"{HEADER}\n{rows(12)}", 12),
        (f"{HEADER}\n{rows(12)}{row(12)[:30]}", 12),
        (f"{HEADER}\n{rows(12)}not JSON\n{row(12)}\n", 13),
        (f"{HEADER}\n{row(0, error='too long')}\n{rows(12)}", 12),
        (f"{HEADER}\n", 0),
        ("", 0),
        (None, 0),
        (f"{HEADER}\n{rows(50)}", 40),
    ],
    ids=["whole", "half row", "damaged row", "asked twice", "begun", "empty", "missing", "more than asked"],
)
def test_responses_are_counted_in_the_journal(step, journal, done):
    if journal is not None:
        step.journal(journal)
    step.printed(LOADING + bar(0), ago=20)
    found = step.progress()
    assert (found.done, found.total) == (done, 40)


def test_the_pace_is_measured_from_the_start_of_the_bar(step):
    step.journal(f"{HEADER}\n{rows(10, tokens=30)}")
    step.printed(LOADING + bar(0), ago=20)
    assert step.progress() == ResponsesProgress(10, 40, 0.5, 15.0, 60.0)


def test_a_later_state_of_the_bar_says_when_it_began(step):
    step.journal(f"{HEADER}\n{rows(20)}")
    step.printed(LOADING + bar(0) + bar(10, clock="00:30", pace="3.0"), ago=10)
    assert step.progress() == ResponsesProgress(20, 40, 0.5, 5.0, 40.0)


def test_at_its_end_the_pace_stays_as_it_was(step):
    step.journal(f"{HEADER}\n{rows(40)}")
    step.printed(LOADING + bar(0) + bar(40, clock="00:20", pace="2.0") + "\nWrote output.jsonl\n", ago=10)
    assert step.progress() == ResponsesProgress(40, 40, 2.0, 20.0, 0.0)


def test_after_other_lines_it_is_measured_from_the_start_of_the_step(step):
    step.journal(f"{HEADER}\n{rows(20)}")
    step.printed(LOADING + bar(0) + "\na warning\n", ago=10)
    assert step.progress() == ResponsesProgress(20, 40, 0.2, 2.0, 100.0)


def test_a_resumed_generation_counts_old_responses_but_not_in_its_pace(step):
    step.journal(f"{HEADER}\n{rows(30)}")
    step.printed(LOADING + bar(20), ago=20)
    assert step.progress() == ResponsesProgress(30, 40, 0.5, 5.0, 20.0)


def test_nothing_new_is_not_a_pace(step):
    step.journal(f"{HEADER}\n{rows(20)}")
    step.printed(LOADING + bar(20), ago=20)
    assert step.progress() == ResponsesProgress(20, 40)


def test_tokens_are_given_only_if_all_are_known(step):
    step.journal(f"{HEADER}\n{rows(10)}{row(10, tokens=None)}\n")
    step.printed(bar(0), ago=20)
    assert step.progress().tokens_per_second is None
    assert step.progress().per_second == pytest.approx(0.55)


@pytest.mark.parametrize("parts", [("t1.0/seed0", "t1.0/seed1"), ("shards/2-of-4",)])
def test_seeds_and_shards_have_journals_of_their_own(step, parts):
    for part in parts:
        step.journal(f"{HEADER}\n{rows(7)}", part)
    step.printed(bar(0, total=80), ago=20)
    assert (step.progress(*parts).done, step.progress(*parts).total) == (7 * len(parts), 80)


@pytest.mark.parametrize(
    ("printed", "ago"),
    [("", 0), (LOADING, 0), (bar(30), 200), (LOADING + "INFO 5/10 [00:01<00:01, 3 prompts/s]", 0)],
    ids=["nothing", "loading", "an earlier run's", "another bar"],
)
def test_before_the_engine_is_ready_nothing_is_known(step, printed, ago):
    step.journal(f"{HEADER}\n{rows(12)}")  # an earlier run's, perhaps with other settings
    step.printed(printed, ago=ago)
    assert step.progress() is None


def test_without_a_log_nothing_is_known(step):
    assert step.progress() is None


def test_it_moves_from_look_to_look(step):
    step.printed(bar(0), ago=10)
    followed, seen = step.follow(), []
    for count in (0, 3, 9):
        step.journal(f"{HEADER}\n{rows(count)}")
        seen.append(followed.progress(NOW + count, step.began))
    assert [each.done for each in seen] == [0, 3, 9]


def test_hours_are_read(step):
    step.journal(f"{HEADER}\n{rows(36)}")
    step.printed(bar(0) + bar(30, clock="1:00:00", pace="1"), ago=0)
    assert step.progress().per_second == pytest.approx(36 / 3600)
