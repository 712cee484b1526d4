"""The status of a run, read from its folder as a run leaves it at any moment, here or on another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from w2s_factory.errors import UserError
from w2s_factory.experiment import run_lock, slurm_jobs, status
from w2s_factory.experiment.plan import Plan
from w2s_factory.experiment.resources import Need
from w2s_factory.experiment.run_contents import Job
from w2s_factory.experiment.run_folder import MARK, mark_of, prepare
from w2s_factory.experiment.run_lock import Activity, activity
from w2s_factory.experiment.slurm import SlurmJob
from w2s_factory.experiment.status import RunReader, read_status
from w2s_factory.experiment.status_view import status_lines
from w2s_factory.experiment.workflow_progress import Progress

STEPS = {
    "gold": ("data", [], ["gold.txt"]),
    "answers": ("generate", ["gold.txt"], ["out/output.jsonl"]),
    "model": ("train", ["gold.txt"], ["models/m/manifest.jsonl"]),
    "again": ("train", ["gold.txt"], ["models/n/manifest.jsonl"]),
    "scores": ("score", ["out/output.jsonl", "models/m/manifest.jsonl"], ["scores.txt"]),
}
RULES = {f"seed0_{name}": f"seed0/{name}" for name in STEPS}


class Folder:
    """The folder of a run, and what Snakemake has printed about it."""

    def __init__(self, path, of_shell) -> None:
        self.path, self.now, self.zone = path, int(time.time()), 0.0
        plan = of_shell(
            {name: (reads, writes, "true --resume") for name, (_, reads, writes) in STEPS.items()}
        )
        kinds = [kind for kind, *_ in STEPS.values()]
        steps = [replace(step, kind=kind) for step, kind in zip(plan.steps, kinds, strict=True)]
        steps[2] = replace(steps[2], commands=(("bash", "-c", "true"),), need=Need(gpus=1))
        jobs = [
            Job(name=step.name, kind=step.kind, seed=0, command=[], log=step.log, benchmark=step.benchmark)
            for step in steps
        ]
        prepare(Plan(plan.experiment, tuple(steps), plan.contents.model_copy(update={"jobs": jobs})), path)

    def write(self, name, text="", ago=0.0) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (self.now - ago, self.now - ago))

    def prints(self, *lines) -> None:
        log = self.path / "logs/snakemake.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def call(self, *listed, words="--cores 2", snakefile="", provides="cores: 2", dry=False) -> None:
        """Snakemake begins, with a table of what is to do."""
        command = f"/x/__main__.py {snakefile}--snakefile /x/Snakefile {words}"
        self.prints("SNAKEMAKE", "=========", f"  Command: {command}", "", "Building DAG of jobs...")
        if not dry:
            self.prints("Using shell: /usr/bin/bash", f"Provided {provides}")
            self.prints('Provided resources: mem=Resource("mem", 64), gpu=Resource("gpu", 1)')
        if listed:
            self.prints("Job stats:", "job          count", "-----------  -----")
            self.prints(
                *(f"seed0_{name}    1" for name in listed), "everything   1", f"total {len(listed) + 1}"
            )

    def moment(self, ago) -> str:
        """The time as Snakemake prints it: local, on whatever machine."""
        return f"[{time.asctime(time.gmtime(self.now - ago + self.zone))}]"

    def starts(self, name, ago=10.0, jobid=1) -> None:
        self.prints(self.moment(ago), f"rule seed0_{name}:", "    output: x", f"    jobid: {jobid}")
        for mark in self.marks(name):
            self.write(mark, ago=ago)

    def ends(self, name, seconds=5.0) -> None:
        self.prints(self.moment(0), f"Finished jobid: 1 (Rule: seed0_{name})")
        for mark in self.marks(name):
            (self.path / mark).unlink(missing_ok=True)
        for file in STEPS[name][2]:
            self.write(file)
        self.write(f"benchmarks/seed0/{name}.tsv", f"s\th:m:s\n{seconds}\t0:00:05\n")

    def marks(self, name) -> list[str]:
        """Snakemake's marks of what is not complete."""
        files = [slurm_jobs.snakemake_note(self.path, "incomplete", file) for file in STEPS[name][2]]
        return [str(file.relative_to(self.path)) for file in files]

    def fails(self, name) -> None:
        self.prints(self.moment(0), f"Error in rule seed0_{name}:", "    message: None")

    def read(self, active: bool | None = True, **options):
        return RunReader(self.path, Activity(active), **options).read()

    def states(self, active: bool | None = True, **options) -> dict[str, str]:
        """The states that are not `waiting`."""
        steps = self.read(active, **options).steps
        return {step.name.partition("/")[2]: step.state for step in steps if step.state != "waiting"}


