"""Loading an experiment file: found by name, a preset laid over it, paths made absolute, models checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError, nearest, nearest_or_all
from w2s_factory.experiment.answer_settings import ModelGeneration, SamplingSection
from w2s_factory.experiment.spec import Experiment
from w2s_factory.generating.model_sampling import model_sampling
from w2s_factory.model_names import is_path
from w2s_factory.records.yaml_files import read_yaml
from w2s_factory.records.yaml_models import place_of, validated
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.experiment.spec import Of, StrongSection, WeakSection


_TRAINING = {
    "model_name_or_path": "This is a training YAML, not an experiment: start it with w2s-factory train"
}
"""The argument that every training YAML has, and no experiment; with the hint for such a file."""


RELEASE = "W2S_RELEASE"
"""The environment variable with the root folder of the published release."""


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
    context = {"folder": path.absolute().parent}
    merged = _merged(values, chosen)
    experiment = validated(file, Experiment, merged, prefix=prefix, context=context, other_files=_TRAINING)
    resolved = _resolved(experiment, path.absolute().parent)
    for where, folder in _model_folders(resolved) if models_there else ():
        if not Path(folder).is_dir():
            line = place_of(root, where, prefix)
            raise UserError(f"no such folder: {folder}", file=path, line=line, field=".".join(where))
    try:
        return with_model_sampling(resolved) if models_there else resolved
    except UserError as error:
        line = place_of(root, str(error.field).split("."), prefix)
        raise error.at(file=path, line=line) from None


def with_line(error: UserError, file: str | Path, preset: str | None = None) -> UserError:
    """Return an error on a field of an experiment file with its line; any other error as it is.

    Args:
        error: The error.
        file: The experiment file, as `read_experiment` takes it.
        preset: The preset that was laid over it.
    """
    if error.file is not file or error.field is None or error.line is not None:
        return error
    where, prefix = error.field.split("."), ("presets", preset) if preset else ()
    line = place_of(read_yaml(file_of(file)).root, where, prefix)
    return UserError(
        error.problem, file=file_of(file), line=line, field=error.field, hint=error.hint, topic=error.topic
    )


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


def with_model_sampling(experiment: Experiment) -> Experiment:
    """Return the experiment with the values of each model's `generation_config.json` where it asks for them.

    Raises:
        UserError: A model is not in a folder, or has no such values.
    """
    changed: dict[str, Any] = {}
    models: dict[Of, WeakSection | StrongSection] = {"weak": experiment.weak, "strong": experiment.strong}
    for of, section in models.items():
        sampling = experiment.answering(of).sampling
        if sampling is None or sampling.defaults != "model" or section.model is None:
            continue
        set_in = f"{of}.generation" if section.generation and section.generation.sampling else "generation"
        values = SamplingSection(**_recommended(section.model, f"{set_in}.sampling"))
        sampling = sampling.over(values).model_copy(update={"defaults": None})
        own = (section.generation or ModelGeneration()).model_copy(update={"sampling": sampling})
        changed[of] = section.model_copy(update={"generation": own})
    if not changed:
        return experiment
    return experiment.model_copy(update=changed)


def _recommended(model: str, field: str) -> dict[str, Any]:
    """Return the sampling settings that a model's authors recommend.

    Raises:
        UserError: There are none; names the field.
    """
    if not Path(model).is_dir():
        raise UserError(
            f"`sampling: model` needs the model in a folder; {model} is a name on the hub",
            field=field,
            hint="Write temperature, top_p ... as its generation_config.json has them, or name its folder",
        )
    try:
        return model_sampling(model)
    except UserError as error:
        hint = "Write the values: temperature, top_p ..."
        raise UserError(f"model: {error.file}: {error.problem}", field=field, hint=hint) from None


def _model(name: str | None, folder: Path) -> str | None:
    if name is None or not (is_path(name, folder) or (folder / name).is_dir()):
        return name
    return _folder(name, folder)


def _model_folders(experiment: Experiment) -> Iterator[tuple[tuple[str, str], str]]:
    """Return the fields that name a folder of a model, each with the folder.

    Names on the hub are not absolute; a model that a server answers for has a name on that server.
    """
    weak, on_server = experiment.weak, experiment.answering("weak").engine == "openai"
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
