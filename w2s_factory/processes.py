"""Locks on folders, and programs run in the foreground with their families of processes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import psutil

from w2s_factory.errors import DelegateError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

FALLBACK: Final = ".w2s-factory.lock"
"""The lock file in folders of file systems that cannot lock a folder itself."""

_NO_FOLDER_LOCKS: Final = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
"""Errors of file systems that cannot lock a folder; NFS, for one, locks only what is open for writing."""


@contextmanager
def locked(folders: Iterable[Path]) -> Iterator[None]:
    """Hold these folders until the block ends, waiting for whoever holds one of them.

    The lock is on the folder itself and leaves no file behind. On a file system that has no such locks a
    lock file stays in the folder instead. A process that ends, however it ends, lets go of its locks.

    Raises:
        UserError: A folder cannot be opened or locked.
    """
    with ExitStack() as held:
        opened: dict[tuple[int, int], tuple[int, Path]] = {}
        for folder in folders:
            handle = _opened(folder)
            held.callback(os.close, handle)
            status = os.fstat(handle)
            opened.setdefault((status.st_dev, status.st_ino), (handle, folder))
        for _, (handle, folder) in sorted(
            opened.items()
        ):  # one order for all, so that none waits in a circle
            _lock(handle, folder, held)
        yield


def _opened(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"cannot be opened ({error.strerror})", file=folder) from None


def _lock(handle: int, folder: Path, held: ExitStack) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_FOLDER_LOCKS:
            raise UserError(f"cannot be locked ({error.strerror})", file=folder) from None
        from filelock import FileLock  # noqa: PLC0415  costs time that most file systems need not pay

        try:
            held.enter_context(FileLock(folder / FALLBACK))
        except OSError as failed:
            raise UserError(f"cannot be locked ({failed.strerror})", file=folder) from None


GRACE = 10.0
"""Seconds all processes have to end after a signal handed on, and again after SIGTERM, before SIGKILL."""

_HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MARK = "W2S_FACTORY_RUN"
"""The variable by which a run's processes are found, whoever started them, living or not."""


class _Signalled(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


def run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run a command to its end; its output goes where ours goes, and it reads nothing.

    SIGINT, SIGTERM and SIGHUP are handed on to every process of the run. LLaMA-Factory kills `torchrun`
    when it is interrupted, which then can't end its ranks: whoever is left after a while is ended here.

    Raises:
        UserError: It can't be started.
        DelegateError: It failed, and `exit_code` is its own, or was ended by a signal, 128 + its number.
        KeyboardInterrupt: We were interrupted, and the run has ended.
    """
    mark = uuid.uuid4().hex
    with _signals_raised():
        process = _started(command, {**environ, _MARK: mark})
        try:
            code = process.wait()
        except BaseException as error:
            number = error.number if isinstance(error, _Signalled) else signal.SIGTERM
            _end(process, mark, number)
            if number == signal.SIGINT:
                raise KeyboardInterrupt from None
            if isinstance(error, _Signalled):
                raise _ended(command, number) from None
            raise
        if code != 0:
            _end(process, mark, signal.SIGTERM)
            raise _ended(command, -code) if code < 0 else _failed(command, code)


def _started(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            process_group=0,  # an interrupt from the terminal reaches it once: through us
        )
    except OSError as error:
        raise UserError(f"cannot be started ({error.strerror})", file=command[0]) from None


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """Turn the signals to hand on into an exception; those our caller ignores (nohup) stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return

    def raise_it(number: int, _frame: FrameType | None) -> None:
        raise _Signalled(number)

    heard = [number for number in _HANDED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, raise_it) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes], mark: str, number: int) -> None:
    """End every process of the run: the signal, then SIGTERM, then SIGKILL; at once if signalled again."""
    with contextlib.suppress(_Signalled):
        for gentle in (number, signal.SIGTERM):
            _send(mark, gentle)
            until = time.monotonic() + GRACE
            while _family(mark) and time.monotonic() < until:
                process.poll()  # so that it does not stay as a zombie
                time.sleep(0.05)
    _send(mark, signal.SIGKILL)
    process.wait()


def _send(mark: str, number: int) -> None:
    for one in _family(mark):
        with contextlib.suppress(psutil.Error):
            one.send_signal(number)


def _family(mark: str) -> list[psutil.Process]:
    """The run's living processes. Those we may not look at are not ours."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if one.environ().get(_MARK) == mark:
                found.append(one)
    return found


def _failed(command: Sequence[str], code: int) -> DelegateError:
    return DelegateError(
        f"{command[0]} failed with exit code {code}", hint="Its output above says why", exit_code=code
    )


def _ended(command: Sequence[str], number: int) -> DelegateError:
    return DelegateError(f"{command[0]} was ended by {signal.Signals(number).name}", exit_code=128 + number)
