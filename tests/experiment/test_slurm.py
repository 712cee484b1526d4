"""`--executor slurm` on a real Slurm of two nodes, with steps that are shell commands."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from tests.experiment.cluster import Cluster, asked, meanwhile, missing, until
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.experiment import run_lock, slurm, slurm_jobs, slurm_watch
from w2s_factory.experiment.plan import Plan
from w2s_factory.experiment.resources import Need, Resources
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.slurm_jobs import RECORD
from w2s_factory.experiment.status import read_status
from w2s_factory.experiment.workflow import snakemake_command

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]

MEMORY = "700MB"
"""The memory of a step: Snakemake, which runs it on its node, needs a few hundred megabytes itself."""

SOON = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5")

WITHOUT_ACCOUNTING = pytest.mark.parametrize("cluster", ["squeue"], indirect=True)
"""For what does not depend on the command by which jobs are followed."""


@pytest.fixture(scope="module", params=["squeue", "sacct"])
def cluster(request, tmp_path_factory):
    """A Slurm without accounting, and one with it whose controller soon forgets ended jobs."""
    if lacks := missing():
        pytest.skip(f"a Slurm needs {lacks}: scripts/slurm.sh install")
    pytest.importorskip("snakemake_executor_plugin_slurm")
    started = Cluster(tmp_path_factory.mktemp("cluster"), accounting=request.param == "sacct")
    try:
        started.start(**({"SLURM_MIN_JOB_AGE": "150"} if started.accounting else {}))
        yield started
    finally:
        started.stop()


class OnSlurm:
    """A folder, and plans of shell commands carried out in it."""

    def __init__(self, folder, of_shell):
        self.folder, self._of_shell, self.printed = folder, of_shell, []

    def plan(self, steps, retries=None, **needs) -> Plan:
        """The plan of the steps, each a training to the executor; a step's own needs follow its command."""
        plan = self._of_shell({name: step[:3] for name, step in steps.items()})
        need = {"mem": MEMORY, "runtime": "10m", **needs}
        on_nodes = tuple(
            replace(step, kind="train", need=Need.model_validate({**need, **(own[3] if own[3:] else {})}))
            for step, own in zip(plan.steps, steps.values(), strict=True)
        )
        experiment = plan.experiment.model_copy(update={"resources": Resources(retries=retries)})
        return Plan(experiment, on_nodes, plan.contents)

    def __call__(self, plan, *arguments, executor="slurm", folder=None, **options):
        folder = folder or self.folder
        given = (*SOON, *arguments) if executor else arguments
        self.printed = []
        command = snakemake_command(plan, folder, jobs=4, executor=executor, arguments=given)
        carry_out(plan, folder, command, tell=self.printed.append, **options)

    def fails(self, plan, *arguments, **options) -> str:
        """Carry a plan out that fails; the error."""
        with pytest.raises(DelegateError) as failed:
            self(plan, *arguments, **options)
        return str(failed.value)

    @property
    def text(self) -> str:
        return "\n".join(self.printed)

    def files(self, folder=None) -> dict[str, bytes]:
        """The content of the steps' files."""
        return {path.name: path.read_bytes() for path in (folder or self.folder).glob("*.txt")}


@pytest.fixture
def run(cluster, of_shell, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_watch, "EVERY", 1.0)
    monkeypatch.setattr(slurm_watch, "MARGIN", 5.0)
    monkeypatch.setattr(
        slurm, "LONGEST_PAUSE", 50
    )  # the executor's pauses grow; they are shorter in short tests
    monkeypatch.setattr(slurm_jobs, "IN_FLIGHT", 2.0)
    yield OnSlurm(tmp_path / "run", of_shell)
    cluster.cancel_all()


PAIR = {
    "a": ([], ["a.txt"], "echo $SLURMD_NODENAME $(date +%s) > a.where; sleep 6; seq 1000 > a.txt; date +%s >> a.where"),
    "b": ([], ["b.txt"], "echo $SLURMD_NODENAME $(date +%s) > b.where; sleep 6; seq 2000 > b.txt; date +%s >> b.where"),
    "c": (["a.txt", "b.txt"], ["c.txt"], "cat a.txt b.txt | md5sum > c.txt"),
}  # fmt: skip


