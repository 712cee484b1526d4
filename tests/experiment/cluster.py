"""A real Slurm on this machine for tests, and what they do to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from tests.conftest import ROOT
from w2s_factory.experiment.slurm import SlurmJob, known_jobs

SCRIPT = ROOT / "scripts/slurm.sh"
CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("slurmctld", "slurmd", "munged", "slurmdbd", "mariadbd")


def missing() -> str:
    """What this machine lacks to start a Slurm; "" if it lacks nothing."""
    if os.geteuid() != 0:
        return "root"
    return ", ".join(name for name in PROGRAMS if shutil.which(name) is None)


def until(holds, seconds=90.0, what="what was waited for"):
    """Wait until something holds; what it returns."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := holds():
            return value
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} seconds")


@contextlib.contextmanager
def meanwhile(does):
    """Do something in a thread during the block; what it raises is raised after the block."""
    raised = []

    def run():
        try:
            does()
        except Exception as error:  # noqa: BLE001  raised in the main thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(120)
        if raised:
            raise raised[0]


class Cluster:
    """A Slurm of two nodes with two cores each."""

    def __init__(self, folder: Path, *, accounting: bool):
        self.folder, self.accounting = folder, accounting

    def start(self, **settings: str):
        environ = {**os.environ, **settings, **({"SLURM_ACCOUNTING": "1"} if self.accounting else {})}
        log = self.folder / "start.log"
        with log.open("w") as written:  # a pipe would stay open for as long as the daemons live
            done = subprocess.run(
                [SCRIPT, "up", self.folder / "slurm"],
                check=False,
                env=environ,
                stdout=written,
                stderr=written,
            )
        assert done.returncode == 0, log.read_text()

    def stop(self):
        subprocess.run([SCRIPT, "down", self.folder / "slurm"], check=True, stdout=subprocess.DEVNULL)

    @property
    def limits_memory(self) -> bool:
        """Whether Slurm enforces the memory of jobs here."""
        return (self.folder / "slurm/cgroup.conf").exists()

    def stop_controller(self):
        """End the controller; the nodes and their jobs go on."""
        controller = psutil.Process(int((self.folder / "slurm/slurmctld.pid").read_text()))
        controller.terminate()
        until(
            lambda: not controller.is_running() or controller.status() == psutil.STATUS_ZOMBIE, what="its end"
        )

    def start_controller(self):
        configured = {**os.environ, "SLURM_CONF": str(CONFIG)}
        subprocess.run(["slurmctld"], check=True, env=configured, stdout=subprocess.DEVNULL)

    def jobs(self, folder=None) -> list[SlurmJob]:
        """The jobs of a run's folder, those that have ended included."""
        return [job for job in known_jobs() if folder is None or job.folder == str(folder)]

    def job(self, folder, step: str, state: str) -> SlurmJob:
        """The job of a step, once it is in a state."""

        def found():
            return next((j for j in self.jobs(folder) if (j.rule, j.state) == (f"seed0_{step}", state)), None)

        return until(found, what=f"{step} {state}")

    def per_step(self, folder) -> Counter[str]:
        """The number of jobs of each step, by Slurm's own records."""
        return Counter(job.rule.removeprefix("seed0_") for job in self.jobs(folder))

    def submit(self, *options: str, sleep: int = 60) -> str:
        return asked("sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap=sleep {sleep}").strip()

    def cancel_all(self):
        asked("scancel", "--user=root")
        until(lambda: not [job for job in self.jobs() if job.active], what="the end of all jobs")

    def kill_node(self, name: str):
        """Kill a node: its daemon, and all processes of its jobs."""
        daemon = self.folder / "slurm" / f"slurmd.{name}.pid"
        numbers = {job.id for job in self.jobs() if job.node == name}
        psutil.Process(int(daemon.read_text())).kill()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                title = " ".join(process.cmdline())
                is_daemon = any(title.startswith(f"slurmstepd: [{number}.") for number in numbers)
                if is_daemon or process.environ().get("SLURM_JOB_ID") in numbers:
                    process.kill()

    def revive_node(self, name: str):
        subprocess.run([SCRIPT, "node", self.folder / "slurm", name], check=True)
        until(lambda: name in asked("sinfo", "-h", "-N", "-t", "idle", "-o", "%N"), what=f"{name} is back")


def asked(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
