"""Calls under way at a time: what is given when one of them fails, and what becomes of them when left."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from w2s_factory.generating.engines.concurrency import by_tasks, by_threads


class CallError(Exception):
    """What a call of these tests raises."""


def answer(ask):
    """Ten times the ask after so many hundredths of a second; a negative ask fails at once."""
    if ask < 0:
        raise CallError(ask)
    time.sleep(ask / 100)
    return ask * 10


async def answer_later(ask):
    if ask < 0:
        raise CallError(ask)
    await asyncio.sleep(ask / 100)
    return ask * 10


def in_threads(asks, most):
    yield from by_threads(answer, asks, most)


def in_tasks(asks, most):
    with asyncio.Runner() as runner:
        yield from by_tasks(runner, map(answer_later, asks), most)


@pytest.fixture(params=[in_threads, in_tasks])
def ask_all(request):
    return request.param


def test_each_result_when_it_is_there(ask_all):
    assert list(ask_all([30, 1, 15], 3)) == [10, 150, 300]
    assert list(ask_all(range(20), 4)) != list(ask_all([], 4)) == []
    assert sorted(ask_all(range(20), 4)) == [ask * 10 for ask in range(20)]


def test_results_under_way_come_before_a_failure_and_nothing_is_begun_after_it(ask_all):
    asked, given = [], []

    def asks():
        for ask in (20, -1, 10, -2, 5, 6):
            asked.append(ask)
            yield ask

    with pytest.raises(CallError, match="-1"):
        given.extend(ask_all(asks(), 3))
    assert given == [100, 200]
    assert asked == [20, -1, 10]


def test_no_more_at_a_time_than_asked():
    under_way, most, lock = 0, 0, threading.Lock()

    def count(_):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1

    assert len(list(by_threads(count, range(12), 3))) == 12
    assert most == 3


def test_leaving_waits_for_no_thread():
    began, gate = time.monotonic(), threading.Event()
    results = by_threads(lambda ask: gate.wait(60) if ask else ask, [0, 1, 1], 3)
    assert next(results) == 0
    results.close()
    assert time.monotonic() - began < 10
    gate.set()


def test_leaving_cancels_tasks():
    cancelled = []

    async def wait(ask):
        try:
            await asyncio.sleep(60 if ask else 0)
        except asyncio.CancelledError:
            cancelled.append(ask)
            raise
        return ask

    with asyncio.Runner() as runner:
        results = by_tasks(runner, map(wait, [0, 1, 2]), 3)
        assert next(results) == 0
        results.close()
    assert sorted(cancelled) == [1, 2]
