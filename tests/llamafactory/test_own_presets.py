"""A user's own preset: a flat YAML file, whose mistakes have their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from w2s_factory import UserError
from w2s_factory.llamafactory.configs import launch_commands, make_config
from w2s_factory.llamafactory.presets import FOLDER, load_preset, preset_names
from w2s_factory.shipped import shipped

MINE = """stage: sft
do_train: true
finetuning_type: lora  # as they did
template: vanilla
learning_rate: 1e-5
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> str:
        (tmp_path / "mine.yaml").write_text(text)
        return "./mine.yaml"

    return written


def made(preset: str, **options):
    given = {"model": "a/b", "output_dir": "out", "dataset": "d", "dataset_dir": ".", "ahead": True}
    return make_config(preset, **{**given, **options})


def test_a_file_is_a_preset(write):
    text = made(write(MINE), version="0.9.5")
    values = yaml.safe_load(text)
    assert {key: values[key] for key in ("stage", "do_train", "template")} == {
        "stage": "sft",
        "do_train": True,
        "template": "vanilla",
    }
    assert "learning_rate: 1e-5  # from mine.yaml" in text
    assert "finetuning_type: lora  # as they did" in text
    assert "from the preset ./mine.yaml," in text


@pytest.mark.parametrize("path", ["mine.yaml", "./mine.yaml", "mine"])
def test_a_path_names_a_file_as_its_text_does(write, path):
    as_text = made(write(MINE), version="0.9.5")
    Path("mine").write_text(MINE)
    found = made(Path(path), version="0.9.5")
    assert yaml.safe_load(found) == yaml.safe_load(as_text)
    assert load_preset(load_preset(Path(path)).name).file == Path(path)
    assert launch_commands(Path(path), "0.9.5") == launch_commands("./mine.yaml", "0.9.5")


@pytest.mark.parametrize("call", [made, load_preset, launch_commands])
@pytest.mark.parametrize("preset", [None, 3])
def test_a_preset_that_is_neither_name_nor_path_is_refused(call, preset):
    with pytest.raises(UserError, match=r'^field "preset": expected the name of a preset or a file, got '):
        call(preset)


@pytest.mark.parametrize("name", preset_names())
def test_a_copy_of_a_shipped_preset_makes_the_same_config(write, name):
    copied = write(shipped(FOLDER, f"{name}.yaml").read_text())
    only = {"dataset": None, "dataset_dir": None} if name == "export" else {}
    only |= {"adapter": ["c/d"] if name == "export" else []}
    only |= {"settings": {"template": "chatml"} if name.startswith("chat_") else {}}
    ours, theirs = (made(preset, version="0.9.5", **only) for preset in (copied, name))
    assert yaml.safe_load(ours) == yaml.safe_load(theirs)
    assert ours.replace("from the preset ./mine.yaml", f"from the preset {name}") == theirs


def test_settings_and_another_version_apply_to_it(write):
    pairs = MINE.replace("stage: sft", "stage: dpo\npref_loss: orpo\npref_beta: 0.1")
    values = yaml.safe_load(made(write(pairs), version="0.6.2", settings={"learning_rate": 2e-5}))
    assert (values["stage"], values["orpo_beta"], values["learning_rate"]) == ("orpo", 0.1, 2e-5)


def test_a_method_in_quotes_is_that_method(write):
    pairs = MINE.replace("stage: sft", "stage: dpo\npref_loss: 'orpo'\ndpo_beta: 0.3")
    with pytest.raises(UserError, match=r'mine\.yaml:3: field "dpo_beta"'):
        made(write(pairs), version="0.9.5")
    assert load_preset(write(pairs.replace("dpo_beta", "pref_beta"))).method == "orpo"