@pytest.fixture
def folder(tmp_path, of_shell):
    return Folder(tmp_path / "run", of_shell)


def _started(folder):
    folder.call(*STEPS)


def _running(folder):
    folder.call(*STEPS)
    folder.starts("gold")


def _two_running(folder):
    _running(folder)
    folder.ends("gold")
    folder.starts("answers")
    folder.starts("model")


def _failed(folder):
    _two_running(folder)
    folder.fails("model")


def _after_a_failure(folder):
    _failed(folder)
    folder.call("answers", "model", "again", "scores")
    folder.starts("answers")


def _tried_again(folder):
    _failed(folder)
    folder.starts("model")


def _half_a_line(folder):
    _two_running(folder)
    with (folder.path / "logs/snakemake.log").open("a") as log:
        log.write("Finished jobid: 1 (Rule: seed0_mod")


def _only_shown(folder):
    _two_running(folder)
    folder.call("scores", words="--cores 1 -n", dry=True)
    folder.prints(folder.moment(0), "rule seed0_scores:", "    jobid: 1")


def _nothing_to_do(folder):
    _failed(folder)
    folder.call(dry=True)
    folder.prints("Nothing to be done (all requested files are present and up to date).")


def _edited(folder):
    _running(folder)
    for name in STEPS:
        folder.ends(name)
    folder.call("scores")


def _restored(folder):
    _running(folder)
    for name in STEPS:
        folder.ends(name)
    folder.call(snakefile="--cores 2 --forcerun seed0_gold seed0_again ", words="-F")
    folder.starts("gold")
    folder.ends("gold")
    folder.starts("again")


def _restored_and_on(folder):
    _restored(folder)
    folder.ends("again")
    folder.call("scores")
    folder.starts("scores")


def _noted(folder):
    """Steps whose jobs outlived the run that submitted them are noted before the next one begins."""
    _two_running(folder)
    folder.call("model", words="--cores 1 --touch --allowed-rules seed0_model --forcerun seed0_model -- x")
    folder.starts("model")
    folder.ends("model")


def _until_one(folder):
    folder.call("gold", words="--cores 1 --until seed0_gold")
    folder.starts("gold")
    folder.ends("gold")


def _deleted(folder):
    _until_one(folder)
    (folder.path / "gold.txt").unlink()


DONE = {"gold": "done"}


@pytest.mark.parametrize(
    ("printed", "active", "at_rest"),
    [
        (lambda folder: None, {}, {}),
        (_started, {}, {}),
        (_running, {"gold": "running"}, {}),
        (_two_running, {**DONE, "answers": "running", "model": "running"}, DONE),
        (_half_a_line, {**DONE, "answers": "running", "model": "running"}, DONE),
        (_failed, {**DONE, "answers": "running", "model": "failed"}, {**DONE, "model": "failed"}),
        (_tried_again, {**DONE, "answers": "running", "model": "running"}, DONE),
        (_after_a_failure, {**DONE, "answers": "running"}, DONE),
        (_only_shown, {**DONE, "answers": "running", "model": "running"}, DONE),
        (_nothing_to_do, {**DONE, "answers": "running"}, {**DONE, "model": "failed"}),
        (_edited, dict.fromkeys(["gold", "answers", "model", "again"], "done"), None),
        (_restored, {**dict.fromkeys(STEPS, "done"), "gold": "restored", "again": "running"},
         {"gold": "restored", "answers": "done", "model": "done", "scores": "done"}),
        (_restored_and_on, {"gold": "restored", "again": "restored", "answers": "done", "model": "done",
                            "scores": "running"}, None),
        (_noted, {**DONE, "model": "done"}, None),
        (_until_one, DONE, None),
        (_deleted, {}, None),
    ],
    ids=[
        "planned", "about to start", "running", "two running", "half a line", "failed", "tried again",
        "after a failure", "only shown (-n)", "nothing to do", "edited", "restored", "restored, then on", "noted (--touch)",
        "until a step", "a file is deleted",
    ],
)  # fmt: skip
def test_states_follow_from_what_snakemake_prints(folder, printed, active, at_rest):
    printed(folder)
    assert folder.states() == active
    assert folder.states(active=None) == active
    if at_rest is not None:
        assert folder.states(active=False) == at_rest


