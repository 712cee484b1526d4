from __future__ import annotations

import pytest
import yaml

from w2s_factory import UserError
from w2s_factory.llamafactory import arguments, versions
from w2s_factory.llamafactory.arguments import argument_problem, known_arguments, renamed, translated
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.presets import load_preset, preset_names
from w2s_factory.llamafactory.versions import NEWEST, RELEASES, RENAMES, Rename, for_version

COMMON = [
    *("stage", "do_train", "finetuning_type", "template", "cutoff_len", "overwrite_cache"),
    *("learning_rate", "num_train_epochs", "weight_decay", "lr_scheduler_type", "warmup_steps", "bf16"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "overwrite_output_dir", "save_strategy"),
    *("save_total_limit", "logging_steps", "report_to", "seed"),
]
LORA = ["lora_target", "lora_rank", "lora_alpha", "lora_dropout"]
EXPORT = ["finetuning_type", "template", "export_size", "export_legacy_format"]
NEW_DPO = ["pref_loss", "pref_beta", "pref_ftx", "create_new_adapter"]
OLD_DPO = ["dpo_loss", "dpo_beta", "dpo_ftx", "create_new_adapter"]

GOLDEN = {
    # (version, preset): its keys, read from that version's own code
    ("0.5.0", "weak_full_sft"): COMMON,
    ("0.5.0", "strong_lora_sft"): COMMON + LORA,
    ("0.5.0", "strong_lora_sft_zero3"): [*COMMON, *LORA, "deepspeed"],
    ("0.5.0", "dpo"): COMMON + LORA + OLD_DPO,
    ("0.5.0", "export"): EXPORT,
    ("0.6.2", "weak_full_sft"): COMMON,
    ("0.6.2", "strong_lora_sft"): COMMON + LORA,
    ("0.6.2", "dpo"): COMMON + LORA + OLD_DPO,
    ("0.6.2", "orpo"): [*COMMON, *LORA, "orpo_beta", "create_new_adapter"],
    ("0.6.2", "export"): EXPORT,
    ("0.7.1", "strong_lora_sft"): COMMON + LORA,
    ("0.7.1", "dpo"): COMMON + LORA + OLD_DPO,
    ("0.7.1", "orpo"): [*COMMON, *LORA, "orpo_beta", "create_new_adapter"],
    ("0.7.1", "export"): EXPORT,
    ("0.8.3", "weak_full_sft"): COMMON,
    ("0.8.3", "strong_lora_sft"): COMMON + LORA,
    ("0.8.3", "dpo"): COMMON + LORA + NEW_DPO,
    ("0.8.3", "orpo"): COMMON + LORA + NEW_DPO,
    ("0.8.3", "simpo"): [*COMMON, *LORA, *NEW_DPO, "simpo_gamma"],
    ("0.8.3", "export"): EXPORT,
    ("0.9.2", "strong_lora_sft_ray"): [*COMMON, *LORA, "trust_remote_code", "ray_num_workers"],
    ("0.9.5", "dpo"): [*COMMON, *LORA, *NEW_DPO, "trust_remote_code"],
}


@pytest.mark.parametrize(("version", "preset"), GOLDEN)
def test_keys(version, preset):
    assert set(translated(load_preset(preset), for_version(version)).entries) == set(GOLDEN[version, preset])


@pytest.mark.parametrize(
    ("version", "preset", "stage", "loss"),
    [
        ("0.5.0", "dpo", "dpo", ("dpo_loss", "sigmoid")),
        ("0.6.2", "orpo", "orpo", None),
        ("0.8.0", "orpo", "dpo", ("pref_loss", "orpo")),
        ("0.8.0", "simpo", "dpo", ("pref_loss", "simpo")),
        ("0.9.5", "dpo", "dpo", ("pref_loss", "sigmoid")),
        ("0.6.2", "strong_lora_sft", "sft", None),
    ],
)
def test_stage_and_loss(version, preset, stage, loss):
    entries = translated(load_preset(preset), for_version(version)).entries
    assert entries["stage"].value == stage
    losses = [(key, entries[key].value) for key in ("pref_loss", "dpo_loss") if key in entries]
    assert losses == ([] if loss is None else [loss])


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_unknown_is_ever_written(release):
    version = for_version(release)
    for name in preset_names():
        preset = load_preset(name)
        try:
            entries = translated(preset, version).entries
        except UserError:
            continue
        assert set(entries) <= known_arguments(version, training=preset.trains), name


