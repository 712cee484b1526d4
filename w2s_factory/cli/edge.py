"""Where exceptions end: one line on stderr and the exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from w2s_factory.errors import W2SError, one_line

INTERRUPTED = 130


def fail(error: BaseException) -> NoReturn:
    """Print what went wrong as one line and leave with its exit code."""
    text, code = _told(error)
    if text:
        click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(one_line(text), err=True)
    sys.exit(code)


def _told(error: BaseException) -> tuple[str, int]:
    match error:
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "w2s-factory"
            return f"{error.format_message()} (see {path} --help)", error.exit_code
        case click.ClickException():
            return error.format_message(), error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", INTERRUPTED
        case W2SError():
            return str(error), error.exit_code
        case BrokenPipeError():
            return "", 1
        case OSError() if error.strerror:
            return f"{error.filename or 'the system'}: {error.strerror}", 1
    return f"{type(error).__name__}: {error} (unexpected; --debug shows where)", 1
