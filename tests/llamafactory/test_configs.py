from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from w2s_factory import UserError, launch_commands, make_config
from w2s_factory.llamafactory import configs
from w2s_factory.llamafactory.dataset_info import pair_entry, sft_entry
from w2s_factory.llamafactory.presets import load_preset, preset_names
from w2s_factory.llamafactory.versions import for_version


@pytest.fixture
def inputs(tmp_path):
    """A model's, an adapter's and a data folder that look like ones, as `make_config` takes them."""
    for name, file in (("model", "config.json"), ("adapter", "adapter_config.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    data = tmp_path / "data"
    data.mkdir()
    (data / "toy.json").write_text("[]")
    index = {
        "toy": sft_entry("toy.json"),
        "pairs": pair_entry("toy.json", "columns"),
        "old_pairs": pair_entry("toy.json", "release"),
    }
    (data / "dataset_info.json").write_text(json.dumps(index))
    return tmp_path


def make(folder, preset="strong_lora_sft", **changes):
    chosen = load_preset(preset)
    choices = {"model": folder / "model", "output_dir": folder / "out", "version": "0.9.5"}
    if chosen.trains:
        choices |= {"dataset": "toy" if chosen.method is None else "pairs", "dataset_dir": folder / "data"}
    else:
        choices |= {"adapter": [folder / "adapter"]}
    if chosen.entries["template"].value == "auto":  # which only a real tokenizer can answer
        choices |= {"settings": {"template": "chatml"}}
    return make_config(preset, **(choices | changes))


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_keeps_its_values_and_comments(inputs, preset):
    text = make(inputs, preset)
    parsed = yaml.safe_load(text)
    for key, entry in load_preset(preset).entries.items():
        if key != "deepspeed" and entry.value != "auto":
            assert parsed[key] == entry.value
            assert f"\n{entry}\n" in text


def test_folders_are_absolute(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    parsed = yaml.safe_load(make(Path()))
    assert parsed["model_name_or_path"] == str(inputs / "model")
    assert parsed["dataset_dir"] == str(inputs / "data")
    assert parsed["output_dir"] == str(inputs / "out")
    assert parsed["dataset"] == "toy"


def test_a_hub_name_stays(inputs):
    parsed = yaml.safe_load(make(inputs, model="meta-llama/Llama-2-70b-hf", adapter=["owner/adapter"]))
    assert parsed["model_name_or_path"] == "meta-llama/Llama-2-70b-hf"
    assert parsed["adapter_name_or_path"] == "owner/adapter"


def test_export_merges_adapters_in_order(inputs):
    parsed = yaml.safe_load(make(inputs, "export", adapter=[inputs / "adapter", "owner/second"]))
    assert parsed["adapter_name_or_path"] == f"{inputs / 'adapter'},owner/second"
    assert parsed["export_dir"] == str(inputs / "out")
    assert "output_dir" not in parsed


def test_the_deepspeed_file_is_named_by_its_path(inputs):
    path = Path(yaml.safe_load(make(inputs, "strong_lora_sft_zero3"))["deepspeed"])
    assert path.is_absolute()
    assert path.exists()


def test_odd_paths_are_quoted(inputs):
    odd = inputs / "out: #1 'é'"
    assert yaml.safe_load(make(inputs, output_dir=odd))["output_dir"] == str(odd)


@pytest.mark.parametrize(
    ("installed", "named", "said"),
    [
        ("0.9.4", None, "LLaMA-Factory 0.9.4 (installed)"),
        (None, None, "LLaMA-Factory 0.9.5 (none is installed here)"),
        ("0.9.4", "0.8.x", "LLaMA-Factory 0.8.3 (named)"),
    ],
)
def test_the_version_is_said(inputs, monkeypatch, installed, named, said):
    monkeypatch.setattr(configs, "installed_version", lambda: installed)
    assert said in make(inputs, version=named)


@pytest.mark.parametrize("installed", ["0.9.6", "0.9.6.dev0", "0.10.0", "1.0"])
def test_a_newer_installed_version_is_taken_for_the_newest_known(inputs, monkeypatch, installed):
    monkeypatch.setattr(configs, "installed_version", lambda: installed)
    said = f"LLaMA-Factory 0.9.5 (the newest known here; installed is {installed})"
    assert said in make(inputs, version=None)


@pytest.mark.parametrize("installed", ["0.1.0", "0.9.2+odd.build.x!", "main"])
def test_an_installed_version_that_is_not_known(inputs, monkeypatch, installed):
    monkeypatch.setattr(configs, "installed_version", lambda: installed)
    with pytest.raises(UserError, match=r"the installed LLaMA-Factory .* --llamafactory-version"):
        make(inputs, version=None)


def test_index_to_be_written(inputs):
    index = {"later": {"file_name": "later.json"}}
    assert yaml.safe_load(make(inputs, dataset="later", index=index))["dataset"] == "later"


@pytest.mark.parametrize("version", ["0.5.0", "0.6.2", "0.7.1", "0.8.0", "0.9.5"])
def test_pairs_fit_the_version(inputs, version):
    form = for_version(version).pair_form
    right, wrong = ("old_pairs", "pairs") if form == "release" else ("pairs", "old_pairs")
    assert yaml.safe_load(make(inputs, "dpo", version=version, dataset=right))["dataset"] == right
    with pytest.raises(UserError, match=rf" columns?\b.*; LLaMA-Factory {version} needs "):
        make(inputs, "dpo", version=version, dataset=wrong)


@pytest.mark.parametrize(
    ("preset", "changes", "problem"),
    [
        ("strong_lora_sft", {"dataset": None}, "needs a dataset"),
        ("strong_lora_sft", {"dataset_dir": None}, "needs a dataset"),
        ("export", {"dataset": "toy"}, "takes no dataset"),
        ("export", {"adapter": []}, "needs an adapter"),
        ("weak_full_sft", {"adapter": ["owner/adapter"]}, "takes no adapter"),
        ("strong_lora_sft", {"model": "./none"}, r"\./none: no such folder \(--model\)"),
        ("strong_lora_sft", {"model": "/none/model"}, "no such folder"),
        ("strong_lora_sft", {"adapter": ["/tmp/none"]}, "no such folder"),
        ("strong_lora_sft", {"model": "a/b/c"}, "no such folder"),
        ("strong_lora_sft", {"model": ""}, r"expected a folder with config\.json \(--model\)"),
        ("strong_lora_sft", {"adapter": ["~/none"]}, r"no such folder \(--adapter\)"),
    ],
)
def test_inputs_that_do_not_fit(inputs, preset, changes, problem):
    with pytest.raises(UserError, match=problem):
        make(inputs, preset, **changes)


def test_adapter_and_model_confused(inputs):
    with pytest.raises(UserError, match=r"expected a folder with config\.json \(--model\)"):
        make(inputs, model=inputs / "adapter")
    with pytest.raises(UserError, match=r"expected a folder with adapter_config\.json \(--adapter\)"):
        make(inputs, adapter=[inputs / "model"])


def test_a_comma_in_an_adapter_s_path(inputs):
    (inputs / "adapter").rename(inputs / "a,b")
    with pytest.raises(UserError, match="cannot contain a comma"):
        make(inputs, "export", adapter=[inputs / "a,b"])


@pytest.mark.parametrize(
    ("preset", "version", "plain"),
    [
        ("strong_lora_sft", "0.5.0", "python src/train_bash.py X"),
        ("export", "0.5.0", "python src/export_model.py X"),
        ("strong_lora_sft", "0.7.1", "llamafactory-cli train X"),
        ("export", "0.9.5", "llamafactory-cli export X"),
        ("strong_lora_sft_zero3", "0.5.0", "torchrun --nproc_per_node GPUS src/train_bash.py X"),
        (
            "strong_lora_sft_zero3",
            "0.7.1",
            "torchrun --nproc_per_node GPUS --no-python llamafactory-cli train X",
        ),
        ("strong_lora_sft_zero3", "0.8.0", "FORCE_TORCHRUN=1 llamafactory-cli train X"),
        ("strong_lora_sft_ray", "0.9.5", "USE_RAY=1 llamafactory-cli train X"),
    ],
)
def test_launch_commands(preset, version, plain):
    ours, theirs = launch_commands(preset, version, "X")
    assert theirs == plain
    assert ours == f"w2s-factory {'export' if preset == 'export' else 'train'} X"


def test_the_head_names_the_file_on_one_line(inputs):
    assert "# Run it:  w2s-factory train FILE\n" in make(inputs)
    text = make(inputs, file="a\nb: c.yaml")
    assert "# Run it:  w2s-factory train 'a\\nb: c.yaml'\n" in text
    assert yaml.safe_load(text) == yaml.safe_load(make(inputs))


@pytest.mark.parametrize(("version", "needed"), [("0.6.2", False), ("0.6.3", True), ("0.9.5", True)])
def test_whether_vanilla_must_be_installed_is_said(inputs, version, needed):
    assert ("template install" in make(inputs, version=version)) is needed
