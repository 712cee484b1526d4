"""When a training is resumed from a checkpoint, and when its checkpoints are removed."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.resume import RECORD, from_checkpoint, last_checkpoint, resumed_from
from w2s_factory.llamafactory.training_config import read_config


@pytest.fixture
def training(tmp_path):
    """Prepare a training as `train --resume` does; the checkpoint that it resumes from."""
    model, data = tmp_path / "model", tmp_path / "data.json"
    model.mkdir()
    (model / "model.safetensors").write_text("weights")
    data.write_text("[]")

    def prepare(version="0.9.5", **values):
        file = tmp_path / "train.yaml"
        given = {"model_name_or_path": str(model), "output_dir": str(tmp_path / "out"), "seed": 1, **values}
        file.write_text(yaml.safe_dump(given))
        config = read_config(file)
        return resumed_from(from_checkpoint(config, config, [data], llamafactory=version))

    return prepare


def checkpoint(folder, step, text=None):
    made = folder / "out" / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "trainer_state.json").write_text(text or json.dumps({"global_step": step}))
    return made


def test_the_last_complete_checkpoint_is_resumed(training, tmp_path):
    assert training() is None
    checkpoint(tmp_path, 9)
    checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 11, "{")  # cut off by a kill
    (tmp_path / "out/checkpoint-12").mkdir()
    assert training() == "checkpoint-10"
    assert training() == "checkpoint-10"
    assert last_checkpoint(tmp_path / "out").name == "checkpoint-10"


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
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == []
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
