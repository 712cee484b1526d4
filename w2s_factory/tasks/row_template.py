"""Jinja templates over the columns of a row, rendered in a sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from w2s_factory.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)

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
        """The names that the template reads, without those that Jinja itself defines."""
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(self.text)) - {*_ENVIRONMENT.globals}

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the template's text for a row.

        Raises:
            ValueError: A variable is missing, the template fails, or the text is blank.
        """
        try:
            text = _compiled(self.text).render(values)
        except UndefinedError as error:
            raise ValueError(_missing(str(error.message), values)) from None
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, MemoryError) as error:
            raise ValueError(f"cannot be rendered ({type(error).__name__}: {error})") from None
        if not text.strip():
            raise ValueError("renders an empty text")
        return text


@lru_cache(64)
def _compiled(text: str) -> Template:
    try:
        return _ENVIRONMENT.from_string(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"is not a Jinja template ({error.message}, on its line {error.lineno})") from None


def _missing(message: str, values: Mapping[str, Any]) -> str:
    """Return the problem of a template that reads a variable which a row does not have."""
    known = list(values)
    name = _UNDEFINED.fullmatch(message)
    if name is None:  # such as an attribute of a value
        return f"cannot be rendered ({message})"
    meant = did_you_mean(name[1], known) or f"It may use {', '.join(known)}"
    return f'needs "{name[1]}", which is not a column. {meant}'
