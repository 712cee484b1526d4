"""The lock of a run's folder, which also holds across the machines that share the folder.

The system's lock on `.run.lock` ends with the process that holds it, but many shared file systems keep it
within one machine. `.run.owner` therefore names the process. It stays behind when that process is killed, and
is replaced only when the process has ended without doubt, or when the user says so.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from pydantic import BaseModel, ConfigDict, Field

from w2s_factory.errors import UserError
from w2s_factory.experiment import slurm
from w2s_factory.processes import NO_LOCKS, lock_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK: Final = ".run.lock"
OWNER: Final = ".run.owner"
_HINT: Final = "If it has ended, add --take-over"


class Owner(BaseModel):
    """The process that holds the lock of a folder.

    Attributes:
        host: The name of its machine.
        machine: The machine's id; "" if it has none.
        boot: The id of the machine's start; a machine in use has one of its own.
        namespace: The namespace of its process number.
        pid: Its process number.
        started: When it started, in the system's ticks since the machine's start.
        job: The number of its Slurm job; "" outside Slurm.
        restarts: How often Slurm had put that job back in the queue.
        cluster: The Slurm cluster of that job; "" if it is not known.
        uid: The number of the process's user; -1 in records of earlier versions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    host: str
    machine: str
    boot: str
    namespace: str
    pid: int = Field(gt=0)
    started: int
    job: str
    restarts: str
    cluster: str
    uid: int = -1

    def has_ended(self, us: Owner, *, locked: bool) -> bool:
        """Return whether this process has ended without doubt.

        Args:
            us: The process that asks.
            locked: Whether we hold the system's lock on the folder.
        """
        if self.boot == us.boot:  # one running system, whose lock we would not have been given
            return locked or (self.namespace == us.namespace and _started(self.pid) != self.started)
        if self.machine and (self.host, self.machine) == (us.host, us.machine):
            return True  # the machine was started again since
        if self.job and (self.job, self.cluster) == (us.job, us.cluster):
            return self.restarts != us.restarts  # Slurm has ended the job before it started it again
        return bool(self.job) and slurm.has_ended(self.job, self.cluster, self.uid)


@contextlib.contextmanager
def lock_folder(folder: Path, *, take_over: bool = False) -> Iterator[None]:
    """Hold the lock of a run's folder for the block.

    Args:
        folder: The folder, which exists.
        take_over: Replace the owner even if it may still be active.

    Raises:
        UserError: Another run is active in the folder, or may be.
        OSError: A file cannot be written.
    """
    with (folder / LOCK).open("a") as lock:
        try:
            locked = lock_at_once(lock.fileno())
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            locked = None
        if locked is False:
            raise UserError("another run is active in this folder", file=folder)
        us = _us()
        _replace_ended(folder, us, locked=locked is True, take_over=take_over)
        if not _create(folder / OWNER, _text(us)):
            raise UserError("another run has just started in this folder", file=folder)
        try:
            yield
        finally:
            _remove(folder / OWNER, _text(us))


@dataclass(frozen=True)
class Activity:
    """Whether a run is active in a folder.

    Attributes:
        active: None if that cannot be known, since its process would be on another machine.
        process: The number of its process; None if no run left a record of it that can be read.
        host: The machine of that process; "" likewise.
    """

    active: bool | None
    process: int | None = None
    host: str = ""


def activity(folder: Path) -> Activity:
    """Return whether a run is active in a folder, by the record of its owner; the lock is not touched.

    To try the lock, even for a moment, would make a run fail that starts just then.
    """
    try:
        owner = _read(_text_of(folder / OWNER))
    except FileNotFoundError:
        return Activity(active=False)
    except OSError:
        owner = None
    if owner is None:
        return Activity(active=None)
    us = _us()
    ended = owner.has_ended(us, locked=False)
    known = (owner.boot, owner.namespace) == (us.boot, us.namespace)
    return Activity(False if ended else True if known else None, owner.pid, owner.host)


def _replace_ended(folder: Path, us: Owner, *, locked: bool, take_over: bool) -> None:
    """Remove the record of an owner that has ended.

    Raises:
        UserError: It may still be active.
    """
    file = folder / OWNER
    try:
        text = _text_of(file)
    except FileNotFoundError:
        return
    owner = _read(text)
    if not take_over and not (owner and owner.has_ended(us, locked=locked)):
        who = f"on {owner.host}, process {owner.pid}" if owner else "its record cannot be read"
        problem = f"another run may be active in this folder ({who})"
        raise UserError(problem, file=folder, hint=_HINT, topic="another-run")
    if not _remove(file, text):
        raise UserError("another run has just started in this folder", file=folder)


def _remove(file: Path, text: str) -> bool:
    """Remove a record if it still has this text; return whether it had.

    It is renamed first: of two processes that do so, one finds no file.
    """
    aside = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
    try:
        if _text_of(file) != text:
            return False
        file.rename(aside)
    except FileNotFoundError:
        return False
    ours = _text_of(aside) == text
    if not ours:
        with contextlib.suppress(FileExistsError):
            os.link(aside, file)
    aside.unlink()
    return ours


def _create(file: Path, text: str) -> bool:
    """Create a file with a text, at once and on the disk; return False if it exists."""
    aside = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
    try:
        _write(aside, text)
        try:
            os.link(aside, file)  # unlike a rename, it fails if the file exists, on network file systems too
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            _write(file, text)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def _write(file: Path, text: str) -> None:
    """Write a new file to the disk.

    Raises:
        FileExistsError: The file exists.
    """
    with file.open("x", encoding="utf-8") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())


def _text(owner: Owner) -> str:
    return owner.model_dump_json(indent=1) + "\n"


def _text_of(file: Path) -> str:
    """Return the text of a record, whatever its bytes are; "" if it is a pipe, which would be waited for.

    Raises:
        OSError: It does not exist or cannot be read.
    """
    return "" if file.is_fifo() else file.read_text("utf-8", "surrogateescape")


def _read(text: str) -> Owner | None:
    """Return the owner that a record names; None if the record is damaged."""
    try:
        return Owner.model_validate_json(text)
    except ValueError:  # also where it is not UTF-8
        return None


def _us() -> Owner:
    """Return this process as an owner."""
    return Owner(
        host=platform.node(),
        machine=_content("/etc/machine-id"),
        boot=_boot(),
        namespace=_namespace(),
        pid=os.getpid(),
        started=_started(os.getpid()),
        job=slurm.own_job(),
        restarts=os.environ.get("SLURM_RESTART_COUNT", "0"),
        cluster=os.environ.get("SLURM_CLUSTER_NAME", ""),
        uid=os.getuid(),
    )


def _content(file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError:
        return ""


def _boot() -> str:
    """Return the id of this machine's start."""
    return _content("/proc/sys/kernel/random/boot_id") or f"{platform.node()} {psutil.boot_time():.0f}"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> int:
    """Return when a process started; 0 if there is none.

    On Linux it is in ticks since the machine's start, which no change of the clock moves (proc(5), field 22).
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        return int(after_name.split()[19])
    except (OSError, IndexError, ValueError):
        pass
    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0
