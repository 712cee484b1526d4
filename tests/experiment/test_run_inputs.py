"""`build-data` without inputs, in the folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from w2s_factory.errors import UserError
from w2s_factory.experiment.run_inputs import inputs_of_run

TRAIN_2 = "seed0/outputs/arithmetic_train_2"
WEAK = f"{TRAIN_2}/zero_shot/w_arithmetic_1/zero-shot/direct/results.jsonl"
ICL = f"{TRAIN_2}/few_shot/s/few-shot/direct/results.jsonl"


@pytest.fixture
def folder(planned, tmp_path):
    plan = planned(stage2={"samples": 2})
    values = plan.experiment.model_dump(mode="json", exclude_defaults=True)
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "contents.json").write_text(plan.contents.model_dump_json())
    return tmp_path


@pytest.mark.parametrize(
    ("stage", "iteration", "files"),
    [
        ("full-weak", 1, {"input": WEAK}),
        ("1", 1, {"weak": WEAK, "icl": ICL}),
        ("1", 2, {side: f"{TRAIN_2}/zero_shot/s_arithmetic_w_iter1_{side}/zero-shot/direct/results.jsonl" for side in ("weak", "icl")}),
        ("2", 1, {"weak": WEAK, "votes": f"{TRAIN_2}/zero_shot/s_arithmetic_w_iter2_hybrid/zero-shot/direct/t1.0/majority_voting_results.jsonl"}),
    ],
)  # fmt: skip
def test_each_stage_reads_what_the_run_made(folder, stage, iteration, files):
    found = inputs_of_run(folder, stage, iteration)
    assert found.files == {name: folder / file for name, file in files.items()}
    assert (found.weak_name, found.experiment, found.task.name) == ("w", "small", "arithmetic")


@pytest.mark.parametrize(("stage", "name"), [("gold", "train_1.jsonl"), ("test", "test.jsonl")])
def test_raw_rows_are_the_tasks(folder, stage, name):
    assert inputs_of_run(folder, stage).files["input"].name == name


def test_a_stage_the_experiment_has_not_is_refused(folder):
    with pytest.raises(UserError, match="has no iteration 3"):
        inputs_of_run(folder, "1", 3)


def test_the_command_says_whose_files_it_takes(folder, w2s):
    for name in ("experiment.yaml", "contents.json"):
        Path(folder, "cwd", name).write_bytes((folder / name).read_bytes())
    done = w2s("build-data", "--stage", "gold")
    assert "No input files named: using those of the experiment small (task arithmetic)" in done.stdout
