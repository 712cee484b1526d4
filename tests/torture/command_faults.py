"""Faults that commands meet: each function draws one, puts it in place, and asserts that nothing was lost."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import forked
import psutil
from campaign import Result, faked_clock, mounted
from faulty_server import FAULTS as SERVER_FAULTS
from faulty_server import FaultyServer
from inputs import LINES, REPORT, Line, contents
from spoil import spoil
from trial import Outcome, _whole

from tests.conftest import ROOT
from w2s_factory.records import content_hash, manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from world import World

QUICK = [line for line in LINES if not line.slow]
SLOW = [*(line for line in LINES if line.slow and line != REPORT), REPORT]
"""`run`, `report` and others that take seconds, so that they meet fewer faults."""

GENERATE = next(line for line in QUICK if "--demos in/demos.json" in line.arguments)


def writing(world: World) -> list[Line]:
    """Return the lines that write files."""
    return [line for line in QUICK if world.expected(line)]


def finish(world: World, line: Line) -> str:
    """Run the command again, as its own error asks where it refuses; return what made the files whole."""
    outcome, then = world.run(*line.words), "the same command"
    for option in ("--force", "--restart"):
        if outcome.code == 2 and option in outcome.err and line.code != 2:
            outcome, then = world.run(*line.words, option), option
    assert outcome.code == line.code, (line, outcome)
    world.check_whole(line)
    return then


def ended(outcome: Outcome, line: Line) -> str:
    """Return how a command ended under a fault, after asserting that it ended as commands may."""
    if outcome.code == line.code != 2:
        return "completed"
    assert outcome.code in (1, 2), outcome
    errors = [text for text in outcome.err.splitlines() if text.startswith("Error: ")]
    assert len(errors) == 1, outcome
    if outcome.code == 2:
        return "refused in one line"
    return "failed in one line"


def killed(world: World, draw: Random) -> Result:
    """Kill a command at a random file operation, in the middle of a write if it is one."""
    return killed_at_operation(world, draw, draw.choice(QUICK))


def killed_slow(world: World, draw: Random) -> Result:
    """Do the same with a command that takes seconds."""
    return killed_at_operation(world, draw, draw.choice(SLOW))


def killed_at_operation(world: World, draw: Random, line: Line) -> Result:
    """Kill a command at a random file operation."""
    world.expected(line)
    total = forked.operations(line.words, world.folder)
    world.fresh()
    code = forked.killed_at(line.words, world.folder, draw.randint(1, total + 1))
    world.check_nothing_half_written(line, killed=True)
    return Result(
        "kill -9 at a file operation",
        line.words[0],
        "killed" if code == -9 else "completed",
        finish(world, line),
    )


def killed_at_a_time(world: World, draw: Random) -> Result:
    """Kill a command's process at a random moment."""
    line = draw.choice(QUICK)
    world.expected(line)
    began = time.monotonic()
    pid = forked.started(line.words, world.folder)
    forked.wait(pid)
    took = time.monotonic() - began
    world.fresh()
    pid = forked.started(line.words, world.folder)
    time.sleep(draw.uniform(0, took))
    os.kill(pid, 9)
    code = forked.wait(pid)
    world.check_nothing_half_written(line, killed=True)
    return Result(
        "kill -9 at a random moment",
        line.words[0],
        "killed" if code == -9 else "completed",
        finish(world, line),
    )


