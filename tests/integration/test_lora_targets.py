"""The layers that `lora_target: all` adapts, in models of several families (docs/configs.md)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.train

PROJECTIONS = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
ATTENTION = ["k_proj", "o_proj", "q_proj", "v_proj"]
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 32,
    "pad_token_id": 0,
}

FAMILIES = {
    "LlamaConfig": (SIZES, PROJECTIONS),
    "Qwen3Config": (SIZES, PROJECTIONS),
    "Phi3Config": (SIZES, ["down_proj", "gate_up_proj", "o_proj", "qkv_proj"]),  # fused
    "Qwen3MoeConfig": (
        SIZES | {"num_experts": 2, "moe_intermediate_size": 8},
        ATTENTION,
    ),  # experts: parameters
    "MixtralConfig": (SIZES | {"num_local_experts": 2}, ATTENTION),
    "GptOssConfig": (SIZES | {"num_local_experts": 2, "head_dim": 8}, ATTENTION),
    "Gemma3Config": (
        {
            "text_config": {**SIZES, "head_dim": 8},
            "vision_config": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
            | {"num_attention_heads": 2, "image_size": 16, "patch_size": 8},
        },
        PROJECTIONS,  # the vision tower has fc1, fc2 and out_proj, too
    ),
}

FIND = """
import json, sys
import torch, transformers
from llamafactory.model.model_utils.misc import find_all_linear_modules
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
found = {}
for name, sizes in json.load(sys.stdin).items():
    config = getattr(transformers, name)(**sizes)
    images = type(config) in AutoModelForImageTextToText._model_mapping.keys()
    with torch.device("meta"):
        model = (AutoModelForImageTextToText if images else AutoModelForCausalLM).from_config(config)
    found[name] = [sorted(find_all_linear_modules(model, frozen)) for frozen in (True, False)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, list[list[str]]]:
    pytest.importorskip("llamafactory")
    sizes = {name: sizes for name, (sizes, _) in FAMILIES.items()}
    done = subprocess.run(
        [sys.executable, "-c", FIND], input=json.dumps(sizes), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, list[list[str]]] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", FAMILIES)
def test_all_means_these_layers(name: str, found: dict[str, list[list[str]]]) -> None:
    frozen, thawed = found[name]
    assert frozen == FAMILIES[name][1]
    assert (thawed == frozen) is (name != "Gemma3Config")
