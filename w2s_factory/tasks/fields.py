"""The fields of a task: its parts `Split` and `Example`, and the checks of every field's type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.extraction import parse_extraction
from w2s_factory.errors import TEXTS, UserError, are_texts, shown
from w2s_factory.quantities import MaxTokens, PairsPerQuestion
from w2s_factory.ranges import problem
from w2s_factory.records import Form

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "text that is not empty"
"""The values that `is_text` accepts, in words."""


@dataclass(frozen=True)
class Split:
    """One part of a task's questions.

    Attributes:
        raw: The file of raw rows, relative to the task's root (for the paper's tasks: the release's root).
        test: The file of questions with gold answers in the release's test form, relative to the same root.
        tag: The `source` of its test rows (`GSM8K_TRAIN_2`).
    """

    raw: str
    test: str
    tag: str

    def __post_init__(self) -> None:
        refuse_wrong_parts(self, dict.fromkeys(("raw", "test", "tag"), (TEXT, is_text)))


@dataclass(frozen=True, kw_only=True)
class Example:
    """Results that come with a task, so that a first run needs no generation.

    Attributes:
        weak: The results of the weak model.
        icl: The results of weak ICL, on the same questions.
        weak_name: The weak model's name in the names of files and datasets.
        model: The folder of the model that emitted configs train.
        preset: The preset that trains it; None for the stage's own.
    """

    weak: Path
    icl: Path
    weak_name: str
    model: Path
    preset: str | None = None

    def __post_init__(self) -> None:
        for name in ("weak", "icl", "model"):
            text_to_path(self, name)
        refuse_wrong_parts(
            self,
            {
                **dict.fromkeys(("weak", "icl"), ("a file", _is_path)),
                "weak_name": (TEXT, is_text),
                "model": ("a folder", _is_path),
                "preset": (f"{TEXT}, or None", is_text_or_none),
            },
        )


def refuse_wrong_fields(task: Any) -> None:
    """Check the types of a task's fields, and that its class does not redefine fields without effect.

    Raises:
        UserError: A field has the wrong type, or a redefinition of it has no effect.
    """
    for cls in type(task).__mro__:
        annotated = {*vars(cls).get("__annotations__", {})} & {*vars(cls)} & field_names(type(task))
        if annotated and "__dataclass_params__" not in vars(cls):
            hint = "Decorate the class with @dataclass(frozen=True, kw_only=True)"
            raise UserError(
                f"{cls.__name__}.{min(annotated)} is a field, which this class does not set", hint=hint
            )
    for name, (words, fits) in _FIELDS.items():
        value = getattr(task, name)
        if not fits(value):
            raise UserError(f"task {task.name}: expected {words}, got {shown(value)}", field=name)
    for name, number in _NUMBERS.items():
        if wrong := problem(getattr(task, name), number):
            raise UserError(f"task {task.name}: {wrong}", field=name)
    try:
        parse_extraction(task.extraction)
    except UserError as error:
        raise UserError(f"task {task.name}: {error.problem}", field="extraction", hint=error.hint) from None


def refuse_wrong_parts(part: Any, expected: Mapping[str, tuple[str, Callable[[Any], bool]]]) -> None:
    """Check the types of the fields of a split or an example.

    Raises:
        UserError: A field has the wrong type.
    """
    for name, (words, fits) in expected.items():
        value = getattr(part, name)
        if not fits(value):
            raise UserError(f"{type(part).__name__}: expected {words}, got {shown(value)}", field=name)


def is_text(value: Any) -> bool:
    """Return whether a value is text that is not empty."""
    return isinstance(value, str) and value != ""


def is_text_or_none(value: Any) -> bool:
    """Return whether a value is text that is not empty, or None."""
    return value is None or is_text(value)


def _are_splits(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        is_text(name) and isinstance(split, Split) for name, split in value.items()
    )


def _is_example(value: Any) -> bool:
    return value is None or isinstance(value, Example)


_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": (TEXT, is_text),
    "raw_form": ("a Form", lambda value: isinstance(value, Form)),
    "splits": ("Split objects by name", _are_splits),
    "answer_key": ("text", lambda value: isinstance(value, str)),
    "stop": (TEXTS, are_texts),
    "strong_model": (f"{TEXT}, or None", is_text_or_none),
    "strong_preset": (TEXT, is_text),
    "strip_response": ("True or False", lambda value: isinstance(value, bool)),
    "demonstration_end": ("text", lambda value: isinstance(value, str)),
    "root": ("a folder, or None", lambda value: value is None or isinstance(value, Path)),
    "example": ("an Example, or None", _is_example),
    "answers_are_numbers": ("True or False", lambda value: isinstance(value, bool)),
    "extraction": ("a way to find answers, as text", lambda value: isinstance(value, str)),
    "system": (f"{TEXT}, or None", is_text_or_none),
    "file": ("a file, or None", lambda value: value is None or isinstance(value, Path)),
}
_NUMBERS = {"max_tokens": MaxTokens, "pairs_per_question": PairsPerQuestion}


def field_names(cls: Any) -> set[str]:
    """Return the names of a dataclass's fields."""
    return {field.name for field in fields(cls)}


def _is_path(value: Any) -> bool:
    return isinstance(value, Path)


def text_to_path(part: Any, name: str) -> None:
    """Convert a field that was given as text to a path."""
    if isinstance(value := getattr(part, name), str):
        object.__setattr__(part, name, Path(value))  # the class is frozen
