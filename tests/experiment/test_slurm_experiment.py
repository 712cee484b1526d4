"""The embedded experiment on a real Slurm: real trainings, killed or left alone, end in the files of a local run.

`make test-slurm` runs it without accounting and left alone, and with accounting and killed; `make test-all` also the
other way round (`slow`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from itertools import pairwise

import psutil
import pytest

from tests.experiment.cluster import Cluster, asked, missing, until
from tests.experiment.test_whole_run import contents

pytestmark = [pytest.mark.slurm, pytest.mark.train, pytest.mark.timeout(1800)]


def on(quick: str, *, slow: str) -> pytest.MarkDecorator:
    """Run a test on both kinds of `cluster`, one of which only the marked tests do."""
    kinds = [quick, pytest.param(slow, marks=pytest.mark.slow)]
    return pytest.mark.parametrize("cluster", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def cluster(request, tmp_path_factory):
    """A Slurm whose controller knows all jobs until the end, and one that has accounting and soon forgets them."""
    if lacks := missing():
        pytest.skip(f"a Slurm needs {lacks}: scripts/slurm.sh install")
    pytest.importorskip("snakemake_executor_plugin_slurm")
    started = Cluster(tmp_path_factory.mktemp("cluster"), accounting=request.param == "sacct")
    try:
        started.start(SLURM_MIN_JOB_AGE="150" if started.accounting else "7200")
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The one folder of all runs, since configs name it."""
    return tmp_path_factory.mktemp("smoke") / "run"


@pytest.fixture(scope="module")
def on_this_machine(folder):
    """The files of a run without Slurm."""
    done = subprocess.run(command(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return moved_away(folder)


def command(folder, *arguments: str) -> list[str]:
    run = ["run", "arithmetic", "--preset", "smoke", "--output-dir", str(folder), *arguments]
    return [sys.executable, "-m", "w2s_factory", *run]


def on_slurm(folder) -> list[str]:
    soon = ["--", "--slurm-init-seconds-before-status-checks", "1"]
    return command(folder, "--executor", "slurm", "--jobs", "4", *soon)


def moved_away(folder) -> dict[str, str]:
    """The content of a run's files; the run makes room for the next."""
    files = contents(folder)
    shutil.rmtree(folder)
    return files


def runs_of_steps(cluster, folder) -> dict[str, list[tuple[datetime, datetime]]]:
    """When the jobs of each step began and ended, by Slurm's own records."""
    if cluster.accounting:
        columns = "--format=WorkDir,Comment,Start,End"
        lines = asked("sacct", "--allocations", "--noheader", "--parsable2", columns).splitlines()
        jobs = [line.split("|") for line in lines]
    else:
        described = asked("scontrol", "show", "jobs", "--oneliner").splitlines()
        facts = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in described]
        jobs = [[job[key] for key in ("WorkDir", "Comment", "StartTime", "EndTime")] for job in facts]
    times = defaultdict(list)
    for where, step, *span in jobs:
        if where == str(folder) and "Unknown" not in span and "None" not in span:
            begin, end = map(datetime.fromisoformat, span)
            times[step].append((begin, end))
    return times


def kill_at(folder, reached) -> None:
    """Start a run whose processes do not see those of its jobs, and kill it at a moment."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with folder.with_suffix(".log").open("a") as printed:
        process = subprocess.Popen([*apart, *on_slurm(folder)], stdout=printed, stderr=printed)
        until(reached, seconds=600, what="the moment of the kill")
        assert process.poll() is None
        until(psutil.Process(process.pid).children, what="the run starts")[0].kill()
        process.wait(30)


@on("squeue", slow="sacct")
def test_it_ends_in_the_files_of_a_local_run(cluster, on_this_machine, folder):
    done = subprocess.run(on_slurm(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    times = runs_of_steps(cluster, folder)
    assert {len(spans) for spans in times.values()} == {1}
    assert any("train_" in step for step in times)
    assert moved_away(folder) == on_this_machine


@on("sacct", slow="squeue")
def test_killed_at_three_moments_it_ends_in_the_files_of_a_local_run(cluster, on_this_machine, folder):
    def active(words: str):
        jobs = [job for job in cluster.jobs(folder) if job.active and words in job.rule]
        return any(job.state == "RUNNING" for job in jobs)

    kill_at(folder, lambda: [job for job in cluster.jobs(folder) if job.active])
    kill_at(folder, lambda: active("train_iter1"))
    kill_at(folder, lambda: active("generate_dpo"))
    done = subprocess.run(on_slurm(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "that an earlier run left in Slurm" in done.stderr
    for step, spans in runs_of_steps(cluster, folder).items():
        ordered = sorted(spans)
        assert all(one[1] <= next_[0] for one, next_ in pairwise(ordered)), step
    assert moved_away(folder) == on_this_machine
