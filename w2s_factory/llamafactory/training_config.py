"""A training or export YAML with its `key=value` overrides, read as LLaMA-Factory reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records.yaml_files import dump_yaml, parse_value, read_yaml
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Config:
    """A YAML and its overrides.

    Attributes:
        path: The file.
        overrides: `key=value`, as given.
        values: The values of the file and the overrides together.
    """

    path: Path
    overrides: tuple[str, ...]
    values: dict[str, Any]

    @property
    def overriding(self) -> dict[str, Any]:
        """Return the values of the overrides alone."""
        return _merged({}, self.overrides)

    def with_overrides(self, *more: str) -> Config:
        """Return this configuration with more overrides, which come after the others."""
        return Config(self.path, (*self.overrides, *more), _merged(self.values, more))

    def names(self, key: str) -> list[str]:
        """Return the names that a key holds, as `a,b` or as a list; none where it is not set.

        Raises:
            UserError: It holds something else.
        """
        value = self.values.get(key)
        parts = value.split(",") if isinstance(value, str) else [] if value is None else value
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise self.wrong(
                key, f"expected names, got {value!r}", "Put a name that looks like a number in quotes"
            )
        return [part.strip() for part in parts]

    def wrong(self, key: str, problem: str, hint: str | None = None, topic: str | None = None) -> UserError:
        """Return the error for a problem with a key; `topic` is that of `UserError`."""
        return UserError(problem, file=self.path, field=key, hint=hint, topic=topic)


def read_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Return a YAML with overrides applied to it.

    Args:
        path: The file.
        overrides: `key=value`, the value written as in YAML; `outer.inner=value` for a nested one.

    Raises:
        UserError: The file is missing, not YAML or not a mapping; an override has no `=`.
    """
    path, overrides = Path(path), tuple(overrides)
    check_suffix(path)
    values = read_yaml(path).values
    if not all(isinstance(key, str) for key in values):
        raise UserError("expected `key: value` lines", file=path)
    return Config(path, overrides, _merged(values, overrides))


def check_suffix(path: str | Path) -> None:
    """Refuse a file whose name does not end in `.yaml` or `.yml`; some LLaMA-Factory would not read it."""
    if Path(path).suffix not in (".yaml", ".yml"):
        raise UserError("is not a .yaml file, the only format that every LLaMA-Factory reads", file=path)


def write_merged(config: Config, path: Path) -> None:
    """Write the values of the file and the overrides together, for a version that takes no overrides."""
    text = dump_yaml(config.values)
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=path) from None


def _merged(values: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return values with overrides applied, each value of which is parsed as YAML.

    Raises:
        UserError: An override is not `key=value`, or its value is not YAML.
    """
    merged = dict(values)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not re.fullmatch(r"\w+(\.\w+)*", key):
            problem = f"expected key=value, got {shortened(override)!r}"
            raise UserError(problem, field="overrides", hint="As in: learning_rate=1e-5")
        try:
            _set(merged, key.split("."), parse_value(text))
        except ValueError as error:
            problem = f"{shortened(override)!r}: the value is not YAML ({error})"
            raise UserError(problem, field="overrides") from None
    return merged


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    """Set a value below nested keys, without changing the nested mappings that were there."""
    *outer, last = keys
    for key in outer:
        inner = values.get(key)
        values[key] = dict(inner) if isinstance(inner, dict) else {}
        values = values[key]
    values[last] = value
