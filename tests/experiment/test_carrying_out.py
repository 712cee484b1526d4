"""The workflow with steps that are shell commands: order, reruns by content, failures, kills, locks."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import ROOT
from tests.experiment.conftest import SMALL
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.experiment import run as running
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.run_folder import MARK, held
from w2s_factory.experiment.steps import Step
from w2s_factory.experiment.workflow import as_workflow, script_of, snakemake_command

CHAIN = {
    "a": ([], ["a.txt"], "echo a >> done; echo 1 > a.txt"),
    "b": (["a.txt"], ["b.txt"], "echo b >> done; cat a.txt > b.txt"),
    "c": (["b.txt"], ["c.txt"], "echo c >> done; cat b.txt > c.txt; echo {braces} '{0}'"),
}
B_EDITED = {**CHAIN, "b": (["a.txt"], ["b.txt"], "echo b >> done; echo 2 > b.txt")}


class Run:
    """A folder, and plans carried out in it."""

    def __init__(self, folder, of_shell):
        self.folder, self._of_shell, self.printed = folder, of_shell, []

    def __call__(self, steps=CHAIN, jobs=2):
        plan = self._of_shell(steps)
        command = snakemake_command(plan, self.folder, jobs=jobs, executor=None, arguments=())
        self.printed = []
        carry_out(plan, self.folder, command, tell=self.printed.append)

    def done(self) -> list[str]:
        """The steps run since the last look."""
        file = self.folder / "done"
        names = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return names


@pytest.fixture
def run(tmp_path, of_shell):
    return Run(tmp_path / "run", of_shell)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A folder in which the chain was carried out, and what was printed there."""
    return tmp_path_factory.mktemp("once") / "run", []


@pytest.fixture
def finished(run, once):
    """The chain, carried out; each test has a copy of the folder."""
    folder, printed = once
    if not folder.exists():
        run()
        run.folder.rename(folder)
        printed += [line.replace(str(run.folder), str(folder)) for line in run.printed]
    shutil.copytree(folder, run.folder, symlinks=True)
    run.printed = [line.replace(str(folder), str(run.folder)) for line in printed]
    return run


def test_steps_run_in_order(finished):
    assert finished.done() == ["a", "b", "c"]
    starts = [f"seed0/{name} starts; its log: {finished.folder}/logs/seed0/{name}.log" for name in "abc"]
    ends = ["[1/3] seed0/a", "[2/3] seed0/b", "[3/3] seed0/c"]
    assert [line.split("  ")[0] for line in finished.printed] == [
        line for pair in zip(starts, ends, strict=True) for line in pair
    ]
    assert all(re.fullmatch(r"\[\d/3\] seed0/[abc]  \d+\.\d s", line) for line in finished.printed[1::2])


def test_each_step_has_a_log_a_time_and_a_script(finished):
    assert (finished.folder / "logs/seed0/c.log").read_text() == "{braces} {0}\n"
    assert (finished.folder / "benchmarks/seed0/c.tsv").read_text().startswith("s\t")
    assert "braces" in (finished.folder / "scripts/seed0_c.sh").read_text()
    assert json.loads((finished.folder / "contents.json").read_text())["name"] == "small"


def test_touching_files_runs_nothing(finished):
    finished.done()
    later = time.time() + 100
    for name in ("a.txt", "b.txt"):
        os.utime(finished.folder / name, (later, later))
    finished()
    assert finished.done() == []


def test_an_edited_command_runs_its_step_and_what_depends_on_it(finished):
    finished.done()
    finished(B_EDITED)
    assert finished.done() == ["b", "c"]
    assert (finished.folder / "c.txt").read_text() == "2\n"


def test_another_interpreter_is_not_compared(planned, monkeypatch):
    plan = planned(weak={"name": "w", "results": str(ROOT / "README.md")}, strong=SMALL["strong"])
    before, script = as_workflow(plan), script_of(plan.steps[0], plan.experiment.environments)
    monkeypatch.setattr(sys, "executable", "/another/python")
    assert as_workflow(plan) == before
    assert not script[0].startswith("/another")
    assert script_of(plan.steps[0], plan.experiment.environments)[0].startswith(
        "/another/python -m w2s_factory "
    )


@pytest.mark.slow  # the next test changes an input, too
def test_a_changed_input_runs_what_reads_it(run, tmp_path):
    source = tmp_path / "given.txt"
    source.write_text("1")
    steps = {"a": ([str(source)], ["a.txt"], f"echo a >> done; cat {source} > a.txt")}
    run(steps)
    source.write_text("2")
    run(steps)
    assert run.done() == ["a", "a"]
    assert (run.folder / "a.txt").read_text() == "2"