def test_without_a_log_complete_files_count(folder):
    folder.write("gold.txt")
    folder.write("models/m/manifest.jsonl")
    assert folder.states(active=False) == {"gold": "done", "model": "done"}


def test_a_reader_moves_with_the_files(folder):
    reader = RunReader(folder.path, Activity(active=True))
    assert set(reader.read().counts.items()) >= {("waiting", 5), ("running", 0)}
    _running(folder)
    assert reader.read().steps[0].state == "running"
    folder.ends("gold")
    assert (reader.read().steps[0].state, reader.read().steps[0].seconds) == ("done", 5.0)
    folder.call("gold")
    folder.starts("gold")
    assert reader.read().steps[0].state == "running"
    folder.ends("gold", seconds=7.0)
    assert reader.read().steps[0].seconds == 7.0


@pytest.mark.parametrize("content", ["", "s\n", "s\tx\nfast\t1\n", "\0\xff"])
def test_a_duration_that_cannot_be_read_is_not_known(folder, content):
    _two_running(folder)
    folder.write("benchmarks/seed0/gold.tsv", content)
    assert folder.read().steps[0].seconds is None


def test_the_progress_of_running_steps(folder):
    _two_running(folder)
    header = json.dumps({"settings": {}, "rows": 8, "questions": 8})
    rows = "".join(json.dumps({"id": name, "tokens": 20}) + "\n" for name in range(4))
    folder.write("out/output.journal.jsonl", f"{header}\n{rows}" + '{"id": 4, "tok')
    folder.write("logs/seed0/answers.log", "\r  0%|  | 0/8 [00:00<?, ? responses/s]", ago=4)
    logged = {"current_steps": 5, "total_steps": 20, "loss": 1.5, "elapsed_time": "0:00:05"}
    folder.write("models/m/trainer_log.jsonl", json.dumps(logged) + "\n")
    answers, model = folder.read().steps[1:3]
    assert (answers.responses.done, answers.responses.total) == (4, 8)
    assert answers.responses.per_second == pytest.approx(1, rel=0.5)
    assert answers.responses.tokens_per_second == pytest.approx(20, rel=0.5)
    assert answers.remaining_seconds == pytest.approx(4, rel=0.5)
    assert (model.training.step, model.training.total, model.training.loss) == (5, 20, 1.5)
    assert model.remaining_seconds == pytest.approx(15, abs=3)
    assert answers.seconds == pytest.approx(10, abs=3)


def test_an_earlier_runs_files_are_not_progress(folder):
    folder.write("out/output.journal.jsonl", "{}\n")
    folder.write("logs/seed0/answers.log", "\r  0%|  | 8/8 [00:09<00:00, 1 responses/s]", ago=500)
    folder.write("models/m/trainer_log.jsonl", '{"current_steps": 5}\n', ago=500)
    _two_running(folder)
    assert [step.responses or step.training for step in folder.read().steps] == [None] * 5


def test_where_nothing_is_measured_it_says_so(folder):
    _running(folder)
    found = folder.read()
    assert (found.remaining_seconds, found.unmeasured) == (None, ("data", "generate", "score", "train"))
    assert found.steps[0].remaining_seconds is None


def test_steps_of_a_kind_measure_the_others(folder):
    _two_running(folder)
    folder.ends("model", seconds=30.0)
    folder.starts("again", ago=10)
    found = folder.read()
    assert found.steps[3].remaining_seconds == pytest.approx(20, abs=3)
    assert found.remaining_seconds == pytest.approx(20, abs=3)
    assert found.unmeasured == ("generate", "score")


def test_a_step_that_takes_longer_than_others_has_nothing_left(folder):
    _two_running(folder)
    folder.ends("model", seconds=5.0)
    folder.starts("again", ago=60)
    assert folder.read().steps[3].remaining_seconds == 0


def test_remaining_steps_share_the_gpus(folder):
    _two_running(folder)
    folder.ends("model", seconds=30.0)
    assert folder.read().remaining_seconds == pytest.approx(30, abs=1)


def test_after_a_failure_no_time_is_given(folder):
    _failed(folder)
    assert (folder.read().remaining_seconds, folder.read().unmeasured) == (None, ())