def test_two_nodes_work_at_once_and_write_what_one_machine_writes(run, cluster, tmp_path):
    plan = run.plan(PAIR, threads=2)  # a whole node each
    run(plan)
    nodes, begins, ends = zip(
        *((run.folder / f"{name}.where").read_text().split() for name in "ab"), strict=True
    )
    assert set(nodes) == {"n1", "n2"}
    assert max(begins) < min(ends)
    assert cluster.per_step(run.folder) == {"a": 1, "b": 1, "c": 1}
    assert not (run.folder / RECORD).exists()
    assert not (run.folder / run_lock.OWNER).exists()
    on_slurm = run.files()
    run(plan, executor=None, folder=tmp_path / "here")
    assert on_slurm == run.files(tmp_path / "here")
    run(plan)
    assert run.printed == ["nothing to do: every step is complete"]


def test_the_command_that_answers_is_used(run, cluster):
    command = snakemake_command(run.plan(PAIR), run.folder, jobs=1, executor="slurm", arguments=())
    uses = command[command.index("--slurm-status-command") + 1]
    assert uses == ("sacct" if cluster.accounting else "squeue")
    own = ["--slurm-status-command=squeue"]
    command = snakemake_command(run.plan(PAIR), run.folder, jobs=1, executor="slurm", arguments=own)
    assert "--slurm-status-command" not in command


@WITHOUT_ACCOUNTING
def test_a_step_asks_for_what_it_needs(run, cluster):
    needs = {"gpus": 2, "threads": 2, "runtime": "2m", "more": {"slurm_partition": "urgent"}}
    run(run.plan({"a": ([], ["a.txt"], "echo $CUDA_VISIBLE_DEVICES > a.txt; scontrol show job $SLURM_JOB_ID >> a.txt")}, **needs))  # fmt: skip
    gpus, _, asked_for = (run.folder / "a.txt").read_text().partition("\n")
    assert gpus == "0,1"
    for words in ("Partition=urgent", "TimeLimit=00:02:00", "CPUs/Task=2", "MinMemoryNode=700M", "gpu:2"):
        assert words in asked_for


ENDS = {
    "cancelled": ([], ["cancelled.txt"], "sleep 300"),
    "late": ([], ["late.txt"], "echo begun; sleep 300", {"runtime": "1m"}),
    "wrong": ([], ["wrong.txt"], "echo why; exit 3"),
}


def test_how_slurm_ended_a_job_is_named(run, cluster):
    def cancel():
        asked("scancel", cluster.job(run.folder, "cancelled", "RUNNING").id)

    states = {"cancelled": "CANCELLED", "late": "TIMEOUT", "wrong": "FAILED"}
    with meanwhile(cancel):
        error = run.fails(run.plan(ENDS), "--keep-going")
    for step, state in states.items():
        assert f"seed0/{step} ({state})" in error
        line = next(line for line in run.printed if line.startswith("Slurm ended") and f"_{step}/" in line)
        assert f" as {state}" in line
        log = run.folder / ".snakemake/slurm_logs" / f"rule_seed0_{step}"
        assert str(log) in line
        assert list(log.glob("*.log"))
    assert "time limit of 00:01:00. Raise `resources.train.runtime`" in run.text
    assert "failed with exit code" in run.text
    assert not [job for job in cluster.jobs(run.folder) if job.active]


def test_a_job_without_memory_left_is_named(run, cluster):
    if not cluster.limits_memory:
        pytest.skip("Slurm's state OUT_OF_MEMORY: this machine's memory cgroup (v1) cannot be written to")
    plan = run.plan({"large": ([], ["large.txt"], "python3 -c \"print(len(b'x' * (2 << 30)))\"")})
    assert "seed0/large (OUT_OF_MEMORY)" in run.fails(plan)
    assert "more memory than it had asked for. Raise `resources.train.mem`" in run.text


BEGUN = {"a": ([], ["a.txt"], "echo >> begun; echo half > a.txt; sleep 8; echo whole > a.txt")}


@WITHOUT_ACCOUNTING
@pytest.mark.parametrize("retries", [0, 1])
def test_a_job_comes_back_from_a_failed_node_as_often_as_allowed(run, cluster, retries):
    def kill():
        until((run.folder / "begun").exists, what="the step runs")
        nodes.append(cluster.job(run.folder, "a", "RUNNING").node)
        cluster.kill_node(nodes[0])

    nodes = []
    plan = run.plan(BEGUN, retries=retries)
    try:
        with meanwhile(kill):
            if retries:
                run(plan)
                assert (run.folder / "a.txt").read_text() == "whole\n"
                assert (run.folder / "begun").read_text() == "\n\n"
                assert "back in the queue" in run.text
            else:
                assert "seed0/a (NODE_FAIL)" in run.fails(plan)
                assert f"on {nodes[0]} as NODE_FAIL" in run.text
                assert "its node failed. Run the same command again, or set `resources.retries`" in run.text
    finally:
        cluster.revive_node(nodes[0])
    assert cluster.per_step(run.folder) == {"a": 1}


