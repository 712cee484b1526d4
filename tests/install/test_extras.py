"""The wheel alone, and with each extra: what must run does, and what must refuse names the extra.

The command that a refusal names is run as it is printed; then the same command no longer refuses. The extra
`vllm` is left out: it is 10 GB, and its release for the CPU comes from another index.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.experiment.made_runs import make_run
from tests.install.environments import clean, copy, megabytes
from w2s_factory.cli import COMMANDS
from w2s_factory.packages import EXTRAS

pytestmark = [pytest.mark.install, pytest.mark.timeout(1500)]

LARGEST = 560
"""The most megabytes of the light environment."""

DATA = "{package}/data"
SET = "train_arithmetic_simulated_weak_iter1_hybrid"
SCORE = f"score --task arithmetic --golds {DATA}/arithmetic/golds/train_2.jsonl --input {DATA}/arithmetic/examples"

RUN = (
    ("build-data --stage 1", f"Wrote w2s-data/{SET}.json (1,404 rows"),
    ("build-data --stage gold --output gold.json", "Wrote gold.json"),
    ("build-data --stage test --output test.jsonl", "Wrote test.jsonl"),
    ("build-data --stage full-weak --output full_weak.json", "Wrote full_weak.json"),
    *((f"{SCORE}/weak_results.jsonl --output samples/seed{seed}/results.jsonl", "763") for seed in (0, 1)),
    (f"{SCORE}/icl_results.jsonl --mode symbolic --output icl/results.jsonl", "Wrote icl/results.jsonl"),
    ("vote --task arithmetic --input samples --output votes.jsonl", "Wrote votes.jsonl"),
    ("evaluate --pass-at 2 samples", "50.87%"),
    ("demos --task arithmetic --from samples/seed0 --output demos.json", "Wrote demos.json"),
    (f"make-config --preset tiny_base_lora_sft --model {DATA}/models/arithmetic_strong --cpu --dataset gold "
     "--dataset-dir . --output-dir out --output train.yaml", "Wrote train.yaml"),
    ("audit w2s-data", "no faults"),
    ("show-task arithmetic", "answer found in it"),
    ("init --task arithmetic --output experiment.yaml", "Wrote experiment.yaml"),
    ("run arithmetic --dry-run", "55 steps"),
    ("run arithmetic --dag plan.svg", "Wrote plan.svg"),
    ("report a_run --force", "Wrote"),
    ("template status", "vanilla"),
    ("fetch --help", "Hugging"),
)  # fmt: skip
"""Commands that the wheel alone runs, in order in one folder, each with a text that it prints."""

CHANGED = "verify-release release"
"""A check of a copy of the release of which one file was changed: it ends with exit code 1, as it should."""

GENERATE = f"generate --task arithmetic --split test --limit 2 --model {DATA}/models/arithmetic_strong"
TRAIN = f"w2s-data/{SET}.yaml max_steps=1"

REFUSE = (
    (f"train {TRAIN}", "train"),
    ("export export.yaml", "train"),
    (f"{GENERATE} --output-dir g", "train"),
    (f"{GENERATE} --output-dir g --engine transformers", "train"),
    (f"{GENERATE} --output-dir g --engine vllm", "vllm"),
    (f"{GENERATE} --output-dir g --engine openai", "openai"),
    ("run arithmetic --preset smoke --output-dir r", "train"),
    ("run arithmetic --executor slurm --output-dir s", "slurm"),
    ("template jinja qwen --output x.jinja", "train"),
    ("fetch gsm8k --output-dir q", "hub"),
    ("fetch math --output-dir q", "hub"),
    ("fetch olympic_arena --output-dir q", "hub"),
    ("show-task ./towns.yaml", "hub"),
    (f"{SCORE}/weak_results.jsonl --mode math-verify --output mv/results.jsonl", "math-verify"),
    ("vote --task arithmetic --input samples --mode math-verify --output mv.jsonl", "math-verify"),
)
"""Commands that the wheel alone refuses, each with the extra that it lacks."""


@pytest.fixture
def w2s(tmp_path):
    """Run a command in a folder with an interpreter; its place among the packages replaces {package}."""

    def run(python: Path, words: str, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        (package,) = python.parent.parent.glob("lib/python*/site-packages/w2s_factory")
        command = [str(python), "-m", "w2s_factory", *shlex.split(words.format(package=package))]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=clean())

    return run


@pytest.fixture(scope="module")
def worked_in(light, tmp_path_factory) -> Path:
    """A folder with what the commands of `RUN` need."""
    folder = tmp_path_factory.mktemp("worked_in")
    (folder / "a_run").mkdir()
    make_run(folder / "a_run", questions=40, asked=30, seeds=(0,))
    changed = folder / "release/data/raw/gsm8k/test.jsonl"
    changed.parent.mkdir(parents=True)
    changed.write_text("{}\n")
    return folder


def refused(done: subprocess.CompletedProcess[str], extra: str, python: Path, folder: Path) -> str:
    """Check the refusal of a command that ran in a folder; the command that it names."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    error = done.stderr.splitlines()[-1]
    assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] == [error]
    found = re.search(rf"[Ii]nstall the extra {extra}: (.*)$", error)
    assert found, error
    words = shlex.split(found[1])
    assert (folder / words[0], *words[1:5]) == (python, "-m", "pip", "install", "-c")
    assert words[6:] == [f"w2s-factory[{extra}]"]
    assert Path(words[5]).name == "constraints.txt"
    assert (folder / words[5]).is_file()
    return found[1]


