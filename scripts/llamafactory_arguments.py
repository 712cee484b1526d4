"""Build `w2s_factory/llamafactory/arguments.json`: the argument names of each LLaMA-Factory release.

The names are read from the packages' own dataclasses, without running them:

    pip download --no-deps --ignore-requires-python -d WHEELS llamafactory==0.9.5 transformers==5.6.0 …
    python scripts/llamafactory_arguments.py WHEELS > w2s_factory/llamafactory/arguments.json

Each name has the first and last release that knows it, for each uninterrupted range of releases.
`always` contains the arguments of both training and export, `training` those of training only.
LLaMA-Factory inherits most of the latter from transformers. A name counts if it is in the oldest or the
newest transformers that the release allows (`TRANSFORMERS`; where a release allows any, the newest one
of its time).
"""

from __future__ import annotations

import ast
import itertools
import json
import sys
import zipfile
from pathlib import Path

from w2s_factory.llamafactory.versions import RELEASES, for_version

TRANSFORMERS = {
    "0.5.0": ("4.36.2", "4.38.1"),
    "0.5.1": ("4.37.2", "4.38.1"),
    "0.6.0": ("4.37.2", "4.39.3"),
    "0.6.3": ("4.37.2", "4.40.2"),
    "0.8.0": ("4.41.2", "4.41.2"),
    "0.8.2": ("4.41.2", "4.42.4"),
    "0.8.3": ("4.41.2", "4.43.3"),
    "0.9.0": ("4.41.2", "4.45.0"),
    "0.9.1": ("4.41.2", "4.46.1"),
    "0.9.2": ("4.41.2", "4.49.0"),
    "0.9.3": ("4.45.0", "4.52.4"),
    "0.9.4": ("4.51.0", "4.57.1"),
    "0.9.5": ("4.55.0", "5.6.0"),
}
"""Oldest and newest transformers, from the release named until the next one named."""

ALWAYS = ("ModelArguments", "DataArguments", "FinetuningArguments", "GeneratingArguments")
"""The groups of arguments that training and export parse."""

TRANSFORMERS_FILES = ("transformers/training_args.py", "transformers/training_args_seq2seq.py")


def main() -> None:
    """Print the table."""
    wheels = Path(sys.argv[1])
    known = {release: _names(wheels, release) for release in RELEASES}
    table = {
        kind: _table({release: names[kind] for release, names in known.items()})
        for kind in ("always", "training")
    }
    print("{")
    print(",\n".join(f'"{kind}": {{\n{_lines(names)}\n}}' for kind, names in table.items()))
    print("}")


def _lines(names: dict[str, list[list[str]]]) -> str:
    return ",\n".join(f" {json.dumps(name)}: {json.dumps(spans)}" for name, spans in names.items())


def _table(known: dict[str, set[str]]) -> dict[str, list[list[str]]]:
    return {name: _spans(name, known) for name in sorted(set().union(*known.values()))}


def _names(wheels: Path, release: str) -> dict[str, set[str]]:
    package = for_version(release).package
    folder = f"{package}/hparams/"
    own = _classes(wheels / f"{package}-{release}-py3-none-any.whl", lambda path: path.startswith(folder))
    oldest, newest = TRANSFORMERS[max(start for start in TRANSFORMERS if start <= release)]
    theirs = [
        _classes(wheels / f"transformers-{version}-py3-none-any.whl", TRANSFORMERS_FILES.__contains__)
        for version in (oldest, newest)
    ]
    return {
        "always": set().union(*(_fields(root, own) for root in ALWAYS)),
        "training": _fields("TrainingArguments", own).union(
            *(_fields("Seq2SeqTrainingArguments", classes) for classes in theirs)
        ),
    }


def _classes(wheel: Path, wanted) -> dict[str, ast.ClassDef]:
    with zipfile.ZipFile(wheel) as archive:
        trees = [ast.parse(archive.read(path)) for path in archive.namelist() if wanted(path)]
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _fields(name: str, classes: dict[str, ast.ClassDef]) -> set[str]:
    """The fields of a dataclass and its bases that `__init__` takes."""
    if name not in classes:
        return set()
    own = {
        node.target.id
        for node in classes[name].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _in_init(node)
    }
    bases = (_fields(base.id, classes) for base in classes[name].bases if isinstance(base, ast.Name))
    return own.union(*bases)


def _in_init(node: ast.AnnAssign) -> bool:
    keywords = node.value.keywords if isinstance(node.value, ast.Call) else []
    is_class_variable = ast.unparse(node.annotation).startswith("ClassVar")
    return not is_class_variable and all(
        keyword.arg != "init" or ast.literal_eval(keyword.value) for keyword in keywords
    )


def _spans(name: str, known: dict[str, set[str]]) -> list[list[str]]:
    runs = itertools.groupby(RELEASES, lambda release: name in known[release])
    members = (list(run) for has, run in runs if has)
    return [[run[0], run[-1]] for run in members]


if __name__ == "__main__":
    main()