def test_a_deepspeed_file_beside_it_is_found(write, tmp_path):
    (tmp_path / "ds.json").write_text("{}")
    assert f"deepspeed: {tmp_path}/ds.json" in made(write(MINE + "deepspeed: ds.json\n"))
    assert "ds_z3.json" in made(write(MINE + "deepspeed: ds_z3.json\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINE + "learning_rat: 1\n", 'mine.yaml:6: field "learning_rat": .* Did you mean "learning_rate"'),
        (
            MINE + "num_train_epochs: many\n",
            'mine.yaml:6: field "num_train_epochs": expected a number ',
        ),
        (MINE + "output_dir: out\n", 'mine.yaml:6: field "output_dir": .* Use --output-dir'),
        (MINE + "stage: sft\n", 'mine.yaml:6: field "stage": duplicate key'),
        (
            MINE + "lora_target:\n  - q_proj\n",
            'mine.yaml:6: field "lora_target": expected a value on the same line',
        ),
        (MINE + "deepspeed: no.json\n", 'mine.yaml:6: field "deepspeed": no such file: no.json'),
        (MINE + "seed: 2024-99-99\n", 'mine.yaml:6: field "seed": '),
        (MINE + "a: [\n", "mine.yaml:7: is not YAML"),
        (MINE + "? [a]\n: b\n", "mine.yaml:6: expected a key that is text"),
        (MINE.replace("sft", "ppo"), 'mine.yaml:1: field "stage": expected sft or dpo, got ppo'),
        (MINE.replace("sft", "dpo"), 'mine.yaml: field "pref_loss": is missing'),
        (MINE.replace("vanilla", "empty"), 'mine.yaml:4: field "template": .* Use vanilla'),
        (MINE.replace("template: vanilla", ""), 'mine.yaml: field "template": is missing'),
        (MINE.replace("do_train: true", "do_train: false"), 'mine.yaml:2: field "do_train": expected true'),
        (MINE.replace("do_train: true", ""), "expected do_train: true for a training, or export_size"),
        ("- a\n", "mine.yaml: expected `key: value` lines"),
        ("", "mine.yaml: expected `key: value` lines"),
        (b"\xff", "mine.yaml:1: is not UTF-8 text"),
    ],
)
def test_a_mistake_has_its_line(write, tmp_path, text, message):
    name = write("")
    (tmp_path / "mine.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message) as raised:
        made(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["./none.yaml", "none.yml", "no/such", "."])
def test_a_file_that_is_not_there(write, name):
    if name == ".":
        name = "./"
    with pytest.raises(UserError, match=re.escape(str(name.removeprefix("./") or "."))):
        load_preset(name)


def test_build_data_and_make_config_take_it(w2s, tmp_path):
    (tmp_path / "cwd/mine.yaml").write_text(MINE)
    w2s("build-data", "--stage", "1", "--preset", "mine.yaml")
    config = tmp_path / "cwd/w2s-data/train_arithmetic_simulated_weak_iter1_hybrid.yaml"
    assert "learning_rate: 1e-5" in config.read_text()
    dataset = ["--dataset", "arithmetic_simulated_weak_iter1_hybrid", "--dataset-dir", "w2s-data"]
    made = ["--model", "a/b", "--output-dir", "out", "--output", "made.yaml"]
    w2s("make-config", "--preset", "./mine.yaml", *dataset, *made)
    (tmp_path / "cwd/mine.yaml").write_text(MINE + "learning_rat: 1\n")
    error = w2s("make-config", "--preset", "./mine.yaml", *dataset, *made, code=2).stderr
    assert error.startswith("Error: mine.yaml:6: ")
    assert error.count("\n") == 1


def test_a_name_that_no_yaml_can_hold_is_refused():
    with pytest.raises(UserError, match=r'field "model_name_or_path": expected UTF-8 text'):
        make_config("export", model="\udcff", output_dir="out", adapter=["a/b"], ahead=True)


@pytest.mark.parametrize("version", ["0.5.0", "0.9.5"])
@pytest.mark.parametrize("own", ["", "report_to: null\n"])
def test_nothing_is_sent_unless_a_tracker_is_named(write, version, own):
    """Transformers 4 takes an absent `report_to`, and `null`, for every tracker that is installed."""
    preset = write(MINE + own)
    assert "\nreport_to: none  # ours: nothing is sent unless" in made(preset, version=version)
    for settings in ({"report_to": None}, {"report_to": "none"}, {"report_to": []}):
        values = yaml.safe_load(made(preset, version=version, settings=settings))
        assert values["report_to"] in ("none", [])
    named = made(preset, version=version, settings={"report_to": ["wandb"]})
    assert yaml.safe_load(named)["report_to"] == ["wandb"]
    assert "unless a tracker is named" not in named


def test_a_preset_s_own_trackers_stay(write):
    for value in ("wandb", "all", "[mlflow, tensorboard]"):
        text = made(write(f"{MINE}report_to: {value}  # mine\n"), version="0.9.3")
        assert f"\nreport_to: {value}  # mine\n" in text
        assert text.count("report_to") == 1
