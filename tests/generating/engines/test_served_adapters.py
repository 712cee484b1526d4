"""An adapter that a server loads for the engine `openai`: its name, its life, and servers that load none."""

from __future__ import annotations

import shutil

import pytest
from completions_server import CompletionsServer
from tiny_models import lora, make_adapter

from w2s_factory.errors import UserError
from w2s_factory.generating import ChatSettings, Generation, Model, Request, Sampling, generate, make_engine
from w2s_factory.generating.engines.model_folders import content

GREEDY = Sampling(max_tokens=8)
LOAD, UNLOAD = "load_lora_adapter", "unload_lora_adapter"


@pytest.fixture
def loading(tiny):
    """A server that loads adapters."""
    server = CompletionsServer(tiny, loads_adapters=True)
    yield server
    server.stop()


def engine_at(server, adapter, **options):
    options = {"base_url": server.url, "concurrency": 1, "load_adapters": True, **options}
    return make_engine("openai", Model("tiny", adapter), options)


def written(engine, count=3):
    asked = [Request(n, 0, f"Question: What is {n} + 2?\nAnswer:") for n in range(count)]
    return {one.request.id: one.text for one in engine.complete(engine.batches(asked), GREEDY)}


def test_the_server_answers_with_the_adapter_and_forgets_it_at_the_end(loading, tiny, lora_adapter):
    engine = engine_at(loading, lora_adapter)
    texts = written(engine)
    assert texts == written(make_engine("transformers", Model(tiny, lora_adapter), {}))
    assert texts != written(make_engine("transformers", Model(tiny), {}))
    [(name, folder)] = loading.adapters.items()
    assert name.startswith(f"{lora_adapter.name}-")
    assert folder == str(lora_adapter.resolve())
    engine.close()
    assert loading.changes == [(LOAD, name), (UNLOAD, name)]
    assert loading.adapters == {}


def test_nothing_is_loaded_before_it_is_needed(loading, lora_adapter):
    engine = engine_at(loading, lora_adapter)
    assert engine.settings()["adapter"] == content(lora_adapter)
    engine.close()
    assert loading.changes == []


def test_without_an_adapter_the_model_itself_answers(loading, tiny):
    engine = engine_at(loading, None)
    assert written(engine) == written(make_engine("transformers", Model(tiny), {}))
    engine.close()
    assert loading.changes == []
    assert engine.settings() == {"model": "tiny", "adapter": None, "bos": "auto"}


def test_path_and_content_decide_the_name(loading, tiny, lora_adapter, tmp_path):
    copy = shutil.copytree(lora_adapter, tmp_path / lora_adapter.name)
    other = make_adapter(tmp_path / "other", tiny, lora(), seed=7)
    names = set()
    for adapter in (lora_adapter, copy, other):
        written(engine_at(loading, adapter), 1)
        names |= loading.adapters.keys()
    assert len(names) == 3
    written(engine_at(loading, lora_adapter), 1)  # loaded already, as if by another run
    assert loading.adapters.keys() == names


def test_an_adapter_that_is_gone_is_loaded_again(loading, lora_adapter):
    """The server was started again, or another run with the same adapter ended."""
    engine = engine_at(loading, lora_adapter)
    expected = written(engine)
    asked = [[Request(n, 0, f"Question: What is {n} + 2?\nAnswer:")] for n in range(3)]
    found = {}
    for completion in engine.complete(asked, GREEDY):
        found[completion.request.id] = completion.text
        loading.adapters.clear()
    assert found == expected


@pytest.mark.parametrize(("status", "loads"), [(404, False), (400, True), (500, True)])
def test_a_server_that_loads_none_says_how_to_start_it(tiny, lora_adapter, status, loads):
    server = CompletionsServer(tiny, loads_adapters=loads, faults=[status] if loads else [])
    try:
        engine = engine_at(server, lora_adapter)
        with pytest.raises(UserError, match=rf"not load the adapter \(Error code: {status} - ") as raised:
            written(engine)
        assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in raised.value.hint
        assert "--enable-lora --max-lora-rank 8" in raised.value.hint
        assert "\n" not in str(raised.value)
        engine.close()
    finally:
        server.stop()


def test_a_refused_key_is_not_a_matter_of_the_adapter(loading, lora_adapter, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-mine")
    loading.faults = [401]
    with pytest.raises(UserError, match="refuses the key") as raised:
        written(engine_at(loading, lora_adapter))
    assert "key-of-mine" not in str(raised.value)


def test_a_server_that_goes_for_good_ends_nothing_else(loading, lora_adapter):
    engine = engine_at(loading, lora_adapter)
    written(engine, 1)
    loading.stop()
    engine.close()


def test_what_is_refused_before_the_server_is_asked(loading, tiny, tmp_path):
    dora = make_adapter(tmp_path / "dora", tiny, lora(use_dora=True))
    for adapter, message in (
        (tmp_path / "none", "no such adapter folder"),
        (tiny, "is not the folder of an adapter"),
        (dora, "vLLM can't serve an adapter of this kind.*Merge it"),
    ):
        with pytest.raises(UserError, match=message):
            engine_at(loading, adapter)
    with pytest.raises(UserError, match="load_adapters=true"):
        engine_at(loading, dora, load_adapters=False)
    with pytest.raises(UserError, match=r"load_adapters.: expected true or false"):
        engine_at(loading, dora, load_adapters="yes")
    assert loading.changes == []


@pytest.mark.parametrize("chat", [None, ChatSettings(template="own.jinja")])
def test_the_journal_of_another_adapter_is_not_continued(loading, tiny, lora_adapter, tmp_path, chat):
    if chat is not None:
        (tmp_path / "own.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
        chat = ChatSettings(template=tmp_path / "own.jinja")
    other = make_adapter(tmp_path / "other", tiny, lora(), seed=7)

    def asked(adapter):
        return Generation(
            task="gsm8k", questions=[{"question": "Why?"}], model=Model("tiny", adapter), output_dir=tmp_path / "out",
            chat=chat, sampling=GREEDY, engine="openai",
            engine_options={"base_url": loading.url, "load_adapters": True},
        )  # fmt: skip

    generate(asked(lora_adapter))
    generate(asked(lora_adapter))
    with pytest.raises(UserError, match="adapter"):
        generate(asked(other))
    assert loading.adapters == {}
