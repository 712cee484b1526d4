"""Validation of YAML files (experiments, tasks) by pydantic: each mistake with line, field, nearest key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from w2s_factory.errors import UserError, nearest_or_all, short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from w2s_factory.records.yaml_files import YamlFile

ModelT = TypeVar("ModelT", bound=BaseModel)

_UNKNOWN: Final = "is not a known key"

_EXPECTED: Final = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "`key: value` lines"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    "string_type": "text",
    "list_type": "a list",
}
"""The expected kind of value, by pydantic's name for the error."""

NAME: Final = re.compile(r"\w[\w.-]*")
"""A name that files, folders and datasets may have."""


def _names_files(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f'expected letters, digits, _, . and -, not beginning with . or -, got "{name}"')
    return name


Name: TypeAlias = Annotated[str, AfterValidator(_names_files)]
"""Text that is checked to be such a name."""


def _not_nothing(text: str) -> str:
    if not text:
        raise ValueError("an empty text would end every response at once")
    return text


StopText: TypeAlias = Annotated[str, AfterValidator(_not_nothing)]
"""Text that ends a response."""


def parsed(parse: Callable[[str], Any]) -> AfterValidator:
    """Return the check that a text can be parsed, as the library does it; the text itself is kept."""

    def check(text: str) -> str:
        try:
            parse(text)
        except UserError as error:
            raise ValueError(f"{error.problem}. {error.hint}" if error.hint else error.problem) from None
        return text

    return AfterValidator(check)


def validated(
    file: YamlFile,
    model: type[ModelT],
    values: Mapping[str, Any] | None = None,
    *,
    prefix: tuple[str, ...] = (),
    context: Mapping[str, Any] | None = None,
    other_files: Mapping[str, str] | None = None,
) -> ModelT:
    """Return the content of a file as a model.

    Args:
        file: The file.
        model: The pydantic model of its content.
        values: The values to validate, if they are not just those of the file.
        prefix: The keys that lead to a part that is laid over the file, where mistakes are searched first.
        context: The context of the validation.
        other_files: Keys by which another kind of file is recognised, each with the hint to give then.

    Raises:
        UserError: A value is not of the kind that its key takes, or a key is unknown; with the line.
    """
    try:
        given = file.values if values is None else values
        return model.model_validate(given, context=None if context is None else dict(context))
    except ValidationError as errors:
        error = _first_error(errors, file.path, file.root, prefix, model)
        hints = [hint for key, hint in (other_files or {}).items() if key in file.values]
        if hints and error.problem == _UNKNOWN:
            error = UserError(_UNKNOWN, file=error.file, line=error.line, field=error.field, hint=hints[0])
        raise error from None


def place_of(root: yaml.Node, where: Sequence[str | int], prefix: Sequence[str] = ()) -> int:
    """Return the line, from 1, of a field, or of the section that should hold it.

    Args:
        root: The whole file.
        where: The keys and positions that lead to the field.
        prefix: The keys that lead to the preset that is laid over the file, which is searched first.
    """
    line, found = _deepest_line(root, [*prefix, *where])
    if prefix and found == len(prefix) + len(where):
        return line
    return _deepest_line(root, where)[0]


def _deepest_line(node: yaml.Node, where: Sequence[str | int]) -> tuple[int, int]:
    """Return the line of the last of these keys that the file has, and how many of them it has."""
    line = node.start_mark.line + 1
    for number, part in enumerate(where):
        inner = _inner(node, part)
        if inner is None:
            return line, number
        line, node = inner
    return line, len(where)


def _inner(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line + 1, item
    return None


def _first_error(
    errors: ValidationError, path: Path, root: yaml.Node, prefix: tuple[str, ...], model: type[BaseModel]
) -> UserError:
    """Return the first error in one line; a mistyped key goes first: it may be why another is missing."""
    found = errors.errors(include_url=False)
    error = next((error for error in found if error["type"] == "extra_forbidden"), found[0])
    where = tuple(part for part in error["loc"] if part != "[key]")
    line = place_of(root, where, prefix)
    field = ".".join(map(str, where)) or None
    if error["type"] == "extra_forbidden":
        hint = nearest_or_all(str(where[-1]), _keys(model, where[:-1]))
        return UserError(_UNKNOWN, file=path, line=line, field=field, hint=hint)
    return UserError(_in_words(error), file=path, line=line, field=field)


def _in_words(error: ErrorDetails) -> str:
    """Return the message of pydantic's error in the wording of all other errors."""
    kind, context, got = error["type"], error.get("ctx", {}), short(error["input"])
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        count = context["min_length"]
        return f"expected at least {count} item{'s' if count > 1 else ''}, got {context['actual_length']}"
    if kind == "too_long":
        return f"expected at most {context['max_length']} items, got {context['actual_length'] or 'more'}"
    if kind == "literal_error":
        return f"expected {context['expected']}, got {got}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {got}"
    problem = error["msg"].removeprefix("Value error, ")
    return problem[:1].lower() + problem[1:]


def _keys(section: type[BaseModel], where: Sequence[str | int]) -> list[str]:
    """Return the keys that a section may have; `where` leads to it, by way of lists and names too."""
    annotation: Any = section
    for part in where:
        model = _model(annotation)
        if model is None:
            return []
        named = get_origin(annotation) in (dict, list)
        annotation = model if named else model.model_fields[str(part)].annotation
    model = _model(annotation)
    return [] if model is None else list(model.model_fields)


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation names, alone, as an alternative, or as a kind of item."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part))), None)
