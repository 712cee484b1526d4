"""Gold answers taken out of a column by a regular expression, with a limit of time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from w2s_factory.errors import missing_package

SECONDS: Final = 1.0
"""Seconds that a regular expression may take on one row; usual ones take microseconds."""


@lru_cache(64)
def compiled(pattern: str) -> Any:
    """Return a regular expression of the package `regex`, which can be stopped after a while.

    Raises:
        UserError: The package is missing.
        ValueError: The text is not a regular expression, or has no group.
    """
    try:
        import regex  # noqa: PLC0415  only such tasks need it
    except ImportError:
        raise missing_package("regex") from None
    try:
        found = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"is not a regular expression ({error})") from None
    if not found.groups:
        raise ValueError(f"expected a group, as in (.+), which is the answer, got {pattern!r}")
    return found


def last_group(pattern: str, text: str) -> str | None:
    """Return the first group of the last match; None if there is no match.

    Raises:
        ValueError: The search takes too long.
    """
    last = None
    try:
        for match in compiled(pattern).finditer(text, timeout=SECONDS):
            last = match
    except TimeoutError:
        raise ValueError(f"takes more than {SECONDS:g} s") from None
    return None if last is None else str(last[1] or "").strip()
