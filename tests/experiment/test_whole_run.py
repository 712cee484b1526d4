"""A whole experiment: it ends in a report, survives kills, and reruns what an edit concerns.

Each test runs twice: with trainings and models that are played (`tests/played/`), and, marked `train`, with real ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from tests.conftest import ROOT
from tests.experiment import undecided

pytestmark = pytest.mark.timeout(1500)

PLAYED = [str(ROOT / "tests/played" / name) for name in ("engine", "environment")]
KILLS = int(os.environ.get("W2S_KILLS", "1"))
BRIEF = {"max_steps": 2, "learning_rate": 1e-4}
ON_CPU = {"use_cpu": True, "bf16": False}
DATA = (
    "results.jsonl",
    "output.jsonl",
    "demonstrations.json",
    "majority_voting_results.jsonl",
    "adapter_model.safetensors",
)


@pytest.fixture(
    scope="module",
    params=[pytest.param("played", marks=pytest.mark.slow), pytest.param("real", marks=pytest.mark.train)],
)
def model_and_engine(request, tmp_path_factory):
    """A model, and the engine for it; LLaMA-Factory is what the processes find first on their path."""
    if request.param == "real":
        folder = tmp_path_factory.mktemp("undecided")
        undecided.make(folder)
        yield str(folder), "transformers"
        return
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join([*PLAYED, str(ROOT)]))
        yield "some/model", "undecided"


@pytest.fixture(scope="module")
def experiment(model_and_engine, tmp_path_factory):
    """Write the experiment: Stage I and II at their smallest."""
    model, engine = model_and_engine
    file = tmp_path_factory.mktemp("experiment") / "experiment.yaml"

    def write(**stage2):
        methods = {"dpo": {"overrides": {"max_steps": 2, **ON_CPU}}, "sft_chosen": None}
        values = {
            "name": "tiny",
            "task": "arithmetic",
            "split": "dev",
            "weak": {"name": "w", "model": model},
            "strong": {"name": "s", "model": model, "preset": "tiny_lora_sft", "overrides": BRIEF},
            "iterations": 1,
            "last_iteration": ["hybrid"],
            "baselines": ["weak_floor"],
            "limit": {"train_2": 30, "split": 10},
            "generation": {"engine": engine, "max_tokens": 24},
            "stage2": {"samples": 3, "min_confidence": 0.5, "methods": methods, **stage2},
        }
        file.write_text(yaml.safe_dump(values))
        return file

    return write


def command(file, folder) -> list[str]:
    return [sys.executable, "-m", "w2s_factory", "run", str(file), "--output-dir", str(folder), "--jobs", "2"]


def run(file, folder) -> list[str]:
    """Run it to its end; the names of the steps done."""
    done = subprocess.run(command(file, folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "report.html").is_file()
    assert done.stdout.splitlines()[-1] == f"the report: {folder / 'report.html'}"
    assert done.stdout.startswith("Stage I, iteration 1, hybrid reached ")
    return [line.split("] ")[1].split("  ")[0] for line in done.stderr.splitlines() if line.startswith("[")]


def contents(folder) -> dict[str, str]:
    """The hash of every data file of the run."""
    files = [path for path in folder.rglob("*") if path.name in DATA or "llama_factory" in path.parts]
    kept = [
        path
        for path in files
        if path.is_file() and path.name not in ("manifest.jsonl", ".dataset_info.json.lock")
    ]
    kept = [path for path in kept if "checkpoint" not in str(path)]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.fixture(scope="module")
def undisturbed(experiment, tmp_path_factory):
    folder, began = tmp_path_factory.mktemp("undisturbed"), time.monotonic()
    done = run(experiment(), folder)
    return folder, done, contents(folder), time.monotonic() - began


def test_it_ends_in_a_report_with_every_step_done_once(undisturbed):
    _, done, files, _ = undisturbed
    assert len(done) == len(set(done))
    assert {"seed0/train_iter1_hybrid", "seed0/pairs", "seed0/train_dpo", "report"} <= set(done)
    assert "seed0/data/llama_factory/arithmetic/train_arithmetic_w_iter1_hybrid_paired.json" in files
    assert len([name for name in files if name.endswith("adapter_model.safetensors")]) == 3


def test_too_little_headroom_stops_before_the_trainings(undisturbed, experiment):
    folder = undisturbed[0]
    measured = json.loads((folder / "seed0/headroom.json").read_text())
    assert (measured["questions"], measured["k"]) == (10, 3)
    file = experiment(require_headroom=100)
    done = subprocess.run(command(file, folder), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *others, last = done.stderr.splitlines()
    assert last.startswith(
        "Error: seed0/headroom_required: the headroom of Stage II does not reach the required 100"
    )
    assert measured["sentence"].removesuffix(".") in last
    assert not any("failed" in line or "train_" in line for line in others)
    assert (folder / "seed0/headroom.json").exists()
    assert run(experiment(), folder) == []  # without the key, nothing has to be done again


@pytest.mark.slow
def test_methods_on_all_sets_of_pairs_and_self_training_end_in_the_report(experiment, tmp_path):
    brief = {"overrides": {"max_steps": 2, **ON_CPU}}
    sets = ["weak", "consistency", "random"]  # the played model is never right, as gold pairs need
    methods = {
        "dpo": {**brief, "pairs": sets},
        "sft_chosen": {"pairs": ["weak", "consistency"]},
        "self_training": {"start": "base"},
    }
    done = run(experiment(methods=methods), tmp_path / "run")
    assert {f"seed0/pairs_{name}" for name in sets[1:]} | {"seed0/self"} <= set(done)
    page = (tmp_path / "run/report.html").read_text()
    for label in ("Stage II, DPO, consistency pairs", "random pairs (control)", "Self-training on majority"):
        assert label in page
    trained = (tmp_path / "run/seed0/models").glob("*/adapter_model.safetensors")
    assert len([*trained]) == 1 + len(sets) + 2 + 1


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_in_the_same_files(undisturbed, experiment, tmp_path):
    draw, folder, file = random.Random(0), tmp_path / "run", experiment()
    _, steps, expected, lasts = undisturbed
    finished: list[str] = []
    for _ in range(KILLS):
        process = subprocess.Popen(command(file, folder), stderr=subprocess.PIPE, text=True)
        time.sleep(draw.uniform(0.2, 0.5) * lasts)
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for one in [*family, process]:
            with contextlib.suppress(psutil.NoSuchProcess):  # ended just now
                one.kill()
        _, printed = process.communicate()
        finished += [
            line.split("] ")[1].split("  ")[0] for line in printed.splitlines() if line.startswith("[")
        ]
    finished += run(file, folder)
    assert contents(folder) == expected
    assert len(finished) == len(set(finished))  # what was complete was not done again
    assert set(finished) <= set(steps)


@pytest.mark.slow
def test_an_edited_confidence_reruns_what_depends_on_it(undisturbed, experiment):
    folder = undisturbed[0]
    assert run(experiment(), folder) == []
    done = run(experiment(min_confidence=0.7), folder)
    expected = {"pairs", "chosen", "headroom"}
    for method in ("dpo", "sft_chosen"):
        expected |= {f"train_{method}", f"generate_{method}_dev", f"score_{method}_dev"}
    assert set(done) == {*(f"seed0/{name}" for name in expected), "report"}


@pytest.mark.slow
def test_an_edited_generation_begins_its_journals_anew(undisturbed, experiment):
    folder = undisturbed[0]
    file = experiment(min_confidence=0.7)
    values = yaml.safe_load(file.read_text())
    values["generation"]["max_tokens"] = 20
    file.write_text(yaml.safe_dump(values))
    done = run(file, folder)
    assert "seed0/generate_weak_train_2" in done
    assert "seed0/golds_train_2" not in done
