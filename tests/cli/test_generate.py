"""`demos`, `generate` and `merge-shards` as a user meets them."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from w2s_factory.shipped import shipped

ENGINE = ROOT / "tests/played/engine"
TINY = shipped("data", "models", "tiny_llama")
QUICK = [
    "--task",
    "arithmetic",
    "--split",
    "dev",
    "--model",
    TINY,
    "--limit",
    6,
    "--max-tokens",
    8,
    "--output-dir",
    "out",
]
FULL_WEAK = "data/llama_factory/gsm8k/train_gsm8k_gemma_2b_full_weak.json"


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("W2S_RELEASE", raising=False)


@pytest.fixture
def full_weak(tmp_path):
    rows = [{"id": n, "content": f"Question: {n}\nAnswer:", "output": f"#### {n}"} for n in range(50)]
    (tmp_path / "cwd/full_weak.json").write_text(json.dumps(rows))
    return "full_weak.json"


def one_line(done, *parts):
    """Whether what failed said so in one line."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in errors[0]


def test_demos(w2s, tmp_path, full_weak):
    done = w2s(
        "demos", "--task", "gsm8k", "--from", full_weak, "--seed", 42, "--count", 4, "--output", "demos.json"
    )
    drawn = json.loads((tmp_path / "cwd/demos.json").read_text())
    assert len(drawn) == 4
    assert f"ids {', '.join(str(one['id']) for one in drawn)}" in done.stdout
    assert "w2s-factory generate --task gsm8k --demos demos.json and add --model" in done.stdout
    done = w2s(
        "demos", "--task", "gsm8k", "--from", full_weak, "--ids", "7, 3,40 ,12", "--output", "my named.json"
    )
    assert "--demos 'my named.json' and add" in done.stdout
    (tmp_path / "cwd/my named.json").rename(tmp_path / "cwd/named.json")
    assert [one["id"] for one in json.loads((tmp_path / "cwd/named.json").read_text())] == [7, 3, 40, 12]
    manifest = (tmp_path / "cwd/manifest.jsonl").read_text().splitlines()
    assert [json.loads(line).get("seed") for line in manifest] == [42, None]


def test_demos_refuses(w2s, full_weak):
    one_line(
        w2s("demos", "--task", "gsm8k", "--from", full_weak, "--ids", "1,99", "--output", "d.json", code=2),
        "no row of id 99",
    )
    both = ["--ids", "1", "--seed", 1]
    one_line(
        w2s("demos", "--task", "gsm8k", "--from", full_weak, *both, "--output", "d.json", code=2), "--ids"
    )
    one_line(
        w2s("demos", "--task", "gsm", "--from", full_weak, "--output", "d.json", code=2),
        'Did you mean "gsm8k"',
    )


@pytest.mark.release
def test_the_published_set(w2s, tmp_path, release):
    w2s("demos", "--task", "gsm8k", "--from", release / FULL_WEAK, "--output", "demos.json")
    assert [one["id"] for one in json.loads((tmp_path / "cwd/demos.json").read_text())] == [
        3401,
        173,
        354,
        6272,
    ]


@pytest.mark.release
def test_a_dry_run_of_weak_icl_on_the_release(w2s, release):
    w2s(
        "demos",
        "--task",
        "gsm8k",
        "--from",
        release / FULL_WEAK,
        "--ids",
        "2619,102,3037,1126",
        "--output",
        "demos.json",
    )
    done = w2s(
        "generate", "--task", "gsm8k", "--split", "train_2", "--release", release, "--model", TINY,
        "--demos", "demos.json", "--engine", "transformers", "--output-dir", "out", "--dry-run",
    )  # fmt: skip
    assert "7,000 requests" in done.stdout
    assert (
        "demonstrations give away the answers to questions of this run (id 102, 1126, 2619, 3037); they are kept"
        in done.stderr
    )
    assert "max_tokens: 1024" in done.stdout
    assert "stop: ['Question', 'Answer']" in done.stdout


def test_greedy_then_again(w2s, tmp_path):
    done = w2s("generate", *QUICK, "--engine", "transformers")
    assert done.stdout.splitlines()[0].startswith("Wrote out/output.jsonl (6 responses")
    following = shlex.split(done.stdout.splitlines()[1].removeprefix("Next: w2s-factory "))
    assert following[:2] == ["score", "--task"]
    assert "of 6 right" in w2s(*following).stdout
    assert "6/6" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "cwd/out/output.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [["id", "prompt", "response"]] * 6
    again = w2s("generate", *QUICK, "--engine", "transformers")
    assert again.stdout == done.stdout


def test_samples(w2s, tmp_path):
    w2s("generate", *QUICK, "--engine", "transformers", "--samples", 3, "--temperature", "1.0")
    files = sorted((tmp_path / "cwd/out").rglob("output.jsonl"))
    assert [str(file.relative_to(tmp_path / "cwd/out")) for file in files] == [
        f"t1.0/seed{n}/output.jsonl" for n in range(3)
    ]
    assert len({file.read_text() for file in files}) == 3


def test_shards(w2s, tmp_path):
    elsewhere = [*QUICK[:-1], "my out"]
    done = w2s("generate", *elsewhere, "--engine", "transformers", "--shard", "1/1")
    merging = shlex.split(done.stdout.splitlines()[-1].partition("w2s-factory ")[2])
    assert w2s(*merging).stdout.startswith("Wrote my out/output.jsonl\nNext: w2s-factory score ")
    assert len((tmp_path / "cwd/my out/output.jsonl").read_text().splitlines()) == 6


