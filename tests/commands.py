"""Commands run in this process, each as it would run in a process of its own.

Where exit codes of a real process, signals or limits are the subject, a test starts `python -m w2s_factory`.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from w2s_factory import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLED = (signal.SIGTERM, signal.SIGHUP)
"""The signals for which a command installs handlers."""


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder and return its exit code and what it and its children printed."""
    argv = ["w2s-factory", *map(str, words)]
    with _captured(1, "stdout") as out, _captured(2, "stderr") as err, _as_process(argv, folder):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:  # noqa: BLE001  as Python itself ends with it
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _captured(descriptor: int, name: str) -> Iterator[io.StringIO]:
    """Send a standard stream and its descriptor, which children inherit, to a file; yield its text."""
    text, before, kept = io.StringIO(), getattr(sys, name), os.dup(descriptor)
    with tempfile.TemporaryFile() as file:
        stream: TextIO = io.TextIOWrapper(
            os.fdopen(os.dup(file.fileno()), "wb", 0), "utf-8", write_through=True
        )
        before.flush()
        os.dup2(file.fileno(), descriptor)
        setattr(sys, name, stream)
        try:
            yield text
        finally:
            setattr(sys, name, before)
            os.dup2(kept, descriptor)
            os.close(kept)
            file.seek(0)
            text.write(io.TextIOWrapper(file, "utf-8", "backslashreplace").read())


@contextlib.contextmanager
def _as_process(argv: list[str], folder: Path) -> Iterator[None]:
    """Give the block the arguments, folder, environment, handlers and warnings of a process of its own."""
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    here, environ, before = Path.cwd(), dict(os.environ), sys.argv
    sys.argv = argv
    os.chdir(folder)
    try:
        with warnings.catch_warnings():
            warnings.resetwarnings()
            for unseen in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", unseen)
            warnings.showwarning = _print_warning
            yield
    finally:
        sys.argv = before
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environ)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _print_warning(message, category, filename, lineno, file=None, line=None):
    """Print a warning on stderr, as Python does where nobody collects warnings."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
