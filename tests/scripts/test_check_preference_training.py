"""The check of DPO and ORPO: real trainings pass it, and any other way to compute them fails it."""

from __future__ import annotations

import importlib
import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from tests import commands
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

EXAMPLES = ROOT / "data/arithmetic/examples"
PAIRS = 33
"""So many that an epoch ends with half a batch, and with a step of one batch instead of two."""


@pytest.fixture(scope="module")
def check():
    """The script, which imports torch: not at the collection of tests that do not run."""
    pytest.importorskip("torch")
    pytest.importorskip("llamafactory")
    return importlib.import_module("check_preference_training")


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (EXAMPLES / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory):
    """Questions on which the two example files differ, the strong model's response chosen."""
    folder = tmp_path_factory.mktemp("pairs")
    both = zip(rows("icl_results.jsonl"), rows("weak_results.jsonl"), strict=True)
    pairs = [
        {"instruction": icl["prompt"], "input": "", "chosen": icl["response"], "rejected": weak["response"]}
        for icl, weak in both
        if icl["pred"] != weak["pred"]
    ]
    (folder / "pairs.json").write_text(json.dumps(pairs[:PAIRS]))
    columns = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
    entry = {"file_name": "pairs.json", "ranking": True, "columns": columns}
    (folder / "dataset_info.json").write_text(json.dumps({"pairs": entry}))
    return folder


@pytest.fixture(scope="module", params=["dpo", "orpo"])
def trained(check, request, dataset_dir, tmp_path_factory) -> Path:
    """The YAML of a training of 20 steps, more than two epochs, that the installed LLaMA-Factory has done."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = {
        "learning_rate": 1e-3,
        "max_steps": 20,
        "logging_steps": 1,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
    }
    done = commands.run(
        *("make-config", "--preset", f"tiny_base_{request.param}", "--output", "train.yaml"),
        *("--model", ROOT / "data/models/arithmetic_strong", "--dataset", "pairs"),
        *("--dataset-dir", dataset_dir, "--output-dir", "out"),
        *(f"--set={key}={value}" for key, value in settings.items()),
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    done = commands.run("train", "train.yaml", folder=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "train.yaml"


@pytest.fixture
def checked(check):
    def run(file: Path, *options: str) -> tuple[int, str]:
        done = CliRunner().invoke(check.main, [str(file), *options])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout

    return run


def test_both_compute_the_same(checked, trained):
    """They agree to within rounding, so the tolerance is a hundredth of what is asked of the check."""
    code, output = checked(trained, "--tolerance", "1e-4")
    assert code == 0, output
    assert len(re.findall(r"^ +\d+ \|", output, re.M)) == 20


@pytest.mark.parametrize(("setting", "value"), [("pref_beta", 0.2), ("seed", 1), ("pref_ftx", 0.5)])
def test_another_setting_fails(checked, trained, tmp_path, setting, value):
    config = yaml.safe_load(trained.read_text()) | {setting: value}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(config))
    assert checked(tmp_path / "other.yaml", "--steps", "1")[0] == 1


def without_eos(encode):
    return lambda config: [(p, chosen[:-1], rejected[:-1]) for p, chosen, rejected in encode(config)]


def averaged(sums):
    def means(model, prompt, *responses):
        totals = sums(model, prompt, *responses)
        return [total / len(response) for total, response in zip(totals, responses, strict=True)]

    return means


@pytest.mark.parametrize(
    ("function", "other"), [("read_pairs", without_eos), ("log_probabilities", averaged)]
)
def test_another_computation_fails(check, checked, trained, monkeypatch, function, other):
    monkeypatch.setattr(check, function, other(getattr(check, function)))
    assert checked(trained, "--steps", "1")[0] == 1


def test_labels_of_the_prompt_fail_unless_they_cancel(check, checked, trained, monkeypatch):
    """Both responses follow the same prompt: its log-probability leaves the difference of two sums as it is."""
    sums = check.log_probabilities
    with_prompt = lambda model, start, *ends: sums(model, start[:1], *(start[1:] + end for end in ends))  # noqa: E731
    monkeypatch.setattr(check, "log_probabilities", with_prompt)
    cancels = yaml.safe_load(trained.read_text())["pref_loss"] == "sigmoid"
    assert checked(trained, "--steps", "1")[0] == (0 if cancels else 1)


@pytest.mark.parametrize("trained", ["dpo"], indirect=True)
def test_another_reference_fails(check, checked, trained, monkeypatch):
    """The policy itself, as if the adapter were not disabled: no margin, so the loss stays at log 2."""
    always_on = lambda lora, x: lora.linear(x) + lora.scale * lora.b(lora.a(x))  # noqa: E731
    monkeypatch.setattr(check.Lora, "forward", always_on)
    assert checked(trained, "--steps", "4", "--tolerance", "1e-3")[0] == 1


def test_what_is_not_a_number_fails(check, checked, trained, monkeypatch):
    monkeypatch.setattr(check, "train", lambda config: iter([(float("nan"), 1.0)] * 20))
    assert checked(trained)[0] == 1


def test_a_shorter_log_is_refused(check, trained):
    done = CliRunner().invoke(check.main, [str(trained), "--steps", "21"])
    assert done.exit_code == 2
    assert "expected a log of 21 steps, got 20" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        *("a: [", "- a", "a: 1", "output_dir: nowhere", "\x00"),
        "{pref_loss: simpo, template: vanilla}",
        "{pref_loss: sigmoid, template: empty}",
    ],
)
def test_what_is_no_training_is_refused(check, tmp_path, text):
    (tmp_path / "train.yaml").write_text(text)
    done = CliRunner().invoke(check.main, [str(tmp_path / "train.yaml")])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "train.yaml: no finished training: " in done.stderr
