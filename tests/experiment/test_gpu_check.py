"""The check before a run: a training that needs a GPU is refused before the first step where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiment.conftest import SMALL
from w2s_factory.errors import UserError
from w2s_factory.experiment import checked_plan, gpu_check, run
from w2s_factory.llamafactory.installation import Installation

IN_BF16 = {"strong": {**SMALL["strong"], "preset": "strong_lora_sft"}}
MESSAGE = "no GPU here, and strong trains in bf16: set llamafactory: {cpu: true} in mine.yaml"


THERE = Path("/opt/lf/bin/python")
"""The interpreter of the LLaMA-Factory that `train` starts: one on the PATH, in another environment."""


@pytest.fixture
def gpus(monkeypatch):
    """What this machine has; the interpreters whose torch was asked."""
    asked, started = [], Installation(("llamafactory-cli",), THERE, "0.9.5")

    def sees(found):
        monkeypatch.setattr(gpu_check, "seems_without_gpu", lambda: not found)
        monkeypatch.setattr(gpu_check, "sees_gpu", lambda python: asked.append(python) or found)
        monkeypatch.setattr(gpu_check, "find_installation", lambda *, python: started)
        return asked

    monkeypatch.delenv("USE_RAY", raising=False)
    return sees


def checked(planned, folder):
    gpu_check.check_gpu(planned, checked_plan.trainings_of(planned.experiment), "mine.yaml", folder)


def test_a_training_in_bf16_needs_a_gpu(planned, gpus, tmp_path):
    asked = gpus(False)
    assert checked_plan.note_on_gpu(planned(**IN_BF16), "mine.yaml") == MESSAGE
    assert asked == []
    with pytest.raises(UserError) as refused:
        checked(planned(**IN_BF16), tmp_path)
    assert str(refused.value) == f"{MESSAGE} (see docs/troubleshooting.md#no-gpu)"
    assert asked == [THERE]


def test_where_there_is_one_nothing_is_said(planned, gpus, tmp_path):
    gpus(True)
    assert checked_plan.note_on_gpu(planned(**IN_BF16), "mine.yaml") is None
    checked(planned(**IN_BF16), tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"strong": {**SMALL["strong"], "overrides": {"bf16": False}}},
        {"strong": {**SMALL["strong"], "preset": "strong_lora_sft"}, "llamafactory": {"cpu": True}},
    ],
)
def test_a_training_on_the_cpu_needs_none_and_torch_is_not_asked(planned, gpus, tmp_path, changes):
    asked = gpus(False)
    assert checked_plan.note_on_gpu(planned(**changes), "mine.yaml") is None
    checked(planned(**changes), tmp_path)
    assert asked == []


def test_what_cpu_does_not_change_is_named(planned, gpus):
    gpus(False)
    changes = {"strong": {**SMALL["strong"], "overrides": {"fp16": True}}, "llamafactory": {"cpu": True}}
    assert "strong trains with fp16: use another preset" in checked_plan.note_on_gpu(
        planned(**changes), "mine.yaml"
    )


def test_finished_trainings_and_an_environment_elsewhere_are_not_refused(planned, gpus, tmp_path):
    asked = gpus(False)
    elsewhere = {"environments": {"train": "/elsewhere/python"}, "llamafactory": {"version": "0.9.5"}}
    checked(planned(**IN_BF16, **elsewhere), tmp_path)
    for step in planned(**IN_BF16).steps:
        for file in step.writes if step.kind == "train" else ():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    checked(planned(**IN_BF16), tmp_path)
    assert asked == []


def test_a_run_is_refused_before_its_first_step(written, gpus, tmp_path, monkeypatch):
    asked = gpus(False)
    monkeypatch.setattr(run, "_snakemake", lambda *_: pytest.fail("a step was begun"))
    with pytest.raises(UserError, match=r"no GPU here, and strong trains in bf16: .*experiment.yaml"):
        run.run(written(**IN_BF16), output_dir=tmp_path / "run")
    assert asked == [THERE]
    began = []
    monkeypatch.setattr(run, "_snakemake", lambda *_: began.append(1) or 1)
    with pytest.raises(Exception, match="Snakemake failed"):
        run.run(written(**IN_BF16), output_dir=tmp_path / "run", arguments=["-n"])
    assert began == [1]
