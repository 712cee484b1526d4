from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
import yaml

from tests import commands
from w2s_factory.llamafactory.dataset_info import pair_entry, sft_entry
from w2s_factory.llamafactory.presets import preset_names

GOOD = [
    *("--preset", "strong_lora_sft", "--model", "model", "--dataset", "toy", "--dataset-dir", "data"),
    *("--output-dir", "out", "--output", "new/a.yaml"),
]


def run(*arguments, cwd):
    return commands.run("make-config", *arguments, folder=cwd)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "toy.json").write_text("[]")
    index = {"toy": sft_entry("toy.json"), "pairs": pair_entry("toy.json", "columns")}
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps(index))
    return tmp_path


def test_writes_and_says_what_next(folder):
    settings = ["--set", "num_train_epochs=3", "--set", "learning_rate=2e-5"]
    done = run(*GOOD, "--llamafactory-version", "0.6.2", *settings, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Wrote new/a.yaml",
        "Next: w2s-factory train new/a.yaml",
        "  or: python src/train_bash.py new/a.yaml",
    ]
    parsed = yaml.safe_load((folder / "new" / "a.yaml").read_text())
    assert (parsed["num_train_epochs"], parsed["learning_rate"]) == (3, 2e-5)
    line = json.loads((folder / "new" / "manifest.jsonl").read_text())
    assert (line["file"], line["preset"]) == ("a.yaml", "strong_lora_sft")


def test_the_commands_can_be_pasted(folder):
    done = run(*changed(output="a b/it's.yml"), cwd=folder)
    ours, plain = (line.partition(": ")[2] for line in done.stdout.splitlines()[1:])
    assert shlex.split(ours) == ["w2s-factory", "train", "a b/it's.yml"]
    head = (folder / "a b" / "it's.yml").read_text().splitlines()[:5]
    assert head[1] == "# Made by w2s-factory from the preset strong_lora_sft,"
    assert head[3] == f"# Run it:  {ours}"
    assert head[4].startswith(f"# or:      {plain}")


def test_cpu_can_be_set_further(folder):
    assert run(*GOOD, "--cpu", "--set", "bf16=true", cwd=folder).returncode == 0
    parsed = yaml.safe_load((folder / "new" / "a.yaml").read_text())
    assert (parsed["use_cpu"], parsed["bf16"]) == (True, True)


def test_other_content_is_overwritten_only_by_force(folder):
    assert run(*GOOD, cwd=folder).returncode == 0
    assert run(*GOOD, cwd=folder).returncode == 0
    refused = run(*GOOD, "--set", "seed=1", cwd=folder)
    assert (refused.returncode, "--force" in refused.stderr) == (2, True)
    assert yaml.safe_load((folder / "new" / "a.yaml").read_text())["seed"] == 42
    assert run(*GOOD, "--set", "seed=1", "--force", cwd=folder).returncode == 0
    assert yaml.safe_load((folder / "new" / "a.yaml").read_text())["seed"] == 1


def test_a_config_may_be_written_ahead_of_what_it_names(folder):
    done = run(*changed(model="./later", dataset_dir="none"), "--adapter", "/later/adapter", cwd=folder)
    assert done.returncode == 0, done.stderr
    missing = [str(folder / "later"), "/later/adapter", str(folder / "none" / "dataset_info.json")]
    assert [line.split()[1] for line in done.stderr.splitlines()] == missing
    parsed = yaml.safe_load((folder / "new" / "a.yaml").read_text())
    assert parsed["model_name_or_path"] == str(folder / "later")


@pytest.mark.parametrize(
    ("model", "written", "note"),
    [
        ("data/later", "{folder}/data/later", "{folder}/data/later does not exist yet"),
        ("./later", "{folder}/later", "{folder}/later does not exist yet"),
        (
            "owner/name",
            "owner/name",
            "owner/name is treated as a name on the Hugging Face Hub; for a folder write ./owner",
        ),
        ("name", "name", "name is treated as a name on the Hugging Face Hub"),
        ("model", "{folder}/model", None),
    ],
)
def test_what_is_taken_for_a_folder_or_a_name_is_said(folder, model, written, note):
    done = run(*changed(model=model), "--adapter", "./x", cwd=folder)
    assert done.returncode == 0, done.stderr
    parsed = yaml.safe_load((folder / "new" / "a.yaml").read_text())
    assert parsed["model_name_or_path"] == written.format(folder=folder)
    notes = [line for line in done.stderr.splitlines() if f"{folder}/x" not in line]
    assert len(notes) == (note is not None)
    assert not note or notes[0].startswith(f"Note: {note.format(folder=folder)}")


