"""Checks of the methods that a task class defines, with errors that name the task and the method.

Tasks come from other packages. A method that raises an error, returns a value of the wrong type, or has a
misspelt name (`equals`) is reported as the author's mistake.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial, wraps
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from w2s_factory.errors import RAISED, HookError, UserError, W2SError, nearest, short, shown
from w2s_factory.records import SFT, TEST, Form, plain_value, require
from w2s_factory.tasks.fields import field_names

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOSE = 0.75
"""The least `difflib` ratio at which a name counts as misspelt: `is_equal` does, `units` does not."""

_RENAMED = {"agree": "equal", "agrees": "equal"}
"""Names of methods in earlier documentation, with the present ones."""

_CHECKED = object()
"""A mark for members that the base class defines, or that were checked when their class was created."""


@dataclass(frozen=True)
class _Returns:
    """The value that a method must return: in words, by type, and for rows by their form."""

    words: str
    types: tuple[type, ...]
    form: Form[Any] | None = None


_TEXT = _Returns("text", (str,))
_VERDICT = _Returns("True or False", (bool,))
_RETURNS: dict[str, _Returns] = {
    **dict.fromkeys(
        ("prompt", "user_turn", "written_response", "gold_output", "extract", "extract_any"), _TEXT
    ),
    **dict.fromkeys(("normalise", "answer", "file_stem", "dataset_name", "folder", "stem"), _TEXT),
    "normalise_gold": _Returns("text, or None for a gold that is not known", (str, type(None))),
    **dict.fromkeys(("equal", "is_answer"), _VERDICT),
    "test_row": _Returns("a row in the test form", (dict,), TEST),
    "gold_row": _Returns("an SFT row", (dict,), SFT),
    "results_form": _Returns("a Form", (Form,)),
    "path": _Returns("a path", (Path,)),
}


def guard(cls: type, base: type) -> None:
    """Wrap the methods and properties of a task class, so that the values they return are checked.

    A member that comes from a class which is not a task (a mixin) is replaced on the task class only, so
    that the mixin itself is not changed.

    Args:
        cls: A subclass of `base`.
        base: The class of all tasks, whose own members need no check.

    Raises:
        UserError: A member is not a method or property.
    """
    for name, returns in _RETURNS.items():
        if (member := _own_member(cls, base, name)) is not _CHECKED:
            setattr(cls, name, _guarded(cls, name, returns, member))
    comparison: Any = _own_member(cls, base, "comparison")
    if isfunction(comparison):
        setattr(cls, "comparison", _checked_comparison(comparison))  # noqa: B010  mypy refuses the assignment
    elif comparison is not _CHECKED:
        raise _not_a_method(cls, "comparison", comparison)


def _own_member(cls: type, base: type, name: str) -> Any:
    """Return a member that the class or a mixin defines; `_CHECKED` where a task class above it does."""
    owner = next(parent for parent in cls.__mro__ if name in vars(parent))
    return vars(owner)[name] if owner is cls or not issubclass(owner, base) else _CHECKED


def _guarded(cls: type, name: str, returns: _Returns, member: Any) -> Any:
    """Return a method or property with its value checked at every call."""
    if isfunction(member):
        return _checked(name, returns, member)
    if isinstance(member, property) and member.fget is not None:
        return property(_checked(name, returns, member.fget))
    if isinstance(member, (staticmethod, classmethod)):
        return type(member)(_checked(name, returns, member.__func__, cls.__name__))
    raise _not_a_method(cls, name, member)


def _not_a_method(cls: type, name: str, member: Any) -> UserError:
    return UserError(f"{cls.__name__}.{name}: expected a method, got {shown(member)}")


def refuse_near_names(cls: type, base: type) -> None:
    """Refuse public names of a task class or its mixins that look like misspelt methods or fields of a task.

    Names that are not close to one of the base class, and names that begin with `_`, are accepted.

    Raises:
        UserError: A name is close to one of the base class, which the error suggests.
    """
    tasks = [parent for parent in cls.__mro__[1:] if issubclass(parent, base)]
    inherited = {name for parent in tasks for name in vars(parent)}
    for owner in cls.__mro__:
        if owner is cls or not (owner is object or issubclass(owner, base)):
            _refuse_near_names(owner, base, inherited)


def _refuse_near_names(cls: type, base: type, inherited: set[str]) -> None:
    """Refuse the misspelt names that one class defines, whether it is a task or a mixin."""
    known = {name for name in [*dir(base), *field_names(base)] if not name.startswith("_")}
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if name in field_names(base) and name not in vars(cls).get("__annotations__", {}):
            hint = f"Set it when the task is created: {cls.__name__}({name}=...)"
            raise UserError(
                f"{cls.__name__}.{name} is a field, which a class attribute does not set", hint=hint
            )
        is_method = isfunction(member) or isinstance(member, (property, staticmethod, classmethod))
        meant = (
            None if name in known | inherited else _meant(name, known - field_names(base), known, is_method)
        )
        if meant:
            kind = "method" if is_method else "attribute"
            raise UserError(
                f"{cls.__name__}.{name}: tasks have no such {kind}",
                hint=f'Did you mean "{meant}"? To add a {kind} of your own, begin its name with _',
            )


def _meant(name: str, hooks: set[str], known: set[str], is_method: bool) -> str | None:
    """Return the name that was probably meant, for a method the name of a method; None if there is none."""
    if is_method and name in _RENAMED:
        return _RENAMED[name]
    return nearest(name, hooks if is_method else known, closeness=_CLOSE)


def _checked(
    name: str, returns: _Returns, function: Callable[..., Any], owner: str | None = None
) -> Callable[..., Any]:
    """Return a method whose value is checked; `owner` is named in errors if the method has no `self`."""

    @wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        called = name, owner or str(arguments[0].name), arguments if owner else arguments[1:]
        value = _run(called, returns.words, function, arguments, options)
        if not isinstance(value, returns.types):
            raise _failed(called, f"returned {shown(value)}, expected {returns.words}")
        if returns.form is not None:
            _check_row(called, value, returns.form)
        return value

    checked.__name__ = name  # workers find the method by it
    return checked


_Called = tuple[str, str, tuple[Any, ...]]
"""A call: the method, the task, and the arguments."""


def _run(called: _Called, words: str, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
    try:
        return plain_value(function(*arguments, **options))
    except W2SError:
        raise
    except RAISED as error:  # the author's method may raise any error
        if isinstance(error, MemoryError) and _in_worker():
            raise  # the worker turns it into a verdict
        raise _failed(called, f"raised {type(error).__name__}: {error}; expected {words}") from error


def _in_worker() -> bool:
    from multiprocessing import parent_process  # noqa: PLC0415  only where memory ran out

    return parent_process() is not None


def _failed(called: _Called, what: str) -> HookError:
    method, task, arguments = called
    given = ", ".join(short(argument) for argument in arguments if isinstance(argument, str))
    return HookError(f"task {task}: {method}({given}) {what}", method, arguments)


def _check_row(called: _Called, row: Any, form: Form[Any]) -> None:
    try:
        require(row, form)
        json.dumps(row, allow_nan=False)
    except (UserError, TypeError, ValueError) as error:
        raise _failed(called, f"returned a row that does not fit {form.name}: {error}") from None


def _checked_comparison(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method `comparison` with its value checked, and also the verdicts of that value."""

    @wraps(function)
    def checked(self: Any) -> Any:
        from w2s_factory.answers.comparison import Comparison  # noqa: PLC0415  most uses compare nothing

        called = "comparison", str(self.name), ()
        how = _run(called, "a Comparison", function, (self,), {})
        if not isinstance(how, Comparison):
            raise _failed(called, f"returned {shown(how)}, expected a Comparison")
        quick = _CheckedVerdicts(self.name, "quick", how.quick, (bool, type(None)))
        slow = _CheckedVerdicts(self.name, "slow", how.slow, (bool,))
        preparing = "comparison().prepare", str(self.name), ()
        prepare = partial(_run, preparing, "nothing", how.prepare, (), {})
        return replace(how, quick=quick, slow=slow, prepare=prepare)

    return checked


@dataclass(frozen=True)
class _CheckedVerdicts:
    """A function of a `Comparison` whose verdicts are checked; a class, so that workers can import it."""

    task: str
    method: str
    function: Callable[[str, str], Any]
    types: tuple[type, ...]
    words: ClassVar[str] = "True or False"

    def __call__(self, answer: str, reference: str) -> Any:
        called = f"comparison().{self.method}", self.task, (answer, reference)
        verdict = _run(called, self.words, self.function, (answer, reference), {})
        if not isinstance(verdict, self.types):
            raise _failed(called, f"returned {shown(verdict)}, expected {self.words}")
        return verdict
