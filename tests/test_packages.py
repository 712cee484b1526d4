"""The command that an error names for a missing package: it fits a clone as well as an installed wheel."""

from __future__ import annotations

import ast
import shlex
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from w2s_factory import packages
from w2s_factory.packages import (
    EXTRAS,
    constrained_install,
    extra_command,
    missing_extra,
    missing_package,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROUGHT = {
    "llamafactory": {"torch", "transformers", "tokenizers", "safetensors", "peft", "omegaconf"},
    "transformers": {"huggingface_hub"},
    "datasets": {"pyarrow"},
    "pydantic": {"pydantic_core"},
}
"""Imported packages that pyproject.toml need not name, by the named package that requires them."""

CODE = ["w2s_factory", "scripts", "tests"]

BY_HAND = {"deepspeed", "ray"}
"""Packages for several devices: `make setup-devices` installs them, and no extra contains them."""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Where the package is, in a clone or as a wheel; the environment's interpreter is in `.venv`."""

    def make(kind: str) -> Path:
        folder = tmp_path / kind
        constraints = folder / ("lib/w2s_factory" if kind == "wheel" else "") / "constraints.txt"
        constraints.parent.mkdir(parents=True)
        constraints.touch()
        if kind == "clone":
            (folder / "pyproject.toml").touch()
        monkeypatch.setattr(packages, "shipped", constraints.with_name)
        monkeypatch.setattr(sys, "executable", str(folder / ".venv/bin/python"))
        monkeypatch.chdir(folder)
        return folder

    return make


def test_in_a_clone_it_is_the_folder_that_is_installed(installed, monkeypatch):
    folder = installed("clone")
    assert extra_command("train") == (".venv/bin/python -m pip install -c constraints.txt -e '.[train]'")
    monkeypatch.chdir("/")
    python, constraints, source = (f"{folder}/{name}" for name in (".venv/bin/python", "constraints.txt", ""))
    assert shlex.split(extra_command("train")) == [
        *(python, "-m", "pip", "install", "-c", constraints, "-e", f"{source.rstrip('/')}[train]")
    ]
    monkeypatch.chdir(folder.parent)
    assert shlex.split(extra_command("train"))[-2:] == ["-e", "./clone[train]"]


def test_of_a_wheel_it_is_the_name_with_the_constraints_inside(installed):
    installed("wheel")
    assert extra_command("math-verify") == (
        ".venv/bin/python -m pip install -c lib/w2s_factory/constraints.txt 'w2s-factory[math-verify]'"
    )


def test_this_checkout_is_a_clone(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert shlex.split(extra_command("train"))[-4:] == ["-c", "constraints.txt", "-e", ".[train]"]


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*EXTRAS, "dev", "docs"} == project["optional-dependencies"].keys()


def imported(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the top-level name of each import below a folder, wherever in a file it is."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((name.name.partition(".")[0], file) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0], file


@pytest.mark.parametrize("folder", CODE)
def test_what_is_imported_is_required(folder):
    """A package that only happens to come with others may be missing from the next environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    required = {canonicalize_name(Requirement(line).name) for line in lines}
    ours = {path.stem for top in CODE for path in [ROOT / top, *(ROOT / top).rglob("*")]}
    known = set(sys.stdlib_module_names).union(ours, BY_HAND, *BROUGHT.values())
    distributions = packages_distributions()
    for name, file in imported(ROOT / folder):
        packages = {canonicalize_name(package) for package in distributions.get(name, [name])}
        assert name in known or packages & required, f"{file.relative_to(ROOT)} imports {name}"


def test_another_environment_gets_the_versions_that_fit_together(installed):
    folder = installed("wheel")
    assert shlex.split(constrained_install("/my env/python", "llamafactory", "torch")) == [
        *("/my env/python", "-m", "pip", "install"),
        *("-c", str(folder / "lib/w2s_factory/constraints.txt"), "llamafactory", "torch"),
    ]


def test_a_missing_package_is_reported_with_the_command_that_installs_it(installed):
    installed("wheel")
    error = missing_extra("hub", "datasets", file="a.parquet")
    assert str(error).startswith(
        "a.parquet: the package datasets is not installed. Install the extra hub: .venv/"
    )
    assert error.exit_code == 2
    error = missing_extra("openai", "openai", needed_by="engine openai")
    assert str(error).startswith(
        "engine openai needs the package openai, which is not installed. Install the"
    )
    error = missing_package("sympy")
    assert str(error) == "the package sympy is not installed. Install it: pip install sympy"
    assert error.exit_code == 2
    assert str(missing_package("antlr4", "antlr4==4.*")).endswith("Install it: pip install 'antlr4==4.*'")
