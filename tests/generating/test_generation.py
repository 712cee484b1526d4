"""The fields of a `Generation`: a wrong one is reported in one error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2s_factory.errors import UserError
from w2s_factory.generating import Generation, Model, Shard


def asked(**changes):
    given = {"task": "gsm8k", "questions": [{"question": "q"}], "model": "m", "output_dir": "out"}
    return Generation(**{**given, "engine": "openai", **changes})


WRONG = [
    ("seeds", [0, 0], r"expected different seeds, got \[0, 0\]"),
    ("seeds", 3, r"expected a list of seeds, got 3 \(int\)"),
    ("seeds", [], "expected one or more seeds, got none"),
    ("seeds", "12", "expected a list of seeds, got '12'"),
    ("seeds", ["1"], "expected a whole number from 0 to .*, got '1'"),
    ("seeds", None, "expected a list of seeds, got None"),
    ("sampling", {"temperature": 1.0}, r"expected a Sampling, got {'temperature': 1.0} \(dict\)"),
    ("sampling", None, "expected a Sampling, got None"),
    ("shard", (1, 2), r"expected a Shard, text .*, got \(1, 2\) \(tuple\)"),
    ("output_dir", None, "expected a folder, got None"),
    ("output_dir", "", "expected a folder, got ''"),
    ("engine_options", 3, "expected options by name, got 3"),
    ("engine_options", None, "expected options by name, got None"),
    ("engine", None, "expected the name of an engine, got None"),
    ("model", None, "expected a Model, or a model's folder or name, got None"),
    ("model", "", "expected a Model, or a model's folder or name, got ''"),
    ("exclude_demos", "no", "expected True or False, got 'no'"),
    ("questions", 3, "expected a file, rows"),
    ("demonstrations", 3, "expected a file, rows"),
    ("task", 3, "expected a task or its name"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
def test_a_wrong_field_is_named(field, value, message):
    with pytest.raises(UserError, match=f'^field "{field}": {message}'):
        asked(**{field: value})


@pytest.mark.parametrize("seeds", [[3, 5], (3, 5), range(3, 7, 2), iter([3, 5])])
def test_seeds_are_any_different_ones(seeds):
    assert asked(seeds=seeds).seeds == (3, 5)


def test_names_and_paths_are_taken():
    found = asked(model=Path("folder"), shard="2/4")
    assert (found.model, found.output_dir, found.shard) == (Model("folder"), Path("out"), Shard(2, 4))


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": None}, "name"), ({"name": ""}, "name"), ({"adapter": 3}, "adapter"), ({"bos": "yes"}, "bos")],
)
def test_a_wrong_field_of_a_model_is_named(fields, field):
    with pytest.raises(UserError, match=f'^field "{field}": expected '):
        Model(**{"name": "m", **fields})
