"""Text that fits a terminal: the end of a log, the gist of another program's error, long lines wrapped."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import one_line

if TYPE_CHECKING:
    from pathlib import Path

WIDTH: Final = 100
"""Columns of what is printed for people to read."""

_LINES, _CHARACTERS = 15, 300
"""Lines shown of a log, and characters of one line; some programs print a megabyte on one."""

_READ = 2**20
"""Bytes of a log's end that are looked at."""

_END = 95
"""Characters kept of the end of a shortened line, where errors often say what is wrong."""


def end_of_log(log: Path, start: int = 0) -> list[str]:
    """Return the last lines of a log, each shortened, with control characters made visible.

    Args:
        log: The file.
        start: The first byte to read: what is before it is of an earlier run.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - _READ))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ["(nothing was written)"]
    return [shortened(line) for line in text.splitlines()[-_LINES:]]


def shortened(text: str) -> str:
    """Return a text as one line of at most 300 characters: the middle of a longer one is left out."""
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
    """Breaks lines at blanks and behind slashes."""

    wordsep_simple_re = re.compile(r"(\s+|(?<=/))")


def wrapped(text: str, first: str = "", then: str = "  ") -> str:
    """Return a text in lines of at most 100 columns.

    Args:
        text: One or more lines; each is wrapped for itself.
        first: What stands before each line.
        then: What stands before a line that goes on with the one above.
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