def full_disk(world: World, draw: Random) -> Result:
    """Let no file grow beyond a limit."""
    line = draw.choice(writing(world))
    largest = max(len(content) for content in world.expected(line).values())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (draw.randrange(largest + 1), hard))
    try:
        outcome = world.run(*line.words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    world.check_nothing_half_written(line, killed=False)
    return Result("files that may not grow", line.words[0], ended(outcome, line), finish(world, line))


def into_out(world: World) -> list[Line]:
    """Return the lines whose files are all in `out`."""
    return [line for line in writing(world) if all(name.startswith("out/") for name in world.expected(line))]


def small_disk(world: World, draw: Random) -> Result:
    """Give a command a file system of a few pages."""
    line = draw.choice(into_out(world))
    with mounted(
        world.folder / "out", f"size={draw.randrange(4, 64, 4)}k,nr_inodes={draw.randrange(2, 20)}"
    ) as again:
        outcome = world.run(*line.words)
        world.check_nothing_half_written(line, killed=False)
        again("size=10m,nr_inodes=1000")
        return Result("full file system", line.words[0], ended(outcome, line), finish(world, line))


def read_only(world: World, draw: Random) -> Result:
    """Give a command a folder in which it may not write."""
    line = draw.choice(into_out(world))
    with mounted(world.folder / "out", "size=10m") as again:
        again("ro")
        outcome = world.run(*line.words)
        assert not list((world.folder / "out").iterdir())
        assert outcome.code == (line.code or 2), outcome
        again("rw")
        return Result("read-only folder", line.words[0], ended(outcome, line), finish(world, line))


def at_once(world: World, draw: Random) -> Result:
    """Start the same command several times at once."""
    line = draw.choice(writing(world))
    pids = [forked.started(line.words, world.folder) for _ in range(draw.randint(2, 4))]
    codes = [forked.wait(pid) for pid in pids]
    allowed = {line.code, 2} if line.words[0] in ("generate", "run") else {line.code}
    assert set(codes) <= allowed, (line, codes)
    assert line.code in codes, (line, codes)
    world.check_whole(line)
    waited = "all completed" if len({*codes}) == 1 else "one completed, others refused in one line"
    return Result("processes on the same files", line.words[0], waited, finish(world, line))


def clock(world: World, draw: Random) -> Result:
    """Give the inputs time stamps of other years, and a clock that jumps whenever it is asked."""
    line = draw.choice(writing(world))
    for name in contents(world.folder):
        stamp = draw.choice([0, 315532800, time.time() + 86_400, 4102444800])
        os.utime(world.folder / name, (stamp, stamp), follow_symlinks=False)
    real = time.time
    time.time = lambda: real() + draw.choice([-10, -1, 0, 1, 10]) * 3.2e7
    try:
        outcome = world.run(*line.words)
        world.check_whole(line)
        then = finish(world, line)
    finally:
        time.time = real
    return Result("clock that jumps, odd time stamps", line.words[0], ended(outcome, line), then)


def faked_time(world: World, draw: Random) -> Result:
    """Run a command with a clock of libfaketime, as a process of its own, and again with the real one."""
    line = draw.choice(into_out(world))
    environ = faked_clock(draw)
    assert environ is not None
    code, err = _process(line.words, world, **environ)
    assert code == line.code, err
    world.check_whole(line)
    clock = f"clock of libfaketime ({environ['FAKETIME']})"
    return Result(clock, line.words[0], "completed", finish(world, line))


def spoilt_input(world: World, draw: Random) -> Result:
    """Damage a file that a command reads."""
    line = draw.choice(writing(world))
    named = [word for word in line.words if word.startswith("in/")]
    reached = [
        name for name in world.before if any(name == word or name.startswith(f"{word}/") for word in named)
    ]
    reached = [name for name in reached if not (world.folder / name).is_symlink()]
    if not reached:
        return spoilt_input(world, draw)
    name = draw.choice(sorted(reached))
    how = spoil(world.folder / name, draw)
    now = contents(world.folder)
    outcome = world.run(*line.words)
    end = ended(outcome, line)
    after = contents(world.folder)
    new = [file for file in after if after[file] != now.get(file) and not file.endswith(".lock")]
    if outcome.code == 2:
        assert new == [], f"refused, and left {new}"
    for file in new:
        _whole(world.folder / file)
    (world.folder / name).write_bytes(world.before[name])
    then = finish(world, line)
    return Result(f"input from outside: {how}", line.words[0], end, then)


def spoilt_output(world: World, draw: Random) -> Result:
    """Damage a file that a command wrote, and run the command again."""
    line = draw.choice(writing(world))
    world.run(*line.words)
    name = draw.choice(sorted(name for name in world.expected_while(line) if (world.folder / name).is_file()))
    how = spoil(world.folder / name, draw)
    outcome = world.run(*line.words)
    end = ended(outcome, line)
    if outcome.code == 2 and Path(name).name == "dataset_info.json":
        assert "dataset_info.json" in outcome.err
        (world.folder / name).unlink(missing_ok=True)
        then = finish(world, line)
        return Result(f"own file: {how}", line.words[0], end, f"{then}, the index deleted")
    return Result(f"own file: {how}", line.words[0], end, finish(world, line))


def spoilt_journal(world: World, draw: Random) -> Result:
    """Kill a generation, damage its journal or the hashes of its lines, and continue."""
    world.expected(GENERATE)
    total = forked.operations(GENERATE.words, world.folder)
    while True:
        world.fresh()
        forked.killed_at(GENERATE.words, world.folder, draw.randint(1, total))
        journals = [*world.folder.glob("out/**/*.journal.jsonl")]
        if journals and journals[0].stat().st_size:
            break
    hashes = journals[0].with_name(f".{journals[0].name}.hashes")
    path = draw.choice([journals[0], hashes])
    how = spoil(path, draw)
    outcome = world.run(*GENERATE.words)
    if path == hashes:
        assert outcome.code == GENERATE.code, outcome
        assert "dropped" not in outcome.err, "damaged hashes cost responses"
    damaged = "hashes of a journal" if path == hashes else "journal"
    return Result(f"{damaged}: {how}", "generate", ended(outcome, GENERATE), finish(world, GENERATE))


WEIGHTS = Line(
    "generate --task arithmetic --questions in/golds.jsonl --model in/model --adapter in/adapter --output-dir out"
    " --engine transformers"
)


def deleted_model(world: World, draw: Random) -> Result:
    """Delete the model or adapter that is to answer, or its config."""
    world.expected(WEIGHTS)
    names = ["model", "model/config.json", "adapter", "adapter/adapter_config.json"]
    gone = world.folder / "in" / draw.choice(names)
    kept = gone.with_name("kept")
    gone.rename(kept)
    outcome = world.run(*WEIGHTS.words)
    assert outcome.code == 2, (gone, outcome)
    assert [name for name in world.changed() if name.startswith("out")] == []
    kept.rename(gone)
    return Result("deleted model", "generate", ended(outcome, WEIGHTS), finish(world, WEIGHTS))


SABOTAGE = (
    "leaves nothing",
    "fails at once",
    "leaves no weights",
    "leaves no config",
    "leaves half of the weights",
    "fails at the end",
    "is killed at the end",
)
PLAYED = [str(ROOT / path) for path in ("tests/torture/saboteur", "tests/played/environment", "")]


MADE = {
    "train": "make-config --preset tiny_lora_sft --model in/model --output-dir out/made --output out/made.yaml"
    " --dataset arithmetic_weak_iter1_hybrid --dataset-dir in/data --llamafactory-version 0.9.5",
    "export": "make-config --preset export --model in/model --adapter in/adapter --output-dir out/made"
    " --output out/made.yaml --llamafactory-version 0.9.5",
}
"""The commands that make the configs of a training and a merge."""


def delegate(world: World, draw: Random) -> Result:
    """Let LLaMA-Factory end without what it should leave, with any exit code."""
    how, verb = draw.choice(SABOTAGE), draw.choice(sorted(MADE))
    assert world.run(*MADE[verb].split()).code == 0
    words = (verb, "out/made.yaml")
    code, err = _process(words, world, W2S_SABOTAGE=how)
    assert code in (1, 3, 137), err
    assert [text.startswith("Error: ") for text in err.splitlines()].count(True) == 1, err
    return Result(f"delegate {how}", verb, "failed in one line", _make_whole(words, world))


def _make_whole(words: tuple[str, ...], world: World) -> str:
    """Train or merge again after a failure, with --force if the error asks for it; return what did it."""
    made = world.folder / "out/made"
    assert not (made / "manifest.jsonl").exists(), "failed weights are noted"
    then = "the same command"
    code, err = _process(words, world)
    if code == 2:
        assert "--force" in err, err
        then = "--force"
        code, err = _process((*words, then), world)
    assert code == 0, err
    noted = manifest.last_lines(made)
    [weights] = [name for name in noted if name.endswith("model.safetensors")]
    assert content_hash(made / weights) == noted[weights]["sha256"]
    return then


def killed_delegate(world: World, draw: Random) -> Result:
    """Kill a training or a merge, with LLaMA-Factory or without, while that writes its weights."""
    verb, everything = draw.choice(sorted(MADE)), draw.random() < 0.5
    assert world.run(*MADE[verb].split()).code == 0
    words, made = (verb, "out/made.yaml"), world.folder / "out/made"
    code, err = _process(words, world)
    assert code == 0, err
    [weights] = made.glob("*model.safetensors")
    undisturbed, size = weights.read_bytes(), draw.randrange(weights.stat().st_size)
    shutil.rmtree(made)
    waiting = world.folder / "waiting"
    process = _started(words, world, W2S_SABOTAGE=f"waits after {size} bytes", W2S_WAITING=str(waiting))
    while not waiting.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    _kill_while_waiting(process, everything=everything)
    waiting.unlink()
    assert weights.read_bytes() == undisturbed[:size]
    then = _make_whole(words, world)
    assert weights.read_bytes() == undisturbed, "the weights are others than those of an undisturbed training"
    whole = "with LLaMA-Factory" if everything else "and then LLaMA-Factory"
    return Result(f"kill -9 while weights are written, {whole}", verb, "killed", then)


def _kill_while_waiting(process: subprocess.Popen[str], *, everything: bool) -> None:
    """Kill a command and then what it started, at once or after a moment in which that works on alone."""
    family = psutil.Process(process.pid).children(recursive=True)
    assert family, "nothing was started"
    process.kill()
    if not everything:
        time.sleep(0.2)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.communicate(timeout=60)
    assert process.returncode == -9


def _process(words: tuple[str, ...], world: World, **environ: str) -> tuple[int, str]:
    """Run a command as a process of its own, with the played LLaMA-Factory; return exit code and stderr."""
    process = _started(words, world, **environ)
    _, err = process.communicate(timeout=300)
    assert "Traceback" not in err, err
    return process.returncode, err


def _started(words: tuple[str, ...], world: World, **environ: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own, with the played LLaMA-Factory."""
    return subprocess.Popen(
        [sys.executable, "-m", "w2s_factory", *words],
        cwd=world.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*PLAYED, *sys.path]), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def server(world: World, draw: Random) -> Result:
    """Let a server fail some requests in one way, for a while or for as long as the command tries."""
    how = draw.choice(SERVER_FAULTS)
    played = FaultyServer()
    options = (
        f"--engine openai --base-url {played.url} --engine-option concurrency=3 --engine-option retries=3"
    )
    line = Line(
        f"generate --task arithmetic --questions in/golds.jsonl --model tiny --output-dir out {options}"
        " --engine-option timeout=0.5"
    )
    try:
        expected = world.expected(line)
        played.faults = [draw.choice(["", how]) for _ in range(draw.randint(0, 8))] + [how] * draw.choice(
            [1, 2, 30]
        )
        outcome = world.run(*line.words)
        end = ended(outcome, line)
        if outcome.code != 0:
            played.faults = []
            assert not [name for name in world.changed() if name.endswith("output.jsonl")]
        then = finish(world, line)
        assert expected == world.expected_while(line)
    finally:
        played.stop()
    return Result(f"server: {how}", "generate", end, then)


KINDS: dict[str, tuple[int, Callable[[World, Random], Result]]] = {
    "killed": (200, killed),
    "killed_slow": (10, killed_slow),
    "killed_at_a_time": (60, killed_at_a_time),
    "full_disk": (110, full_disk),
    "small_disk": (50, small_disk),
    "read_only": (50, read_only),
    "at_once": (50, at_once),
    "clock": (40, clock),
    "faked_time": (10, faked_time),
    "spoilt_input": (150, spoilt_input),
    "spoilt_output": (90, spoilt_output),
    "spoilt_journal": (40, spoilt_journal),
    "deleted_model": (20, deleted_model),
    "delegate": (20, delegate),
    "killed_delegate": (10, killed_delegate),
    "server": (40, server),
}
"""The kinds of faults with their shares of 950."""

NEED_MOUNTS = {"small_disk", "read_only"}
IN_PROCESSES = {"delegate", "killed_delegate", "faked_time"}
"""Kinds whose commands are processes of their own, so that nothing stands in for their children."""
