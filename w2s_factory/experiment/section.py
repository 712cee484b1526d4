"""The base class of an experiment file's sections, and switches written as `on`."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from w2s_factory.experiment.training_arguments import refuse
from w2s_factory.ranges import is_number, problem


class Section(BaseModel):
    """A section of the file: unknown keys and numbers out of their declared ranges are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        """Check a number as the library does, with the same message; pydantic alone would take true for 1."""
        field = cls.model_fields[str(info.field_name)]
        if get_origin(field.annotation) is list:
            alias = get_args(field.annotation)[0]
            places = {(place,): item for place, item in enumerate(value if isinstance(value, list) else ())}
        else:
            alias = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            places = {(): value}  # type: ignore[dict-item]  # the value itself
        if is_number(alias):
            refuse({place: problem(number, alias) for place, number in places.items()})
        return value


def off(value: Any) -> Any:
    """Return what an optional section is validated from: none for `false`, all defaults for a bare key."""
    return None if value is False else {} if value is None else value


def switch(value: Any) -> Any:
    """Return the text of a switch: YAML reads a bare `on` as true and a bare `off` as false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value
