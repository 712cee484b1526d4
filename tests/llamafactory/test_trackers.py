"""Trackers: which names there are, and that a missing one is refused before the training starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import trackers
from w2s_factory.llamafactory.arguments import argument_problem
from w2s_factory.llamafactory.preflight import check_trackers
from w2s_factory.llamafactory.trackers import missing_tracker, trackers_problem
from w2s_factory.llamafactory.training_config import Config


@pytest.mark.parametrize(
    "value", [None, "none", "all", "wandb", ["none"], [], ["tensorboard"], ["tensorboard", "mlflow"]]
)
def test_one_or_a_list(value):
    assert trackers_problem(value) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tensorbord", 'no tracker "tensorbord". Did you mean "tensorboard"?'),
        ("tensorboard,mlflow", 'no tracker "tensorboard,mlflow". Did you mean'),
        (["none", "mlflow"], 'expected "none" alone, got it together'),
        (["mlflow", 3], "expected the name of a tracker or a list of names, got 3"),
        (True, "expected the name of a tracker or a list of names, got True"),
        ({"a": 1}, "expected the name of a tracker or a list of names, got {"),
    ],
)
def test_what_is_not(value, problem):
    assert str(trackers_problem(value)).startswith(problem)
    assert argument_problem("report_to", value) == trackers_problem(value)


def test_the_names_are_those_of_transformers():
    integrations = pytest.importorskip("transformers.integrations.integration_utils")
    assert set(trackers.PACKAGES) == set(integrations.INTEGRATION_TO_CALLBACK)


@pytest.fixture
def environment(monkeypatch):
    """An environment with these packages; how often it was asked."""
    asked = []

    def has(**versions):
        def look(python, *names):
            asked.append(names)
            return type("Seen", (), {"versions": {name: versions.get(name) for name in names}})

        monkeypatch.setattr(trackers, "look", look)
        return asked

    return has


def test_the_first_that_is_missing_is_named(environment):
    environment(tensorboardX="2.6", mlflow="3.0")
    assert missing_tracker(["tensorboard", "mlflow"], "python") is None
    assert missing_tracker(["mlflow", "wandb", "comet_ml"], "python") == ("wandb", "wandb")
    assert missing_tracker(["comet_ml"], "python") == ("comet_ml", "comet-ml")


def test_nobody_is_asked_where_nothing_is_reported(environment):
    asked = environment()
    for value in (None, "none", "all", [], "kubeflow"):
        check_trackers(config(value), Path(sys.executable))
    assert asked == []


def config(value) -> Config:
    return Config(Path("train.yaml"), (), {"report_to": value})


def test_a_training_is_refused_with_the_package(environment, monkeypatch):
    monkeypatch.delenv("USE_RAY", raising=False)
    environment(mlflow="3.0")
    with pytest.raises(UserError) as refused:
        check_trackers(config(["mlflow", "azure_ml"]), Path("/env/bin/python"))
    assert str(refused.value).startswith(
        'train.yaml: field "report_to": azure_ml needs the package azureml-core, which is not installed for '
        "/env/bin/python. /env/bin/python -m pip install -c "
    )
    assert str(refused.value).endswith("constraints.txt azureml-core")
    monkeypatch.setenv("USE_RAY", "1")  # its workers have environments of their own
    check_trackers(config(["azure_ml"]), Path("/env/bin/python"))


def test_the_command_ends_before_llamafactory_starts(w2s, tmp_path):
    """Dvclive is in no environment of these tests."""
    data = {"words": {"file_name": "words.json", "columns": {"prompt": "content", "response": "output"}}}
    (tmp_path / "words.json").write_text(json.dumps([{"id": 1, "content": "a", "output": "b"}]))
    (tmp_path / "dataset_info.json").write_text(json.dumps(data))
    make = ("make-config", "--preset", "tiny_lora_sft", "--model", "some/model", "--output", "train.yaml")
    make += ("--dataset", "words", "--dataset-dir", tmp_path, "--output-dir", "out", "--cpu")
    w2s(*make, "--set", "report_to=[dvclive]", "--set", "run_name=seed0/train_weak")
    text = (tmp_path / "cwd/train.yaml").read_text()
    assert "report_to: [dvclive]" in text
    assert "run_name: seed0/train_weak" in text
    error = w2s("train", "train.yaml", code=2).stderr
    assert error.count("\n") == 1
    assert "dvclive needs the package dvclive, which is not installed for" in error
    assert not (tmp_path / "cwd/out").exists()
