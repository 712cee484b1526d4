"""The contract in a chat: the same conversation gives the same tokens and the same row in every engine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from completions_server import CompletionsServer
from tiny_models import THINKING_OPENED, make_chat_model
from vllm_server import VllmServer

from w2s_factory.answers.thinking import split_thinking
from w2s_factory.chat import Turn
from w2s_factory.errors import UserError
from w2s_factory.generating import (
    ChatSettings,
    Completion,
    Generation,
    Model,
    Sampling,
    generate,
    make_engine,
    preview,
)
from w2s_factory.prompts import Conversation

QUESTIONS = [{"question": "there and together"}, {"question": "there"}]
SYSTEM = ChatSettings(system="them")
GREEDY = Sampling(max_tokens=20)


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    return make_chat_model(tmp_path_factory.mktemp("thinker"), special=False)


@pytest.fixture(scope="module")
def special(tmp_path_factory):
    """Its markers are special tokens, which decoding leaves out by default."""
    return make_chat_model(tmp_path_factory.mktemp("special"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return make_chat_model(tmp_path_factory.mktemp("opened"), THINKING_OPENED, special=False)


@pytest.fixture
def serve():
    """`serve(model, reasoning_key=...)` starts a chat server over a model."""
    servers = []

    def served(model, **options):
        servers.append(CompletionsServer(model, **options))
        return servers[-1]

    yield served
    for server in servers:
        server.stop()


def asked(folder, model, engine="transformers", options=None, chat=SYSTEM, sampling=GREEDY):
    return Generation(
        task="gsm8k", questions=QUESTIONS, model=model, output_dir=folder, chat=chat, sampling=sampling,
        engine=engine, engine_options=options or {},
    )  # fmt: skip


def rows(generation):
    [made] = generate(generation)
    return [json.loads(line) for line in made.file.read_text().splitlines()]


def at(server):
    return {"base_url": server.url, "concurrency": 1}


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content", None])
@pytest.mark.parametrize("thinking", ["on", "off", "auto"])
def test_a_server_gives_the_rows_of_the_model_itself(thinker, serve, tmp_path, key, thinking):
    server = serve(thinker, reasoning_key=key)
    chat = replace(SYSTEM, thinking=thinking)
    found = rows(asked(tmp_path / "server", "tiny", "openai", at(server), chat))
    assert found == rows(asked(tmp_path / "model", thinker, chat=chat))
    kwargs = {"auto": None, "on": True, "off": False}[thinking]
    sent = server.asked[0].get("chat_template_kwargs")
    assert sent == (None if kwargs is None else {"enable_thinking": kwargs, "thinking": kwargs})
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": "them"},
        {"role": "user", "content": "there and together"},
    ]


def test_thinking_that_the_prompt_opened_is_written_with_its_start(opened, serve, tmp_path):
    server = serve(opened, reasoning_key="reasoning")
    [row, _] = rows(asked(tmp_path / "server", "tiny", "openai", at(server)))
    assert row["response"] == "<think>there and together</think>5"
    assert "prompt_opens_thinking" not in row


def test_thinking_that_was_cut_off_has_no_end(thinker, serve, tmp_path):
    server = serve(thinker, reasoning_key="reasoning")
    short = Sampling(max_tokens=3)
    [row, _] = rows(asked(tmp_path / "server", "tiny", "openai", at(server), sampling=short))
    assert row["response"] == "<think>there and"
    assert not split_thinking(row["response"]).closed


def test_a_template_from_a_file_goes_over_the_wire(thinker, serve, tmp_path):
    file = tmp_path / "own.jinja"
    file.write_text("{% for m in messages %}{{ m.content }}{% endfor %}{{ '<|assistant|>' }}")
    chat = ChatSettings(template=file)
    server = serve(thinker)
    found = rows(asked(tmp_path / "server", "tiny", "openai", at(server), chat))
    assert server.asked[0]["chat_template"] == file.read_text()
    assert found == rows(asked(tmp_path / "model", thinker, chat=chat))
    settings = preview(asked(tmp_path / "server", "tiny", "openai", at(server), chat)).settings
    assert settings["chat"]["template"].startswith("sha256:")


@pytest.mark.parametrize("key", ["reasoning", None])
@pytest.mark.parametrize("engine", ["transformers", "openai"])
def test_stop_texts_end_answers_and_never_thinking(thinker, serve, tmp_path, engine, key):
    """The model thinks "there and together" and answers 5."""
    server = serve(thinker, reasoning_key=key)
    model, options = (thinker, {}) if engine == "transformers" else ("tiny", at(server))
    for n, (stop, response) in enumerate(
        [
            (("together", "and"), "<think>there and together</think>5"),
            (("5", "there"), "<think>there and together</think>"),
        ]
    ):
        sampling = Sampling(max_tokens=20, stop=stop)
        found = rows(asked(tmp_path / str(n), model, engine, options, sampling=sampling))
        assert [row["response"] for row in found] == [response] * 2
        header = json.loads((tmp_path / str(n) / "output.journal.jsonl").read_text().splitlines()[0])
        assert header["settings"]["stop"] == list(stop)
    assert all(body.get("stop") is None for body in server.asked)


def test_without_thinking_the_engine_stops_itself(thinker, serve, tmp_path):
    server = serve(thinker)
    chat, sampling = replace(SYSTEM, thinking="off"), Sampling(max_tokens=20, stop=("5",))
    found = rows(asked(tmp_path / "server", "tiny", "openai", at(server), chat, sampling))
    assert [row["response"] for row in found] == ["", ""]
    assert server.asked[0]["stop"] == ["5"]


def test_a_refused_conversation_is_a_row_with_its_error(thinker, serve, tmp_path):
    server = serve(thinker, faults=[400])
    found = rows(asked(tmp_path / "server", "tiny", "openai", at(server)))
    assert found[0]["error"].startswith("the server answers 400")
    assert (found[0]["prompt"], found[0]["system"], found[0]["response"]) == (
        "there and together",
        "them",
        "",
    )
    assert "error" not in found[1]


@pytest.mark.parametrize("bos", ["add", "none"])
def test_the_bos_token_of_a_chat_is_the_templates(bos, tmp_path):
    with pytest.raises(UserError, match='"--bos"'):
        preview(asked(tmp_path, Model("tiny", bos=bos), "openai", {"base_url": "http://127.0.0.1:1/v1"}))


TURNS = (
    (Turn("user", "there and together"),),
    (Turn("system", "them"), Turn("user", "there")),
    (Turn("user", "there"), Turn("assistant", "<think>and</think>5"), Turn("user", "together")),
)


def test_an_answer_that_a_parser_takes_for_thinking_is_an_answer(thinker, serve, tmp_path, monkeypatch):
    """As vLLM's deepseek_r1 does where the prompt ends the thinking."""
    server = serve(thinker)
    message = {"role": "assistant", "content": None, "reasoning": "5"}
    monkeypatch.setattr(
        server, "chat", lambda _: server.body("chat.completion", server.done, {"message": message})
    )
    for thinking, finish, response in [
        ("off", "stop", "5"), ("off", "length", "<think>5"), ("auto", "stop", "<think>5"),
    ]:  # fmt: skip
        server.done = Completion(None, "", finish, 1)
        chat = replace(SYSTEM, thinking=thinking)
        found = rows(asked(tmp_path / f"{thinking} {finish}", "tiny", "openai", at(server), chat))
        assert [row["response"] for row in found] == [response] * 2