@pytest.mark.parametrize(
    ("release", "preset", "problem"),
    [
        ("0.5.0", "orpo", r'0\.5\.0 has no method "orpo", which came with 0\.6\.2'),
        ("0.6.1", "orpo", r'0\.6\.1 has no method "orpo", which came with 0\.6\.2'),
        ("0.7.1", "simpo", r'has no method "simpo", which came with 0\.8\.0\. Methods of 0\.7\.1: dpo, orpo'),
        (
            "0.9.1",
            "strong_lora_sft_ray",
            r'"ray_num_workers": preset .* needs .* 0\.9\.1 lacks',
        ),
    ],
)
def test_what_a_version_lacks(release, preset, problem):
    with pytest.raises(UserError, match=problem):
        translated(load_preset(preset), for_version(release))


def test_what_is_left_out_is_said():
    lines = translated(load_preset("strong_lora_sft"), for_version("0.6.2")).lines
    assert (
        "# trust_remote_code is left out: that version always runs the code of a model's repository" in lines
    )


@pytest.mark.parametrize(
    ("release", "known", "unknown"),
    [
        (
            "0.5.0",
            {"dpo_beta", "dpo_ftx", "template", "evaluation_strategy"},
            {"orpo_beta", "pref_beta"},
        ),
        ("0.6.2", {"orpo_beta", "dpo_label_smoothing"}, {"pref_beta", "simpo_gamma", "trust_remote_code"}),
        ("0.7.1", {"orpo_beta", "dpo_loss"}, {"pref_loss", "ray_num_workers"}),
        (
            "0.8.3",
            {"pref_loss", "simpo_gamma", "eval_strategy"},
            {"dpo_beta", "orpo_beta", "ray_num_workers"},
        ),
        ("0.9.2", {"ray_num_workers", "ray_run_name", "trust_remote_code"}, {"orpo_beta"}),
        ("0.9.4", {"ray_run_name"}, {"use_cache"}),
        ("0.9.5", {"ray_num_workers", "use_cache"}, {"ray_run_name", "dpo_loss"}),
    ],
)
def test_known_arguments(release, known, unknown):
    arguments = known_arguments(for_version(release))
    assert known <= arguments
    assert not unknown & arguments


RENAMED_SETTINGS = [
    # preset, version, setting, the name it gets
    ("dpo", "0.6.2", "pref_beta", "dpo_beta"),
    ("dpo", "0.9.5", "dpo_beta", "pref_beta"),
    ("orpo", "0.6.2", "pref_beta", "orpo_beta"),
    ("orpo", "0.9.5", "orpo_beta", "pref_beta"),
    ("orpo", "0.9.5", "dpo_beta", "dpo_beta"),
    ("simpo", "0.9.5", "dpo_loss", "dpo_loss"),
    ("strong_lora_sft", "0.9.5", "dpo_beta", "dpo_beta"),
]


@pytest.mark.parametrize(("preset", "version", "setting", "name"), RENAMED_SETTINGS)
def test_settings_are_translated_for_the_method_they_belong_to(preset, version, setting, name):
    assert renamed({setting: 1}, load_preset(preset), for_version(version)) == {name: 1}


@pytest.fixture
def new_name(monkeypatch):
    """A row for an argument that every preset has and that 0.9.5 is made to know by a new name."""
    rows = (*RENAMES, Rename("logging_steps", "log_every"))
    monkeypatch.setattr(arguments, "RENAMES", rows)
    monkeypatch.setattr(versions, "RENAMES", rows)
    before = arguments.known_arguments

    def known(version, *, training=True):
        found = before(version, training=training)
        return found - {"logging_steps"} | {"log_every"} if version.number == NEWEST else found

    monkeypatch.setattr(arguments, "known_arguments", known)


def test_a_renamed_argument_needs_one_row_of_the_table(new_name, tmp_path):
    given = {"model": "a/b", "output_dir": "out", "dataset": "d", "dataset_dir": tmp_path, "ahead": True}
    made = {
        (version, name): make_config("dpo", version=version, settings={name: 3}, **given)
        for version in (NEWEST, "0.9.4")
        for name in ("logging_steps", "log_every")
    }
    for (version, _), text in made.items():
        right, wrong = ("log_every", "logging_steps")[:: 1 if version == NEWEST else -1]
        assert yaml.safe_load(text)[right] == 3
        assert wrong not in yaml.safe_load(text)
    for name in ("logging_steps", "log_every"):
        assert argument_problem(name, -1) is not None
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINE)
    assert yaml.safe_load(make_config(mine, version=NEWEST, **given))["log_every"] == 7


MINE = "stage: sft\ndo_train: true\nfinetuning_type: lora\ntemplate: vanilla\nlogging_steps: 7\n"
