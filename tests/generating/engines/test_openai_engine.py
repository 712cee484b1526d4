"""What is the openai engine's own: the wire, keys, retries, a server that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from completions_server import CompletionsServer

from w2s_factory.answers.thinking import Markers, split_thinking
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating import ChatSettings, Model, Request, Sampling, make_engine

GREEDY = Sampling(max_tokens=4, stop=("Question",))


def engine_at(url, bos="auto", model="tiny", **options):
    return make_engine("openai", Model(model, bos=bos), {"base_url": url, **options})


def completed(engine, count=6, sampling=GREEDY):
    asked = [Request(n, 0, f"Question: {n}?\nAnswer:") for n in range(count)]
    return [one.request.id for one in engine.complete(engine.batches(asked), sampling)]


@pytest.fixture
def own_server(tiny):
    server = CompletionsServer(tiny)
    yield server
    server.stop()


def test_what_goes_over_the_wire(own_server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-mine")
    completed(engine_at(own_server.url), 1)
    completed(engine_at(own_server.url, bos="none"), 1, Sampling(temperature=1.0, top_p=0.9, max_tokens=4))
    greedy, drawn = own_server.asked
    assert {
        key: greedy[key] for key in ("model", "prompt", "temperature", "top_p", "max_tokens", "stop")
    } == {
        "model": "tiny",
        "prompt": "Question: 0?\nAnswer:",
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 4,
        "stop": ["Question"],
    }
    assert greedy.get("seed") is None
    assert "add_special_tokens" not in greedy
    assert (drawn["seed"], drawn["add_special_tokens"]) == (Request(0, 0, "").draw_seed, False)
    assert own_server.headers["Authorization"] == "Bearer key-of-mine"


def test_settings_beyond_the_published_ones_go_over_the_wire_only_if_changed(own_server):
    engine = engine_at(own_server.url)
    completed(engine, 1)
    changes = {"top_k": 5, "min_p": 0.1, "presence_penalty": 1.5, "repetition_penalty": 1.2}
    completed(engine, 1, Sampling(max_tokens=4, **changes))
    plain, changed = own_server.asked
    assert not changes.keys() & plain.keys()
    assert {name: changed[name] for name in changes} == changes


@pytest.mark.parametrize("fault", [500, 503, 429, "drop"])
def test_faults_that_pass_are_tried_again(own_server, fault):
    own_server.faults = [fault] * 3
    assert sorted(completed(engine_at(own_server.url, concurrency=2))) == list(range(6))
    assert own_server.faults == []


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (401, UserError, "refuses the key. Set OPENAI_API_KEY"),
        (404, DelegateError, "question 0: .* answers 404 .*told to fail"),
    ],
)
def test_faults_that_stay_are_not(own_server, fault, error, message):
    own_server.faults = [fault]
    with pytest.raises(error, match=message):
        completed(engine_at(own_server.url), 1)
    assert own_server.asked == []


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_the_server_refuses_ends_nothing(own_server, status):
    own_server.faults = [status]
    engine = engine_at(own_server.url, concurrency=1)
    asked = [[Request(n, 0, f"Question: {n}?\nAnswer:")] for n in range(3)]
    refused, *others = engine.complete(asked, Sampling(max_tokens=4, top_k=3, presence_penalty=0.5))
    assert (refused.finish, refused.text, refused.tokens) == ("error", "", None)
    assert refused.error.startswith(f"the server answers {status} (")
    assert refused.error.endswith("; it may not take top_k")
    assert [one.error for one in others] == [None, None]


def test_responses_under_way_when_a_request_fails_are_kept(own_server):
    real = own_server.complete
    own_server.complete = lambda body: time.sleep(0.3) or real(body)
    own_server.faults = [404]
    engine = engine_at(own_server.url, concurrency=4)
    asked = [Request(n, 0, f"Question: {n}?\nAnswer:") for n in range(12)]
    done = []
    with pytest.raises(DelegateError, match="answers 404"):
        done.extend(engine.complete(engine.batches(asked), GREEDY))
    assert len(done) == 3
    assert len(own_server.asked) == 3


def test_interrupted_it_waits_for_no_response(own_server, tiny, tmp_path):
    """The server answers nothing for a minute; the command is gone in seconds."""
    asked, gate = threading.Event(), threading.Event()
    own_server.complete = lambda _: asked.set() or gate.wait(60)
    arguments = ["--task", "arithmetic", "--split", "dev", "--limit", "4", "--model", "tiny", "--engine"]
    arguments += ["openai", "--base-url", own_server.url, "--output-dir", str(tmp_path / "out")]
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "import sys; from w2s_factory.cli import main\nmain()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "generate", *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            assert asked.wait(60)
            began = time.monotonic()
            command.send_signal(signal.SIGINT)
            _, error = command.communicate(timeout=30)
            assert time.monotonic() - began < 20
        finally:
            command.kill()
            gate.set()
    assert command.returncode == 130
    assert error.splitlines()[-1] == "Error: interrupted"


def test_no_more_at_a_time_than_asked(own_server):
    under_way, most = set(), []
    real = own_server.complete

    def counting(body):
        under_way.add(threading.get_ident())
        most.append(len(under_way))
        time.sleep(0.02)
        answer = real(body)
        under_way.discard(threading.get_ident())
        return answer

    own_server.complete = counting
    completed(engine_at(own_server.url, concurrency=3), 12)
    assert max(most) == 3


def test_a_server_that_goes_and_comes_back(own_server, tiny):
    """Killed after some responses, back a while later: no row twice, none missing."""
    engine = engine_at(own_server.url, concurrency=2)
    asked = [Request(n, 0, f"Question: {n}?\nAnswer:") for n in range(12)]
    done, second = [], []
    comeback = threading.Timer(1.5, lambda: second.append(CompletionsServer(tiny, port=own_server.port)))
    for completion in engine.complete(engine.batches(asked), GREEDY):
        done.append(completion.request.id)
        if len(done) == 4:
            own_server.stop()
            comeback.start()
    second[0].stop()
    assert sorted(done) == list(range(12))
    assert len(second[0].asked) >= 6


def test_a_server_that_is_not_there(unused_port):
    with pytest.raises(UserError, match=f"no server answers at http://127.0.0.1:{unused_port}"):
        completed(engine_at(f"http://127.0.0.1:{unused_port}/v1"))


def test_a_server_that_goes_for_good(own_server):
    engine = engine_at(own_server.url, concurrency=1, retries=1)
    asked = [[Request(n, 0, f"{n}")] for n in range(4)]
    done = []
    with pytest.raises(DelegateError, match=r"question \d: the server at .* no longer answers"):
        for completion in engine.complete(asked, GREEDY):
            done.append(completion)
            own_server.stop()
    assert done


def test_a_model_the_server_has_not(own_server):
    with pytest.raises(UserError, match=r'no model "large". It offers tiny'):
        completed(engine_at(own_server.url, model="large"))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (Model("m"), {}, "--base-url"),
        (Model("m", adapter="a"), {"base_url": "http://127.0.0.1:1/v1"}, "Name the model under which"),
        (Model("m", bos="add"), {"base_url": "http://127.0.0.1:1/v1"}, "--bos"),
        (Model("m"), {"base_url": "http://127.0.0.1:1/v1", "concurrency": 0}, "concurrency"),
        (Model("m"), {"base_url": "http://127.0.0.1:1/v1", "retries": "x"}, "retries"),
        (Model("m"), {"base_url": "http://127.0.0.1:1/v1", "retries": -1}, "retries"),
        (Model("m"), {"base_url": "http://127.0.0.1:1/v1", "timeout": "x"}, "timeout"),
        (Model("m"), {"base_url": 8000}, "base_url"),
        (Model("m"), {"base-url": "x"}, 'Did you mean "base_url"'),
    ],
)
def test_what_only_a_server_could_do(model, options, message):
    with pytest.raises(UserError, match=message):
        make_engine("openai", model, options)


def answered(message, reason="stop", **settings):
    """The text that is written for a server's message."""
    engine = engine_at("http://127.0.0.1:1/v1")
    engine.start_chat(ChatSettings(**settings))
    given = {"content": None, "reasoning": None, **message}
    return engine._written(SimpleNamespace(**given), reason)


