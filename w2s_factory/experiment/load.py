"""Loading an experiment file: each mistake is reported with its line, its field and the nearest known key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError

from w2s_factory.errors import UserError, did_you_mean, nearest, short
from w2s_factory.experiment.spec import Experiment
from w2s_factory.model_names import is_path
from w2s_factory.records.yaml_files import read_yaml
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails


_TRAINING_KEY = "model_name_or_path"
"""The argument that every training YAML has, and no experiment."""


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


RELEASE = "W2S_RELEASE"
"""The environment variable with the root folder of the published release."""

_EXPECTED: Final = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "`key: value` lines"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    "string_type": "text",
    "list_type": "a list",
}
"""The expected kind of value, by pydantic's name for the error."""


def read_experiment(path: str | Path, preset: str | None = None, *, models_there: bool = True) -> Experiment:
    """Read an experiment file, with one of its presets laid over it.

    Paths in the file become absolute, relative to the file's own folder; `W2S_RELEASE` is relative to the
    current folder. A model that is not a folder there is a name on the hub, unless its form can only be that
    of a path (see `is_path`).

    Args:
        path: The YAML file, or the name of an experiment that comes with the package (`arithmetic`).
        preset: The name of one of its `presets`; None for none.
        models_there: Whether model folders must exist.

    Raises:
        UserError: The file is not YAML, a value is not of the kind that its key takes, or the folder of a
            model does not exist; with the line.
    """
    path = file_of(path)
    file = read_yaml(path, missing=_nearest)
    root, values = file.root, file.values
    chosen = _preset(values, preset, path)
    prefix = ("presets", preset) if preset else ()
    try:
        context = {"folder": path.absolute().parent}
        experiment = Experiment.model_validate(_merged(values, chosen), context=context)
    except ValidationError as errors:
        raise _first_error(errors, path, root, prefix) from None
    resolved = _resolved(experiment, path.absolute().parent)
    for where, folder in _model_folders(resolved) if models_there else ():
        if not Path(folder).is_dir():
            line = place_of(root, where, prefix)
            raise UserError(f"no such folder: {folder}", file=path, line=line, field=".".join(where))
    return resolved


def file_of(name: str | Path) -> Path:
    """Return the file of that name, or else the experiment of that name that comes with the package.

    Raises:
        UserError: A bare name could mean an experiment of the package and a file `NAME.yaml`, which differ.
    """
    path, own = Path(name), shipped("experiments", f"{name}.yaml")
    if path.is_file() or path.parent != Path() or not own.is_file():
        return path
    local = path.with_name(f"{name}.yaml")
    if local.is_file() and local.read_bytes() != own.read_bytes():
        problem = f"names both an experiment of the package ({own}) and the file {local}, which differ"
        raise UserError(problem, file=path, hint=f"Name one of them: {local}, or the other by its path")
    return own


def _nearest(path: Path) -> str:
    """Return a hint with the nearest name of an experiment: a file in that folder, or one of the package."""
    own = [file.stem for file in sorted(shipped("experiments").glob("*.yaml"))]
    bare = path.parent == Path()
    files = [str(file) for file in sorted(path.parent.glob("*.y*ml"))] if path.parent.is_dir() else []
    known = {Path(name).stem: name for name in [*(own if bare else ()), *files]}
    if near := nearest(path.stem, known):
        return f'Did you mean "{known[near]}"?'
    listed = f" The package has: {', '.join(own)}." if bare else ""
    return f"Write one with w2s-factory init (see w2s-factory init --help).{listed}"