def test_list(tmp_path):
    lines = run("--list", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == preset_names()
    assert all(len(line.split()) > 3 for line in lines)


def changed(**options):
    arguments = dict(zip(GOOD[::2], GOOD[1::2], strict=True))
    arguments |= {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    return [part for name, value in arguments.items() if value is not None for part in (name, value)]


BAD = [
    (changed(preset="strong_lora_stf"), 'no preset "strong_lora_stf". Did you mean "strong_lora_sft"?'),
    (changed(preset=None), "needs --preset"),
    (changed(output=None), "needs --preset"),
    (changed(output="new/a.json"), "new/a.json: is not a .yaml file"),
    (changed(output_dir=""), 'field "--output-dir": is empty'),
    (changed(dataset_dir=""), 'field "--dataset-dir": is empty'),
    (changed(dataset="toys"), 'dataset_info.json. Did you mean "toy"?'),
    (changed(dataset="pairs"), "holds preference pairs, which sft does not train on"),
    (changed(preset="dpo"), "does not hold preference pairs, which dpo trains on"),
    (changed(preset="dpo", dataset="pairs", llamafactory_version="0.6.2"), "0.6.2 needs one list column"),
    (changed(dataset=None), "needs a dataset"),
    (changed(model="data"), "expected a folder with config.json"),
    (changed(preset="export"), "takes no dataset"),
    (
        changed(preset="orpo", dataset="pairs", llamafactory_version="0.5.0"),
        'has no method "orpo", which came with 0.6.2',
    ),
    (
        changed(preset="simpo", dataset="pairs", llamafactory_version="0.7.1"),
        'has no method "simpo", which came with 0.8.0',
    ),
    (changed(llamafactory_version="2"), "Known versions: 0.5.0"),
    (changed(llamafactory_version="latest"), "Known versions: 0.5.0"),
    (changed(set="learning_rates=1"), 'Did you mean "learning_rate"?'),
    (changed(set="learning_rate"), "expected key=value"),
    (changed(set="learning_rate=fast"), "expected a number above 0 and of at most 10, got 'fast'"),
    (changed(set="output_dir=x"), "Use --output-dir"),
    (changed(set="template=null"), "must name a template"),
    ([*GOOD, "--unknown"], "No such option"),
]


@pytest.mark.parametrize(("arguments", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_bad_input_is_one_line_and_writes_nothing(folder, arguments, problem):
    before = sorted(folder.rglob("*"))
    done = run(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_help_needs_nothing_heavy(tmp_path):
    script = """
import sys
from w2s_factory.cli import main
sys.argv = ["w2s-factory", "make-config", "--list"]
try:
    main()
except SystemExit:
    print(sorted({"torch", "transformers", "llamafactory", "datasets"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_example_of_the_help_works(folder):
    (folder / "data" / "dataset_info.json").write_text(
        json.dumps({"gsm8k_llama2_7b_iter1_hybrid": sft_entry("toy.json")})
    )
    text = run("--help", cwd=folder).stdout
    start = text.index("w2s-factory make-config", text.index("Example:"))
    example = text[start : text.index("\n\n", start)].replace("\\\n", " ").split()
    assert run(*example[2:], cwd=folder).returncode == 0
    assert (folder / "iter1.yaml").exists()


def test_a_template_by_its_own_option(folder):
    done = run(*GOOD, "--template", "yi", cwd=folder)
    assert done.returncode == 0, done.stderr
    text = (folder / "new" / "a.yaml").read_text()
    assert "\ntemplate: yi  # set; the preset has vanilla" in text
    twice = run(*changed(output="b.yaml"), "--template", "yi", "--set", "template=qwen", cwd=folder)
    assert (twice.returncode, twice.stderr) == (2, 'Error: field "template": is set twice\n')
    auto = run(*changed(output="b.yaml"), "--template", "auto", "--llamafactory-version", "0.9.5", cwd=folder)
    assert auto.returncode == 2
    assert "the folder holds no tokenizer" in auto.stderr
    assert not (folder / "b.yaml").exists()
