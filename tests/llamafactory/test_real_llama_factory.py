"""Presets before the installed LLaMA-Factory itself: its parser takes them all, and it trains from them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest

from w2s_factory import make_config
from w2s_factory.llamafactory.arguments import known_arguments
from w2s_factory.llamafactory.dataset_info import pair_entry, sft_entry
from w2s_factory.llamafactory.presets import load_preset, preset_names
from w2s_factory.llamafactory.settings import ON_CPU
from w2s_factory.llamafactory.versions import for_version

try:
    INSTALLED = metadata.version("llamafactory")
except metadata.PackageNotFoundError:
    INSTALLED = None

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(INSTALLED is None, reason="needs LLaMA-Factory (the extra `train`)"),
]

PARSE = """
import json, sys
from dataclasses import fields
from omegaconf import OmegaConf
from transformers import HfArgumentParser
from llamafactory.hparams import parser
parsed = {}
for path in sys.argv[1:]:
    arguments = OmegaConf.to_container(OmegaConf.load(path))
    for absent in ("deepspeed",):  # its package is for GPUs only; the name is checked below
        arguments.pop(absent, None)
    kinds = parser._TRAIN_ARGS if "do_train" in arguments else parser._INFER_ARGS
    values = {}
    for part in HfArgumentParser(kinds).parse_dict(arguments):  # refuses keys that it does not know
        values |= {field.name: getattr(part, field.name) for field in fields(part)}
    parsed[path] = {key: values[key] for key in arguments}
known = {
    name: sorted({field.name for kind in kinds for field in fields(kind) if field.init})
    for name, kinds in (("training", parser._TRAIN_ARGS), ("export", parser._INFER_ARGS))
}
print(json.dumps({"parsed": parsed, "known": known}, default=str))
"""

TRAIN = """
import sys
from llamafactory.data.template import TEMPLATES, register_template
"vanilla" in TEMPLATES or register_template(name="vanilla")
from llamafactory.train.tuner import export_model, run_exp
export_model() if sys.argv[1].endswith("export.yaml") else run_exp()
"""


def python(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    for name in preset_names():
        chosen = load_preset(name)
        data = {"dataset": "toy", "dataset_dir": folder, "index": {"toy": toy(chosen.method)}}
        (folder / f"{name}.yaml").write_text(
            make_config(
                name,
                model="owner/model",
                output_dir=folder / "out",
                adapter=[] if chosen.trains else ["owner/adapter"],
                settings=(ON_CPU | named(chosen)) if chosen.trains else None,
                **(data if chosen.trains else {}),
            )
        )
    return json.loads(python(PARSE, *(folder / f"{name}.yaml" for name in preset_names())).splitlines()[-1])


def named(preset):
    """The setting of a template, where only a real tokenizer could answer `auto`."""
    return {"template": "chatml"} if preset.entries["template"].value == "auto" else {}


def toy(method):
    return sft_entry("toy.json") if method is None else pair_entry("toy.json", "columns")


@pytest.mark.parametrize("name", preset_names())
def test_its_parser_takes_every_preset(parsed, name):
    values = next(values for path, values in parsed["parsed"].items() if path.endswith(f"/{name}.yaml"))
    for key, entry in load_preset(name).entries.items():
        if key not in ON_CPU and isinstance(entry.value, int | float):
            assert values[key] == entry.value, key


@pytest.mark.parametrize("training", [True, False])
def test_the_table_of_arguments_knows_all_of_its_own(parsed, training):
    theirs = set(parsed["known"]["training" if training else "export"])
    ours = known_arguments(for_version(INSTALLED), training=training)
    assert theirs <= ours
    assert training or theirs == ours


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny Llama with random weights, and rows to train it on."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = ["<unk>", "<s>", "</s>", *["Question", "Answer", ":", "1", "2", "3", "4", "5", "+", "#"]]
    words_by_id = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(words_by_id, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    ).save_pretrained(folder / "model")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=0, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    prompts = [f"Question: {number} + 1\nAnswer:" for number in (1, 2, 3, 4)]
    sft = [{"id": place, "content": prompt, "output": "# 2"} for place, prompt in enumerate(prompts)]
    pairs = [
        {"id": place, "instruction": prompt, "input": "", "chosen": "# 2", "rejected": "# 5"}
        for place, prompt in enumerate(prompts)
    ]
    (folder / "sft.json").write_text(json.dumps(sft))
    (folder / "pairs.json").write_text(json.dumps(pairs))
    index = {"sft": sft_entry("sft.json"), "pairs": pair_entry("pairs.json", "columns")}
    (folder / "dataset_info.json").write_text(json.dumps(index))
    return folder


def test_it_trains_on_a_machine_without_a_gpu_and_exports(tiny):
    steps = [
        # preset, dataset, adapter, what must be there afterwards
        ("strong_lora_sft", "sft", [], "adapter_model.safetensors"),
        ("dpo", "pairs", [tiny / "strong_lora_sft"], "adapter_model.safetensors"),
        ("export", None, [tiny / "strong_lora_sft", tiny / "dpo"], "model.safetensors"),
    ]
    for preset, dataset, adapter, made in steps:
        text = make_config(
            preset,
            model=tiny / "model",
            output_dir=tiny / preset,
            dataset=dataset,
            dataset_dir=tiny if dataset else None,
            adapter=adapter,
            settings={**ON_CPU, "num_train_epochs": 1} if dataset else None,
        )
        (tiny / f"{preset}.yaml").write_text(text)
        python(TRAIN, tiny / f"{preset}.yaml")
        assert (tiny / preset / made).exists()