def _preset(values: Mapping[str, Any], name: str | None, path: Path) -> dict[str, Any]:
    if name is None:
        return {}
    presets = values.get("presets") or {}
    if not isinstance(presets, dict):
        raise UserError("expected presets by name (`NAME:` lines)", file=path, field="presets")
    if name not in presets:
        raise UserError(f'no preset "{name}"', file=path, hint=nearest_or_all(name, list(presets)))
    if not isinstance(presets[name] or {}, dict):
        raise UserError("expected `key: value` lines", file=path, field=f"presets.{name}")
    return dict(presets[name] or {})


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with those of `over` laid over them: mappings key by key, all else as a whole."""
    merged = dict(values)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _first_error(errors: ValidationError, path: Path, root: yaml.Node, prefix: tuple[str, ...]) -> UserError:
    """Return the first error in one line; a mistyped key goes first: it may be why another is missing."""
    found = errors.errors(include_url=False)
    error = next((error for error in found if error["type"] == "extra_forbidden"), found[0])
    where = tuple(part for part in error["loc"] if part != "[key]")
    line = place_of(root, where, prefix)
    field = ".".join(map(str, where)) or None
    if error["type"] == "extra_forbidden":
        hint = nearest_or_all(str(where[-1]), _keys(where[:-1]))
        if any(error["loc"] == (_TRAINING_KEY,) for error in found):
            hint = "This is a training YAML, not an experiment: start it with w2s-factory train"
        return UserError("is not a known key", file=path, line=line, field=field, hint=hint)
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


def _keys(where: Sequence[str | int]) -> list[str]:
    """Return the keys that a section may have."""
    section: type[BaseModel] = Experiment
    for part in where:
        annotation = section.model_fields[str(part)].annotation
        candidates = [annotation, *get_args(annotation)]
        section = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(section.model_fields)


def nearest_or_all(name: str, known: Sequence[str]) -> str:
    """Return a hint for an unknown name: the nearest known one, or else all of them."""
    return did_you_mean(name, known) or f"Known: {', '.join(known) or 'none'}"


def _resolved(experiment: Experiment, folder: Path) -> Experiment:
    """Return the experiment with absolute paths, so that its file can be copied into the run's folder."""
    weak, strong, environments = experiment.weak, experiment.strong, experiment.environments
    root = None if experiment.release is None else _folder(experiment.release, folder)
    if root is None and os.environ.get(RELEASE):
        root = _folder(os.environ[RELEASE], Path.cwd())
    changed: dict[str, Any] = {
        "release": root,
        "weak": weak.model_copy(
            update={
                **{key: _model(getattr(weak, key), folder) for key in ("model", "adapter")},
                **{key: _file(getattr(weak, key), folder, root) for key in ("results", "test_results")},
            }
        ),
        "strong": strong.model_copy(update={"model": _model(strong.model, folder)}),
        "environments": environments.model_copy(
            update={key: _interpreter(getattr(environments, key), folder) for key in ("train", "generate")}
        ),
        "presets": {},
    }
    return experiment.model_copy(update=changed)


def _model(name: str | None, folder: Path) -> str | None:
    if name is None or not (is_path(name, folder) or (folder / name).is_dir()):
        return name
    return _folder(name, folder)


def _model_folders(experiment: Experiment) -> Iterator[tuple[tuple[str, str], str]]:
    """Return the fields that name a folder of a model, each with the folder.

    Names on the hub are not absolute; a model that a server answers for has a name on that server.
    """
    weak, on_server = experiment.weak, experiment.generation.engine == "openai"
    named = {
        ("weak", "model"): None if on_server and weak.train is None else weak.model,
        ("weak", "adapter"): weak.adapter,
        ("strong", "model"): experiment.strong.model,
    }
    return ((where, name) for where, name in named.items() if name is not None and Path(name).is_absolute())


def _file(name: str | None, folder: Path, release: str | None) -> str | None:
    """Return the path of a file relative to the experiment file; `{release}` in it is the release's root."""
    if name is None:
        return None
    return _folder(name.replace("{release}", release or "release"), folder)


def _interpreter(name: str | None, folder: Path) -> str | None:
    """Return an interpreter: a path relative to the experiment file, or a bare name, found on the `PATH`."""
    return _folder(name, folder) if name and "/" in name else name


def _folder(name: str, folder: Path) -> str:
    return os.path.normpath(folder / Path(name).expanduser())