@WITHOUT_ACCOUNTING
@pytest.mark.parametrize(
    ("partition", "retries", "comes_back"),
    [
        ("main", None, False),
        pytest.param("main", 1, True, marks=pytest.mark.slow),
        ("scavenge", None, True),
        pytest.param("scavenge", 0, False, marks=pytest.mark.slow),
    ],
)
def test_a_preempted_job_is_named_or_comes_back(run, cluster, partition, retries, comes_back):
    """Slurm ends jobs of `main` for good, and puts those of `scavenge` back in the queue itself."""

    def preempt():
        until((run.folder / "begun").exists, what="the step runs")
        node = cluster.job(run.folder, "a", "RUNNING").node
        cluster.submit("--partition=urgent", f"--nodelist={node}", "--ntasks=2", "--mem=100", sleep=5)

    more = {"slurm_partition": partition, "slurm_extra": "--nodelist=n1"}
    plan = run.plan(BEGUN, retries=retries, threads=2, more=more)
    with meanwhile(preempt):
        if comes_back:
            run(plan)
            assert (run.folder / "begun").read_text() == "\n\n"
        else:
            assert "seed0/a (PREEMPTED)" in run.fails(plan)
            assert "another job took its place" in run.text
    assert cluster.per_step(run.folder) == {"a": 1}


@WITHOUT_ACCOUNTING
def test_the_status_says_which_jobs_wait_and_which_run(run):
    """Both steps need all of one node: the second one waits in Slurm's queue for the first."""
    seen = []

    def look():
        until((run.folder / "begun").exists, what="the step runs")
        seen.append(read_status(run.folder))
        (run.folder / "go").touch()

    first = "touch begun; while ! test -e go; do sleep 0.2; done; echo 1 > {}.txt"
    steps = {name: ([], [f"{name}.txt"], first.format(name)) for name in "ab"}
    with meanwhile(look):
        run(run.plan(steps, threads=2, more={"slurm_extra": "--nodelist=n1"}))
    states = {step.state: step for step in seen[0].steps}
    assert set(states) == {"running", "waiting"}
    assert seen[0].active is True
    assert states["running"].seconds is not None
    assert states["waiting"].seconds is None
    assert all(step.job is not None for step in seen[0].steps)
    assert sorted(line for line in run.printed if line.startswith("seed0/")) == [
        f"seed0/{name} is submitted; its log: {run.folder}/logs/seed0/{name}.log" for name in "ab"
    ]
    assert read_status(run.folder).counts["done"] == 2


@WITHOUT_ACCOUNTING
def test_a_job_that_waits_for_long_is_named(run, cluster, monkeypatch):
    def drain(state):
        more = ["reason=a test"] if state == "drain" else []
        asked("scontrol", "update", "nodename=n1,n2", f"state={state}", *more)

    def go_on():
        until(lambda: "seed0/a: job" in run.text and "seed0/b: job" in run.text, what="both are named")
        asked("scancel", cluster.job(run.folder, "b", "PENDING").id)
        drain("resume")

    monkeypatch.setattr(slurm_watch, "PATIENCE", 2.0)
    steps = {
        "a": ([], ["a.txt"], "echo 1 > a.txt"),
        "b": ([], ["b.txt"], "echo 1 > b.txt", {"runtime": "5h"}),
    }
    drain("drain")
    with meanwhile(go_on):
        error = run.fails(run.plan(steps), "--keep-going")
    assert (run.folder / "a.txt").read_text() == "1\n"
    assert error.startswith("failed: seed0/b (CANCELLED)")
    drained, limited = (
        next(line for line in run.printed if line.startswith(f"seed0/{step}: job")) for step in "ab"
    )
    assert "waits in Slurm's queue (" in drained
    assert "`sinfo -R` says why" in drained
    assert ".snakemake/slurm_logs/rule_seed0_a/" in drained
    assert "(PartitionTimeLimit). Lower `resources.train.runtime`" in limited


