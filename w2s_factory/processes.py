"""Locks, families of processes, signals handed on to them, a limit of memory, and progress on stderr."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psutil

from w2s_factory.errors import DelegateError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from tqdm import tqdm

ItemT = TypeVar("ItemT")

FALLBACK: Final = ".w2s-factory.lock"
"""The lock file in folders of file systems that cannot lock a folder itself."""

NO_LOCKS: Final = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
"""Errors of file systems that cannot lock this; NFS, for one, locks only what is open for writing."""


@contextmanager
def locked(folders: Iterable[Path]) -> Iterator[None]:
    """Hold the locks of these folders until the block ends, waiting for processes that hold one of them.

    The lock is on the folder itself and leaves no file behind. On a file system that has no such locks a
    lock file stays in the folder instead. A process that ends, however it ends, releases its locks.

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
        in_order = sorted(opened.items())  # the same in every process, so that none waits in a circle
        for _, (handle, folder) in in_order:
            _lock_folder(handle, folder, held)
        yield


def lock_at_once(handle: int) -> bool:
    """Lock an open file until it is closed; return False if another process holds its lock.

    Raises:
        OSError: The file cannot be locked at all.
    """
    return _lock(handle, wait=False)


def _opened(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"cannot be opened ({error.strerror})", file=folder) from None


def _lock_folder(handle: int, folder: Path, held: ExitStack) -> None:
    try:
        _lock(handle, wait=True)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise UserError(f"cannot be locked ({error.strerror})", file=folder) from None
        from filelock import FileLock  # noqa: PLC0415  as below

        try:
            held.enter_context(FileLock(folder / FALLBACK))
        except OSError as failed:
            raise UserError(f"cannot be locked ({failed.strerror})", file=folder) from None


def _lock(handle: int, *, wait: bool) -> bool:
    from filelock import lock_descriptor  # noqa: PLC0415  commands that write nothing need not load it

    return lock_descriptor(handle, blocking=wait)


GRACE = 10.0
"""Seconds that all processes have to end after a signal, and again after SIGTERM, before SIGKILL."""

_HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MARK = "W2S_FACTORY_RUN"
"""The environment variable by which a run's processes are found, also those whose parent has ended."""


class _Signalled(BaseException):
    """A signal that is to be handed on."""

    def __init__(self, number: int) -> None:
        self.number = number


def run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run a command to its end, with our standard output and error, and with an empty standard input.

    SIGINT, SIGTERM and SIGHUP are handed on to every process of the run. When LLaMA-Factory is interrupted,
    it kills `torchrun`, which then cannot end its ranks: processes that are still there after `GRACE` seconds
    are ended here.

    Raises:
        UserError: The command cannot be started.
        DelegateError: It failed (`exit_code` is its own), or a signal ended it (128 + the signal's number).
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
    """Raise `_Signalled` at the signals to hand on; those our caller ignores (nohup) stay ignored."""
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
    """End every process of the run: by the signal, then SIGTERM, then SIGKILL.

    A second signal to us skips to SIGKILL.
    """
    with contextlib.suppress(_Signalled):
        for gentle in (number, signal.SIGTERM):
            _send(mark, gentle)
            until = time.monotonic() + GRACE
            while family(_MARK, mark) and time.monotonic() < until:
                process.poll()  # so that it does not stay as a zombie
                time.sleep(0.05)
    _send(mark, signal.SIGKILL)
    process.wait()


def _send(mark: str, number: int) -> None:
    for process in family(_MARK, mark):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def kill_family(variable: str, value: str, spared: Callable[[Mapping[str, str]], bool] | None = None) -> None:
    """Kill all processes, except this one, that have a value in an environment variable; wait for their end.

    Args:
        variable: The variable, which children inherit.
        value: The value that marks the family.
        spared: Returns whether a process stays, from its environment; all are killed if None.
    """
    found = family(variable, value, spared)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(found, timeout=GRACE)


def family(
    variable: str, value: str, spared: Callable[[Mapping[str, str]], bool] | None = None
) -> list[psutil.Process]:
    """Return the living processes, except this one and those spared, that have a value in a variable."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # those that we may not read are not ours
            environ = {} if process.pid == os.getpid() else process.environ()
            if environ.get(variable) == value and not (spared and spared(environ)):
                found.append(process)
    return found


def _failed(command: Sequence[str], code: int) -> DelegateError:
    return DelegateError(
        f"{command[0]} failed with exit code {code}",
        hint="Its output above says why",
        topic="program-failed",
        exit_code=code,
    )


def _ended(command: Sequence[str], number: int) -> DelegateError:
    return DelegateError(f"{command[0]} was ended by {signal.Signals(number).name}", exit_code=128 + number)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


_TERMINAL_SECONDS, _PIPE_SECONDS = 0.5, 30.0
"""Seconds between two states of a progress bar, in a terminal and in a file or pipe."""


def say(text: str) -> None:
    """Print a line on stderr, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def with_progress(items: Iterable[ItemT], name: str, unit: str) -> Iterator[ItemT]:
    """Yield the items; in a terminal a progress bar on stderr shows how many are done, and then disappears.

    Args:
        items: The items.
        name: The text before the bar.
        unit: The name of one item.
    """
    from tqdm import tqdm  # noqa: PLC0415  only long work shows progress

    yield from tqdm(items, name, unit=unit, leave=False, disable=None)


def progress_bar(total: int, done: int, unit: str) -> tqdm[Any]:
    """Return a progress bar on stderr with rate and remaining time, for the caller to update.

    It stays when it is closed. Where stderr is a file or a pipe, it is printed every 30 seconds.

    Args:
        total: The number of items.
        done: The number of items that were done before.
        unit: The name of the items, in the plural.
    """
    from tqdm import tqdm  # noqa: PLC0415  only long work shows progress

    return tqdm(
        total=total,
        initial=done,
        unit=f" {unit}",
        mininterval=_TERMINAL_SECONDS if sys.stderr.isatty() else _PIPE_SECONDS,
        file=sys.stderr,
    )


def address_space() -> int:
    """Return the size of this process's address space in bytes; only on Linux."""
    import resource  # noqa: PLC0415  not on every platform

    with open("/proc/self/statm") as sizes:  # noqa: PTH123  quick, as each response is read under a limit
        return int(sizes.read().split()[0]) * resource.getpagesize()


@contextmanager
def limited_memory(more: int) -> Iterator[None]:
    """Let this process take at most so many bytes more than it has, until the block ends; only on Linux.

    Raises:
        MemoryError: The block needs more.
    """
    if sys.platform != "linux":
        yield
        return
    import resource  # noqa: PLC0415  not on every platform

    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = address_space() + more
    if before != resource.RLIM_INFINITY and before <= most:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
