"""Compare the CPU time of `w2s-factory --help` with that of importing click; the target is at most twice."""

from __future__ import annotations

import resource
import subprocess
import sys

RUNS = 15
AIM = 2.0
BASE = [sys.executable, "-c", "import click"]
HELP = [sys.executable, "-m", "w2s_factory", "--help"]


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Take turns, so that a busy moment hits both; compare the best runs."""
    for command in (BASE, HELP):  # the first run writes the byte code
        cpu_seconds(command)
    runs = [(cpu_seconds(BASE), cpu_seconds(HELP)) for _ in range(RUNS)]
    base, shown = (min(column) for column in zip(*runs, strict=True))
    print(f'python -c "import click"   {base * 1000:6.1f} ms CPU (best of {RUNS})')
    print(f"w2s-factory --help         {shown * 1000:6.1f} ms CPU")
    print(f"ratio                      {shown / base:6.2f} (aim: at most {AIM:.0f})")


if __name__ == "__main__":
    main()
