from __future__ import annotations

import pytest

from tests.conftest import ROOT


def test_init_then_a_dry_run_and_a_picture(w2s, tmp_path):
    made = w2s("init", "--task", "gsm8k", "--output", "experiment.yaml").stdout
    assert made.splitlines() == ["Wrote experiment.yaml", "Next: w2s-factory run experiment.yaml --dry-run"]
    shown = w2s("run", "experiment.yaml", "--dry-run").stdout
    assert "seed0/train_iter2_hybrid" in shown
    assert "Wrote plan.svg" in w2s("run", "experiment.yaml", "--dag", "plan.svg").stdout
    assert sorted(path.name for path in (tmp_path / "cwd").iterdir()) == ["experiment.yaml", "plan.svg"]


def test_a_preset_changes_the_plan(w2s):
    file = ROOT / "experiments/arithmetic.yaml"
    plain, smoke = (w2s("run", file, "--dry-run", *more).stdout for more in ((), ("--preset", "smoke")))
    assert smoke != plain


def test_an_executor_that_is_not_there_is_one_line(w2s):
    file = ROOT / "experiments/arithmetic.yaml"
    error = w2s("run", file, "--executor", "nowhere", code=2).stderr
    assert error.splitlines() == [
        'Error: field "--executor": Snakemake\'s executor nowhere is not installed. '
        "Install it: pip install snakemake-executor-plugin-nowhere"
    ]


def test_a_missing_release_is_one_line(w2s, tmp_path, monkeypatch):
    monkeypatch.delenv("W2S_RELEASE", raising=False)
    text = (ROOT / "experiments/math_gemma_2b.yaml").read_text()
    file = tmp_path / "experiment.yaml"
    here = text.replace("engine: vllm", "engine: transformers")  # neither vLLM nor a GPU need be here
    here = here.replace("  options: {tensor_parallel_size: 8}", "")
    file.write_text(here + "llamafactory: {cpu: true}\n")
    error = w2s("run", file, code=2).stderr
    assert "no such file or folder" in error
    assert "W2S_RELEASE" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nosuchoption"], "unrecognized arguments: --nosuchoption"),
        pytest.param(["--retries", "many"], "invalid int value: 'many'", marks=pytest.mark.slow),
    ],
)
def test_arguments_snakemake_refuses_are_one_line(w2s, arguments, words):
    file = ROOT / "experiments/arithmetic.yaml"
    error = w2s("run", file, "--output-dir", "out", "--", *arguments, code=2).stderr
    assert error.startswith("Error: Snakemake: ")
    assert words in error
    assert error.count("\n") == 1


def test_dry_runs_fit_100_columns(w2s):
    assert max(map(len, w2s("run", "gsm8k_llama2_7b", "--dry-run").stdout.splitlines())) <= 100
    model = ROOT / "data/models/tiny_llama"
    generate = [
        "generate",
        "--task",
        "arithmetic",
        "--split",
        "dev",
        "--model",
        model,
        "--engine",
        "transformers",
    ]
    shown = w2s(*generate, "--output-dir", "a_long_folder/" * 12, "--samples", 3, "--dry-run").stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert "t1.0/seed2/output.jsonl" in shown.replace("/\n  ", "/")
