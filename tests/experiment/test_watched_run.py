"""A run in a real terminal: its steps move, Ctrl-C leaves the terminal sane, and `status` says the same elsewhere."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

from tests.conftest import ROOT
from tests.experiment.terminal import Terminal
from w2s_factory.experiment.plan import Plan
from w2s_factory.experiment.run_contents import Job

PLAYED = [str(ROOT / "tests/played" / name) for name in ("engine", "environment")]
DONE = re.compile(r"(\d+) of 30 responses")
PAUSE = 1.0
"""The seconds that the played model needs for each of its 30 responses."""


@pytest.fixture
def environ(monkeypatch):
    """An environment in which trainings and models are played."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*PLAYED, str(ROOT)]))
    return dict(os.environ)


@pytest.fixture
def experiment(tmp_path):
    file = tmp_path / "experiment.yaml"
    values = {
        "name": "tiny",
        "task": "arithmetic",
        "split": "dev",
        "weak": {"name": "w", "model": "some/model"},
        "strong": {"name": "s", "model": "some/model", "preset": "tiny_lora_sft"},
        "iterations": 1,
        "last_iteration": ["hybrid"],
        "baselines": ["weak_floor"],
        "limit": {"train_2": 30, "split": 1},
        "generation": {"engine": "undecided", "max_tokens": 24, "options": {"pause": PAUSE}},
        "stage2": None,
    }
    file.write_text(yaml.safe_dump(values))
    return file


