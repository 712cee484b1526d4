"""Faults that a whole run meets: each function draws one, and asserts that the next `run` ends in the same files."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from campaign import Result, faked_clock, mounted
from run_world import JOURNAL
from spoil import spoil

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from random import Random

    from run_world import RunWorld

STATES = ("new", "half", "finished")


NOTHING_TO_DO = "nothing to do: every step is complete"


def then_finish(world: RunWorld, draw: Random) -> str:
    """Run to the end and compare; now and then once more, when nothing is left to do."""
    finished(world, draw)
    return "the next run"


def finished(world: RunWorld, draw: Random, journals: Collection[str] = ()) -> str:
    """Do the same as `then_finish`, and return what the run to the end said.

    Args:
        world: The run.
        draw: The source of chance.
        journals: Journals of finished generations that were damaged and that the run left as they are. What
            restores them is the command that wrote them.
    """
    said = world.finish()
    for journal in journals:
        world.generate_again(journal)
    world.check_whole()
    if draw.random() < 0.2:
        assert NOTHING_TO_DO in world.finish()
    return said


def noticed(world: RunWorld, damaged: set[Path], said: str) -> str:
    """Return what a run said of damaged files."""
    names = {path.relative_to(world.folder).as_posix() for path in damaged}
    if not names:
        return "no byte had changed"
    if named := {name for name in names if name in said}:
        return "named and restored" if named == names else "some files named, all restored"
    of_steps = {name for name in names & world.expected.keys() if name.startswith("seed0/")}
    of_steps -= journals(of_steps)
    assert not (of_steps and NOTHING_TO_DO in said), f"{of_steps} were not found: {said}"
    return "not named: nothing to do" if NOTHING_TO_DO in said else "not named: steps repeated or left to do"


def journals(names: Collection[str]) -> set[str]:
    """Return the journals among files."""
    return {name for name in names if name.endswith(JOURNAL)}


def killed(world: RunWorld, draw: Random) -> Result:
    """Kill a run at a random moment, with all its processes or alone."""
    state = draw.choice(("new", "half"))
    world.put(state)
    everything = draw.random() < 0.6
    process = world.start()
    time.sleep(draw.uniform(0.05, 0.9 if state == "new" else 0.5) * world.lasts)
    world.kill(process, everything=everything)
    if everything:
        world.check_nothing_half_written()
    which = "all its processes" if everything else "its first process"
    return Result(f"run: kill -9 of {which}", "run", "killed", then_finish(world, draw))


def own_file(world: RunWorld, draw: Random) -> Path:
    """Draw one of the run's own files: mostly data, and now and then Snakemake's or a manifest."""
    kind = draw.choice(["data"] * 6 + ["manifest", "records"])
    if kind == "manifest":
        return draw.choice(sorted(world.manifests()))
    if kind == "records":
        parts = ("benchmarks", "logs", ".snakemake/metadata")
        found = [path for part in parts for path in (world.folder / part).rglob("*") if path.is_file()]
        return draw.choice(sorted(found))
    return draw.choice([world.folder / name for name in world.files()])


def damaged(world: RunWorld, draw: Random) -> Result:
    """Damage some of the run's own files."""
    state = draw.choice(("half", "finished", "finished"))
    world.put(state)
    how, damaged = "", set()
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        path = own_file(world, draw)
        if path.is_file():
            before = path.read_bytes()
            how = spoil(path, draw)
            damaged |= {path} if not path.is_file() or path.read_bytes() != before else set()
    kinds = " and ".join(sorted({_kind(world, path) for path in damaged}))
    left = journals([path.relative_to(world.folder).as_posix() for path in damaged])
    said = noticed(world, damaged, finished(world, draw, left))
    then = "the next run, and the same generate" if left else "the next run"
    return Result(f"run: {kinds or 'own file'} {how}", f"a {state} run", said, then)


def _kind(world: RunWorld, path: Path) -> str:
    """Return what kind of file of a run a path is."""
    if path.name == "manifest.jsonl":
        return "manifest"
    if path.name.endswith(JOURNAL):
        return "journal"
    kinds = {"logs": "log", "benchmarks": "duration", ".snakemake": "record"}
    return kinds.get(path.relative_to(world.folder).parts[0], "own file")


def no_weights(world: RunWorld, draw: Random) -> Result:
    """Delete the weights or the config of a trained model."""
    state = draw.choice(("half", "finished"))
    world.put(state)
    found = [
        *world.folder.glob("seed0/models/*/*model.safetensors"),
        *world.folder.glob("seed0/models/*/*config.json"),
    ]
    path = draw.choice(sorted(found))
    path.unlink()
    said = finished(world, draw)
    assert path.relative_to(world.folder).as_posix() in said, said
    assert bool(re.search(r"/train_\S+ is repeated", said)) is ("1 training is repeated" in said), said
    return Result("run: deleted weights", f"a {state} run", noticed(world, {path}, said), "the next run")