def test_special_tokens_are_kept_if_the_server_is_asked_to(thinker, serve, tmp_path):
    server = serve(thinker)
    generation = asked(tmp_path, "tiny", "openai", at(server) | {"skip_special_tokens": False})
    rows(generation)
    assert server.asked[0]["skip_special_tokens"] is False
    assert preview(generation).settings["skip_special_tokens"] is False


@pytest.mark.vllm
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["thinker", "special", "opened"])
def test_tokens_and_texts_are_the_same_in_vllm_and_on_its_server(name, tmp_path, vllm_options, request):
    """In process and over HTTP: the ids of the prompt as vLLM has them, and what is written."""
    import openai

    model = request.getfixturevalue(name)
    parser = [] if name == "special" else ["--reasoning-parser", "deepseek_r1"]
    server = VllmServer(model, None, tmp_path / "log", *parser)
    server.start()
    client = openai.OpenAI(base_url=server.url, api_key="none")
    over_http = at(server) | {"skip_special_tokens": name != "special"}
    engines = {
        "transformers": make_engine("transformers", Model(model), {}),
        "vllm": make_engine("vllm", Model(model), vllm_options),
        "openai": make_engine("openai", Model("tiny"), over_http),
    }
    try:
        for thinking in ("on", "off", "auto"):
            settings = ChatSettings(thinking=thinking)
            answers = {each: answered(engine, settings) for each, engine in engines.items()}
            assert answers["transformers"] == answers["vllm"] == answers["openai"]
            kwargs = {} if thinking == "auto" else {"enable_thinking": thinking == "on"}
            for turns in TURNS:
                answer = client.chat.completions.create(
                    model="tiny", messages=[{"role": turn.role, "content": turn.content} for turn in turns], max_tokens=1,
                    extra_body={"return_token_ids": True, "chat_template_kwargs": kwargs},
                )  # fmt: skip
                for each in ("transformers", "vllm"):
                    prompt = engines[each].start_chat(settings).prompt(turns)
                    assert [token for token, _ in engines[each].tokens(prompt)] == answer.prompt_token_ids
    finally:
        for engine in engines.values():
            engine.close()
        server.kill()


def answered(engine, settings):
    """Return thinking, answer, and the reason why it ended, for each conversation."""
    chat = engine.start_chat(settings)
    asked = [chat.request(n, 0, Conversation(turns, "")) for n, turns in enumerate(TURNS)]
    done = sorted(engine.complete(engine.batches(asked), GREEDY), key=lambda one: one.request.id)
    return [
        (split_thinking(one.text, opened=one.request.opens_thinking), one.finish, one.tokens) for one in done
    ]