def test_a_changed_input_counts_whatever_its_time_stamp_says(run, tmp_path):
    source = tmp_path / "given.txt"
    source.write_text("1")
    steps = {"a": ([str(source)], ["a.txt"], f"echo a >> done; cat {source} > a.txt")}
    run(steps)
    before = source.stat()
    source.write_text("2")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    run(steps)
    assert run.done() == ["a", "a"]


def test_somebodys_experiment_file_is_not_overwritten(run):
    run.folder.mkdir(parents=True, exist_ok=True)
    mine = run.folder / "experiment.yaml"
    mine.write_text("name: small  # mine\n")
    with pytest.raises(UserError, match="which a run would overwrite"):
        run()
    assert mine.read_text() == "name: small  # mine\n"
    assert [path.name for path in run.folder.iterdir()] == ["experiment.yaml"]


def test_a_run_needs_a_folder(run):
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    run.folder.write_text("a file")
    with pytest.raises(UserError, match="is not a folder"):
        run()


def test_a_missing_input_is_refused_before_anything_runs(run):
    with pytest.raises(UserError, match=r"/nowhere/given.txt: no such file or folder; seed0/a needs it"):
        run({"a": (["/nowhere/given.txt"], ["a.txt"], "true")})
    assert not (run.folder / "plan.json").exists()


def test_a_failed_step_shows_its_log_and_how_to_repeat_it(run):
    failing = {**CHAIN, "b": (["a.txt"], ["b.txt"], "echo reason; touch b.txt; exit 3")}
    with pytest.raises(DelegateError, match="failed: seed0/b") as caught:
        run(failing)
    assert caught.value.exit_code == 1
    printed = "\n".join(run.printed)
    assert "    reason" in printed
    assert f"To repeat it alone: cd {run.folder} && bash -c 'echo reason; touch b.txt; exit 3'" in printed
    assert not (run.folder / "b.txt").exists()
    run()
    assert run.done() == ["a", "b", "c"]


def test_a_failure_of_snakemake_itself_is_told_and_no_line_of_an_earlier_run(run, of_shell):
    earlier = "[Errno 28] No space left on device: 'earlier.txt'"
    (run.folder / "logs").mkdir(parents=True)
    (run.folder / "logs/snakemake.log").write_text(f"{earlier}\n")
    plan, printed = of_shell(CHAIN), []
    command = snakemake_command(
        plan, run.folder, jobs=1, executor=None, arguments=["--until", "no_such_step"]
    )
    with pytest.raises(DelegateError, match=r"Snakemake failed with exit code 1"):
        carry_out(plan, run.folder, command, tell=printed.append)
    assert "no_such_step" in "\n".join(printed)
    assert earlier not in "\n".join(printed)
    assert earlier in (run.folder / "logs/snakemake.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(  # tests/cli/test_run.py gives such an option, too
            ["--no-such-option"], "unrecognized arguments: --no-such-option", marks=pytest.mark.slow
        ),
        (["--cores", "many"], "Error parsing number of cores"),
    ],
)
def test_arguments_that_snakemake_refuses_are_one_line(run, of_shell, arguments, message):
    plan = of_shell(CHAIN)
    command = snakemake_command(plan, run.folder, jobs=1, executor=None, arguments=arguments)
    printed = []
    with pytest.raises(UserError, match=f"Snakemake: {message}"):
        carry_out(plan, run.folder, command, tell=printed.append)
    assert printed == []


@pytest.mark.slow
def test_what_a_failed_step_wrote_is_cut(run):
    with pytest.raises(DelegateError, match="failed: seed0/b"):
        run(
            {
                **CHAIN,
                "b": (["a.txt"], ["b.txt"], "head -c 110000 /dev/zero | tr '\\0' x; echo; echo why; exit 3"),
            }
        )
    printed = "\n".join(run.printed)
    assert "    why" in printed
    assert len(printed) < 5_000


def test_two_runs_do_not_share_a_folder(run):
    with held(run.folder), pytest.raises(UserError, match="another run is active"):
        run()


def test_a_folder_of_another_experiment_is_refused(run):
    run.folder.mkdir()
    (run.folder / "experiment.yaml").write_text("name: other\n")
    (run.folder / "plan.json").write_text("{}")
    with pytest.raises(UserError, match=r"is the folder of another experiment \(other\)"):
        run()