def test_the_wheel_alone_runs_and_refuses(light, worked_in, w2s):
    assert megabytes(light.parent.parent) < LARGEST
    for words, text in RUN:
        done = w2s(light, words, worked_in)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        assert text in done.stdout + done.stderr, f"{words}\n{done.stdout}\n{done.stderr}"
    done = w2s(light, CHANGED, worked_in)
    assert done.returncode == 1
    assert "different" in done.stdout
    export = "make-config --preset export --model org/model --adapter org/adapter --output-dir o --output export.yaml"
    assert w2s(light, export, worked_in).returncode == 0
    towns(worked_in)
    for words, extra in REFUSE:
        refused(w2s(light, words, worked_in), extra, light, worked_in)
    for left in ("g", "q", "mv", "mv.jsonl", "x.jinja", "out", "r/seed0", "s/seed0"):
        assert not (worked_in / left).exists(), left
    loaded = "import sys, importlib.util; sys.exit(any(map(importlib.util.find_spec, ['torch', 'datasets'])))"
    assert subprocess.run([str(light), "-c", loaded], check=False).returncode == 0


def test_the_commands_are_all_tried():
    tried = {words.split()[0] for words, _ in (*RUN, *REFUSE)} | {"verify-release"}
    others = {
        "doctor",
        "merge-shards",
        "convert-pairs",
        "status",
    }  # need no extra, or examine other environments
    assert {*COMMANDS} == tried | others
    assert {extra for _, extra in REFUSE} == {*EXTRAS} - {"tokens"}  # without tiktoken only a note is printed


@pytest.fixture
def extended(light, tmp_path, w2s):
    """Add an extra to a copy of the light environment, by the command that a refused command names."""

    def add(extra: str, words: str) -> Path:
        python = copy(light, tmp_path / "venv")
        command = refused(w2s(python, words), extra, python, tmp_path)
        installed = subprocess.run(
            [*shlex.split(command), "--quiet", "--disable-pip-version-check"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=clean(),
        )
        assert installed.returncode == 0, installed.stderr
        return python

    return add


def ran(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def towns(folder: Path) -> None:
    """A task whose rows are a Parquet file, which is broken."""
    (folder / "towns.yaml").write_text("name: towns\nrows: towns.parquet\n")
    (folder / "towns.parquet").write_text("")


def test_with_math_verify(extended, w2s):
    score = f"{SCORE}/weak_results.jsonl --mode math-verify --output mv/results.jsonl"
    python = extended("math-verify", score)
    assert "763" in ran(w2s(python, score))


def test_with_hub(extended, w2s, tmp_path):
    towns(tmp_path)
    python = extended("hub", "show-task ./towns.yaml")
    rows = "[{'question': f'Town {n}?', 'answer': str(n)} for n in range(20)]"
    write = f"import pyarrow as pa; from pyarrow import parquet; parquet.write_table(pa.Table.from_pylist({rows}), 'towns.parquet')"
    subprocess.run([str(python), "-c", write], cwd=tmp_path, check=True)
    assert "Town 1" in ran(w2s(python, "show-task ./towns.yaml"))
    (tmp_path / "hub").mkdir()
    for split in ("train", "test"):
        (tmp_path / f"hub/{split}.jsonl").write_text('{"question": "How many?"}\n')
    done = w2s(python, "fetch gsm8k --from hub --output-dir q")  # `datasets` has read it
    assert "split train has no column answer" in done.stderr


def test_with_tokens(light, tmp_path):
    """Without the package a note names the extra; with it there is nothing to note, or the counts are made."""
    python = copy(light, tmp_path / "venv")
    asked = "from w2s_factory.packages import extra_command as c; from importlib.util import find_spec as f; print(f('tiktoken') is None, c('tokens'), sep='\\n')"

    def ask() -> list[str]:
        done = subprocess.run(
            [str(python), "-c", asked], cwd="/", capture_output=True, text=True, check=True, env=clean()
        )
        return done.stdout.splitlines()

    missing, command = ask()
    assert missing == "True"
    subprocess.run([*shlex.split(command), "--quiet"], check=True, env=clean(), cwd="/")
    assert ask()[0] == "False"


def test_with_slurm(extended, w2s):
    python = extended("slurm", "run arithmetic --executor slurm --output-dir s")
    done = w2s(python, "run arithmetic --executor slurm --output-dir s")
    assert "executor slurm is not installed" not in done.stderr  # without a cluster it ends later


class _Server(BaseHTTPRequestHandler):
    """A server that gives every prompt the same response."""

    def do_GET(self):
        self._answer({"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 2048}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        choice = {"index": 0, "text": " 43", "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        self._answer(
            {
                "id": "c",
                "object": "text_completion",
                "created": 1,
                "model": "m",
                "choices": [choice],
                "usage": usage,
            }
        )

    def _answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/v1"
        listening.shutdown()


def test_with_openai(extended, w2s, server, tmp_path):
    generate = "generate --task arithmetic --split test --limit 2 --model m --engine openai --output-dir g"
    generate += f" --engine-option base_url={server}"
    python = extended("openai", generate)
    ran(w2s(python, generate))
    responses = [
        json.loads(line)["response"] for line in (tmp_path / "g/output.jsonl").read_text().splitlines()
    ]
    assert responses == ["43", "43"]


@pytest.mark.slow
def test_with_train(extended, w2s, tmp_path):
    """The one extra of gigabytes; it generates, trains and merges."""
    python = extended("train", f"{GENERATE} --output-dir g")
    ran(w2s(python, "build-data --stage 1"))
    ran(w2s(python, f"{GENERATE} --output-dir g"))
    assert len((tmp_path / "g/output.jsonl").read_text().splitlines()) == 2
    assert "Trained: adapter in" in ran(w2s(python, f"train {TRAIN}"))
    ran(w2s(python, "doctor"))
    assert "seed0/train_weak" in ran(w2s(python, "run arithmetic --preset smoke --dry-run"))
