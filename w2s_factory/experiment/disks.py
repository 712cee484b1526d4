"""Files that a run's disk did not take, as opposed to steps that failed for reasons of their own."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_REASONS: Final = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)]
"""Why a disk does not take a file, as the system says it in any program's message."""

_FILES: Final = (
    re.compile(r"Error: (?P<file>.+?): cannot be written \("),  # ours
    re.compile(r"\[Errno \d+\] [^:]+: '(?P<file>[^']+)'"),  # Python's
)

_HINT: Final = "Make room there; the same command goes on from there"


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Report what the system says of a file, often without naming it, as the user's to fix.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=error.filename or file) from None


def unwritable(log: Iterable[str], folder: Path) -> UserError | None:
    """Return the error for a file that the disk did not take, if the end of a step's log says so.

    Args:
        log: The last lines of the log.
        folder: The run's folder, in which the step ran; it is named where the log names no file.
    """
    for line in log:
        for reason in _REASONS:
            if reason in line:
                found = next(filter(None, (pattern.search(line) for pattern in _FILES)), None)
                file = folder / found["file"] if found else folder
                return UserError(f"cannot be written ({reason})", file=file, hint=_HINT)
    return None
