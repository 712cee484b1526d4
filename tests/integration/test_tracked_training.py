"""A real training that reports to local trackers, under its step's name; keys stay in the environment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import yaml
from tiny_training import w2s

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

NAME = "seed0/train_iter1_hybrid"
KEY = "S3CRET-of-nobody"
KEYS = dict.fromkeys(("WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN", "COMET_API_KEY"), KEY)


@pytest.fixture
def reporting(config: Path, tmp_path: Path):
    """Train with trackers; the folder in which the training ran, and what it printed."""

    def train(report_to: str | list[str], **variables: str) -> str:
        named = {"report_to": report_to, "run_name": NAME, "logging_steps": 1}
        config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | named))
        done = w2s("train", config, cwd=tmp_path, **KEYS, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return train


def test_tensorboard(reporting, tmp_path: Path) -> None:
    printed = reporting("tensorboard")
    [file] = (tmp_path / "out").rglob("events.out.tfevents.*")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(file.parent))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2]
    assert_no_key(printed, tmp_path)


def test_mlflow(reporting, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    printed = reporting(["mlflow"], MLFLOW_TRACKING_URI=f"sqlite:///{database}")
    with closing(sqlite3.connect(database)) as runs:
        assert runs.execute("select name, status from runs").fetchall() == [(NAME, "FINISHED")]
        steps = runs.execute("select step from metrics where key = 'loss' order by step").fetchall()
    assert steps == [(1,), (2,)]
    assert_no_key(printed, tmp_path)


def assert_no_key(printed: str, folder: Path) -> None:
    assert KEY not in printed
    holding = [file for file in folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert holding == []