@pytest.mark.parametrize("zone", [0, 9, -5], ids=["UTC", "Tokyo", "New York"])
def test_times_hold_whatever_the_time_zone_of_the_machine_that_runs(folder, zone):
    folder.zone = zone * 3600
    folder.write(run_lock.OWNER, run_lock._text(run_lock._us()), ago=30)
    _two_running(folder)
    folder.ends("model", seconds=30.0)
    folder.starts("again", ago=10)
    found = read_status(folder.path)
    assert found.seconds == pytest.approx(30, abs=3)
    assert found.steps[3].seconds == pytest.approx(10, abs=3)
    assert found.steps[3].remaining_seconds == pytest.approx(20, abs=3)


@pytest.mark.parametrize("moment", ["[Foo Bar 99 99:99:99 2026]", "[Sun Nov 22 11:54:51 99999]", "[\0]"])
def test_a_damaged_time_in_the_log_is_not_read(folder, moment):
    _running(folder)
    folder.prints(moment)
    folder.starts("answers")
    assert folder.states() == {"gold": "running", "answers": "running"}


def test_a_run_that_has_just_begun_does_not_run_or_fail_what_an_earlier_one_did(folder):
    _failed(folder)
    folder.write(run_lock.OWNER, run_lock._text(run_lock._us()), ago=5)
    assert folder.states() == {**DONE, "model": "failed"}
    folder.call(dry=True)  # Snakemake has not said yet what it does
    assert folder.states() == DONE
    folder.prints("Using shell: /usr/bin/bash")
    folder.starts("answers", ago=2)
    assert folder.states() == {**DONE, "answers": "running"}


@pytest.mark.parametrize(
    ("words", "provides", "limits"),
    [
        ("--cores 4 -c 2", "cores: 2", {"cores": 2, "gpu": 1}),
        ("--cores 4 -j1", "cores: 1 (use --cores to define parallelism)", {"cores": 1, "gpu": 1}),
        ("--executor slurm -j 8", "remote nodes: 8", {"jobs": 8, "gpu": 1}),
        ("--executor slurm --jobs unlimited", "remote nodes: unlimited", {"gpu": 1}),
    ],
)
def test_limits_are_those_that_snakemake_names(folder, words, provides, limits):
    folder.call(*STEPS, words=words, provides=provides)
    found = Progress({}, lambda _: None)
    for line in (folder.path / "logs/snakemake.log").read_text().splitlines():
        found.take(line)
    assert found.limits == limits


def test_a_later_call_has_limits_of_its_own(folder):
    progress = Progress({}, lambda _: None)
    for line in ("Using shell: /bin/bash", "Provided cores: 4", "Using shell: /bin/bash", "Job stats:"):
        progress.take(line)
    assert progress.limits == {}


def test_at_rest_there_is_no_time(folder):
    _two_running(folder)
    found = folder.read(active=False)
    assert (found.seconds, found.remaining_seconds, found.process, found.host) == (None, None, None, "")


ON_SLURM = {"words": "--executor slurm --jobs 4 --slurm-status-command squeue", "provides": "remote nodes: 4"}


def _submitted(folder, log_there, ago=3):
    folder.call(*STEPS, **ON_SLURM)
    folder.write("gold.txt")
    folder.starts("model", ago=60, jobid=7)
    log = folder.path / ".snakemake/slurm_logs/rule_seed0_model/31.log"
    folder.prints(f"Job 7 has been submitted with SLURM jobid 31 (log: {log}).")
    if log_there:
        folder.write(log.relative_to(folder.path), f"{folder.moment(ago)}\nrule seed0_model:\n    jobid: 0\n")
        for mark in folder.marks("model"):  # Snakemake marks the files once more when the job begins
            folder.write(mark, ago=ago)


def test_a_job_waits_in_slurm_until_its_log_is_there(folder):
    _submitted(folder, log_there=False)
    step = folder.read().steps[2]
    assert (step.state, step.job, step.seconds) == ("waiting", "31", None)


def test_a_job_runs_in_slurm_from_its_own_start(folder):
    _submitted(folder, log_there=True)
    step = folder.read().steps[2]
    assert (step.state, step.job) == ("running", "31")
    assert step.seconds == pytest.approx(3, abs=2)


def test_a_job_whose_step_has_not_begun_has_no_time_yet(folder):
    """Snakemake has only just started in it; the mark is as old as the submission."""
    _submitted(folder, log_there=False)
    folder.write(".snakemake/slurm_logs/rule_seed0_model/31.log", "host: node7\nBuilding DAG of jobs...\n")
    step = folder.read().steps[2]
    assert (step.state, step.job, step.seconds) == ("running", "31", None)


