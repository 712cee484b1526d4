"""Errors that are reported in one line, and the wording they share: values, near names.

A command fails in two ways: through the user's mistake, or through a program that we start.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

_SHOWN = 60
"""Characters of a value in a message."""

_CLOSE = 0.6
"""The least `difflib` ratio at which a name is taken for a misspelt one, by default."""

RAISED: Final = (Exception, SystemExit)
"""Errors in the code of other packages that are reported as its mistake; a KeyboardInterrupt is not."""


def troubleshooting(package: Path) -> str:
    """Return the page on troubleshooting: the file in an installed package, or its name in a clone.

    Args:
        package: The folder of this package.
    """
    name = "docs/troubleshooting.md"
    inside = package / name
    return str(inside) if inside.is_file() else name


TROUBLESHOOTING: Final = troubleshooting(Path(__file__).parent)
"""The page that explains errors by topic: each topic is the anchor of a section."""


class W2SError(Exception):
    """An error that is reported in one line instead of a traceback."""

    exit_code = 1


class UserError(W2SError):
    """An error in the user's input: the problem, its place, and what to do about it.

    Args:
        problem: The problem and what was expected instead, without a final full stop.
        file: The file with the problem, or the name of rows in memory.
        line: The line in the file, counted from 1 (in a JSON list, use `row`).
        row: The place in a JSON list, counted from 1.
        field: The key or option that is wrong.
        hint: What to do, as a sentence or a command.
        topic: The section of the page on troubleshooting that explains it.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        line: int | None = None,
        row: int | None = None,
        field: str | None = None,
        hint: str | None = None,
        topic: str | None = None,
    ) -> None:
        self.problem, self.hint, self.topic = problem, hint, topic
        self.file, self.line, self.row, self.field = file, line, row, field
        where = [] if file is None else [f"{file}:{line}" if line is not None else str(file)]
        where += [] if row is None else [f"row {row}"]
        where += [] if field is None else [f'field "{field}"']
        text = ": ".join([*where, problem])
        super().__init__(_with_advice(text, hint, topic))

    def at(
        self,
        *,
        file: object = None,
        line: int | None = None,
        row: int | None = None,
        name: int | str | None = None,
    ) -> UserError:
        """Return this error with a place; an error that has one already is returned as it is.

        Args:
            file: The file of the row.
            line: The row's line.
            row: The row's place in a list, counted from 1.
            name: The row's id.
        """
        if self.file is not None:
            return self
        place = {"file": file, "line": line, "row": self.row if row is None else row}
        problem = self.problem if name is None else f"id {name!r}: {self.problem}"
        return UserError(problem, **place, field=self.field, hint=self.hint, topic=self.topic)  # type: ignore[arg-type]


class HookError(UserError):
    """An error raised by a task's method, or about a value of the wrong type that it returned.

    Attributes:
        method: The name of the method.
        arguments: The arguments of the call, by which a caller can find the row.
    """

    def __init__(self, problem: str, method: str = "", arguments: tuple[Any, ...] = (), **place: Any) -> None:
        super().__init__(problem, **place)
        self.method, self.arguments = method, arguments


class DelegateError(W2SError):
    """An error of a program that we started, such as LLaMA-Factory: it failed, or lacks an expected output.

    Args:
        problem: The problem, without a final full stop.
        hint: What to do about it.
        topic: The section of the page on troubleshooting that explains it.
        exit_code: The exit code of the command; the program's own exit code if it failed with one.
    """

    def __init__(
        self, problem: str, *, hint: str | None = None, topic: str | None = None, exit_code: int = 1
    ) -> None:
        self.problem, self.hint, self.topic, self.exit_code = problem, hint, topic, exit_code
        super().__init__(_with_advice(problem, hint, topic))


def _with_advice(text: str, hint: str | None, topic: str | None) -> str:
    """Return the text of an error as one line, with its hint and the place of its explanation."""
    said = f"{text}. {hint}" if hint else text
    return one_line(f"{said} (see {TROUBLESHOOTING}#{topic})" if topic else said)


def nearest(name: str, known: Iterable[str], *, closeness: float = _CLOSE) -> str | None:
    """Return the known name nearest to a name, or None if none is near.

    Args:
        name: The name that is not known.
        known: The names that are.
        closeness: The least similarity of a near name, from 0 (anything) to 1 (the name itself).
    """
    import difflib  # noqa: PLC0415  only messages need it

    return next(iter(difflib.get_close_matches(name, known, 1, closeness)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return 'Did you mean "X"?' for the known name nearest to a name, or "" if none is near."""
    near = nearest(name, known)
    return "" if near is None else f'Did you mean "{near}"?'


def nearest_or_all(name: str, known: Sequence[str]) -> str:
    """Return a hint for an unknown name: the nearest known one, or else all of them."""
    return did_you_mean(name, known) or f"Known: {', '.join(known) or 'none'}"


def one_line(text: str) -> str:
    """Return a text as one line, with line breaks and other control characters written as escapes."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def encodable(text: str) -> str:
    r"""Return `text` with lone surrogates, which UTF-8 cannot encode, written as escapes (`\udc80`)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def listed(value: Any, field: str) -> list[Any]:
    """Return values as a list; a single text or path is a list of one, not of its letters.

    Raises:
        UserError: The value cannot be iterated.
    """
    if isinstance(value, (str, os.PathLike)):
        return [value]
    if not isinstance(value, Iterable):
        raise UserError(f"expected a list, got {shown(value)}", field=field)
    return list(value)


TEXTS: Final = "a tuple of texts that are not empty"


def are_texts(value: Any) -> bool:
    """Return whether a value is a tuple or list of texts that are not empty; a single text is not one."""
    return isinstance(value, (tuple, list)) and all(isinstance(text, str) and text for text in value)


def shown(value: Any) -> str:
    """Return a value and its type for a message: `'yes' (str)`; `None` alone."""
    return "None" if value is None else f"{short(value)} ({type(value).__name__})"


def short(value: Any) -> str:
    """Return a value's representation, cut to a readable length, or a substitute if `__repr__` fails."""
    try:
        text = repr(value)
    except RAISED:  # another package's class
        return "an object that cannot be shown"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
