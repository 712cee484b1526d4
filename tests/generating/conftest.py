"""Small real models and adapters, made once a session, and a completions server over one of them."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager

import pytest
from tiny_models import lora, make_adapter, make_model


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
