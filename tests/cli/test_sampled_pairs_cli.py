"""`build-data --stage 2 --pairs consistency` and `--stage self` as a user meets them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.building.test_sampled_pairs import ANSWERS, GOLDEN, ballot
from w2s_factory.building.pairs import UNSURE
from w2s_factory.building.sample_pools import NONE_WRONG
from w2s_factory.cli import group
from w2s_factory.records import VOTE, read, write

PAIRS = ("build-data", "--stage", 2, "--task", "gsm8k")
SELF = ("build-data", "--stage", "self", "--task", "gsm8k")


@pytest.fixture
def votes(tmp_path):
    write(tmp_path / "votes.jsonl", [ballot(answers, name) for name, answers in enumerate(ANSWERS)])
    return tmp_path / "votes.jsonl"


def test_consistency_pairs(votes, w2s, tmp_path):
    made = w2s(*PAIRS, "--pairs", "consistency", "--votes", votes, "--format", "release")
    stem = "w2s-data/train_gsm8k_weak_consistency_pairs"
    assert json.loads((tmp_path / f"cwd/{stem}.json").read_text()) == GOLDEN
    for line in (
        "3 pairs from 5 questions",
        "questions skipped, no confident majority: 1",
        "accuracy: chosen 66.7% of 3, rejected 33.3% of 3",
        f"{stem}.origins.jsonl (where each pair came from)",
    ):
        assert line in made.stdout
    assert "weak response" not in made.stdout
    explain = (*PAIRS, "--output", f"{stem}.json", "--explain")
    assert "chosen is the sample of an unknown seed, answer 1" in w2s(*explain, 0).stdout
    hint = w2s("build-data", "--stage", 2, "--output", f"{stem}.json", "--explain", 1, code=2).stderr
    assert "also name --task and --votes" in hint
    story = w2s(*explain, 1, "--votes", votes, "--min-confidence", 0.9).stdout
    assert story.endswith("no pair: no confident majority\n")
    for more in (["--weak", "w.jsonl"], ["--negative-confidence", 0.9]):
        refused = w2s(*explain, 1, "--votes", votes, *more, code=2).stderr
        assert f'"{more[0]}": is not read for consistency pairs' in refused
    assert '"--pairs": is not read with --explain' in w2s(*explain, 1, "--pairs", "weak", code=2).stderr


def test_the_reason_is_that_of_the_thresholds_in_the_manifest(votes, w2s):
    for threshold in (0.6, 0):
        made = (*PAIRS, "--votes", votes, "--output", f"{threshold}.json")
        w2s(*made, "--pairs", "consistency", "--min-confidence", threshold)
        reason = w2s(*made, "--explain", 1).stdout.rpartition("no pair: ")[2]
        assert (reason == "no confident majority\n") == (threshold == 0.6)
    assert "no confident majority" in w2s(*made, "--explain", 1, "--min-confidence", 0.6).stdout


def test_a_threshold_above_that_of_published_pairs(votes, w2s):
    consistency = (*PAIRS, "--pairs", "consistency", "--votes", votes, "--min-confidence", 0.85)
    assert "none of 5 questions gives a pair" in w2s(*consistency, code=2).stderr
    write(votes, [*read(votes, VOTE), ballot("1111111112", 5)], force=True)
    made = w2s(*consistency)
    assert "1 pairs from 6 questions" in made.stdout
    assert "questions skipped, no confident majority: 4" in made.stdout


def test_rows_alone_on_the_standard_output(votes, w2s):
    made = w2s(*PAIRS, "--pairs", "consistency", "--votes", votes, "--format", "release", "--output", "-")
    assert [json.loads(line) for line in made.stdout.splitlines()] == GOLDEN
    made = w2s(*SELF, "--votes", votes, "--output", "-")
    assert len(made.stdout.splitlines()) == 4
    assert "4 responses with the majority answer, of 5 questions" in made.stderr


def test_self_training(votes, w2s, tmp_path):
    made = w2s(
        *SELF, "--votes", votes, "--min-confidence", 0.8, "--model", "some/model", "--set", "bf16=false"
    )
    assert "3 responses with the majority answer, of 5 questions" in made.stdout
    assert "accuracy: 66.7% of 3" in made.stdout
    rows = json.loads((tmp_path / "cwd/w2s-data/train_gsm8k_weak_self.json").read_text())
    assert [row["id"] for row in rows] == [0, 2, 3]
    assert "Next: w2s-factory train w2s-data/train_gsm8k_weak_self.yaml" in made.stdout


CONTROLS = [
    ("gold", [], "4 pairs from 5 questions", 3, NONE_WRONG),
    ("random", ["--weak"], "pairs from 5 questions", 1, UNSURE),
]


@pytest.mark.parametrize(("name", "more", "line", "skipped", "reason"), CONTROLS)
def test_controls_work_and_are_not_offered(votes, w2s, tmp_path, name, more, line, skipped, reason):
    weak = [{"id": n, "prompt": f"Question: {n}?\nAnswer:", "response": "w", "pred": "1"} for n in range(5)]
    write(tmp_path / "weak.jsonl", weak)
    files = [*more, *([tmp_path / "weak.jsonl"] if more else [])]
    made = w2s(*PAIRS, "--control", name, "--votes", votes, *files)
    assert line in made.stdout
    assert f"train_gsm8k_weak_{name}_pairs.json" in made.stdout
    stem = f"w2s-data/train_gsm8k_weak_{name}_pairs.json"
    story = w2s(*PAIRS, "--output", stem, "--explain", skipped, "--votes", votes, *files)
    assert story.stdout.endswith(f"no pair: {reason}\n")
    assert "--control" not in CliRunner().invoke(group, ["build-data", "--help"]).output


WRONG = [
    (["--pairs", "consistency", "--weak", "w.jsonl"], '"--weak": is not read with --pairs consistency'),
    (["--pairs", "consistency", "--negative-confidence", 0.9], '"--negative-confidence": is not read with'),
    (["--pairs", "gold"], "'gold' is not one of 'weak', 'consistency'"),
    (["--pairs", "weak", "--control", "gold"], '"--pairs": is not read with --control gold'),
    (["--control", "gold", "--min-confidence", 0.5], '"--min-confidence": is not read with --control gold'),
    (["--pairs", "consistency", "--icl", "i.jsonl"], '"--icl": is not read by stage 2'),
    (["--pairs", "consistency", "--min-confidence", 1.0], "gives a pair"),
]


@pytest.mark.parametrize(("options", "problem"), WRONG)
def test_misuse_is_one_line(votes, w2s, options, problem):
    done = w2s(*PAIRS, "--votes", votes, *options, code=2)
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_check_reads_no_kind_of_pairs(w2s):
    done = w2s("build-data", "--stage", 2, "--check", "p.json", "--pairs", "consistency", code=2)
    assert '"--pairs": is not read with --check' in done.stderr


def test_what_is_missing_is_named(w2s, votes):
    assert "stage 2 needs --votes" in w2s(*PAIRS, "--pairs", "consistency", code=2).stderr
    assert "stage self needs --votes" in w2s(*SELF, code=2).stderr
    assert '"--weak": is not read by stage self' in w2s(*SELF, "--votes", votes, "--weak", "w", code=2).stderr