@pytest.fixture
def terminal():
    opened = []

    def start(command, **options):
        opened.append(Terminal(command, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def w2s(*words):
    return [sys.executable, "-m", "w2s_factory", *map(str, words)]


def status_of(folder, environ) -> dict:
    done = subprocess.run(w2s("status", folder, "--json"), env=environ, capture_output=True, check=True)
    return json.loads(done.stdout)


def counted(text) -> list[int]:
    return [int(count) for count in DONE.findall(text)]


@pytest.mark.slow
def test_steps_move_ctrl_c_leaves_a_sane_terminal_and_status_says_the_same(
    experiment, environ, terminal, tmp_path
):
    folder = tmp_path / "run"
    command = w2s("run", experiment, "--output-dir", folder, "--jobs", 1)
    shown = terminal(command, environ=environ)
    shown.until(r"running +seed0/generate_weak_train_2 .*\n +[1-9]\d* of 30 responses", 120)
    before = counted(shown.text)[-1]
    elsewhere = status_of(folder, environ)
    printed = subprocess.run(w2s("status", folder), env=environ, capture_output=True, text=True, check=True)
    [step] = [each for each in elsewhere["steps"] if each["state"] == "running"]
    assert step["name"] == "seed0/generate_weak_train_2"
    shown.until(rf"\b({'|'.join(map(str, range(step['responses']['done'] + 1, 31)))}) of 30 responses")
    after = counted(shown.text)[-1]
    assert before <= step["responses"]["done"] <= after
    assert 0.3 < step["responses"]["tokens_per_second"] / (9 / PAUSE) < 1.3
    assert (elsewhere["active"], elsewhere["process"]) == (True, shown.process.pid)
    active = rf"\nactive for 0:\d\d:\d\d; ((about|at least) .* left; )?process {shown.process.pid} on "
    assert re.search(active, printed.stdout)
    assert re.search(
        r"  running +seed0/generate_weak_train_2 .*\n +\d+ of 30 responses; about .* left; \d+ tokens/s",
        printed.stdout,
    )

    shown.press("\x03")
    assert shown.wait() == 130
    assert shown.is_sane
    seen = counted(shown.text)
    assert seen == sorted(seen)
    assert len(set(seen)) >= 2
    last = shown.frames[-1]
    assert "waiting   seed0/generate_weak_train_2" in last
    assert "no run is active" not in last
    assert last.endswith("interrupted; the same command continues from there\n\nError: interrupted\n")
    rest = status_of(folder, environ)
    assert (rest["active"], rest["process"], rest["counts"]["running"]) == (False, None, 0)
    assert rest["counts"] == {
        **elsewhere["counts"],
        "running": 0,
        "waiting": elsewhere["counts"]["waiting"] + 1,
    }

    again = terminal(command, environ=environ)
    first = int(again.until(r"(\d+) of 30 responses", 120)[1])
    assert first >= max(seen)  # what was there is not asked again
    os.kill(again.process.pid, signal.SIGTERM)
    assert again.wait() == 128 + signal.SIGTERM
    assert again.is_sane


RUN_IT = """
import pickle, sys
from pathlib import Path
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.workflow import snakemake_command
plan = pickle.loads(Path(sys.argv[1]).read_bytes())
folder = Path(sys.argv[2])
command = snakemake_command(plan, folder, jobs=1, executor=None, arguments=sys.argv[3:])
carry_out(plan, folder, command, live=True)
"""

TRAIN = r"""
mkdir -p seed0/models/m; for n in 1 2 3 4 5; do sleep 1
printf '{"current_steps": %d, "total_steps": 50, "loss": 2.%d, "elapsed_time": "0:00:0%d"}\n' ${n}0 $((9 - n)) $n \
>> seed0/models/m/trainer_log.jsonl; done; touch seed0/models/m/manifest.jsonl
"""
STEPS = {
    "golds": ("data", [], ["golds.txt"], "sleep 1; touch golds.txt"),
    "train_m": ("train", ["golds.txt"], ["seed0/models/m/manifest.jsonl"], TRAIN),
    "score_m": ("score", ["seed0/models/m/manifest.jsonl"], ["results.txt"], "touch results.txt"),
}


@pytest.fixture
def started(of_shell, tmp_path):
    """The command that carries out steps of several kinds, {name: (kind, reads, writes, command)}, in a folder."""

    def command(steps, *arguments) -> list[str]:
        plan = of_shell({name: step[1:] for name, step in steps.items()})
        own = tuple(
            replace(step, kind=kind) for step, (kind, *_) in zip(plan.steps, steps.values(), strict=True)
        )
        jobs = [
            Job(name=step.name, kind=step.kind, seed=0, command=[], log=step.log, benchmark=step.benchmark)
            for step in own
        ]
        contents = plan.contents.model_copy(update={"jobs": jobs})
        (tmp_path / "plan").write_bytes(pickle.dumps(Plan(plan.experiment, own, contents)))
        return [sys.executable, "-c", RUN_IT, str(tmp_path / "plan"), str(tmp_path / "run"), *arguments]

    return command


@pytest.mark.slow
def test_a_training_moves_and_the_last_state_stays(started, terminal):
    shown = terminal(started(STEPS))
    shown.until(r"running +seed0/train_m .*\n +step 20 of 50; about 0:00:0\d left; loss 2\.7")
    shown.until(r"step 40 of 50; .*loss 2\.5")
    assert shown.wait() == 0
    assert shown.is_sane
    assert [line.split()[:2] for line in shown.frames[-1].splitlines()] == [
        ["small:", "3"],
        ["complete"],
        ["done", "seed0/golds"],
        ["done", "seed0/train_m"],
        ["done", "seed0/score_m"],
    ]
    assert "its log:" not in shown.text
    assert "[1/3]" not in shown.text


CONTINUES = """
from w2s_factory.experiment import run
from w2s_factory.experiment.slurm_watch import Watch
snakemake, codes = run._snakemake, [1]
run._snakemake = lambda *given: snakemake(*given) or (codes.pop() if codes else 0)
run.adopt = lambda folder: None
Watch.only_lost_completed = property(lambda self: not codes)
"""
"""Snakemake is ended once, since it has not noticed jobs that have completed; then the run continues."""


@pytest.mark.slow
def test_a_run_that_continues_by_itself_leaves_its_last_steps_only(started, terminal):
    python, option, script, *words = started(
        {name: (*step[:3], f"mkdir -p seed0/models/m; touch {step[2][0]}") for name, step in STEPS.items()}
    )
    shown = terminal([python, option, CONTINUES + script, *words])
    assert shown.wait() == 0
    assert shown.is_sane
    [between] = [frame for frame in shown.frames if "did not notice have completed: continuing" in frame]
    assert between.startswith("all jobs that Snakemake did not notice have completed: continuing\n")
    assert "no run is active" not in shown.text
    assert re.search(r"\ncomplete\n  done +seed0/golds ", shown.text), "the last steps stay"


@pytest.mark.slow
def test_a_long_plan_fits_the_terminal(started, terminal):
    steps = {f"s{n:03}": ("data", ["1.txt"], [f"{n}.txt"], f"touch {n}.txt") for n in range(200)}
    steps["s000"] = ("data", [], ["0.txt"], "touch 0.txt")
    steps["s001"] = ("data", ["0.txt"], ["1.txt"], "sleep 100")
    shown = terminal(started(steps), rows=12)
    shown.until(r"running +seed0/s001")
    lines = shown.frames[-1].splitlines()
    assert len(lines) <= 11
    assert lines[0] == "small: 200 steps, 1 done, 198 waiting, 1 running"
    assert lines[2].split()[:2] == ["running", "seed0/s001"]
    waiting = [line.split()[1] for line in lines if line.startswith("  waiting")]
    assert waiting == [f"seed0/s{n:03}" for n in range(2, len(waiting) + 2)]
    assert len(waiting) > 3
    assert lines[-1] == f"  and 1 done, {198 - len(waiting)} waiting"
    shown.press("\x03")
    assert shown.wait() != 0
    assert shown.is_sane


@pytest.mark.slow
def test_a_failure_is_told_below_the_steps(started, terminal, tmp_path):
    failing = {**STEPS, "train_m": (*STEPS["train_m"][:3], "echo the reason; exit 3")}
    shown = terminal(started(failing))
    assert shown.wait() == 1
    assert shown.is_sane
    last = shown.frames[-1]
    steps, _, told = last.partition("seed0/train_m failed; the end of ")
    assert re.search(r"failed +seed0/train_m\n +log: logs/seed0/train_m.log\n", steps)
    assert re.search(r"waiting +seed0/score_m\n", steps)
    assert "    the reason\nTo repeat it alone: cd " in told


@pytest.mark.parametrize(
    "dumb", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["a pipe", "a dumb terminal"]
)
def test_elsewhere_each_step_has_a_line_for_its_start_and_its_end(started, tmp_path, terminal, dumb):
    quick = {**STEPS, "train_m": ("train", ["golds.txt"], ["seed0/models/m/manifest.jsonl"], "mkdir -p seed0/models/m; touch seed0/models/m/manifest.jsonl")}  # fmt: skip
    environ = {**os.environ, "FORCE_COLOR": "1"}
    if dumb:
        shown = terminal(["env", "TERM=dumb", *started(quick)], environ=environ)
        assert shown.wait() == 0
        printed = shown.raw.replace("\r\n", "\n")
    else:
        printed = subprocess.run(
            started(quick), env=environ, capture_output=True, text=True, check=True
        ).stderr
    assert "\x1b" not in printed
    lines = [re.sub(r"\d+\.\d s", "N s", line) for line in printed.splitlines()]
    assert lines == [
        line
        for number, name in enumerate(STEPS, 1)
        for line in (
            f"seed0/{name} starts; its log: {tmp_path}/run/logs/seed0/{name}.log",
            f"[{number}/3] seed0/{name}  N s",
        )
    ]


@pytest.mark.slow
def test_a_dry_run_of_snakemake_starts_nothing(started, terminal):
    shown = terminal(started(STEPS, "-n"))
    assert shown.wait() == 0
    assert "running" not in shown.text
    assert shown.text.count("waiting   seed0/train_m") >= 1
