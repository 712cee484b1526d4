"""A tiny random Llama with word tokens, a dataset, and the YAML that trains on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from tiny_training import ROWS, WORDS, save_tokenizer, training

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights; its tokenizer adds BOS."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("llamafactory")
    folder = tmp_path_factory.mktemp("tiny_llama")
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS) + 3,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    transformers.set_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder, adds_bos=True)
    return folder


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
