"""The types of options: paths and numbers, which are checked; and the options that name a LLaMA-Factory."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import click
from click.core import ParameterSource

from w2s_factory.cli.help import option
from w2s_factory.errors import UserError
from w2s_factory.ranges import declared, problem, range_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from w2s_factory.answers.thinking import Markers

DASH: Final = "-"
"""The name that stands for the standard output."""

TO_STDOUT: Final = {
    ("score", "output"),
    ("vote", "output"),
    ("demos", "output"),
    ("convert-pairs", "output"),
    ("build-data", "output"),
    ("evaluate", "csv"),
}
"""The options, by command, that may be `-`: each names one file of rows."""

TASKS: Final = "gsm8k, math, arithmetic, olympic_arena, one from a package, or your own file (./NAME.yaml)"
"""The names that `--task` takes, for the help."""

PATH: Final = click.Path(path_type=Path)

_WRITTEN: Final = ("output", "output_dir", "dag", "html")

_SHOWN_UP_TO: Final = 100_000
"""The highest upper bound of a range that the help shows; higher ones only exclude mistakes."""


class CheckedPath(click.Path):
    """A path that is not empty, and is `-` only where that means the standard output."""

    def __init__(self, kind: click.ParamType[Any], *, to_stdout: bool) -> None:
        super().__init__(path_type=Path if getattr(kind, "func", None) is Path else None)
        self._kind, self._to_stdout = kind, to_stdout

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            BadParameter: It is empty, which Python would take for the working folder.
            UserError: It is `-`, and this option does not accept that.
        """
        if str(value) == "":
            self.fail("expected a path, got an empty text", param, ctx)
        if str(value) == DASH and not self._to_stdout:
            named = None if param is None else param.human_readable_name
            if isinstance(param, click.Option):
                named = param.opts[0]
            written = param is not None and param.name in _WRITTEN
            reason = "cannot go to the standard output" if written else "is not read from the standard input"
            raise UserError(f"expected a path, got -: it {reason}", field=named, hint="Name a file or folder")
        return self._kind.convert(value, param, ctx)


def check_paths(command: click.Command, name: str) -> None:
    """Make a command check its paths, so that only the options in `TO_STDOUT` accept `-`."""
    for parameter in command.params:
        if _is_path(parameter):
            parameter.type = CheckedPath(parameter.type, to_stdout=(name, parameter.name) in TO_STDOUT)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        check_paths(inner, name)


def _is_path(parameter: click.Parameter) -> bool:
    """Return whether a parameter takes a path that is not checked yet."""
    kind = parameter.type
    is_path = isinstance(kind, click.Path) or getattr(kind, "func", None) is Path
    return is_path and not isinstance(kind, CheckedPath)