def sabotaged(world: RunWorld, draw: Random) -> Result:
    """Let LLaMA-Factory end without what it should leave."""
    how = draw.choice(
        ["leaves nothing", "leaves no weights", "leaves half of the weights", "is killed at the end"]
    )
    world.put("half")
    code, err = world.end(world.start(W2S_SABOTAGE=how))
    assert code == 1, err
    assert len(errors(err)) == 1, err
    return Result(f"run: delegate {how}", "a half run", "failed in one line", then_finish(world, draw))


ENDED = {0: "completed", 1: "failed in one line", 2: "refused in one line"}
"""How a run ended, by its exit code."""


def errors(said: str) -> list[str]:
    """Return the lines of errors."""
    return [line for line in said.splitlines() if line.startswith("Error: ")]


def full_disk(world: RunWorld, draw: Random) -> Result:
    """Let the disk fill up in the middle of a run."""
    world.put("new")
    with mounted(world.folder, f"size={draw.randrange(64, 900)}k") as again:
        code, err = world.end(world.start())
        assert len(errors(err)) == (code != 0), err
        again("size=100m")
        return Result("run: full file system", "run", ENDED[code], then_finish(world, draw))


def read_only(world: RunWorld, draw: Random) -> Result:
    """Let no file of a run be written."""
    state = draw.choice(STATES)
    world.put("new")
    with mounted(world.folder, "size=100m") as again:
        if state != "new":
            world.fill(state)
        before = world.files()
        again("ro")
        code, err = world.end(world.start())
        assert world.files() == before, "files have changed"
        assert (code, len(errors(err))) == (2, 1), err
        again("rw")
        return Result("run: read-only folder", f"a {state} run", ENDED[code], then_finish(world, draw))


def twice(world: RunWorld, draw: Random) -> Result:
    """Start a second run in the folder of one that works."""
    world.put("half")
    first = world.start()
    time.sleep(draw.uniform(0.1, 0.3) * world.lasts)
    code, err = world.end(world.start())
    first_code, first_err = world.end(first)
    assert first_code == 0, first_err
    refused = code == 2 and "another run is active" in err
    assert refused or code == 0, err
    ended = "the second was refused in one line" if refused else "both completed"
    return Result("run: two at once", "run", ended, then_finish(world, draw))


def clock(world: RunWorld, draw: Random) -> Result:
    """Set the time stamps of some files back or forward, and with libfaketime the clock of the next run."""
    state = draw.choice(("half", "finished"))
    world.put(state)
    stamp = draw.choice([0, 315532800, time.time() + 86_400, 4102444800])
    for path in sorted(world.folder.rglob("*")):
        if path.is_file() and (draw.random() < 0.5):
            os.utime(path, (stamp, stamp))
    code, err = world.end(world.start(**(faked_clock(draw) or {})))
    assert code == 0, err
    world.check_whole()
    return Result(
        "run: clock and time stamps of other years", f"a {state} run", "completed", then_finish(world, draw)
    )


FROM_OUTSIDE = {
    "config.json": "generate_weak_train_2",
    "tokenizer.json": "generate_weak_train_2",
    "generation_config.json": "generate_weak_train_2",
    "model.safetensors": "generate_weak_train_2",
    "train_2.jsonl": "golds_train_2",
    "test.jsonl": "golds_test",
}
"""A step that reads a file, by the file's name: one of the model, or raw rows."""


def outside(world: RunWorld, draw: Random) -> Result:
    """Damage a file of the model or raw rows; it counts as a new one until it is put back.

    A run that completes has repeated the step that reads the file.
    """
    world.put("finished")
    name = draw.choice([*FROM_OUTSIDE, "model.safetensors", "train_2.jsonl"])
    path = (world.raw if name.endswith(".jsonl") else world.model) / name
    before, began = path.read_bytes(), time.time_ns()
    how = spoil(path, draw)
    changed = not path.is_file() or path.read_bytes() != before
    try:
        code, err = world.end(world.start())
        assert code != 0 or (FROM_OUTSIDE[name] in world.steps_since(began)) is changed, err
        assert code != 0 or (NOTHING_TO_DO in err) is not changed, err
        assert len(errors(err)) == (code != 0), err
    finally:
        path.write_bytes(before)
    ended = {**ENDED, 0: "counted as new: steps repeated" if changed else "no byte had changed"}[code]
    kind = "raw rows" if name.endswith(".jsonl") else "a model's file"
    return Result(f"run: {kind} from outside {how}", "a finished run", ended, then_finish(world, draw))


KINDS: dict[str, tuple[int, Callable[[RunWorld, Random], Result]]] = {
    "run_damaged": (16, damaged),
    "run_killed": (12, killed),
    "run_no_weights": (4, no_weights),
    "run_sabotaged": (4, sabotaged),
    "run_full_disk": (3, full_disk),
    "run_read_only": (3, read_only),
    "run_twice": (2, twice),
    "run_clock": (3, clock),
    "run_outside": (3, outside),
}
"""The kinds of faults with their shares of 50."""

NEED_MOUNTS = {"run_full_disk", "run_read_only"}
