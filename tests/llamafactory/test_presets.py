from __future__ import annotations

import json
import re

import pytest
import yaml

from w2s_factory import UserError
from w2s_factory.llamafactory.arguments import known_arguments
from w2s_factory.llamafactory.presets import FOLDER, Entry, load_preset, preset_names
from w2s_factory.llamafactory.versions import NEWEST, for_version
from w2s_factory.shipped import shipped

BASIS = re.compile(r"(release|default|recalled|ours|example)([:;,. ]|$)")
PRESETS = preset_names()
CHAT = [name for name in PRESETS if name.startswith("chat_")]
PUBLISHED = [name for name in PRESETS if name not in CHAT]
TRAINING = [name for name in PUBLISHED if load_preset(name).trains]


def test_names():
    assert {"weak_full_sft", "strong_lora_sft", "dpo", "orpo", "simpo", "export"} <= set(PRESETS)
    assert {"weak_full_sft_zero3", "strong_lora_sft_zero3", "strong_lora_sft_ray"} <= set(PRESETS)
    assert set(CHAT) == {"chat_lora_sft", "chat_dpo", "chat_qlora_sft"}


@pytest.mark.parametrize("name", PRESETS)
def test_parsed_as_yaml_parses_it(name):
    text = shipped(FOLDER, f"{name}.yaml").read_text()
    preset = load_preset(name)
    assert {key: entry.value for key, entry in preset.entries.items()} == yaml.safe_load(text)
    assert "\n".join([f"# {preset.summary}", *map(str, preset.lines)]) + "\n" == text
    assert len([line for line in preset.lines if isinstance(line, Entry)]) == len(preset.entries)


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_says_its_basis(name):
    for entry in load_preset(name).entries.values():
        assert BASIS.match(entry.comment), entry


@pytest.mark.parametrize("name", PRESETS)
def test_keys_are_the_newest_names(name):
    preset = load_preset(name)
    assert set(preset.entries) <= known_arguments(for_version(NEWEST), training=preset.trains)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_holds_for_the_published_presets(name):
    entries = load_preset(name).entries
    assert entries["template"].value == "vanilla"
    assert entries["trust_remote_code"].value is False
    if entries["finetuning_type"].value == "lora" and "lora_target" in entries:
        assert entries["lora_target"].text == "q_proj,v_proj,k_proj,o_proj,gate_proj,up_proj,down_proj"


@pytest.mark.parametrize("name", TRAINING)
def test_what_holds_for_training(name):
    entries = load_preset(name).entries
    assert entries["cutoff_len"].value == 1024
    assert entries["overwrite_cache"].value is True
    assert entries["report_to"].value == "none"
    for unknown in ("cutoff_len", "lr_scheduler_type", "warmup_steps"):
        ours = name == "simpo" or (name.startswith("tiny_") and unknown == "cutoff_len")
        assert "NOT KNOWN" in entries[unknown].comment or ours


@pytest.mark.parametrize("name", CHAT)
def test_what_holds_for_chat_models(name):
    values = {key: entry.value for key, entry in load_preset(name).entries.items()}
    assert (values["template"], values["lora_target"], values["cutoff_len"]) == ("auto", "all", 16384)
    assert values["disable_gradient_checkpointing"] is False
    assert values.get("packing") is (None if name == "chat_dpo" else False)  # pairs are never packed
    assert values["trust_remote_code"] is False
    assert ("NOT KNOWN" in str(load_preset(name).lines[5])) is True


def test_qlora_differs_in_the_quantisation_only():
    plain, quantised = (load_preset(name).entries for name in ("chat_lora_sft", "chat_qlora_sft"))
    assert {key for key, entry in quantised.items() if entry != plain.get(key)} == {"quantization_bit"}
    assert plain.keys() < quantised.keys()


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith(("_zero3", "_ray"))])
def test_variants_differ_only_in_where_they_run(name):
    plain, variant = load_preset(name.rpartition("_")[0]).entries, load_preset(name).entries
    assert {
        key: entry for key, entry in variant.items() if key not in ("deepspeed", "ray_num_workers")
    } == plain


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith("_zero3")])
def test_deepspeed_file(name):
    config = json.loads(shipped(FOLDER, load_preset(name).entries["deepspeed"].text).read_text())
    assert config["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("chat_dpo", "dpo"),
        ("chat_lora_sft", None),
        ("dpo", "dpo"),
        ("orpo", "orpo"),
        ("simpo", "simpo"),
        ("export", None),
    ],
)
def test_method(name, method):
    assert load_preset(name).method == method


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("strong_sft", 'Did you mean "strong_lora_sft'),
        ("", "Presets: chat_dpo, chat_lora_sft, chat_qlora_sft, dpo,"),
    ],
)
def test_no_such_preset(name, hint):
    with pytest.raises(UserError, match=re.escape(f'no preset "{name}". ') + f".*{hint}"):
        load_preset(name)