def test_a_step_that_is_not_submitted_yet_waits(folder):
    folder.call(*STEPS, **ON_SLURM)
    folder.starts("model")
    assert folder.states() == {}


@pytest.mark.parametrize("state", ["RUNNING", "PENDING"])
def test_jobs_that_a_killed_run_left_go_on(folder, monkeypatch, state):
    _submitted(folder, log_there=state == "RUNNING")
    folder.write(slurm_jobs.RECORD, "w2s-1\n")
    monkeypatch.setattr(status, "left_jobs", lambda path: [SlurmJob("31", state)])
    found = read_status(folder.path)
    assert (found.active, found.jobs_left) == (False, ("31",))
    assert found.steps[2].state == ("running" if state == "RUNNING" else "waiting")


@pytest.mark.parametrize("marked", [False, True], ids=["complete", "marked as incomplete"])
def test_a_job_that_ended_after_a_killed_run_completes_its_step(folder, monkeypatch, marked):
    """Nobody prints its end; what it leaves are its files, without Snakemake's mark of incomplete ones."""
    _submitted(folder, log_there=True)
    folder.write(slurm_jobs.RECORD, "w2s-1\n")
    folder.write("models/m/manifest.jsonl")
    if not marked:
        (folder.path / folder.marks("model")[0]).unlink()
    monkeypatch.setattr(status, "left_jobs", lambda path: [])
    step = read_status(folder.path).steps[2]
    assert (step.state, step.job) == ("waiting" if marked else "done", None)


@pytest.mark.parametrize(("log_there", "state"), [(True, "running"), (False, "waiting")])
def test_a_slurm_that_does_not_answer_is_not_taken_for_an_end(folder, monkeypatch, log_there, state):
    _submitted(folder, log_there=log_there)
    folder.write(slurm_jobs.RECORD, "w2s-1\n")
    monkeypatch.setenv("PATH", "")
    found = read_status(folder.path)
    assert found.jobs_left is None
    assert (found.steps[2].state, found.steps[2].job) == (state, "31")
    (folder.path / folder.marks("model")[0]).unlink()
    assert read_status(folder.path).steps[2].state == state, "its files are not there"
    folder.write("models/m/manifest.jsonl")
    found = read_status(folder.path)
    assert (found.steps[2].state, found.steps[2].job) == ("done", None)


def test_processes_that_a_killed_run_left_are_counted(folder):
    command = [sys.executable, "-c", "print('on', flush=True); input()"]
    environ = os.environ | {MARK: mark_of(folder.path)}
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as left:
        left.stdout.readline()
        assert read_status(folder.path).processes_left == 1
        left.communicate(b"\n")
    assert read_status(folder.path).processes_left == 0


def test_without_a_record_slurm_is_not_asked(folder, monkeypatch):
    monkeypatch.setattr(status, "left_jobs", lambda path: pytest.fail("asked"))
    assert read_status(folder.path).jobs_left == ()


def owner(**changes) -> str:
    return run_lock._us().model_copy(update=changes).model_dump_json()


@pytest.mark.parametrize(
    ("record", "active"),
    [
        (None, False),
        (owner, True),
        (lambda: owner(pid=2**22 + 1), False),
        (lambda: owner(started=1), False),
        (lambda: owner(namespace="pid:[1]"), None),
        (lambda: owner(boot="x", machine="", host="elsewhere"), None),
        (lambda: owner(boot="x", machine="m", host="elsewhere"), None),
        (lambda: "half a rec", None),
        (lambda: owner(pid=-1), None),
        (lambda: "\udcff", None),
    ],
    ids=[
        "none",
        "ours",
        "gone",
        "its number is another's",
        "in a container",
        "elsewhere",
        "other",
        "damaged",
        "no process",
        "not UTF-8",
    ],
)
def test_whether_a_run_is_active(folder, record, active):
    if record is not None:
        (folder.path / run_lock.OWNER).write_text(record(), "utf-8", "surrogateescape")
    assert activity(folder.path).active is active
    assert read_status(folder.path).active is active


def test_looking_does_not_keep_a_run_from_starting(folder):
    before = sorted(path.name for path in folder.path.rglob("*"))
    with run_lock.lock_folder(folder.path):
        assert read_status(folder.path).active is True
    (folder.path / run_lock.LOCK).unlink()
    assert sorted(path.name for path in folder.path.rglob("*")) == before


