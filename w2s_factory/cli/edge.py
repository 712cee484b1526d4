"""Where exceptions end: one line on stderr and the exit code."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from w2s_factory.errors import UserError, W2SError, one_line
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

INTERRUPTED = 130

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""The system's errors for a disk that is full or cannot be written (temporary files)."""


class _Named:
    """A stream that names itself in the errors of its file, which the system reports without a name."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        with self._naming():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._naming():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from None


def leave(work: Callable[[], Any]) -> NoReturn:
    """Do a command's work and leave with its exit code, once all it printed has reached who reads it."""
    for attribute, name in (("stdout", "standard output"), ("stderr", "standard error")):
        if (stream := getattr(sys, attribute)) is not None and not isinstance(stream, _Named):
            if isinstance(stream, io.TextIOWrapper):  # characters that the terminal lacks are escaped
                stream.reconfigure(errors="backslashreplace")
            setattr(sys, attribute, _Named(stream, name))
    try:
        code = work()
    except SystemExit as ended:
        code = ended.code
    if sys.stdout is not None:
        sys.stdout.flush()
    sys.exit(code)


def fail(error: BaseException) -> NoReturn:
    """Print what went wrong as one line and leave with its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        with contextlib.suppress(OSError):
            click.echo(error.format_message(), err=True)
        _leave(error.exit_code)
    if isinstance(error, BrokenPipeError):  # who read our output has left: nothing more to say to anybody
        _leave(1)
    text, code = _told(error)
    with contextlib.suppress(OSError):  # there is nowhere to report it
        click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(one_line(text), err=True)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Leave; what can't be printed any more is given up, so that the interpreter does not complain of it."""
    for stream in (sys.stdout, sys.stderr):
        if _fails(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _fails(stream: object) -> bool:
    """Whether something was written to a stream that its file does not take."""
    try:
        stream.flush()  # type: ignore[attr-defined]
    except OSError:
        return True
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
    return False


def _told(error: BaseException) -> tuple[str, int]:
    match error:
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "w2s-factory"
            return f"{' '.join(error.format_message().split())} (see {path} --help)", error.exit_code
        case click.ClickException():
            return " ".join(error.format_message().split()), error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", INTERRUPTED
        case W2SError():
            return str(error), error.exit_code
        case OSError() if error.strerror:
            return _environment(error)
        case RuntimeError() if str(error).startswith("Symlink loop from "):  # Python before 3.13
            return _environment(OSError(errno.ELOOP, os.strerror(errno.ELOOP), _loop(error)))
    return f"{type(error).__name__}: {shortened(str(error))} (unexpected; --debug shows where)", 1


def _environment(error: OSError) -> tuple[str, int]:
    """Return what the system said of a file, which is the user's to fix; of no file, it is nobody's."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # raised by os.getcwd()
        return str(UserError("the current folder no longer exists")), UserError.exit_code
    if error.filename is None:
        return f"the system: {error.strerror}", UserError.exit_code if error.errno in _DISK else 1
    return str(UserError(str(error.strerror), file=os.fsdecode(error.filename))), UserError.exit_code


def _loop(error: RuntimeError) -> str:
    return str(error).removeprefix("Symlink loop from ").strip("'")
