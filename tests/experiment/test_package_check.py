"""The check before a run: a step that would fail because a package is missing is refused before the first step."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.experiment.conftest import SMALL
from w2s_factory.errors import UserError
from w2s_factory.experiment import package_check, run
from w2s_factory.experiment.checked_plan import trainings_of
from w2s_factory.generating import engines
from w2s_factory.llamafactory import installation, preflight

THERE = "/opt/lf/bin/python"
"""The interpreter of a LLaMA-Factory that is on the PATH, in another environment than this one."""


@pytest.fixture
def packages(monkeypatch):
    """Set which packages seem to be installed: LLaMA-Factory or not, these modules, these trackers."""

    def has(*, llamafactory=True, modules=("torch",), trackers=()):
        def of_environment(python, **_):
            if llamafactory:
                return installation.Installation(("llamafactory-cli",), Path(python or THERE), "0.9.5")
            raise UserError(f"no LLaMA-Factory in the environment of {python or sys.executable}")

        def missing(names, python):
            assert python == Path(THERE)
            return next(((name, name) for name in names if name not in trackers), None)

        monkeypatch.setattr(package_check, "find_installation", of_environment)
        monkeypatch.setattr(preflight, "missing_tracker", missing)
        monkeypatch.setattr(
            engines.importlib.util, "find_spec", lambda name: name if name in modules else None
        )

    monkeypatch.delenv("USE_RAY", raising=False)
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
        'mine.yaml: field "weak.generation.engine": engine openai needs the package openai, which is not '
        "installed. Install the extra openai: "
    )
    packages(modules=[])
    text = refusal(planned(), tmp_path)
    assert text.startswith("mine.yaml: engine transformers needs the package torch, ")
    text = refusal(planned(generation={"engine": "transformers"}), tmp_path)
    assert text.startswith('mine.yaml: field "generation.engine": engine transformers needs ')
    checked(planned(environments={"generate": "/env/bin/python"}), tmp_path)
    checked(planned(generation={"engine": "somebodys"}), tmp_path)


def test_math_verify_is_missing(planned, packages, tmp_path, monkeypatch):
    packages()
    monkeypatch.setattr("w2s_factory.answers.comparison.find_spec", lambda name: None)
    text = refusal(planned(scoring={"mode": "math-verify"}), tmp_path)
    assert text.startswith(
        'mine.yaml: field "scoring.mode": the package math_verify is not installed. Install the extra math-verify: '
    )
    checked(planned(), tmp_path)


def test_a_tracker_is_missing(planned, packages, tmp_path):
    packages(trackers=["mlflow"])
    text = refusal(planned(report_to=["mlflow", "wandb"]), tmp_path)
    assert text.startswith('mine.yaml: field "report_to": wandb needs the package wandb, which is not ')
    assert f"Install it: {THERE} -m pip install -c " in text
    own = {**SMALL["strong"], "overrides": {"report_to": "clearml"}}
    text = refusal(planned(report_to="mlflow", strong=own), tmp_path)
    assert text.startswith('mine.yaml: field "strong.overrides.report_to": clearml needs the package clearml')
    quiet = {"strong": {**SMALL["strong"], "overrides": {"report_to": "none"}}}
    weak = {**SMALL["weak"], "train": {"preset": "tiny_lora_sft", "overrides": {"report_to": "none"}}}
    checked(planned(report_to="wandb", weak=weak, **quiet), tmp_path)


def test_the_trackers_of_a_preset_of_one_s_own_count(planned, packages, tmp_path):
    packages()
    preset = tmp_path / "mine.yaml"
    text = "stage: sft\ndo_train: true\nfinetuning_type: lora\ntemplate: vanilla\nreport_to: wandb\n"
    preset.write_text(text)
    strong = {**SMALL["strong"], "preset": str(preset)}
    assert refusal(planned(strong=strong), tmp_path / "run").startswith(
        'mine.yaml: field "strong.preset": wandb needs the package wandb, which is not installed for '
    )
    weak = {"name": "w", "model": "some/weak", "train": {"preset": "tiny_lora_sft"}}
    checked(planned(strong=strong, weak=weak, report_to="none"), tmp_path / "run")
    preset.write_text(f"{text}ray_num_workers: 2\n")  # on machines with environments of their own
    checked(planned(strong=strong), tmp_path / "run")


def test_where_ray_trains_the_trackers_are_those_of_its_workers(planned, packages, tmp_path, monkeypatch):
    packages()
    monkeypatch.setenv("USE_RAY", "1")
    checked(planned(report_to="wandb"), tmp_path)


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
    assert not (tmp_path / "run").exists()


def test_an_error_on_a_field_has_its_line(written, packages, tmp_path):
    packages()
    file = written(
        report_to="wandb", presets={"quiet": {"report_to": "none"}, "other": {"report_to": "mlflow"}}
    )
    lines = file.read_text().splitlines()
    for preset, line in (
        (None, lines.index("report_to: wandb")),
        ("other", lines.index("    report_to: mlflow")),
    ):
        with pytest.raises(UserError, match=rf'experiment.yaml:{line + 1}: field "report_to": '):
            run.run(file, output_dir=tmp_path / "run", preset=preset)
    assert not (tmp_path / "run").exists()


def test_the_environment_of_another_user_is_told_to_ask_doctor(tmp_path):
    """The install command would be a guess: how w2s-factory is installed there, if at all, is not known."""
    with pytest.raises(UserError, match="See w2s-factory doctor, or name another environment's"):
        installation._of_environment(empty_python(tmp_path), search_path=False)


def empty_python(folder):
    """An interpreter that sees no package."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return python