def _without_files(path):
    plan = json.loads((path / "plan.json").read_text())
    plan["steps"][2]["writes"] = []
    (path / "plan.json").write_text(json.dumps(plan))


def _file_instead(path):
    path.rename(path.with_name("elsewhere"))
    path.write_text("")


@pytest.mark.parametrize(
    "name", ["logs/snakemake.log", run_lock.OWNER, "models/m/trainer_log.jsonl", "logs/seed0/answers.log", "out/output.journal.jsonl"]
)  # fmt: skip
def test_a_pipe_in_place_of_a_file_is_not_waited_for(folder, name):
    _two_running(folder)
    log = folder.path / "logs/seed0/answers.log"
    folder.write(log.relative_to(folder.path), "  0%|  | 0/8 [00:00<?, ? responses/s]")
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder.path / name)
    assert len(read_status(folder.path).steps) == 5
    assert len(folder.read().steps) == 5


@pytest.mark.parametrize("name", ["logs/snakemake.log", "models/m/trainer_log.jsonl", "logs/seed0/answers.log", "benchmarks/seed0/gold.tsv"])  # fmt: skip
@pytest.mark.parametrize(
    "line",
    [
        f"total   {'9' * 5000}",
        f"Provided cores: {'9' * 5000}",
        f"Provided resources: gpu={'9' * 5000}",
        f"  0%|  | {'9' * 5000}/8 [{'9' * 5000}:00<?, ? responses/s]\n",
        "  0%|  | 1/8 [::<?, ? responses/s]\n",
        '{"current_steps": 1, "total_steps": 1' + "0" * 400 + ', "elapsed_time": "0:00:05"}',
        '{"current_steps": 1, "total_steps": 1' + "0" * 18 + ', "elapsed_time": "999999:00:00"}',
        '{"current_steps": 1, "total_steps": 9, "elapsed_time": "' + "9" * 30 + ':00:00"}',
        '{"current_steps": true, "total_steps": -3, "elapsed_time": "0:00:01"}',
        "s\th:m:s\n1e300\t0",
    ],
    ids=["total", "cores", "gpus", "bar", "no time", "steps", "long", "time", "no steps", "duration"],
)  # fmt: skip
def test_damaged_numbers_do_not_end_it(folder, name, line):
    _two_running(folder)
    file = folder.path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a" if name.endswith("snakemake.log") else "w") as log:
        log.write(f"{line}\n")
    found = folder.read()
    assert {step.name: step.state for step in found.steps[:3]} == {
        "seed0/gold": "done",
        "seed0/answers": "running",
        "seed0/model": "running",
    }
    assert status_lines(found)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.rename(path.with_name("elsewhere")), "no such folder"),
        (lambda path: (path / "contents.json").unlink(), "this is not the folder of a run"),
        (lambda path: (path / "plan.json").unlink(), "plan.json: "),
        (lambda path: (path / "plan.json").write_text("{}"), 'plan.json: field "steps"'),
        (lambda path: (path / "plan.json").write_text('{"steps": [{}]}'), r'plan.json: field "steps.0.rule"'),
        (lambda path: (path / "plan.json").write_text('{"steps": []}'), r'plan.json: field "steps"'),
        (_without_files, r'plan.json: field "steps.2.writes"'),
        (_file_instead, "is not a folder"),
    ],
    ids=[
        "no folder",
        "no contents",
        "no plan",
        "another plan",
        "a damaged step",
        "no steps",
        "no files",
        "a file",
    ],
)
def test_what_is_not_the_folder_of_a_run_is_refused(folder, damage, message):
    damage(folder.path)
    with pytest.raises(UserError, match=message):
        read_status(folder.path)


def test_everything_is_plain_values(folder):
    _two_running(folder)
    values = json.loads(json.dumps(folder.read().as_dict()))
    assert list(values) == [
        "folder", "name", "active", "process", "host", "steps", "seconds", "quiet_seconds", "remaining_seconds",
        "unmeasured", "jobs_left", "processes_left", "complete", "counts",
    ]  # fmt: skip
    assert values["counts"] == {"waiting": 2, "running": 2, "done": 1, "failed": 0, "restored": 0}
    assert {tuple(step) for step in values["steps"]} == {
        ("name", "kind", "state", "log", "seconds", "remaining_seconds", "responses", "training", "job")
    }
    assert [step["kind"] for step in values["steps"]] == ["data", "generate", "train", "train", "score"]
