"""The grammar of misuse for experiment files: a valid file with one to three keys changed, added or dropped."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, get_args

import yaml
from hypothesis import strategies as st
from pydantic import BaseModel
from trial import CANARY

from w2s_factory import Experiment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn

Path = tuple[str | int, ...]

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 100_000, 10**30, 0.5, -0.5, 1e300, float("nan"), float("inf")),
    *("", " ", "no", "nan", "1e-4", "auto", "hybrid", "m-plus", "dpo", "tiny_base_dpo", "in/model", "in/preset.yaml"),
    *("../..", "/etc", "a b", "-n", "\u00e9\n", "x" * 5000, f"$(touch {CANARY})", f"; touch {CANARY}", "{seed}"),
    *([], [1], ["a", "a"], [None], {}, {"a": 1}, {"preset": "dpo"}, {"learning_rate": -1}, [[1]], {1: 2}),
    *({"num_train_epochs": "many"}, {"template": "vanilla"}, {"output_dir": "/"}, {"": ""}),
]  # fmt: skip


def keys(model: type[BaseModel], above: Path = ()) -> Iterator[Path]:
    """Every key an experiment file may have, by its path."""
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        yield path
        for kind in _models(field.annotation):
            yield from keys(kind, path)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


KEYS = sorted({path for path in keys(Experiment) if path[0] != "presets"}, key=str)


def _put(value: Any, path: Path, new: Any) -> None:
    """Put a value at a path, making the sections on the way."""
    for part in path[:-1]:
        if not isinstance(value.get(part), dict):
            value[part] = {}
        value = value[part]
    value[path[-1]] = new


def _take(value: Any, path: Path) -> None:
    for part in path[:-1]:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value.pop(path[-1], None)


@st.composite
def experiments(draw: DrawFn, valid: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """A changed experiment file, and the keys of which a complaint must name one."""
    changed, named = copy.deepcopy(valid), []
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(KEYS))
        kind = draw(st.sampled_from(["put", "put", "put", "drop", "unknown"]))
        named += [str(part) for part in path]
        if kind == "put":
            _put(changed, path, draw(st.sampled_from(VALUES)))
        elif kind == "drop":
            _take(changed, path)
        else:
            _put(changed, (*path[:-1], f"{path[-1]}x"), draw(st.sampled_from(VALUES)))
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True), tuple(dict.fromkeys(named))
