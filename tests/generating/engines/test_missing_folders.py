"""A model folder that is missing is found out before torch is imported, which takes seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from w2s_factory.errors import UserError
from w2s_factory.generating.engines import Model
from w2s_factory.generating.engines.model_folders import check_local

CODE = """
import sys
from w2s_factory.errors import UserError
from w2s_factory.generating.engines import Model, make_engine
try:
    make_engine(sys.argv[1], Model(sys.argv[2], sys.argv[3] or None), {})
except UserError as error:
    print(error)
assert not {"torch", "transformers", "vllm"} & set(sys.modules)
"""


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
@pytest.mark.parametrize(
    ("model", "adapter", "words"),
    [
        ("./gone", "", "./gone: no such model folder"),
        ("org/model", "../gone", "../gone: no such adapter folder"),
        ("empty", "", "empty: is not the folder of a model"),
        ("org/model", "empty", "empty: is not the folder of an adapter"),
        ("models/gone", "", "models/gone: no such model folder"),
    ],
)
def test_it_is_told_before_anything_heavy_is_imported(tmp_path, engine, model, adapter, words):
    for name in ("empty", "models"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", CODE, engine, model, adapter]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_names_on_the_hub_are_let_through():
    check_local(Model("org/model", "org/adapter"))
    with pytest.raises(UserError, match="no such model folder"):
        check_local(Model("/gone"))
