"""Faults that a whole run meets: each function draws one, and asserts that the next `run` ends in the same files."""

from __future__ import annotations

import os
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


def then_finish(world: RunWorld, draw: Random) -> str:
    """Run to the end and compare; now and then once more, when nothing is left to do."""
    world.finish()
    world.check_whole()
    if draw.random() < 0.2:
        assert "nothing to do: every step is complete" in world.finish()
    return "the next run"


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
    how = ""
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        path = own_file(world, draw)
        how = spoil(path, draw) if path.is_file() else how
    return Result(f"run: own file {how}", f"a {state} run", "found", then_finish(world, draw))


def no_weights(world: RunWorld, draw: Random) -> Result:
    """Delete the weights or the config of a trained model."""
    state = draw.choice(("half", "finished"))
    world.put(state)
    found = [
        *world.folder.glob("seed0/models/*/*model.safetensors"),
        *world.folder.glob("seed0/models/*/*config.json"),
    ]
    draw.choice(sorted(found)).unlink()
    return Result("run: deleted weights", f"a {state} run", "found", then_finish(world, draw))


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
    path = world.model / draw.choice(["config.json", "tokenizer.json", "generation_config.json"])
    before = path.read_bytes()
    how = spoil(path, draw)
    try:
        code, err = world.end(world.start())
        assert code in (0, 1, 2), err
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