@WITHOUT_ACCOUNTING
def test_a_run_survives_a_controller_that_is_away_for_longer_than_it_is_asked(run, cluster):
    """The executor then forgets its jobs, without a word."""

    def away():
        until((run.folder / "begun").exists, what="the step runs")
        cluster.stop_controller()
        time.sleep(60)
        cluster.start_controller()

    plan = run.plan({
        "a": ([], ["a.txt"], "echo >> begun; sleep 20; echo 1 > a.txt"),
        "b": (["a.txt"], ["b.txt"], "cp a.txt b.txt"),
    })  # fmt: skip
    with meanwhile(away):
        run(plan, "--slurm-status-attempts", "1")
    assert "which Snakemake has not noticed" in run.text
    assert (run.folder / "begun").read_text() == "\n"
    assert (run.folder / "b.txt").read_text() == "1\n"
    run(plan)
    assert run.printed == ["nothing to do: every step is complete"]


@WITHOUT_ACCOUNTING
def test_a_job_that_slurm_refuses_is_named(run):
    error = run.fails(run.plan({"a": ([], ["a.txt"], "true")}, mem="900TB"))
    assert "seed0/a (not submitted)" in error
    assert "Memory specification can not be satisfied" in run.text


RUN_IT = """
import pickle, sys
from pathlib import Path
from w2s_factory.experiment.run import carry_out
plan, command, folder, options = pickle.loads(Path(sys.argv[1]).read_bytes())
carry_out(plan, folder, command, **options)
"""


class Killed:
    """A run in processes of their own, to be killed."""

    def __init__(self, run, plan, *, apart: bool):
        """Start it; `apart` hides the processes of jobs from it, as if they were on other machines."""
        command = snakemake_command(plan, run.folder, jobs=4, executor="slurm", arguments=SOON)
        file = run.folder.with_suffix(".plan")
        file.write_bytes(pickle.dumps((plan, command, run.folder, {})))
        hidden = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if apart else []
        self.log = run.folder.with_suffix(".log")
        with self.log.open("w") as printed:
            self.process = subprocess.Popen(
                [*hidden, sys.executable, "-c", RUN_IT, str(file)], stdout=printed, stderr=printed
            )
        self.apart = apart

    def kill(self):
        """Kill it at once: with all its processes if it is apart, otherwise without those it has started."""
        one = psutil.Process(self.process.pid)
        if self.apart:
            one = until(one.children, what="the run starts")[0]
        one.send_signal(signal.SIGKILL)
        self.process.wait(30)


MOMENTS = {
    "submitted": lambda cluster, folder: cluster.jobs(folder),
    "running": lambda cluster, folder: [j for j in cluster.jobs(folder) if j.state == "RUNNING"],
    "one has ended": lambda cluster, folder: (folder / "a.txt").exists(),
}
SLOW = {
    "a": ([], ["a.txt"], "echo >> a.begun; sleep 4; seq 1000 > a.txt"),
    "b": ([], ["b.txt"], "echo >> b.begun; sleep 25; seq 2000 > b.txt"),
    "c": (["a.txt", "b.txt"], ["c.txt"], "cat a.txt b.txt | md5sum > c.txt"),
}


