"""What is named as an interpreter and is none."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def config(tmp_path):
    (tmp_path / "rows.json").write_text("[]")
    (tmp_path / "dataset_info.json").write_text(json.dumps({"rows": {"file_name": "rows.json"}}))
    values = {"stage": "sft", "do_train": True, "template": "vanilla", "model_name_or_path": "org/model"}
    values |= {"dataset": "rows", "dataset_dir": str(tmp_path), "output_dir": str(tmp_path / "out")}
    (tmp_path / "train.yaml").write_text(json.dumps(values))
    return tmp_path / "train.yaml"


@pytest.mark.parametrize("python", ["/bin/true", "/bin/ls", "/bin/cat", "/bin/echo"])
@pytest.mark.parametrize("arguments", [["doctor"], ["template", "status"], ["train", "CONFIG"]], ids=str)
def test_one_line_says_so(w2s, arguments, python, config):
    arguments = [str(config) if argument == "CONFIG" else argument for argument in arguments]
    done = w2s(*arguments, "--python", python, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {python}: does not answer as a Python interpreter does")
    assert len(done.stderr.splitlines()) == 1
