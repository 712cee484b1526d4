"""The built wheel in a fresh environment: commands work in an empty folder, everything needed is inside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.install

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("data", "experiments", "llama_factory_configs")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def light_requirements(wheel: Path) -> list[str]:
    """What the wheel needs without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        headers = Parser().parsestr(archive.read(metadata).decode())
    return [needed for needed in headers.get_all("Requires-Dist", []) if "extra ==" not in needed]


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel; its folder of programs."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    fetched = subprocess.run(
        [*pip, *light_requirements(wheel)], capture_output=True, text=True, check=False, env=clean()
    )
    if fetched.returncode:
        pytest.skip(f"needs a package index: {fetched.stderr.strip().splitlines()[-1]}")
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, env=clean())
    return folder / "bin"


def clean() -> dict[str, str]:
    """The environment's variables, without the way to the checkout."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


@pytest.fixture
def run(environment, tmp_path):
    def run(program, *arguments):
        command = [str(environment / program), *arguments]
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
