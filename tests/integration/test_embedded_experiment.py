"""The embedded experiment, shortened: real trainings of its two bases, up to the report."""

from __future__ import annotations

import csv

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.train, pytest.mark.timeout(1200)]


def test_the_smoke_preset_ends_in_a_report(w2s, tmp_path):
    run = (
        "run",
        ROOT / "experiments" / "arithmetic.yaml",
        "--preset",
        "smoke",
        "--output-dir",
        tmp_path / "run",
    )
    done = w2s(*run)
    assert f"the report: {tmp_path / 'run' / 'report.html'}" in done.stdout
    with (tmp_path / "run/report/models.csv").open() as file:
        accuracy = {row["key"]: float(row["accuracy"]) for row in csv.DictReader(file)}
    assert accuracy.keys() >= {"weak_floor", "weak_icl", "iter1_hybrid_ft", "dpo", "sft_chosen"}
    assert accuracy["iter1_hybrid_ft"] > accuracy["weak_floor"]  # 63 and 22 % where it was first run
    again = w2s(*run)
    assert "nothing to do" in again.stderr
