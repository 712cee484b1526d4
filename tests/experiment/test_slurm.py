"""`--executor slurm` reaches the plugin, and that sbatch: what comes after it is played by scripts."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from w2s_factory.experiment.resources import Need
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.workflow import snakemake_command

pytestmark = pytest.mark.slurm

PROGRAMS = {
    # Notes how it was called, runs the wrapped command at once, and answers with the job's number.
    "sbatch": """
        number=$(($(cat "$PLAYED/number" 2>/dev/null || echo 100) + 1)); echo $number > "$PLAYED/number"
        for word in "$@"; do
            case "$word" in --wrap=*) wrapped=${word#--wrap=};; *) echo "$word" >> "$PLAYED/sbatch";; esac
        done
        if SLURM_JOB_ID=$number bash -c "$wrapped" > "$PLAYED/$number.out" 2>&1
        then state=COMPLETED; else state=FAILED; fi
        echo "$number|$state" >> "$PLAYED/states"; echo $number
    """,
    "sacct": 'cat "$PLAYED/states"',
    "squeue": 'tr "|" " " < "$PLAYED/states"',
    "sinfo": "echo 'PARTITION'; echo 'main*'",
    "scontrol": "echo 'MinJobAge = 300 sec'",
    "sacctmgr": "echo me",
    "scancel": "true",
    "srun": 'while case "$1" in -*) true;; *) false;; esac; do shift; done; exec "$@"',
}


@pytest.fixture
def played(tmp_path, monkeypatch):
    """A PATH with programs that play Slurm; the folder where they note what they were asked."""
    pytest.importorskip(
        "snakemake_executor_plugin_slurm", reason="pip install snakemake-executor-plugin-slurm"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PLAYED", str(tmp_path))
    return tmp_path


def test_a_training_is_submitted_with_what_it_needs(of_shell, played):
    plan = of_shell(
        {"data": ([], ["a.txt"], "echo 1 > a.txt"), "train": (["a.txt"], ["b.txt"], "cat a.txt > b.txt")}
    )
    data, train = plan.steps
    need = Need(
        gpus=2, threads=3, mem="4GB", runtime="2h", more={"slurm_partition": "gpu", "slurm_account": "me"}
    )
    plan = replace(plan, steps=(data, replace(train, kind="train", need=need)))
    folder = played / "run"
    soon = ["--slurm-init-seconds-before-status-checks", "1"]
    printed = []
    command = snakemake_command(plan, folder, jobs=2, executor="slurm", arguments=soon)
    carry_out(plan, folder, command, tell=printed.append)
    assert (folder / "b.txt").read_text() == "1\n"
    assert [line.split("  ")[0] for line in printed] == ["[1/2] seed0/data", "[2/2] seed0/train"]
    asked = (played / "sbatch").read_text()
    for words in ("gpu", "120", "--cpus-per-task=3", "--gpus=2"):
        assert words in asked
    assert (played / "number").read_text() == "101\n"  # one job: data steps stay at home
