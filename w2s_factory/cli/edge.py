"""Where exceptions end: one line on stderr and the exit code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from w2s_factory.errors import W2SError, one_line
from w2s_factory.terminal import shortened

INTERRUPTED = 130


def fail(error: BaseException) -> NoReturn:
    """Print what went wrong as one line and leave with its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    if isinstance(error, BrokenPipeError):  # who read our output has left: nothing more to say to anybody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    text, code = _told(error)
    click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(one_line(text), err=True)
    sys.exit(code)


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
            return f"{error.filename or 'the system'}: {error.strerror}", 1
    return f"{type(error).__name__}: {shortened(str(error))} (unexpected; --debug shows where)", 1
