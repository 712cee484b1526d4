from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.experiment.remaining_time import Durations, Work, run_seconds


def durations(*finished) -> Durations:
    measured = Durations()
    for name, kind, seconds in finished:
        measured.add(name, kind, seconds)
    return measured


@pytest.mark.parametrize(
    ("finished", "expected"),
    [
        ([], None),
        ([("seed0/score_a", "score", 5.0)], None),
        ([("seed0/train_b", "train", 10.0), ("seed0/train_c", "train", 30.0)], 20.0),
        ([("seed0/train_a", "train", 10.0), ("seed0/train_c", "train", 30.0)], 10.0),
        ([("seed0/train_a", "train", 10.0), ("seed1/train_a", "train", 14.0)], 12.0),
    ],
    ids=["nothing", "another kind", "its kind", "itself in another repetition", "in two"],
)
def test_a_step_takes_as_long_as_comparable_ones(finished, expected):
    assert durations(*finished).expected("seed2/train_a", "train") == expected


def one(seconds, reads=(), writes=(), running=False, **amounts) -> Work:
    return Work(seconds, reads, writes, amounts, running)


@pytest.mark.parametrize(
    ("work", "limits", "seconds"),
    [
        ([], {}, 0),
        ([one(3), one(5)], {}, 5),
        ([one(3, cores=1), one(5, cores=1)], {"cores": 1}, 8),
        ([one(3, writes=["a"]), one(5, reads=["a"])], {}, 8),
        ([one(3, writes=["a"]), one(5, reads=["a", "outside"]), one(6)], {}, 8),
        ([one(3, gpu=4, cores=1), one(5, gpu=2, cores=1), one(4, gpu=2, cores=1)], {"gpu": 4, "cores": 9}, 8),
        ([one(3, gpu=8)], {"gpu": 4}, 3),
        ([one(4, cores=2, running=True), one(1, cores=1)], {"cores": 2}, 5),
        ([one(4, cores=2, running=True), one(4, cores=2, running=True)], {"cores": 2}, 4),
        ([one(2, writes=["a"]), one(2, ["a"], ["b"]), one(2, ["a"], ["c"]), one(1, ["b", "c"])], {}, 5),
    ],
    ids=[
        "nothing", "side by side", "one after the other", "in order", "outside files are there", "gpus",
        "more than there is", "behind a running one", "both run", "a diamond",
    ],
)  # fmt: skip
def test_the_end_of_a_run(work, limits, seconds):
    assert run_seconds(work, limits) == seconds


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 100), st.integers(1, 4), st.lists(st.integers(0, 20), max_size=3)), max_size=12
    ),
    cores=st.integers(1, 6),
)
def test_no_schedule_is_shorter_than_its_longest_chain_or_longer_than_all_in_a_row(steps, cores):
    work, chains = [], []
    for index, (seconds, threads, before) in enumerate(steps):
        needs = sorted({number % index for number in before}) if index else []
        work.append(one(seconds, [str(need) for need in needs], [str(index)], cores=threads))
        chains.append(seconds + max((chains[need] for need in needs), default=0.0))
    found = run_seconds(work, {"cores": cores})
    total = sum(seconds for seconds, *_ in steps)
    area = sum(seconds * min(threads, cores) for seconds, threads, _ in steps) / cores
    assert max([*chains, area, 0.0]) <= found + 1e-6
    assert found <= total + 1e-6
