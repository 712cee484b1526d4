"""Leaving the process: its exit code, and for a failure or a warning one line on stderr."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import click

from w2s_factory.errors import UserError, W2SError, one_line
from w2s_factory.terminal import colour, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

INTERRUPTED = 130

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""The system's errors for a full or read-only disk, which name no file where a temporary one is concerned."""


_SHOW = warnings.showwarning


class _NamedStream:
    """A stream whose errors name it: the system reports those of stdout and stderr without a file name."""

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
    """Do a command's work, flush what it printed, and leave with its exit code."""
    for attribute, name in (("stdout", "standard output"), ("stderr", "standard error")):
        if (stream := getattr(sys, attribute)) is not None and not isinstance(stream, _NamedStream):
            if isinstance(stream, io.TextIOWrapper):  # escapes characters that the terminal cannot show
                stream.reconfigure(errors="backslashreplace")
            setattr(sys, attribute, _NamedStream(stream, name))
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show
            code = work()
    except SystemExit as ended:
        code = ended.code
    if sys.stdout is not None:
        sys.stdout.flush()
    sys.exit(code)


def _show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """Print a warning of this package as one line, and others as Python does."""
    if issubclass(category, UserWarning) and category.__module__.startswith("w2s_factory."):
        click.secho(f"warning: {one_line(str(message))}", fg="yellow", err=True, color=colour())
    else:
        _SHOW(message, category, *place, **more)


def fail(error: BaseException) -> NoReturn:
    """Print an error as one line and leave with its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        with contextlib.suppress(OSError):
            click.echo(error.format_message(), err=True)
        _leave(error.exit_code)
    if isinstance(error, BrokenPipeError):  # the reader of our output is gone, so nobody would see a message
        _leave(1)
    text, code = _message(error)
    with contextlib.suppress(OSError):  # stderr itself cannot be written
        click.secho("Error: ", fg="red", bold=True, nl=False, err=True, color=colour())
        click.echo(one_line(text), err=True)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Leave; output that cannot be written is discarded, or the interpreter would report it once more."""
    for stream in (sys.stdout, sys.stderr):
        if _fails(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _fails(stream: object) -> bool:
    """Return whether flushing a stream fails."""
    try:
        stream.flush()  # type: ignore[attr-defined]
    except OSError:
        return True
    except (AttributeError, ValueError):  # there is no stream, or it is closed
        return False
    return False


def _message(error: BaseException) -> tuple[str, int]:
    """Return the text of an error and its exit code."""
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
            return _system_error(error)
        case RuntimeError() if str(error).startswith("Symlink loop from "):  # Python before 3.13
            return _system_error(OSError(errno.ELOOP, os.strerror(errno.ELOOP), _loop(error)))
    return f"{type(error).__name__}: {shortened(str(error))} (unexpected; --debug shows the traceback)", 1


def _system_error(error: OSError) -> tuple[str, int]:
    """Return the text and exit code of a system error.

    An error that names a file is the user's to fix, and so is a full disk; others are not.
    """
    if isinstance(error, FileNotFoundError) and error.filename is None:  # raised by os.getcwd()
        return str(UserError("the current folder no longer exists")), UserError.exit_code
    if error.filename is None:
        return f"the system: {error.strerror}", UserError.exit_code if error.errno in _DISK else 1
    return str(UserError(str(error.strerror), file=os.fsdecode(error.filename))), UserError.exit_code


def _loop(error: RuntimeError) -> str:
    return str(error).removeprefix("Symlink loop from ").strip("'")