class _DeclaredNumber:
    """The part both kinds of number share: the range of the library's declaration, checked and shown."""

    name = "number"
    parse: ClassVar[Callable[[Any], float]]

    def __init__(self, alias: Any) -> None:
        allowed, self.alias = range_of(alias), alias
        super().__init__(
            min=_finite(allowed.low),
            max=_finite(allowed.high),
            min_open=allowed.low_open,
            max_open=allowed.high_open,
        )  # type: ignore[call-arg]  # the arguments of click's ranges

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail with the expected range and what was given."""
        try:
            number: Any = type(self).parse(value)
        except (ValueError, OverflowError):
            number = value
        wrong = problem(number, self.alias)
        if wrong is not None:
            raise click.BadParameter(wrong, ctx=ctx, param=param)
        return number

    def _describe_range(self) -> str:
        """Return the range for the help, such as `allowed: 1 to 100`; "" for a wide one. Click calls this."""
        allowed = range_of(self.alias)
        if allowed.high > _SHOWN_UP_TO:
            return ""
        if allowed.low_open or allowed.high_open:
            low = f"{'above' if allowed.low_open else 'at least'} {allowed.low:,}"
            return f"allowed: {low}, {'below' if allowed.high_open else 'at most'} {allowed.high:,}"
        return f"allowed: {allowed.low:,} to {allowed.high:,}"


class WholeNumber(_DeclaredNumber, click.IntRange):
    """An option that takes an integer in the range of a declared number."""

    parse = int


class Number(_DeclaredNumber, click.FloatRange):
    """An option that takes a number in the range of a declared one."""

    parse = float


def number(alias: Any) -> click.ParamType[Any]:
    """Return the type of an option that takes the number an alias declares."""
    return WholeNumber(alias) if range_of(alias).whole else Number(alias)


def number_options(
    kind: type, add: Callable[..., Callable[[Any], Any]] = option
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds an option for each number of a dataclass.

    The range, the default and the help of an option are those of the field.

    Args:
        kind: The dataclass; its fields have a default, and their help in the metadata.
        add: The decorator that adds an option, such as one made by `heading`.
    """

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        aliases = declared(kind)
        for field in reversed(fields(kind)):
            flag = f"--{field.name.replace('_', '-')}"
            described = {"help": field.metadata["help"], "default": field.default, "show_default": True}
            command = add(flag, type=number(aliases[field.name]), **described)(command)
        return command

    return decorated


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def extract_option(
    add: Callable[..., Callable[[Any], Any]] = option,
    default: str = "the task's, published for the paper's",
    more: str = "",
) -> Callable[[Any], Any]:
    """Return a decorator that adds `--extract`.

    Args:
        add: The decorator that adds an option, such as one made by `heading`.
        default: The way used without it, for the help.
        more: What the help says of it for this command alone.
    """
    text = (
        "How to find the final answer. auto: the last box, or else the text after the key or after 'the "
        "answer is', or else the last number. Also: boxed, number, published, regex:PATTERN (the group of "
        "its last match)."
    )
    text += f" {more}" if more else ""
    return add("--extract", "extraction", metavar="WAY", show_default=default, help=text)


def reasoning_options(
    add: Callable[..., Callable[[Any], Any]] = option, *, as_scored: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds `--reasoning-start` and `--reasoning-end`, of which neither goes alone.

    Args:
        add: The decorator that adds an option, such as one made by `heading`.
        as_scored: Whether the texts by which responses were scored come before the known ones.
    """
    noted = "as they were scored, else " if as_scored else ""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, where, other, known in (
            ("end", "ends", "start", "</think>, [/THINK], harmony channels"),
            ("start", "starts", "end", "<think>, [THINK], harmony channels"),
        ):
            text = f"The text with which thinking {where} in a response. Needs --reasoning-{other}."
            described = {"metavar": "TEXT", "show_default": noted + known, "help": text}
            command = add(f"--reasoning-{name}", f"reasoning_{name}", **described)(command)
        return command

    return decorated


def mode_option(add: Callable[..., Callable[[Any], Any]] = option, **attributes: Any) -> Callable[[Any], Any]:
    """Return a decorator that adds `--mode`, the way of comparing answers.

    Args:
        add: The decorator that adds an option, such as one made by `heading`.
        attributes: Its default, or the words for it, and its help.
    """
    from w2s_factory.answers.comparison import MODES

    return add("--mode", type=click.Choice(MODES), **attributes)


def is_given(parameter: str) -> bool:
    """Return whether a parameter of the running command was given on its command line."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def reasoning_markers(start: str | None, end: str | None) -> Markers | None:
    """Return the markers of thinking that the two options name; None if neither is given.

    Raises:
        UserError: Only one is given, or they are empty or the same.
    """
    if start is None and end is None:
        return None
    if start is None or end is None:
        missing = "--reasoning-start" if start is None else "--reasoning-end"
        raise UserError("is needed, too", field=missing, hint="Thinking has a start and an end")
    from w2s_factory.answers.thinking import Markers

    return Markers(start, end)


def environment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the two options that name the environment in which LLaMA-Factory is installed."""
    by_program = option(
        "--llamafactory-cli",
        type=click.Path(),
        metavar="PATH",
        show_default="the one of --python",
        help="The llamafactory-cli of that environment, or for LLaMA-Factory 0.5.0 to 0.7.0 the "
        "src/train_bash.py of a source checkout.",
    )
    by_python = option(
        "--python",
        type=click.Path(),
        metavar="PATH",
        show_default="the one that runs --llamafactory-cli, else the current one",
        help="The Python interpreter of LLaMA-Factory's environment.",
    )
    return by_python(by_program(command))