THINK, HARMONIC = Markers("<t>", "</t>"), Markers("<|channel|>a", "<|end|><|channel|>b")


@pytest.mark.parametrize(
    ("content", "reason", "settings", "expected"),
    [
        ("so", "length", {"thinking": "on"}, "<think>so"),
        ("so", "length", {"markers": THINK}, "<t>so"),
        ("so", "length", {}, "so"),
        ("so", "length", {"thinking": "off"}, "so"),
        ("so", "length", {"thinking": "off", "markers": THINK}, "so"),
        ("so", "stop", {"thinking": "on"}, "so"),
        ("<think>so", "length", {"thinking": "on"}, "<think>so"),
        ("so</think>5", "length", {"thinking": "on"}, "<think>\nso</think>5"),
        ("so</think>5", "stop", {}, "<think>\nso</think>5"),
        ("so</t>5", "stop", {"markers": THINK}, "<t>so</t>5"),
        ("</think>5", "stop", {}, "</think>5"),
        ("so</think>5", "stop", {"thinking": "off"}, "so</think>5"),
    ],
)
def test_thinking_that_the_server_s_prompt_opened(content, reason, settings, expected):
    text = answered({"content": content}, reason, **settings)
    assert text == expected
    markers = (settings.get("markers") or Markers("<think>", "</think>"),)
    assert split_thinking(text, markers=markers).closed is (not text.endswith("so") or text == "so")


def test_thinking_is_written_between_the_markers_named():
    message = {"content": "5", "reasoning": "so"}
    assert answered(message) == "<think>so</think>5"
    assert answered(message, markers=HARMONIC) == "<|channel|>aso<|end|><|channel|>b5"
