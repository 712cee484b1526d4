"""Which LLaMA-Factory an environment holds, without importing it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.terminal import last_line

if TYPE_CHECKING:
    from pathlib import Path

DISTRIBUTIONS = ("llamafactory", "llmtuner")
"""Its names on PyPI: the present one, and the one up to 0.7.0."""

_SECONDS = 60
_ASK = f"""
import sys
sys.path = [folder for folder in sys.path if folder]  # nothing in the working folder is imported
from importlib import metadata
found = ""
for name in reversed({DISTRIBUTIONS!r}):
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print("found:" + found)
"""
_ANSWER = re.compile(r"found:(\S*)")


def installed_version(python: str | Path | None = None) -> str | None:
    """The version of the LLaMA-Factory installed, as its metadata say; None if there is none.

    Args:
        python: The interpreter of another environment (3.8 or newer); by default, this one.

    Raises:
        UserError: That interpreter cannot be run or does not answer.
    """
    if python is None or str(python) == sys.executable:
        return next(filter(None, map(_version, DISTRIBUTIONS)), None)
    try:
        asked = subprocess.run(
            [str(python), "-c", _ASK], capture_output=True, text=True, check=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            f"this Python cannot be asked for its LLaMA-Factory ({_reason(error)})", file=python
        ) from None
    answer = _ANSWER.fullmatch(asked.stdout.strip())
    if answer is None:
        raise UserError("does not answer as a Python interpreter does", file=python)
    return answer[1] or None


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    match error:
        case OSError():
            return error.strerror or type(error).__name__
        case subprocess.CalledProcessError():
            return last_line(error.stderr) or "no message"
    return f"no answer in {_SECONDS} s"
