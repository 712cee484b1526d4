"""Faults that a whole run meets: each function draws one, and asserts that the next `run` ends in the same files."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

from campaign import Result, faked_clock
from spoil import spoil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from run_world import RunWorld

STATES = ("new", "half", "finished")


NOTHING_TO_DO = "nothing to do: every step is complete"


def then_finish(world: RunWorld, draw: Random) -> str:
    """Run to the end and compare; now and then once more, when nothing is left to do."""
    finished(world, draw)
    return "the next run"


def finished(world: RunWorld, draw: Random) -> str:
    """Do the same as `then_finish`, and return what the run to the end said."""
    said = world.finish()
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
    assert not (of_steps and NOTHING_TO_DO in said), f"{of_steps} were not found: {said}"
    return "not named: nothing to do" if NOTHING_TO_DO in said else "not named: steps repeated or left to do"


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
    said = noticed(world, damaged, finished(world, draw))
    return Result(f"run: {kinds or 'own file'} {how}", f"a {state} run", said, "the next run")


def _kind(world: RunWorld, path: Path) -> str:
    """Return what kind of file of a run a path is."""
    if path.name == "manifest.jsonl":
        return "manifest"
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
    assert [line.startswith("Error: ") for line in err.splitlines()].count(True) == 1, err
    return Result(f"run: delegate {how}", "a half run", "failed in one line", then_finish(world, draw))


def full_disk(world: RunWorld, draw: Random) -> Result:
    """Let the disk fill up in the middle of a run."""
    world.put("new")
    world.folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    subprocess.run([*mount, f"size={draw.randrange(64, 900)}k", "tmpfs", str(world.folder)], check=True)
    try:
        code, err = world.end(world.start())
        assert code in (0, 1, 2), err
        subprocess.run([*mount, "remount,size=100m", "tmpfs", str(world.folder)], check=True)
        ended = {0: "completed", 1: "failed in one line", 2: "refused in one line"}[code]
        return Result("run: full file system", "run", ended, then_finish(world, draw))
    finally:
        subprocess.run(["umount", str(world.folder)], check=True)


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


def outside(world: RunWorld, draw: Random) -> Result:
    """Damage a file from outside, the model's; it counts as a new one until it is put back."""
    world.put("finished")
    names = ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"]
    path = world.model / draw.choice(names)
    before = path.read_bytes()
    how = spoil(path, draw)
    changed = not path.is_file() or path.read_bytes() != before
    try:
        code, err = world.end(world.start())
        assert code in (0, 1, 2), err
        assert code != 0 or (NOTHING_TO_DO in err) is not changed, err
        errors = [line for line in err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == (code != 0), err
    finally:
        path.write_bytes(before)
    ended = {0: "counted as new", 1: "failed in one line", 2: "refused in one line"}[code]
    return Result(f"run: input from outside {how}", "a finished run", ended, then_finish(world, draw))


KINDS: dict[str, tuple[int, Callable[[RunWorld, Random], Result]]] = {
    "run_damaged": (20, damaged),
    "run_killed": (12, killed),
    "run_no_weights": (4, no_weights),
    "run_sabotaged": (4, sabotaged),
    "run_full_disk": (3, full_disk),
    "run_twice": (2, twice),
    "run_clock": (3, clock),
    "run_outside": (2, outside),
}
"""The kinds of faults with their shares of 50."""
