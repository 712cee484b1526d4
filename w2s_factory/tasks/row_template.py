"""Jinja templates over the columns of a row, rendered in a sandbox."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from w2s_factory.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


class _UnwrittenError(ValueError):
    """The error that a template would write what is not a value of a row."""


def _written(value: Any) -> Any:
    """Return a value that a template writes.

    Raises:
        _UnwrittenError: It is null or a function, whose names in Python would be written into the text.
    """
    if value is None:
        raise _UnwrittenError("a value is null; where one may be, write {{ NAME or '' }}")
    if callable(value) and not isinstance(value, Undefined):
        name = getattr(value, "__name__", type(value).__name__)
        raise _UnwrittenError(f"expected a value to write, got the function {name}")
    return value


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=_written)
_ENVIRONMENT.filters["tojson"] = partial(json.dumps, ensure_ascii=False)  # Jinja's own escapes signs of HTML

_UNDEFINED = re.compile(r"'(\w+)' is undefined")


@dataclass(frozen=True)
class RowTemplate:
    """A template whose variables are the columns of a row.

    Raises:
        ValueError: The text is not a Jinja template; with the line in the text.
    """

    text: str

    def __post_init__(self) -> None:
        _compiled(self.text)

    @property
    def variables(self) -> set[str]:
        """The names that the template reads, without the functions of Jinja that it calls."""
        tree = _ENVIRONMENT.parse(self.text)
        called = {id(call.node) for call in tree.find_all(nodes.Call)}
        read = {name.name for name in tree.find_all(nodes.Name) if id(name) not in called}
        return meta.find_undeclared_variables(tree) | (read & {*_ENVIRONMENT.globals})

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the template's text for a row.

        Raises:
            ValueError: A variable is missing, the template fails, or the text is blank.
        """
        try:
            text = _compiled(self.text).render(values)
        except UndefinedError as error:
            raise ValueError(_missing(str(error.message), values)) from None
        except _UnwrittenError as error:
            raise ValueError(f"cannot be rendered ({error})") from None
        except Exception as error:  # expressions in a template can raise anything
            raise ValueError(f"cannot be rendered ({type(error).__name__}: {error})") from error
        if not text.strip():
            raise ValueError("renders an empty text")
        return text


@lru_cache(64)
def _compiled(text: str) -> Template:
    try:
        return _ENVIRONMENT.from_string(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"is not a Jinja template ({error.message}, on its line {error.lineno})") from None
    except (ArithmeticError, RecursionError, MemoryError) as error:  # constants are computed at once
        raise ValueError(f"is not a Jinja template ({type(error).__name__}: {error})") from None


def _missing(message: str, values: Mapping[str, Any]) -> str:
    """Return the problem of a template that reads a variable which a row does not have."""
    known = list(values)
    name = _UNDEFINED.fullmatch(message)
    if name is None:  # such as an attribute of a value
        return f"cannot be rendered ({message})"
    meant = did_you_mean(name[1], known) or f"It may use {', '.join(known)}"
    return f'needs "{name[1]}", which is not a column. {meant}'
