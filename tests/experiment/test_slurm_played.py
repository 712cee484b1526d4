"""What is made of Slurm's answers: its commands are played here, its states are real in `test_slurm.py`."""

from __future__ import annotations

import json
import os
import stat
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from w2s_factory.errors import UserError
from w2s_factory.experiment import slurm, slurm_jobs, slurm_watch
from w2s_factory.experiment.resources import Need, Resources
from w2s_factory.experiment.run_folder import mark_of
from w2s_factory.experiment.slurm_jobs import RECORD, end_earlier, left_jobs, recorded, settle
from w2s_factory.experiment.slurm_watch import Watch
from w2s_factory.experiment.workflow import snakemake_command
from w2s_factory.experiment.workflow_progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = ["--executor", "slurm", "--slurm-jobname-prefix", "w2s-1"]


class Played:
    """Commands of Slurm on the path, each with the answer that is set last."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("squeue", "scontrol", "sacct", "scancel"):
            self.says(name, code=1, error="out of order")

    def says(self, name: str, text: str = "", *, code: int = 0, error: str = "", if_asked: str = ""):
        """Let a command print a text; `if_asked` restricts that to calls with this word, such as `config`."""
        answer = self.folder / f"{name}{if_asked and '.'}{if_asked}.answer"
        answer.write_text(f"cat <<'END'\n{text}\nEND\necho '{error}' >&2\nexit {code}\n")
        program = self.folder / name
        program.write_text(
            f'#!/bin/sh\necho "$0 $*" >> {self.folder}/asked; env > {self.folder}/{name}.env\n'
            f'for word in "$@"; do [ -e "$0.$word.answer" ] && . "$0.$word.answer"; done\n. "$0.answer"\n'
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def queue(self, *jobs: str):
        """Let the queue hold jobs: `5 RUNNING w2s-1_x seed0_a`, with a reason as a fifth word."""
        rows = []
        for job in jobs:
            number, state, name, rule, *reason = job.split()
            why = reason[0] if reason else "None"
            rows.append(f"{number}|{state}|{why}|{name}|rule_{rule}|n1|10:00|{self.folder}/run")
        self.says("squeue", "\n".join(rows))

    def age(self, seconds: int, cluster: str = "here"):
        text = f"ClusterName = {cluster}\nMinJobAge = {seconds} sec"
        self.says("scontrol", text, if_asked="config")

    def was_asked(self) -> str:
        asked = self.folder / "asked"
        return asked.read_text() if asked.exists() else ""


@pytest.fixture
def played(tmp_path, monkeypatch):
    folder = tmp_path / "slurm"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in ("SLURM_JOB_ID", "SLURMD_NODENAME"):
        monkeypatch.delenv(name, raising=False)
    (folder / "run").mkdir()
    return Played(folder)


@pytest.fixture
def folder(played):
    return played.folder / "run"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    for module, name, seconds in (
        (slurm_jobs, "PAUSE", 0.02),
        (slurm_jobs, "IN_FLIGHT", 0.02),
        (slurm_jobs, "SILENCE", 0.3),
        (slurm_watch, "PATIENCE", 0.0),
    ):
        monkeypatch.setattr(module, name, seconds)


# How jobs are followed


@pytest.mark.parametrize(
    ("age", "accounting", "given", "command"),
    [
        (200, False, [], "squeue"),
        (200, True, [], "squeue"),
        (199, True, [], "sacct"),
        (300, True, ["--slurm-init-seconds-before-status-checks", "120"], "sacct"),
        (360, True, ["--slurm-init-seconds-before-status-checks=120"], "squeue"),
        (199, False, [], None),
        (300, False, ["--slurm-init-seconds-before-status-checks=120"], None),
    ],
)
def test_the_command_by_which_jobs_are_followed(played, age, accounting, given, command):
    played.queue()
    played.age(age)
    if accounting:
        played.says("sacct")
    if command is None:
        with pytest.raises(UserError, match=f"MinJobAge is {age} seconds"):
            slurm.status_command(given)
    else:
        assert slurm.status_command(given) == command


@pytest.mark.parametrize("retries", [None, 0, 2])
@pytest.mark.parametrize("given", [[], ["--slurm-requeue"], ["--slurm-no-requeue"]])
def test_retries_are_handed_to_slurm(played, retries, given):
    played.queue()
    played.age(300)
    arguments = slurm.executor_arguments(given, Resources(retries=retries))
    ours = [word for word in arguments if "requeue" in word]
    wanted = {None: [], 0: ["--slurm-no-requeue"], 2: ["--slurm-requeue"]}[retries]
    assert ours == ([] if given else wanted)


@pytest.mark.parametrize(
    ("arguments", "prefix"),
    [([], "w2s-"), (["--slurm-jobname-prefix", "me"], None), (["--slurm-jobname-prefix=me"], None)],
)
def test_each_run_has_a_prefix_of_its_own_unless_the_user_names_one(played, arguments, prefix):
    played.queue()
    played.age(300)
    command = ["--executor", "slurm", *slurm.executor_arguments(arguments, Resources()), *arguments]
    assert slurm.prefix_of(command).startswith(prefix or "me")
    assert sum("prefix" in word for word in command) == 1


@pytest.mark.parametrize(
    ("need", "arguments", "field"),
    [
        ({"slurm_cluster": "there"}, [], "slurm_cluster"),
        ({"clusters": "there"}, [], "clusters"),
        ({"slurm_extra": "--clusters=there"}, [], "clusters"),
        ({}, ["--default-resources", "slurm_cluster=there"], "slurm_cluster"),
        ({}, ["--default-resources=cluster=there"], "cluster"),
        ({}, ["--set-resources", "seed0_a:cluster=there"], "cluster"),
    ],
)
def test_jobs_on_another_cluster_are_refused(need, arguments, field):
    with pytest.raises(UserError, match="another cluster") as refused:
        slurm.executor_arguments(arguments, Resources(train=Need(more=need)))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("executor", "arguments", "environ", "problem"),
    [
        ("slurm", ["--executor=slurm"], {}, "no executor after --"),
        (None, ["-e", "slurm"], {}, "no executor after --"),
        (None, ["--exec", "slurm"], {}, "no executor after --"),
        ("slurm", ["--quiet"], {}, "followed in the output"),
        ("slurm", ["--slurm-jobname-prefix="], {}, "a prefix"),
        (None, ["--profile", "mine"], {}, "a profile of Snakemake may name an executor"),
        (None, [], {"SNAKEMAKE_PROFILE": "mine"}, "a profile of Snakemake may name an executor"),
    ],
)
def test_arguments_that_hide_the_jobs_are_refused(
    planned, tmp_path, monkeypatch, executor, arguments, environ, problem
):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=problem):
        snakemake_command(planned(), tmp_path, jobs=1, executor=executor, arguments=arguments)


def test_with_a_profile_the_named_executor_holds(planned, tmp_path):
    arguments = ["--profile=mine"]
    command = snakemake_command(planned(), tmp_path, jobs=1, executor="local", arguments=arguments)
    assert command[-3:] == ["--executor", "local", "--profile=mine"]


@pytest.mark.parametrize(
    ("arguments", "ours"),
    [([], True), (["--latency-wait", "5"], False), (["-w=5"], False), (["--profile", "mine"], False)],
)
def test_files_of_other_machines_may_be_late(planned, tmp_path, arguments, ours):
    command = snakemake_command(planned(), tmp_path, jobs=1, executor="dryrun", arguments=arguments)
    assert (slurm.value_of("--latency-wait", command) == "60") is ours


# What is asked


def test_variables_do_not_filter_the_jobs(played, monkeypatch):
    played.queue("5 RUNNING w2s-1_x seed0_a")
    for name in ("SQUEUE_STATES", "SQUEUE_PARTITION", "SCANCEL_STATE", "SACCT_FORMAT"):
        monkeypatch.setenv(name, "PENDING")
    monkeypatch.setenv("LOGNAME", "nobody-of-that-name")
    assert [job.id for job in slurm.active_jobs()] == ["5"]
    assert f"--user={os.getuid()}" in played.was_asked()
    seen = (played.folder / "squeue.env").read_text()
    assert "SQUEUE_ALL=1" in seen
    assert not [line for line in seen.splitlines() if line.endswith("=PENDING")]


INVALID = "slurm_load_jobs error: Invalid job id specified"


@pytest.mark.parametrize(
    ("answer", "cluster", "uid", "ended"),
    [
        pytest.param({"text": "COMPLETED"}, "here", "own", True, id="ended"),
        pytest.param({"text": "RUNNING"}, "here", "own", False, id="runs"),
        pytest.param({"text": "COMPLETED"}, "there", "own", False, id="another cluster"),
        pytest.param({"text": "COMPLETED"}, "", "own", False, id="an unknown cluster"),
        pytest.param({"text": "COMPLETED"}, "here", "other", False, id="another user, whose jobs may be hidden"),
        pytest.param({"code": 1, "error": INVALID}, "here", "own", True, id="forgotten"),
        pytest.param({"code": 1, "error": INVALID}, "here", "other", False, id="hidden"),
        pytest.param({"code": 1, "error": "Unable to contact"}, "here", "own", False, id="no answer"),
        pytest.param({"text": ""}, "here", "own", False, id="nothing"),
    ],
)  # fmt: skip
def test_when_slurm_proves_that_a_job_has_ended(played, answer, cluster, uid, ended):
    played.age(300)
    played.says("squeue", **answer)
    assert slurm.has_ended("7", cluster, os.getuid() + (uid == "other")) is ended


@pytest.mark.parametrize(
    ("environ", "job"),
    [({"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}, "7"), ({"SLURM_JOB_ID": "7"}, ""), ({}, "")],
)
def test_a_shell_of_salloc_on_the_login_node_counts_as_outside(environ, job):
    assert slurm.job_of(environ) == job


# Jobs that an earlier run left


def test_left_jobs_are_those_of_the_recorded_prefixes(played, folder):
    (folder / RECORD).write_text("w2s-1\nmine\n")
    played.queue("1 RUNNING w2s-1_x a", "2 PENDING mine_y b", "3 RUNNING w2s-2_z a", "4 COMPLETED w2s-1_x c")
    assert [job.id for job in left_jobs(folder)] == ["1", "2"]


def test_without_a_record_slurm_is_not_asked(played, folder):
    assert left_jobs(folder) == []
    assert not played.was_asked()


@pytest.mark.parametrize("prefix", [["--slurm-jobname-prefix", "me"], ["--slurm-jobname-prefix=me"]])
def test_a_prefix_of_the_users_own_is_recorded(played, folder, prefix):
    played.queue()
    with recorded(folder, ["--executor", "slurm", *prefix]):
        assert (folder / RECORD).read_text() == "me\n"
    assert not (folder / RECORD).exists()


def test_after_an_interrupt_the_record_stays(played, folder):
    played.queue()
    with pytest.raises(KeyboardInterrupt), recorded(folder, COMMAND):
        raise KeyboardInterrupt
    assert (folder / RECORD).exists()


def test_the_record_stays_while_a_completed_step_lacks_its_note(played, folder):
    played.queue()
    step = {"rule": "a", "reads": [], "writes": ["a.txt"], "log": "logs/a.log", "benchmark": "a.tsv"}
    step |= {"local": False, "threads": 1, "resources": {}, "commands": "true"}
    (folder / "plan.json").write_text(json.dumps({"steps": [step]}))
    (folder / "a.txt").write_text("1")
    with recorded(folder, COMMAND):
        pass
    assert (folder / RECORD).exists()
    note = slurm_jobs.snakemake_note(folder, "metadata", "a.txt")
    note.parent.mkdir(parents=True)
    note.touch()
    with recorded(folder, COMMAND):
        pass
    assert not (folder / RECORD).exists()


def test_a_job_that_slurm_accepts_after_the_kill_is_found(played, folder, monkeypatch):
    (folder / RECORD).write_text("w2s-1\n")
    played.queue()
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        played.queue(*(["5 RUNNING w2s-1_x a"] if len(slept) == 1 else []))

    monkeypatch.setattr(slurm_jobs, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    told = []
    end_earlier(folder, {}, "wait", take_over=False, tell=told.append)
    assert "waiting for the end of 1 job that an earlier run left in Slurm:" in told
    assert told[-1] == "    job 5 has ended"


def test_an_unanswered_question_is_not_the_end_of_a_job(played, folder, monkeypatch):
    (folder / RECORD).write_text("w2s-1\n")
    played.queue("5 RUNNING w2s-1_x a")
    jobs, told, moments = left_jobs(folder), [], iter(["fails", "fails", "runs", "fails", "ends"])

    def sleep(_):
        if (moment := next(moments)) == "fails":
            played.says("squeue", code=1, error="Unable to contact slurm controller")
        else:
            played.queue(*(["5 RUNNING w2s-1_x a"] if moment == "runs" else []))

    monkeypatch.setattr(slurm_jobs, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    settle(folder, jobs, {}, "wait", told.append)
    assert told[-1] == "    job 5 has ended"
    assert next(moments, None) is None


def test_a_slurm_that_stays_silent_ends_the_wait_in_an_error(played, folder):
    (folder / RECORD).write_text("w2s-1\n")
    played.queue("5 RUNNING w2s-1_x a")
    jobs = left_jobs(folder)
    played.says("squeue", code=1, error="Unable to contact slurm controller")
    with pytest.raises(UserError, match=r"no longer says .*Unable to contact"):
        settle(folder, jobs, {}, "wait", lambda _: None)


def test_left_jobs_are_explained_like_others(played, folder, of_shell, monkeypatch):
    plan = of_shell({"a": ([], ["a.txt"], "true")})
    (folder / RECORD).write_text("w2s-1\n")
    played.queue("5 PENDING w2s-1_x seed0_a PartitionTimeLimit")
    jobs, told, steps = left_jobs(folder), [], {step.rule: step for step in plan.steps}

    def sleep(_):
        if len(told) > 3:
            played.queue()

    monkeypatch.setattr(slurm_jobs, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    played.says("scontrol", "JobId=5 JobState=TIMEOUT Reason=TimeLimit TimeLimit=00:10:00", if_asked="5")
    settle(folder, jobs, steps, "wait", told.append)
    waits, ends = told[-2:]
    assert waits.startswith("seed0/a: job 5 waits in Slurm's queue (PartitionTimeLimit). Lower `resources.")
    assert ends.startswith(
        "    seed0/a: Slurm ended its job 5 as TIMEOUT (TimeLimit): it reached its time limit"
    )
    assert ends.endswith(".snakemake/slurm_logs/rule_seed0_a/5.log")


def test_the_mark_of_a_folder_is_the_same_by_any_path(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert mark_of(tmp_path / "link/x") == mark_of(tmp_path / "real/x") == str(tmp_path.resolve() / "real/x")


# The watch


SUBMITTED = (
    "rule seed0_{0}:",
    "    jobid: {1}",
    "Job {1} has been submitted with SLURM jobid {1} (log: /logs/{1}.log).",
)


class Watched:
    """A watch over the jobs 1 (of step a), 2 (of step b) and so on, whose clock counts looks."""

    def __init__(self, played, of_shell, monkeypatch, *, jobs: int, retries=None):
        plan = of_shell({name: ([], [f"{name}.txt"], "true") for name in "abc"[:jobs]})
        self.told, self.played, self.interrupts, self.clock = [], played, 0, 0.0
        self.progress = Progress({}, lambda _: None)
        steps = {step.rule: step for step in plan.steps}
        monkeypatch.setattr(slurm_watch, "time", SimpleNamespace(monotonic=lambda: self.clock))
        self.watch = Watch(steps, retries, self.told.append, self.progress, self.interrupt, _grace=240)
        for number, name in enumerate("abc"[:jobs], 1):
            for line in SUBMITTED:
                self.progress.take(line.format(name, number))
        self.steps = plan.steps

    def interrupt(self):
        self.interrupts += 1
        return True

    def looks(self, times: int, *states: str):
        """Look at jobs in these states, every 30 seconds; "-" is a job that the queue no longer shows."""
        rows = [
            f"{n} {state} w2s-1_x seed0_{'abc'[n - 1]}" for n, state in enumerate(states, 1) if state != "-"
        ]
        self.played.queue(*rows)
        for _ in range(times):
            self.clock += 30
            self.watch.look()


@pytest.fixture
def watched(played, of_shell, monkeypatch):
    return lambda **options: Watched(played, of_shell, monkeypatch, **{"jobs": 1, **options})


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELLED", "PREEMPTED", "NODE_FAIL", "-"])
def test_a_job_whose_end_snakemake_does_not_notice_ends_it(watched, state):
    one = watched()
    one.looks(10, "RUNNING")
    one.looks(8, state)
    assert one.watch.lost == {}
    one.looks(1, state)
    assert list(one.watch.lost) == ["seed0_a"]
    assert len(one.told) == 1
    assert one.interrupts == 0
    one.looks(1, state)
    assert one.interrupts == 1
    assert one.watch.only_lost_completed is (state == "COMPLETED")


def test_jobs_that_snakemake_notices_in_time_are_not_lost(watched):
    one = watched(jobs=2)
    one.looks(6, "COMPLETED", "FAILED")
    one.progress.take("Finished jobid: 1 (Rule: seed0_a)")
    one.progress.take("Error in rule seed0_b:")
    one.looks(20, "COMPLETED", "FAILED")
    assert (one.watch.lost, one.interrupts, one.told) == ({}, 0, [])


def test_other_jobs_are_waited_for(watched):
    one = watched(jobs=2)
    one.looks(20, "CANCELLED", "RUNNING")
    one.looks(6, "CANCELLED", "COMPLETED")
    assert list(one.watch.lost) == ["seed0_a"]
    assert one.interrupts == 0
    one.progress.take("Finished jobid: 2 (Rule: seed0_b)")
    one.looks(2, "CANCELLED", "COMPLETED")
    assert one.interrupts == 1
    assert not one.watch.only_lost_completed


def test_a_job_that_snakemake_starts_again_is_watched_again(watched):
    one = watched()
    one.progress.take("Error in rule seed0_a:")
    one.looks(20, "FAILED")
    assert one.watch.lost == {}
    for line in SUBMITTED:
        one.progress.take(line.format("a", 1))
    one.looks(12, "COMPLETED")
    assert list(one.watch.lost) == ["seed0_a"]


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT"])
def test_a_job_that_the_controller_forgets_is_looked_up_in_the_accounting(watched, played, state):
    one = watched()
    played.says("sacct", f"{state} by 0|None|n1|10:00|0:15")
    one.looks(12, "-")
    assert f"its job 1 ended as {state}, which Snakemake has not noticed" in one.told[0]
    assert one.watch.ends_of(one.steps)["seed0_a"].state == state


def test_a_job_that_cannot_be_put_back_does_not_blind_the_watch(watched, played):
    one = watched(jobs=2, retries=3)
    played.says("scontrol", code=1, error="Requested operation is presently disabled", if_asked="requeue")
    one.looks(12, "PREEMPTED", "PENDING")
    said = [line for line in one.told if "cannot be put back" in line]
    assert said == [
        "seed0/a: job 1 cannot be put back in the queue: scontrol fails (Requested operation is presently disabled)"
    ]
    assert [line for line in one.told if line.startswith("seed0/b: job 2 waits")]
    assert list(one.watch.lost) == ["seed0_a"]
    assert one.watch.ends_of(one.steps)["seed0_a"].state == "PREEMPTED"


def test_a_job_is_put_back_as_often_as_allowed(watched, played):
    one = watched(retries=2)
    played.says("scontrol", "JobId=1 JobState=PREEMPTED Restarts=1", if_asked="1")
    played.says("scontrol", if_asked="requeue")
    one.looks(1, "PREEMPTED")
    assert "scontrol requeue 1" in played.was_asked()
    played.says("scontrol", "JobId=1 JobState=PREEMPTED Restarts=2", if_asked="1")
    before = played.was_asked()
    one.looks(1, "PREEMPTED")
    assert "requeue" not in played.was_asked()[len(before) :]


def test_a_job_that_slurm_puts_back_too_often_is_cancelled(watched, played):
    one = watched(retries=1)
    played.says("scontrol", "JobId=1 JobState=PENDING Restarts=2", if_asked="1")
    played.says("scancel")
    one.looks(1, "RUNNING")
    one.looks(1, "PENDING")
    assert "scancel 1" in played.was_asked()
    played.says("scontrol", "JobId=1 JobState=CANCELLED Reason=None", if_asked="1")
    one.looks(1, "CANCELLED")
    state, text = one.watch.ends_of(one.steps)["seed0_a"]
    assert state == "CANCELLED"
    assert "`resources.retries` allows no further start" in text


def test_slurms_silence_is_named_once(watched, played):
    one = watched()
    played.says("squeue", code=1, error="Unable to contact slurm controller")
    with pytest.raises(slurm.NoAnswerError, match="Unable to contact"):
        one.watch.look()
    assert one.watch.lost == {}


def test_the_wait_for_a_notice_grows_with_the_pauses_of_the_executor():
    assert slurm.longest_pause(["--slurm-init-seconds-before-status-checks=400"]) == 400
    assert slurm.longest_pause([]) == 180
