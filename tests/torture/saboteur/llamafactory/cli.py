"""Trainings and merges that fail as W2S_SABOTAGE says, and otherwise work as the played ones."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from pathlib import Path

import yaml

WORKS = Path(__file__).parents[3] / "played/environment/llamafactory/cli.py"
WEIGHTS = ("adapter_model.safetensors", "model.safetensors")
CONFIGS = ("adapter_config.json", "config.json")


def main() -> None:
    how = os.environ.get("W2S_SABOTAGE", "")
    if how == "leaves nothing":
        return
    if how == "fails at once":
        sys.exit(1)
    runpy.run_path(str(WORKS), run_name="__main__")
    config = yaml.safe_load(Path(sys.argv[2]).read_text())
    if how.startswith("waits after "):
        wait_in_the_middle(Path(config.get("export_dir") or config["output_dir"]), int(how.split()[2]))
    elif how:
        AFTERWARDS[how](Path(config.get("export_dir") or config["output_dir"]))


def remove(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def halve(folder: Path) -> None:
    for path in (folder / name for name in WEIGHTS):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:20])


def wait_in_the_middle(folder: Path, size: int) -> None:
    """Leave the first bytes of the weights, say so by a file, and wait for the end."""
    for path in (folder / name for name in WEIGHTS):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:size])
    Path(os.environ["W2S_WAITING"]).touch()
    time.sleep(600)


AFTERWARDS = {
    "leaves no weights": lambda folder: remove(folder, WEIGHTS),
    "leaves no config": lambda folder: remove(folder, CONFIGS),
    "leaves half of the weights": halve,
    "fails at the end": lambda _: sys.exit(3),
    "is killed at the end": lambda _: os.kill(os.getpid(), signal.SIGKILL),
}

if __name__ == "__main__":
    main()
