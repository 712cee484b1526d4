from __future__ import annotations

import pytest

from w2s_factory.errors import UserError
from w2s_factory.experiment.resources import Need
from w2s_factory.experiment.workflow import (
    as_workflow,
    is_dry,
    resources_of,
    restoring,
    script_of,
    snakemake_command,
)


def command(planned, folder, **options):
    given = {"jobs": None, "executor": None, "arguments": (), **options}
    return snakemake_command(planned, folder, **given)


def test_a_need_in_snakemakes_words():
    need = Need(gpus=8, mem="64GB", runtime="12h", threads=4, more={"slurm_partition": "gpu"})
    assert resources_of(need) == {"gpu": 8, "mem": "64GB", "runtime": "12h", "slurm_partition": "gpu"}
    assert resources_of(Need()) == {}


def test_at_home_jobs_share_the_gpus_of_the_largest(planned, tmp_path):
    small = planned(resources={"train": {"gpus": 4}, "generate": {"gpus": 2}})
    words = command(small, tmp_path, jobs=3)
    assert words[words.index("--cores") + 1] == "3"
    assert words[words.index("--resources") + 1] == "gpu=4"
    assert "--executor" not in words


def test_what_stands_after_the_dashes_comes_last(planned, tmp_path):
    assert command(planned(), tmp_path, arguments=["--keep-going"])[-1] == "--keep-going"


def test_a_missing_executor_names_its_package(planned, tmp_path):
    with pytest.raises(UserError, match="pip install snakemake-executor-plugin-no-such"):
        command(planned(), tmp_path, executor="no-such")


def test_jobs_that_take_seconds_stay_at_home(planned):
    rules = as_workflow(planned())["steps"]
    assert {
        rule["local"] for rule in rules if rule["rule"].startswith(("seed0_train_", "seed0_generate_"))
    } == {False}
    assert {rule["local"] for rule in rules if rule["rule"].startswith("seed0_score_")} == {True}


def test_a_model_is_read_file_by_file(planned, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "README.md", ".gitattributes"):
        (folder / name).touch()
    rules = as_workflow(planned(strong={"name": "s", "model": str(folder)}))["steps"]
    zero_shot = next(rule for rule in rules if rule["rule"] == "seed0_generate_strong_test")
    assert zero_shot["reads"][1:] == [str(folder / "config.json"), str(folder / "model.safetensors")]


def test_a_missing_release_is_named(planned):
    with pytest.raises(UserError, match=r"release/data/raw/gsm8k/test.jsonl: no such file .*W2S_RELEASE"):
        as_workflow(planned(task="gsm8k"))


def test_generation_runs_in_its_own_environment(planned):
    small = planned(environments={"generate": "/env/bin/python"})
    scripts = {step.kind: script_of(step, small.experiment.environments)[0] for step in small.steps}
    assert scripts["generate"].startswith("/env/bin/python -m w2s_factory generate ")
    assert not scripts["train"].startswith("/env")


COMMAND = ["python", "-m", "snakemake", "--snakefile", "file", "--directory", "folder", "--cores", "2"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], []),
        (["--keep-going", "--until", "a", "b", "-p"], ["--keep-going", "-p"]),
        (["--until=a", "--omit-from", "a", "-R", "b"], []),
        (["-Ua", "--forceall", "--jobs", "3"], ["--jobs", "3"]),
        (["--unt", "a", "--latency-wait", "5"], ["--latency-wait", "5"]),
        (["--keep-going", "target", "other"], ["--keep-going"]),
        (["--keep-going", "--", "target"], ["--keep-going"]),
        (["--default-resources", "slurm_account=me"], ["--default-resources", "slurm_account=me"]),
        (["--no-such-option", "--until", "a"], ["--no-such-option"]),
    ],
)
def test_a_restoration_leaves_out_what_selects_work(given, kept):
    assert restoring([*COMMAND, *given], ["x", "y"]) == [
        *COMMAND[:3],
        "--forcerun",
        "x",
        "y",
        *COMMAND[3:],
        *kept,
    ]


@pytest.mark.parametrize(
    ("given", "dry"),
    [
        ("", False),
        ("-n", True),
        ("-np", True),
        ("--dry-run --until a", True),
        ("--executor dryrun", True),
        ("--summary", True),
        ("--touch", True),
        ("--until n", False),
        ("--no-such-option -n", False),
    ],
)
def test_dry_runs_are_recognised(given, dry):
    assert is_dry([*COMMAND, *given.split()]) is dry
