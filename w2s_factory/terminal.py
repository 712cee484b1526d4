"""Text that fits a terminal: ends of logs, shortened errors of other programs, wrapped lines."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TYPE_CHECKING, Final, TextIO

from w2s_factory.errors import one_line

if TYPE_CHECKING:
    from pathlib import Path

WIDTH: Final = 100
"""Columns of what is printed for people to read."""

_LINES, _CHARACTERS = 15, 300
"""The lines shown of a log, and the characters of a line; some programs print a megabyte on one line."""

_READ = 2**20
"""The bytes at the end of a log that are read."""

_END = 95
"""The characters kept at the end of a shortened line, where errors often name the cause."""


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; it is None if the process was started with it closed."""
    return stream is not None and stream.isatty()


def colour() -> bool | None:
    """Return False where the environment wants no colours, and None where the stream decides."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def end_of_log(log: Path, start: int = 0) -> list[str]:
    """Return the last lines of a log, each shortened, with control characters made visible.

    Args:
        log: The file.
        start: The first byte to read, since earlier bytes are of an earlier run.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - _READ))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ["(nothing was written)"]
    return [shortened(line) for line in text.splitlines()[-_LINES:]]


def shortened(text: str) -> str:
    """Return a text as one line of at most 300 characters, without the middle of a longer text."""
    line = one_line(text)
    if len(line) <= _CHARACTERS:
        return line
    gap = " ... "
    return f"{line[: _CHARACTERS - _END - len(gap)]}{gap}{line[-_END:]}"


def first_line(text: str) -> str:
    """Return the first line that is not blank, shortened; "" if there is none."""
    return next((shortened(line.strip()) for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """Return the last line that is not blank, shortened; "" if there is none."""
    return next((shortened(line.strip()) for line in reversed(text.splitlines()) if line.strip()), "")


class _Wrapper(textwrap.TextWrapper):
    """A wrapper that breaks lines at blanks and after slashes."""

    wordsep_simple_re = re.compile(r"(\s+|(?<=/))")


def wrapped(text: str, first: str = "", then: str = "  ") -> str:
    """Return a text in lines of at most 100 columns.

    Args:
        text: One or more lines, which are wrapped separately.
        first: The indentation of each line.
        then: The indentation of the continuation lines.
    """
    wrapper = _Wrapper(
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        expand_tabs=False,
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    return "\n".join(
        (f"{first}{line}" if line else first.rstrip())
        if len(first) + len(line) <= WIDTH
        else wrapper.fill(line)
        for line in text.split("\n")
    )