@WITHOUT_ACCOUNTING
@pytest.mark.parametrize(
    "apart", [pytest.param(True, id="apart"), pytest.param(False, id="alone", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_kill_no_step_runs_twice(run, cluster, tmp_path, moment, apart):
    plan = run.plan(SLOW)
    killed = Killed(run, plan, apart=apart)
    until(lambda: MOMENTS[moment](cluster, run.folder), what=moment)
    killed.kill()
    again = Killed(run, plan, apart=apart)
    assert again.process.wait(180) == 0, again.log.read_text()
    assert cluster.per_step(run.folder) == {"a": 1, "b": 1, "c": 1}
    assert {name: (run.folder / f"{name}.begun").read_text() for name in "ab"} == {"a": "\n", "b": "\n"}
    assert "that an earlier run left in Slurm" in again.log.read_text()
    on_slurm = run.files()
    run(plan, executor=None, folder=tmp_path / "here")
    assert on_slurm == run.files(tmp_path / "here")


@WITHOUT_ACCOUNTING
def test_a_step_that_a_job_left_completed_is_repeated_when_it_is_edited(run, cluster):
    killed = Killed(run, run.plan(BEGUN), apart=True)
    cluster.job(run.folder, "a", "RUNNING")
    killed.kill()
    edited = {"a": ([], ["a.txt"], "echo edited > a.txt")}
    run(run.plan(edited))
    assert "has ended as COMPLETED" in run.text
    assert (run.folder / "begun").read_text() == "\n"
    assert (run.folder / "a.txt").read_text() == "edited\n"
    assert cluster.per_step(run.folder) == {"a": 2}


@WITHOUT_ACCOUNTING
def test_jobs_left_can_be_cancelled(run, cluster):
    plan = run.plan({"a": ([], ["a.txt"], "echo >> begun; sleep 15; echo 1 > a.txt")})
    killed = Killed(run, plan, apart=True)
    first = cluster.job(run.folder, "a", "RUNNING")
    killed.kill()
    run(plan, jobs_left="cancel")
    assert f"job {first.id} has ended as CANCELLED" in run.text
    assert slurm.described(first.id).state == "CANCELLED"
    assert cluster.per_step(run.folder) == {"a": 2}
    assert (run.folder / "a.txt").read_text() == "1\n"


@WITHOUT_ACCOUNTING
def test_a_run_without_the_executor_waits_for_jobs_left_too(run, cluster, monkeypatch):
    plan = run.plan({"a": ([], ["a.txt"], "echo >> begun; sleep 6; echo 1 > a.txt")})
    killed = Killed(run, plan, apart=True)
    cluster.job(run.folder, "a", "RUNNING")
    killed.kill()
    monkeypatch.setenv("LOGNAME", "no-such-user")
    monkeypatch.setenv("SQUEUE_STATES", "PENDING")
    run(plan, executor=None)
    assert run.printed[-1] == "nothing to do: every step is complete"
    assert (run.folder / "begun").read_text() == "\n"


@WITHOUT_ACCOUNTING
def test_the_lock_of_a_run_in_a_slurm_job_is_taken_once_slurm_has_ended_the_job(run, cluster, monkeypatch):
    number = cluster.submit("--mem=100")
    until(lambda: slurm.described(number).state == "RUNNING", what="it runs")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SLURM_JOB_ID", number)
        elsewhere.setenv("SLURMD_NODENAME", "n1")
        elsewhere.setenv("SLURM_CLUSTER_NAME", "loop")
        elsewhere.setattr(run_lock, "_boot", lambda: "another machine's")
        elsewhere.setattr(run_lock.platform, "node", lambda: "there")
        run.folder.mkdir()
        lock = run_lock.lock_folder(run.folder)
        lock.__enter__()
        record = (run.folder / run_lock.OWNER).read_text()
        lock.__exit__(None, None, None)
    (run.folder / run_lock.OWNER).write_text(record)  # as a kill leaves it
    plan = run.plan({"a": ([], ["a.txt"], "echo 1 > a.txt")})
    with pytest.raises(UserError, match=r"another run may be active .*--take-over"):
        run(plan, executor=None)
    asked("scancel", number)
    until(lambda: not slurm.described(number).active, what="it ends")
    proofs = [("loop", os.getuid()), ("another", os.getuid()), ("", os.getuid()), ("loop", os.getuid() + 1)]
    assert [slurm.has_ended(number, *proof) for proof in proofs] == [True, False, False, False]
    assert slurm.has_ended("999999", "loop", os.getuid())  # Slurm does not know it: it is forgotten
    run(plan, executor=None)
    assert (run.folder / "a.txt").read_text() == "1\n"


def test_where_nothing_answers_nothing_is_submitted(run, monkeypatch, tmp_path):
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        with pytest.raises(UserError, match="squeue is not installed and sacct is not installed") as refused:
            run(run.plan(PAIR))
    assert refused.value.exit_code == 2
    assert not run.folder.exists()


@WITHOUT_ACCOUNTING
def test_where_jobs_may_be_left_but_slurm_does_not_answer_nothing_runs(run, monkeypatch, tmp_path):
    plan = run.plan({"a": ([], ["a.txt"], "echo 1 > a.txt")})
    run.folder.mkdir()
    (run.folder / RECORD).write_text("w2s-0123456789abcdef\n")
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        with pytest.raises(UserError, match="may have left jobs in Slurm, which does not answer"):
            run(plan, executor=None)
    assert not (run.folder / "a.txt").exists()
    run(plan, executor=None)
    assert (run.folder / "a.txt").exists()
