"""Running LLaMA-Factory in the foreground: its output live, signals handed on, no process left behind."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
import uuid
from typing import TYPE_CHECKING

import psutil

from w2s_factory.errors import DelegateError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

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
