"""Servers that fail in each way that servers fail: the client asks again, or the run ends in one line."""

from __future__ import annotations

import pytest

from tests.torture.faulty_server import LASTING, PASSING, FaultyServer
from w2s_factory.errors import DelegateError
from w2s_factory.generating import Model, Request, Sampling, make_engine


@pytest.fixture
def server(monkeypatch):
    base = pytest.importorskip("openai._base_client")
    monkeypatch.setattr(base, "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr(base, "MAX_RETRY_DELAY", 0.05)
    played = FaultyServer()
    yield played
    played.stop()


def texts(server, retries=10):
    options = {"base_url": server.url, "concurrency": 1, "retries": retries, "timeout": 0.3}
    engine = make_engine("openai", Model("tiny"), options)
    asked = [Request(number, 0, f"Question {number}") for number in range(3)]
    return [done.text for done in engine.complete(engine.batches(asked), Sampling())]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_changes_nothing(server, fault):
    expected = texts(server)
    server.faults = ["", fault]
    assert texts(server) == expected


@pytest.mark.parametrize("fault", LASTING)
def test_an_answer_that_is_not_whole_is_never_kept(server, fault):
    server.faults = ["", fault]
    with pytest.raises(DelegateError, match=r"question 1: the server at .* gives no usable answer \(.+\)"):
        texts(server)


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_lasts_ends_the_run(server, fault):
    server.faults = ["", *[fault] * 9]
    with pytest.raises(DelegateError, match="question 1: the server at "):
        texts(server, retries=1)