def test_started_again_it_repeats_nothing_and_ends_what_a_killed_run_left_working(finished):
    finished.done()
    left = subprocess.Popen(["sleep", "100"], env={**os.environ, MARK: str(finished.folder)})
    other = subprocess.Popen(["sleep", "100"], env={**os.environ, MARK: f"{finished.folder}2"})
    try:
        finished()
        assert left.poll() is not None
        assert other.poll() is None
        assert finished.done() == []
        assert finished.printed == ["nothing to do: every step is complete"]
    finally:
        other.kill()
        other.wait()


@pytest.mark.slow
def test_seeds_and_shards_of_earlier_plans_are_removed(run):
    def sampled(*seeds):
        files = [f"out/t1.0/seed{seed}/x" for seed in seeds] + [
            f"out/shards/{n}-of-{len(seeds)}/x" for n in seeds
        ]
        return {"a": ([], files, f"touch {' '.join(files)}")}

    run(sampled(0, 1, 2))
    (run.folder / "out/t1.0/votes.jsonl").touch()
    run(sampled(0, 1))
    assert sorted(path.name for path in (run.folder / "out/t1.0").iterdir()) == [
        "seed0",
        "seed1",
        "votes.jsonl",
    ]
    assert sorted(path.name for path in (run.folder / "out/shards").iterdir()) == ["0-of-2", "1-of-2"]


RUN_IT = """
import pickle, sys
from pathlib import Path
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.workflow import snakemake_command
plan = pickle.loads(Path(sys.argv[1]).read_bytes())
folder = Path(sys.argv[2])
carry_out(plan, folder, snakemake_command(plan, folder, jobs=2, executor=None, arguments=()))
"""


def slow(name, reads) -> tuple:
    """A step that begins its output, takes its time, and counts itself once it is whole."""
    command = f"echo half > {name}; sleep 0.3; cat {' '.join(reads)} /dev/null | md5sum > {name}; echo {name} >> done"
    return (reads, [name], command)


KILLS = 3
SLOW = {f"s{n}": slow(f"s{n}.txt", [f"s{m}.txt" for m in (n - 1, n - 3) if m >= 0]) for n in range(8)}


@pytest.mark.slow  # test_whole_run.py kills a run in `make test`, too
@pytest.mark.parametrize("everything", [True, False], ids=["all its processes", "only the first"])
def test_killed_at_random_moments_and_started_again_it_ends_the_same(run, of_shell, tmp_path, everything):
    import pickle

    plan, draw = of_shell(SLOW), random.Random(1)
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    command = [sys.executable, "-c", RUN_IT, str(tmp_path / "plan"), str(run.folder)]
    undisturbed = Run(tmp_path / "undisturbed", of_shell)
    undisturbed(SLOW)
    for _ in range(KILLS):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(1.2, 2.6))
        family = [*psutil.Process(process.pid).children(recursive=True)] if everything else []
        for one in [psutil.Process(process.pid), *family]:
            with contextlib.suppress(psutil.NoSuchProcess):  # ended just now
                one.kill()
        process.wait()
        if everything:
            psutil.wait_procs(family, timeout=5)
    subprocess.run(command, check=True, capture_output=True)
    for name in SLOW:
        assert (run.folder / f"{name}.txt").read_text() == (undisturbed.folder / f"{name}.txt").read_text()
    # A step killed between its last command and Snakemake's note of it is done again; no other one is.
    done = run.done()
    assert set(done) == {f"{name}.txt" for name in SLOW}
    assert len(done) <= len(SLOW) + 2 * KILLS


def test_interrupted_it_leaves_no_process(run, of_shell, tmp_path):
    import pickle

    (tmp_path / "plan").write_bytes(pickle.dumps(of_shell({"a": ([], ["a.txt"], "sleep 60; touch a.txt")})))
    command = [sys.executable, "-c", RUN_IT, str(tmp_path / "plan"), str(run.folder)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    log = run.folder / "logs/snakemake.log"
    until = time.monotonic() + 30
    while not (log.exists() and "rule seed0_a:" in log.read_text()) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert [one for one in psutil.process_iter() if _marked(one, run.folder)] == []


@pytest.mark.parametrize("when", ["end_earlier", "prepare", "restore"])
def test_interrupted_while_it_prepares_it_says_that_it_continues(run, monkeypatch, when):
    """It may wait for hours for jobs that an earlier run left in Slurm."""

    def interrupted(*_given, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, when, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert run.printed == ["interrupted; the same command continues from there"]


def _marked(process, folder) -> bool:
    try:
        return process.environ().get(MARK) == str(folder)
    except (psutil.Error, OSError):
        return False


def test_rule_names_are_names(planned):
    assert all(isinstance(step, Step) and step.rule.isidentifier() for step in planned().steps)
