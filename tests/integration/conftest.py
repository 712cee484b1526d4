"""A tiny random Llama with word tokens, a dataset, and the YAML that trains on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from tiny_training import ROWS, WORDS, save_byte_tokenizer, save_tokenizer, training

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights; its tokenizer adds BOS."""
    folder = tmp_path_factory.mktemp("tiny_llama")
    save_llama(folder, len(WORDS) + 3, bos=1, eos=2)
    save_tokenizer(folder, adds_bos=True)
    return folder


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, a token for each byte, and a chat template as Qwen3's."""
    folder = tmp_path_factory.mktemp("tiny_chat")
    save_llama(folder, 6 + 256, bos=0, eos=1)
    save_byte_tokenizer(folder)
    return folder


def save_llama(folder: Path, vocab_size: int, *, bos: int, eos: int) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("llamafactory")
    config = transformers.LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=bos,
        eos_token_id=eos,
    )
    transformers.set_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    """Twelve rows of four and three words, under the name `words`."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "words.json").write_text(json.dumps(ROWS))
    entry = {"file_name": "words.json", "columns": {"prompt": "content", "response": "output"}}
    (folder / "dataset_info.json").write_text(json.dumps({"words": entry}))
    return folder


@pytest.fixture
def config(tiny_llama: Path, dataset_dir: Path, tmp_path: Path) -> Path:
    """The YAML of that training; its output folder is `out` beside it."""
    file = tmp_path / "train.yaml"
    file.write_text(yaml.safe_dump(training(tiny_llama, dataset_dir, tmp_path / "out")))
    return file
