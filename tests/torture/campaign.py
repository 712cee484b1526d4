"""The size of a campaign, its shares by kind of fault, and the table of what came of each fault."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FAULTS = int(os.environ.get("W2S_FAULTS", "80"))
"""The number of faults: 80 in the whole suite, 1,000 in `make torture`."""

SEED = os.environ.get("W2S_FAULTS_SEED") or "0"
"""The seed from which every fault is drawn."""

LOG = os.environ.get("W2S_FAULTS_LOG", "") and str(Path(os.environ["W2S_FAULTS_LOG"]).absolute())
"""The file that gets a line for each fault, also from parallel processes; "" for none."""

BATCH = 10
"""The number of faults of one test."""


@dataclass(frozen=True)
class Result:
    """What came of one fault.

    Attributes:
        kind: The kind of fault.
        subject: The command or file that it met.
        ended: How the command ended under the fault.
        then: What made the files whole: `the same command`, `--force`, the next `run`.
    """

    kind: str
    subject: str
    ended: str
    then: str


def batches(shares: dict[str, int], faults: int) -> Iterator[tuple[str, int, int]]:
    """Yield kind, number of the batch, and faults in it, so that the kinds have their shares of all faults."""
    total, given, drawn = sum(shares.values()), 0, 0
    for kind, share in shares.items():
        drawn += share
        count = round(faults * drawn / total) - given
        given += count
        for number, start in enumerate(range(0, count, BATCH)):
            yield kind, number, min(BATCH, count - start)


def draws(kind: str, batch: int, faults: int) -> Iterator[Random]:
    """Yield a source of chance for each fault of a batch, the same for the same seed."""
    for number in range(faults):
        yield Random(f"{SEED} {kind} {batch} {number}")


def may_mount(folder: Path) -> bool:
    """Return whether this process may mount a file system on a folder."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """Mount a small file system on a folder; yield a function that mounts it again with other options."""

    def mount(options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True
        )

    folder.mkdir()
    mount(options)
    try:
        yield lambda changed: mount(f"remount,{changed}")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


CLOCKS = ("-20y", "+15y", "+1d x50", "@2038-01-19 03:14:00", "@1999-12-31 23:59:59")
"""Clocks of libfaketime: other years, one that is too fast, and two ends of an era."""


def faked_clock(draw: Random) -> dict[str, str] | None:
    """Return the environment of a process with another clock; None without libfaketime.

    It is where Debian's package installs it, or the file that W2S_LIBFAKETIME names. The monotonic clock stays
    the real one: no change of the system's clock touches it, and with another one, waiting for a lock with a
    time limit never ends. What libfaketime then does wrong is set right in `saboteur/sitecustomize.py`.
    """
    named = os.environ.get("W2S_LIBFAKETIME")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        return None
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": draw.choice(CLOCKS), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def note(result: Result) -> None:
    """Keep a result for the table."""
    if LOG:
        with Path(LOG).open("a") as log:
            log.write(json.dumps(asdict(result)) + "\n")


SKIPPED = "skipped on this machine"


def note_skipped(kind: str, faults: int) -> None:
    """Keep for the table that faults of a kind were not possible here."""
    for _ in range(faults):
        note(Result(kind, "", SKIPPED, ""))


def table(lines: Iterable[str]) -> list[str]:
    """Return the table of kinds and outcomes, in the form of the documentation."""
    results = [Result(**json.loads(line)) for line in lines]
    counts = Counter((result.kind, result.ended, result.then) for result in results)
    rows = [
        f"| {kind} | {count} | {ended} | {then} |" for (kind, ended, then), count in sorted(counts.items())
    ]
    head = ["| kind of fault | faults | under the fault | the files are whole after |", "|---|---|---|---|"]
    skipped = sum(result.ended == SKIPPED for result in results)
    left_out = f", {skipped:,} more were skipped" if skipped else ""
    return [*head, *rows, f"{len(results) - skipped:,} faults{left_out}"]
