"""The engine arguments of vLLM that count when a run is continued; needs no vLLM."""

from __future__ import annotations

import json

import pytest

from w2s_factory.generating.engines.vllm_arguments import deciding


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantization", "fp8"),
        ("kv_cache_dtype", "fp8"),
        ("tokenizer", "other/folder"),
        ("hf_overrides", {"rope_scaling": {"factor": 2.0}}),
        ("max_model_len", 512),
        ("revision", "main"),
        ("speculative_config", {"model": "draft"}),
        ("an_argument_of_a_later_version", True),
    ],
)
def test_what_can_decide_a_text_counts(name, value):
    assert deciding({name: value, "tensor_parallel_size": 4}) == {name: value}


@pytest.mark.parametrize(
    "name", ["tensor_parallel_size", "data_parallel_size", "gpu_memory_utilization", "enforce_eager"]
)
def test_where_and_how_quickly_do_not(name):
    assert deciding({name: 1}) == {}


def test_a_token_is_not_written_down():
    assert deciding({"hf_token": "hf_abc"}) == {}


def test_a_journal_gives_them_back_as_they_were():
    kept = deciding({"hf_overrides": {"sizes": (1, 2)}, "compilation_config": object})
    assert json.loads(json.dumps(kept)) == kept
