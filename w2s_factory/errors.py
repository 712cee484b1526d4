"""The two ways a command fails: the user's mistake, or a program we delegate to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class W2SError(Exception):
    """Anything this package reports in one line instead of a traceback."""

    exit_code = 1


class UserError(W2SError):
    """Input that can't be used: what is wrong, where it stands, what to do about it.

    Args:
        problem: What is wrong and what was expected, without a final full stop.
        file: The file it stands in.
        line: Its line, counted from 1 (for a JSON list, which has no lines: see `row`).
        row: Its place in a JSON list, counted from 1.
        field: The key or option that is wrong.
        hint: What to do, as a sentence or a command.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        row: int | None = None,
        field: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem, self.file, self.line, self.row, self.field, self.hint = (
            problem,
            file,
            line,
            row,
            field,
            hint,
        )
        where = [] if file is None else [f"{file}:{line}" if line is not None else str(file)]
        where += [] if row is None else [f"row {row}"]
        where += [] if field is None else [f'field "{field}"']
        text = ": ".join([*where, problem])
        super().__init__(one_line(f"{text}. {hint}" if hint else text))


class DelegateError(W2SError):
    """A program we started failed (LLaMA-Factory, say), or did not leave what it should have.

    Args:
        problem: What happened, without a final full stop.
        hint: What to do about it.
        exit_code: The code to leave with: the program's own where it failed with one.
    """

    def __init__(self, problem: str, *, hint: str | None = None, exit_code: int = 1) -> None:
        self.problem, self.hint, self.exit_code = problem, hint, exit_code
        super().__init__(one_line(f"{problem}. {hint}" if hint else problem))


def one_line(text: str) -> str:
    """`text` with its line breaks and other control characters made visible, so that it is one line."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def encodable(text: str) -> str:
    r"""Return `text` with lone surrogates, which UTF-8 cannot encode, written as escapes (`\udc80`)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
