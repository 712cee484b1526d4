from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.conftest import ROOT
from w2s_factory import read_status
from w2s_factory.experiment.run import plan_experiment
from w2s_factory.experiment.run_folder import prepare


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """The folder of a run that was planned and has done nothing yet."""
    folder = tmp_path_factory.mktemp("planned")
    prepare(plan_experiment(ROOT / "experiments/arithmetic.yaml", "smoke"), folder)
    return folder


def test_it_prints_all_steps(w2s, planned):
    done = w2s("status", planned)
    lines = done.stdout.splitlines()
    count = len(read_status(planned).steps)
    assert lines[0].endswith(f": {count} steps, {count} waiting")
    assert lines[1] == "no run is active; the same `run` command continues"
    assert len(lines) == count + 2
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_json_is_the_same(w2s, planned):
    assert json.loads(w2s("status", planned, "--json").stdout) == json.loads(
        json.dumps(read_status(planned).as_dict())
    ) | {"quiet_seconds": None}


def test_a_folder_whose_name_is_not_utf_8(w2s, planned, tmp_path):
    folder = tmp_path / os.fsdecode(b"run\xff")
    shutil.copytree(planned, folder)
    assert json.loads(w2s("status", folder, "--json").stdout)["folder"] == rf"{tmp_path}/run\udcff"
    assert w2s("status", folder).stdout == w2s("status", planned).stdout


def test_a_folder_that_is_not_a_run_is_one_line(w2s, tmp_path):
    error = w2s("status", tmp_path, code=2).stderr
    assert error.splitlines() == [
        f"Error: {tmp_path}/contents.json: is missing: this is not the folder of a run. See w2s-factory run --help"
    ]