def test_a_dry_run(w2s, tmp_path):
    done = w2s("generate", *QUICK, "--engine", "transformers", "--dry-run")
    assert "6 requests; the first prompt:\nQuestion: " in done.stdout
    assert "tokens: 37:Question " in done.stdout
    assert "  bos: auto" in done.stdout
    assert "would write out/output.jsonl" in done.stdout
    assert not (tmp_path / "cwd/out").exists()


def test_sampling_from_the_model_and_from_options(w2s, tmp_path):
    model = shutil.copytree(TINY, tmp_path / "cwd/model")
    recommended = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95}
    (model / "generation_config.json").write_text(json.dumps(recommended))
    options = [model if part is TINY else part for part in QUICK]
    done = w2s(
        "generate", *options, "--engine", "transformers", "--sampling", "model", "--samples", 2, "--top-k", 0,
        "--min-p", 0.1, "--presence-penalty", 1.5, "--repetition-penalty", 1.1, "--no-stop", "--dry-run",
    )  # fmt: skip
    shown = dict(line.strip().split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert {name: shown.get(name) for name in ("temperature", "top_p", "top_k", "min_p", "stop")} == {
        "temperature": "0.6", "top_p": "0.95", "top_k": None, "min_p": "0.1", "stop": "[]",
    }  # fmt: skip
    assert (shown["presence_penalty"], shown["repetition_penalty"]) == ("1.5", "1.1")
    assert "would write out/t0.6/seed1/output.jsonl" in done.stdout


ENGINES = dict.fromkeys(("--split", "--samples", "--shard", "--questions", "--demos"), "openai")
"""These fail before an engine is asked anything: the one that starts quickest will do."""


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--model", "/nowhere/model"], ["/nowhere/model: no such model folder"]),
        (["--split", "train_9"], ['no split "train_9"', "train_1, train_2, dev, test"]),
        (["--engine", "vlm"], ['no engine "vlm"', "transformers, vllm, openai"]),
        (["--engine", "openai"], ["--base-url"]),
        (["--engine", "openai", "--base-url", "http://127.0.0.1:9/v1"], ["no server answers at http://127.0.0.1:9/v1"]),
        (["--engine-option", "batchsize=3"], ['no option "batchsize"', 'Did you mean "batch_size"']),
        (["--engine-option", "batch_size"], ["NAME=VALUE"]),
        (["--samples", "4", "--temperature", "0"], ["--samples", "greedy"]),
        (["--shard", "3/2"], ["--shard", "3/2"]),
        (["--questions", "q.jsonl"], ["expected either --split or --questions"]),
        (["--demos", "missing.json"], ["missing.json: no such file"]),
        (["--sampling", "model"], ["generation_config.json: names no sampling settings"]),
        (["--no-stop", "--stop", "END"], ["--no-stop", "contradicts --stop"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(w2s, options, parts):
    engine = [] if "--engine" in options else ["--engine", ENGINES.get(options[0], "transformers")]
    one_line(w2s("generate", *QUICK, *engine, *options, code=2), *parts)


def test_the_release_that_is_not_named(w2s):
    done = w2s(
        "generate", "--task", "gsm8k", "--split", "train_2", "--model", TINY, "--output-dir", "out", code=2
    )
    one_line(done, "--release DIR or W2S_RELEASE")


def test_a_full_disk(w2s, tmp_path, monkeypatch):
    """The journal may not grow beyond 2,000 bytes: one line, and what was there before is kept."""
    monkeypatch.syspath_prepend(ENGINE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ENGINE), str(ROOT)]))
    few = [*map(str, QUICK), "--engine", "undecided"]
    few[few.index("--limit") + 1] = "20"
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # its data would be limited, too
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # truncated bytecode would be kept and loaded later
    command = [sys.executable, "-m", "w2s_factory", "generate", *few]
    done = subprocess.run(
        command, cwd=tmp_path / "cwd", capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY)),
    )  # fmt: skip
    assert done.returncode == 2
    one_line(done, "out/output.journal.jsonl: cannot be written (File too large)", "is kept")
    journal = tmp_path / "cwd/out/output.journal.jsonl"
    kept = len(journal.read_text().splitlines()) - 1
    assert 2 <= kept < 20
    assert f"{kept} of 20 responses are kept" in done.stderr
    w2s("generate", *few)
    assert len(journal.read_text().splitlines()) == 21


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--stop", ""], "--stop"),
        (["--first-seed", 7], "--first-seed"),
        (["--exclude-demos"], "--exclude-demos"),
    ],
)
def test_an_option_that_would_not_be_read_is_refused(w2s, tmp_path, options, named):
    one_line(w2s("generate", *QUICK, *options, code=2), named)
    assert not (tmp_path / "cwd/out").exists()


def test_an_adapter_that_cannot_be_read_is_one_line(w2s, tmp_path):
    (tmp_path / "cwd/broken").mkdir()
    (tmp_path / "cwd/broken/adapter_config.json").write_text("{")
    one_line(w2s("generate", *QUICK, "--adapter", "broken", code=2), "broken")


def test_a_models_own_code_is_not_run_to_check_an_adapter(w2s, tmp_path):
    model = tmp_path / "cwd/foreign"
    shutil.copytree(TINY, model)
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "foreign", "auto_map": {"AutoConfig": "code.Foreign"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    adapter = tmp_path / "cwd/adapter"
    adapter.mkdir()
    lora = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(lora))
    options = [model if part is TINY else part for part in QUICK]
    one_line(w2s("generate", *options, "--adapter", adapter, code=2))
    assert not (tmp_path / "ran").exists()
