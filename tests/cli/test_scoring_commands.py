"""`score`, `vote` and `evaluate` as they are typed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import commands

ROOT = Path(__file__).resolve().parents[2]


def w2s(*arguments, folder, code=0):
    done = commands.run(*arguments, folder=folder)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def folder(tmp_path):
    golds = [{"source": "", "question": "p", "solution": "", "answer": str(n), "tag": {}} for n in range(4)]
    (tmp_path / "golds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in golds))
    for seed in range(2):
        rows = [{"id": n, "prompt": "p", "response": f"#### {n if n > seed else '9.0'}"} for n in range(4)]
        path = tmp_path / "t1.0" / f"seed{seed}" / "output.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def score(folder, seed=0, *more, code=0):
    place = f"t1.0/seed{seed}"
    files = [
        "--golds",
        "golds.jsonl",
        "--input",
        f"{place}/output.jsonl",
        "--output",
        f"{place}/results.jsonl",
    ]
    return w2s("score", "--task", "gsm8k", *files, *more, folder=folder, code=code)


def test_score_vote_evaluate(folder):
    said = score(folder).stdout
    assert said.startswith("3 of 4 right (75.00%), mode published\n")
    assert (folder / "t1.0/seed0/metrics.json").read_text() == '{"acc": 0.75}'
    assert "2 of 4 right" in score(folder, 1, "--mode", "symbolic").stdout
    said = w2s("vote", "--input", "t1.0", "--output", "majority_voting_results.jsonl", folder=folder).stdout
    assert "4 questions, 2 samples each: majority right 3" in said
    assert "Next: w2s-factory evaluate --task gsm8k --pass-at 2 t1.0\n" in said
    first, second = "t1.0/seed0/results.jsonl", "t1.0/seed1"
    said = w2s("evaluate", first, second, folder=folder).stdout
    assert "75.00%" in said
    assert "-25.00%" in said
    table = w2s("evaluate", first, second, "--json", "--csv", "table.csv", folder=folder).stdout
    assert [row["right"] for row in json.loads(table)["results"]] == [3, 2]
    assert (
        (folder / "table.csv")
        .read_text()
        .splitlines()[1]
        .startswith("t1.0/seed0/results.jsonl,all,4,3,0.75,")
    )
    header, one, two = (folder / "table.csv").read_text().splitlines()
    assert header.endswith("high,against,difference,low_of_difference,high_of_difference")
    assert one.endswith(",,,,")
    assert f",{first},-0.25," in two
    found = json.loads(w2s("evaluate", "--pass-at", 2, "t1.0", "--json", folder=folder).stdout)["results"]
    assert [found[0][key] for key in ("pass_at_k", "maj_at_k", "pass_at_k_unbiased")] == [0.75, 0.75, 0.75]


def test_compare_writes_nothing(folder):
    before = sorted(folder.rglob("*"))
    files = ["--golds", "golds.jsonl", "--input", "t1.0/seed0/output.jsonl"]
    said = w2s("score", "--task", "gsm8k", *files, "--compare", "published,symbolic", folder=folder).stdout
    assert "No disagreement." in said
    assert sorted(folder.rglob("*")) == before


def test_the_next_command_can_be_typed_as_it_is_printed(folder):
    (folder / "t1.0").rename(folder / "my t1.0")
    for seed in range(2):
        place = f"my t1.0/seed{seed}"
        files = [
            "--golds",
            "golds.jsonl",
            "--input",
            f"{place}/output.jsonl",
            "--output",
            f"{place}/results.jsonl",
        ]
        said = w2s("score", "--task", "gsm8k", *files, folder=folder).stdout
    assert "2 samples each" in w2s(*following(said), folder=folder).stdout
    said = w2s("vote", "--input", "my t1.0", "--output", "my votes.jsonl", folder=folder).stdout
    assert "my t1.0" in w2s(*following(said), folder=folder).stdout


def following(said):
    """The words of the command named last."""
    return shlex.split(said.rpartition("Next: w2s-factory ")[2].partition("\n")[0])


def test_mistakes_are_one_line(folder):
    files = ["--golds", "golds.jsonl", "--input", "t1.0/seed0/output.jsonl"]
    compare = ["--compare", "published,symbolic"]
    for arguments, message in [
        (["score", "--task", "gsm8k", *files], "Missing option '--output'"),
        (["score", "--task", "gsm9k", *files, "--output", "r.jsonl"], 'Did you mean "gsm8k"?'),
        (["score", "--task", "gsm8k", *files, "--output", "r.jsonl", "--timeout", "0"], "--timeout"),
        (["score", "--task", "gsm8k", *files, *compare, "--output", "r.jsonl"], "leave out --output"),
        (["score", "--task", "gsm8k", *files, *compare, "--mode", "symbolic"], "leave out --mode"),
        (["score", "--task", "gsm8k", *files, *compare, "--force"], "leave out --force"),
        (["evaluate", "none.jsonl"], "none.jsonl: no such file"),
        (["vote", "--input", "none", "--output", "v.jsonl"], "none: no such folder"),
    ]:
        error = w2s(*arguments, folder=folder, code=2).stderr
        assert message in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["score", "vote", "evaluate"])
def test_help_has_an_example(name, folder):
    said = w2s(name, "--help", folder=folder).stdout
    assert f"w2s-factory {name} " in said
    assert "\\b" not in said
    assert "\b" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_interrupting_score_leaves_nothing_behind(folder):
    hard = r"\int_0^{\infty}e^{-x^2}\sin(x^3)\log(x)dx"
    rows = [{"id": n, "prompt": "p", "response": f"#### {hard}+{n}"} for n in range(4)]
    (folder / "hard.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "import sys; from w2s_factory.cli import main\nmain()"
    arguments = [
        "score",
        "--task",
        "gsm8k",
        "--golds",
        "golds.jsonl",
        "--input",
        "hard.jsonl",
        "--mode",
        "symbolic",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--output", "r.jsonl", "--timeout", "60"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        workers = []
        until = time.monotonic() + 60
        while len(workers) < 1 and time.monotonic() < until:
            time.sleep(0.2)
            tasks = Path(f"/proc/{command.pid}/task").glob("*/children")
            workers = [child for path in tasks for child in path.read_text().split()]
        assert workers
        time.sleep(1)
        command.send_signal(signal.SIGINT)
        _, error = command.communicate(timeout=20)
    assert error.strip() == "Error: interrupted"
    assert command.returncode == 130
    assert not [child for child in workers if Path(f"/proc/{child}").exists()]
    assert not (folder / "r.jsonl").exists()


def test_answers_in_any_format(folder):
    rows = [
        {"id": n, "prompt": "p", "response": text}
        for n, text in enumerate(["#### 0", "so 1.", "It is 2, or 7", "no"])
    ]
    (folder / "output.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ["--golds", "golds.jsonl", "--input", "output.jsonl", "--output"]
    keyed = w2s("score", "--task", "gsm8k", *files, "keyed/results.jsonl", folder=folder)
    assert "1 of 4 right" in keyed.stdout
    lenient = w2s("score", "--task", "gsm8k", *files, "any/results.jsonl", "--answers", "any", folder=folder)
    assert lenient.stdout.startswith("2 of 4 right (50.00%), mode published, answers in any format\n")
    assert json.loads((folder / "any" / "scoring_report.json").read_text())["answers"] == "any"
    for task, options in (("math", []), ("gsm8k", ["--answer-key", "=>"])):
        command = ["score", "--task", task, *files, "no/results.jsonl", "--answers", "any", *options]
        assert w2s(*command, folder=folder, code=2).stderr.count("\n") == 1
    assert not (folder / "no").exists()


def test_a_vote_over_seeds_with_a_gap_warns(folder):
    score(folder, 0)
    score(folder, 1)
    (folder / "t1.0/seed1").rename(folder / "t1.0/seed2")
    done = w2s("vote", "--input", "t1.0", "--output", "votes.jsonl", folder=folder)
    assert done.stderr == "warning: seeds are missing in t1.0 (seed1); the vote is over the others\n"


def test_markers_of_a_model_that_was_not_asked_to_think_are_a_warning(folder):
    seed = folder / "t1.0" / "seed0"
    markers = ("--extract", "auto", "--reasoning-start", "<r>", "--reasoning-end", "</r>")
    command = ("score", "--task", "gsm8k", "--golds", "golds.jsonl", "--input", "t1.0/seed0", *markers)
    refused = w2s(*command, folder=folder, code=2)
    problem = 't1.0/seed0/output.jsonl: no response has the marker "<r>" or "</r>"'
    assert not (seed / "results.jsonl").exists()
    assert "no response has the marker" in refused.stderr
    (seed / "manifest.jsonl").write_text(json.dumps({"file": "output.jsonl", "settings": {}}) + "\n")
    warned = w2s(*command, folder=folder)
    assert warned.stderr.splitlines()[0] == f"warning: {problem}"
    assert (seed / "results.jsonl").exists()


def test_score_names_the_way_that_finds_answers(folder):
    rows = [{"id": n, "prompt": "p", "response": rf"So \boxed{{{n}}}"} for n in range(4)]
    (folder / "t1.0/seed0/output.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "\n4 without a final answer; --extract auto finds 4\n" in score(folder).stdout


def test_score_says_that_a_generation_is_unfinished(folder):
    (folder / "icl").mkdir()
    failed = {"id": 0, "seed": 0, "text": "", "finish": "error", "tokens": None, "error": "too long"}
    done = {"id": 1, "seed": 0, "text": "a", "finish": "stop", "tokens": 1}
    words = ["score", "--task", "gsm8k", "--golds", "golds.jsonl", "--input", "icl"]
    for rows, said in (
        (
            [{}, failed, done],
            "icl: holds an unfinished generation (1 failed). Repeat w2s-factory generate with the",
        ),
        ([{}, failed, {**done, "id": 0}], "icl: holds an unfinished generation. Repeat"),
    ):
        (folder / "icl/output.journal.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows) + '{"i'
        )
        error = w2s(*words, folder=folder, code=2).stderr
        assert said in error
        assert ("--retry-failed" in error) == ("1 failed" in said)


def test_missing_golds_of_a_task_file_are_written_by_a_command(folder):
    (folder / "own.yaml").write_text("rows: own.csv\nsplits: {train_2: 0.5, test: 0.5}\n")
    (folder / "own.csv").write_text("question,answer\np,1\nq,2\n")
    words = ["score", "--task", "./own.yaml", "--input", "t1.0/seed0/output.jsonl", "--output", "r.jsonl"]
    for golds, split in (("own_train_2.jsonl", "train_2"), ("golds/none.jsonl", "NAME")):
        error = w2s(*words, "--golds", golds, folder=folder, code=2).stderr
        command = f"w2s-factory build-data --stage test --task ./own.yaml --split {split} writes it"
        assert f"{golds}: no such file. {command}" in error
