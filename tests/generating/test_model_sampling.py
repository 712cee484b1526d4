"""The sampling settings taken from a model's `generation_config.json`."""

from __future__ import annotations

import json
import re

import pytest

from w2s_factory.errors import UserError
from w2s_factory.generating import model_sampling


@pytest.fixture
def model(tmp_path):
    def make(config):
        (tmp_path / "config.json").write_text("{}")
        if config is not None:
            (tmp_path / "generation_config.json").write_text(json.dumps(config))
        return tmp_path

    return make


QWEN3 = {
    "bos_token_id": 151643,
    "do_sample": True,
    "eos_token_id": [151645, 151643],
    "pad_token_id": 151643,
    "temperature": 0.6,
    "top_k": 20,
    "top_p": 0.95,
    "transformers_version": "4.51.0",
}


@pytest.mark.parametrize(
    ("config", "taken"),
    [
        (QWEN3, {"temperature": 0.6, "top_k": 20, "top_p": 0.95}),
        ({"do_sample": True, "eos_token_id": 1}, {"temperature": 1.0}),
        ({"do_sample": True, "top_k": 64, "top_p": 0.95}, {"temperature": 1.0, "top_k": 64, "top_p": 0.95}),
        ({"do_sample": False, "temperature": 0.6}, {"temperature": 0.0}),
        ({"temperature": 0.7, "min_p": None}, {"temperature": 0.7}),
        ({"repetition_penalty": 1.05, "max_new_tokens": 8}, {"repetition_penalty": 1.05}),
    ],
)
def test_what_is_taken(model, config, taken):
    assert model_sampling(model(config)) == taken


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "generation_config.json: no such file; --sampling model takes its values"),
        ({"eos_token_id": 2}, "generation_config.json: names no sampling settings"),
        ({"top_k": "20"}, "generation_config.json: field \"top_k\": expected a whole number from 0"),
        ({"temperature": -1}, "generation_config.json: field \"temperature\": expected a number from 0 to 100"),
    ],
)  # fmt: skip
def test_a_config_without_usable_values_is_refused(model, config, message):
    with pytest.raises(UserError, match=re.escape(message)):
        model_sampling(model(config))


def test_a_server_has_no_folder():
    with pytest.raises(UserError, match="expected an engine that reads the model's folder, got openai"):
        model_sampling("tiny", engine="openai")
