from __future__ import annotations

import json

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


def test_it_prints_all_steps_in_100_columns(w2s, planned):
    done = w2s("status", planned)
    lines = done.stdout.splitlines()
    count = len(read_status(planned).steps)
    assert lines[0].endswith(f": {count} steps, {count} waiting")
    assert lines[1] == "no run is active; the same `run` command continues"
    assert len(lines) == count + 2
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_json_is_the_same(w2s, planned):
    assert json.loads(w2s("status", planned, "--json").stdout) == json.loads(
        json.dumps(read_status(planned).as_dict())
    ) | {"quiet_seconds": None}


def test_a_folder_that_is_not_a_run_is_one_line(w2s, tmp_path):
    error = w2s("status", tmp_path, code=2).stderr
    assert error.splitlines() == [
        f"Error: {tmp_path}/contents.json: is missing: this is not the folder of a run. See w2s-factory run --help"
    ]
