"""When a training is resumed from a checkpoint, and when its checkpoints are removed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from checkpoint_files import checkpoint as written

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.resume import RECORD, TOGETHER, from_checkpoint, resumed_from, together
from w2s_factory.llamafactory.template import STARTUP
from w2s_factory.llamafactory.training_config import read_config


@pytest.fixture
def training(tmp_path, monkeypatch):
    """Prepare a training as `train --resume` does; the checkpoint that it resumes from.

    What is said of checkpoints is in its attribute `said`.
    """
    monkeypatch.delenv("NODE_RANK", raising=False)
    model, data = tmp_path / "model", tmp_path / "data.json"
    model.mkdir()
    (model / "model.safetensors").write_text("weights")
    data.write_text("[]")

    def prepare(version="0.9.5", devices=1, **values):
        file = tmp_path / "train.yaml"
        given = {"model_name_or_path": str(model), "output_dir": str(tmp_path / "out"), "seed": 1, **values}
        file.write_text(yaml.safe_dump(given))
        config = read_config(file)
        spread = {"engine": None, "ray": False, "devices": devices}
        prepare.said.clear()
        return resumed_from(
            from_checkpoint(config, config, [data], spread, prepare.said.append, llamafactory=version)
        )

    prepare.said = []
    return prepare


def checkpoint(folder, step, ranks=1):
    return written(folder / "out", step, ranks)


def cut_off(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def kept(folder):
    return sorted(path.name for path in (folder / "out").iterdir() if path.is_dir())


def test_the_last_complete_checkpoint_is_resumed(training, tmp_path):
    assert training() is None
    checkpoint(tmp_path, 9)
    checkpoint(tmp_path, 10)
    cut_off(checkpoint(tmp_path, 11) / "trainer_state.json")  # by a kill
    (tmp_path / "out/checkpoint-12").mkdir()
    assert training() == "checkpoint-10"
    assert [line.rpartition("/")[2].partition(" ")[0] for line in training.said] == [
        "checkpoint-12",
        "checkpoint-11",
    ]
    assert training() == "checkpoint-10"
    assert training.said == []
    assert kept(tmp_path) == ["checkpoint-10", "checkpoint-9"]


def test_a_broken_checkpoint_gives_way_to_the_one_before(training, tmp_path):
    training()
    for step in (10, 20, 30):
        checkpoint(tmp_path, step)
    cut_off(tmp_path / "out/checkpoint-30/optimizer.pt")
    cut_off(tmp_path / "out/checkpoint-20/adapter_model.safetensors")
    assert training() == "checkpoint-10"
    assert training.said == [
        f"{tmp_path / 'out/checkpoint-30'} is left out (optimizer.pt is damaged)",
        f"{tmp_path / 'out/checkpoint-20'} is left out (adapter_model.safetensors is damaged)",
    ]
    cut_off(tmp_path / "out/checkpoint-10/rng_state.pth")
    assert training() is None
    assert kept(tmp_path) == []


def test_other_devices_of_the_same_number_resume(training, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    training(devices=2)
    checkpoint(tmp_path, 5, ranks=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert training(devices=2) == "checkpoint-5"
    assert training(devices=4) is None
    assert kept(tmp_path) == []


def edit_data(folder):
    (folder / "data.json").write_text("[1]")


def edit_model(folder):
    (folder / "model/model.safetensors").write_text("others!")
    os.utime(folder / "model/model.safetensors", ns=(1, 1))


@pytest.mark.parametrize(
    ("values", "edit"),
    [({"seed": 2}, None), ({"version": "0.9.4"}, None), ({}, edit_data), ({}, edit_model)],
)
def test_checkpoints_of_another_training_are_removed(training, tmp_path, values, edit):
    training()
    checkpoint(tmp_path, 5)
    if edit:
        edit(tmp_path)
    assert training(**values) is None
    assert kept(tmp_path) == []
    checkpoint(tmp_path, 3)
    assert training(**values) == "checkpoint-3"


def test_checkpoints_of_unknown_settings_are_removed(training, tmp_path):
    checkpoint(tmp_path, 5)
    assert training() is None
    assert not (tmp_path / "out/checkpoint-5").exists()


def test_a_second_machine_changes_nothing(training, tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_RANK", "1")
    checkpoint(tmp_path, 5)
    assert training() is None
    assert (tmp_path / "out/checkpoint-5").exists()
    assert not (tmp_path / "out" / RECORD).exists()


def test_checkpoints_without_the_optimizer_are_refused(training):
    with pytest.raises(UserError, match="save_only_model"):
        training(save_only_model=True)


@pytest.mark.parametrize("trackers", [{"report_to": "wandb", "run_name": "a"}, {"report_to": ["mlflow"]}])
def test_a_tracker_decides_no_weights(training, tmp_path, trackers):
    training(report_to="none")
    checkpoint(tmp_path, 5)
    assert training(**trackers) == "checkpoint-5"
    assert training(seed=2, **trackers) is None


def test_a_record_of_another_form_is_that_of_another_training(training, tmp_path):
    for text in ("[]", '{"config": 3}', "{", "3"):
        training()
        checkpoint(tmp_path, 5)
        (tmp_path / "out" / RECORD).write_text(text)
        assert training() is None


def test_without_a_first_machine_nothing_is_decided(training, tmp_path, monkeypatch):
    training()
    checkpoint(tmp_path, 5)
    monkeypatch.setenv("RDZV_ID", "1")
    with pytest.raises(UserError, match=r"RDZV_ID.*NODE_RANK"):
        training(seed=2)
    assert kept(tmp_path) == ["checkpoint-5"]


@pytest.mark.parametrize(("machines", "variables"), [(None, {}), ("1", {}), ("2", {TOGETHER: "1"})])
def test_only_several_machines_agree_on_a_checkpoint(machines, variables):
    assert together({} if machines is None else {"NNODES": machines}) == variables


# transformers in miniature: the trainer's method, by its name and call.
TRAINER = """
class Trainer:
    def train(self, resume_from_checkpoint=None, trial=None):
        return resume_from_checkpoint, trial
"""
PROCESS = """
import sys
from torch import distributed
distributed.init_process_group("gloo", init_method=sys.argv[1], rank=int(sys.argv[2]), world_size=2)
from transformers import trainer
print(trainer.Trainer().train(resume_from_checkpoint=sys.argv[3] or None, trial=sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("choices", "resumed"),
    [
        (("out/checkpoint-2", ""), "out/checkpoint-2"),
        pytest.param(("", "old"), None, marks=pytest.mark.slow),
    ],
)
def test_all_processes_resume_as_the_first_one(tmp_path, choices, resumed):
    pytest.importorskip("torch")
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers/__init__.py").write_text("")
    (tmp_path / "transformers/trainer.py").write_text(TRAINER)
    environ = {**os.environ, "PYTHONPATH": f"{STARTUP}:{tmp_path}", TOGETHER: "1"}
    command = [sys.executable, "-c", PROCESS, f"file://{tmp_path / 'meeting'}"]
    processes = [
        subprocess.Popen([*command, str(rank), choice], env=environ, stdout=subprocess.PIPE, text=True)
        for rank, choice in enumerate(choices)
    ]
    outputs = [process.communicate(timeout=200)[0] for process in processes]
    assert [output.splitlines()[-1] for output in outputs] == [str((resumed, rank)) for rank in "01"]
