"""The check before a run: a step that would end for want of a package is refused before the first step."""

from __future__ import annotations

import sys

import pytest

from tests.experiment.conftest import SMALL
from w2s_factory.errors import UserError
from w2s_factory.experiment import package_check, run
from w2s_factory.experiment.checked_plan import trainings_of
from w2s_factory.generating import engines
from w2s_factory.llamafactory import installation


@pytest.fixture
def packages(monkeypatch):
    """What is installed: LLaMA-Factory or not, these modules, these trackers."""

    def has(*, llamafactory=True, modules=("torch",), trackers=()):
        def of_environment(python, **_):
            if llamafactory:
                return
            raise UserError(f"no LLaMA-Factory in the environment of {python or sys.executable}")

        def missing(names, python):
            return next(((name, name) for name in names if name not in trackers), None)

        monkeypatch.setattr(package_check, "find_installation", of_environment)
        monkeypatch.setattr(package_check, "missing_tracker", missing)
        monkeypatch.setattr(
            engines.importlib.util, "find_spec", lambda name: name if name in modules else None
        )

    return has


def checked(planned, folder):
    package_check.check_packages(planned, trainings_of(planned.experiment), "mine.yaml", folder)


def refusal(planned, folder) -> str:
    with pytest.raises(UserError) as refused:
        checked(planned, folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_nothing_is_said_where_all_is_there(planned, packages, tmp_path):
    packages(trackers=["wandb"])
    checked(planned(report_to="wandb"), tmp_path)


def test_llamafactory_is_missing(planned, packages, tmp_path):
    packages(llamafactory=False)
    text = refusal(planned(), tmp_path)
    assert text.startswith(
        f"mine.yaml: no LLaMA-Factory in the environment of {sys.executable}. Name another"
    )
    assert "(environments: {train: PYTHON}), or install the extra train: " in text
    other = {"environments": {"train": sys.executable}, "llamafactory": {"version": "0.9.5"}}
    text = refusal(planned(**other), tmp_path)
    assert text.startswith('mine.yaml: field "environments.train": no LLaMA-Factory in the environment of ')
    elsewhere = {"environments": {"train": "/elsewhere/python"}, "llamafactory": {"version": "0.9.5"}}
    checked(planned(**elsewhere), tmp_path)


def test_an_engine_is_missing(planned, packages, tmp_path):
    packages(modules=["torch"])
    text = refusal(
        planned(weak={"name": "w", "model": "some/weak", "generation": {"engine": "openai"}}), tmp_path
    )
    assert text.startswith(
        "engine openai needs the package openai, which is not installed. Install the extra"
    )
    packages(modules=[])
    assert refusal(planned(), tmp_path).startswith("engine transformers needs the package torch, ")
    checked(planned(environments={"generate": "/env/bin/python"}), tmp_path)
    checked(planned(generation={"engine": "somebodys"}), tmp_path)


def test_math_verify_is_missing(planned, packages, tmp_path, monkeypatch):
    packages()
    monkeypatch.setattr("w2s_factory.answers.comparison.find_spec", lambda name: None)
    text = refusal(planned(scoring={"mode": "math-verify"}), tmp_path)
    assert text.startswith("the package math_verify is not installed. Install the extra math-verify: ")
    checked(planned(), tmp_path)


def test_a_tracker_is_missing(planned, packages, tmp_path):
    packages(trackers=["mlflow"])
    text = refusal(planned(report_to=["mlflow", "wandb"]), tmp_path)
    assert text.startswith('mine.yaml: field "report_to": wandb needs the package wandb, which is not ')
    assert f"Install it: {sys.executable} -m pip install -c " in text
    own = {**SMALL["strong"], "overrides": {"report_to": "clearml"}}
    text = refusal(planned(report_to="mlflow", strong=own), tmp_path)
    assert text.startswith('mine.yaml: field "strong.overrides.report_to": clearml needs the package clearml')
    quiet = {"strong": {**SMALL["strong"], "overrides": {"report_to": "none"}}}
    weak = {**SMALL["weak"], "train": {"preset": "tiny_lora_sft", "overrides": {"report_to": "none"}}}
    checked(planned(report_to="wandb", weak=weak, **quiet), tmp_path)


def test_complete_steps_need_nothing(planned, packages, tmp_path):
    packages(llamafactory=False, modules=[])
    for step in planned().steps:
        for file in step.writes:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    checked(planned(), tmp_path)


def test_a_run_is_refused_before_its_first_step(written, packages, tmp_path, monkeypatch):
    packages(llamafactory=False)
    monkeypatch.setattr(run, "_snakemake", lambda *_: pytest.fail("a step was begun"))
    with pytest.raises(
        UserError, match=r"experiment.yaml: no LLaMA-Factory in the environment of .*\[train\]"
    ):
        run.run(written(), output_dir=tmp_path / "run")
    assert not (tmp_path / "run/seed0").exists()


def test_the_environment_of_another_user_is_told_to_ask_doctor(tmp_path):
    """Of another environment it is not known how w2s-factory is installed there, if it is."""
    with pytest.raises(UserError, match="See w2s-factory doctor, or name another environment's"):
        installation._of_environment(empty_python(tmp_path), search_path=False)


def empty_python(folder):
    """An interpreter that sees no package."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return python
