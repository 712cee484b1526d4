"""The built wheel in a fresh environment: commands work in an empty folder, everything needed is inside."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.conftest import ROOT
from tests.install.environments import clean

pytestmark = pytest.mark.install

SHIPPED = ("data", "experiments", "llama_factory_configs")


@pytest.fixture
def run(light, tmp_path):
    def run(program, *arguments):
        command = [str(light.parent / program), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=clean())
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_everything_shipped_is_inside(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", *SHIPPED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    expected = tracked.stdout.split("\n")[:-1] if tracked.returncode == 0 else files_below(*SHIPPED)
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert {f"w2s_factory/{name}" for name in expected} <= inside
    assert {"w2s_factory/py.typed", "w2s_factory/data/arithmetic/train_2.jsonl"} <= inside
    assert {"w2s_factory/experiment/Snakefile", "w2s_factory/experiment/init_template.yaml"} <= inside
    assert [name for name in inside if name.startswith("w2s_factory/llama_factory_configs/")]
    assert not [name for name in inside if name.startswith(("tests/", "scripts/"))]


def files_below(*folders: str) -> list[str]:
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path.relative_to(ROOT).as_posix() for path in paths]


def test_help_works_in_an_empty_folder(run):
    assert run("w2s-factory", "--help").startswith("Usage: w2s-factory")


def test_the_embedded_task_is_found_in_the_package(run):
    code = (
        "from w2s_factory import get_task; task = get_task('arithmetic');"
        "print(task.example.weak, task.example.icl, task.example.model / 'model.safetensors',"
        "*[task.path(part) for split in task.splits.values() for part in (split.raw, split.test)], sep='\\n')"
    )
    paths = [Path(line) for line in run("python", "-c", code).splitlines()]
    assert len(paths) == 11
    for path in paths:
        assert "site-packages/w2s_factory/data" in path.as_posix()
        assert path.is_file()


def test_an_experiment_of_the_package_plans_in_an_empty_folder(run):
    printed = run("w2s-factory", "run", "arithmetic", "--dry-run")
    assert "seed0/train_iter2_hybrid" in printed
    assert "site-packages/w2s_factory/data/models" in re.sub(r"/\n +", "/", printed)


def test_stage_1_of_the_embedded_example_in_an_empty_folder(run, tmp_path):
    printed = run("w2s-factory", "build-data", "--stage", "1")
    assert "simulated" in printed
    folder = tmp_path / "w2s-data"
    name = "train_arithmetic_simulated_weak_iter1_hybrid"
    assert {f"{name}.json", f"{name}.yaml", "dataset_info.json"} <= {path.name for path in folder.iterdir()}


def test_it_is_ready_for_an_index(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(name)
    found = Metadata.from_email(text, validate=False)
    assert (found.name, found.description_content_type) == ("w2s-factory", "text/markdown")
    assert found.license_expression == "Apache-2.0"
    assert found.project_urls
    assert {"Typing :: Typed", "Operating System :: POSIX"} <= {*found.classifiers}
    assert found.description.startswith("# w2s-factory\n")
    assert "docs/experiments.md" in (ROOT / "README.md").read_text()  # a link that an index does not have
    links = re.findall(r"\]\(([^)]+)\)", found.description)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


@pytest.mark.skipif(find_spec("twine") is None, reason="needs twine: pip install twine")
def test_twine_has_nothing_to_complain_of(wheel):
    check = [sys.executable, "-m", "twine", "check", "--strict", str(wheel)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
