"""Numbers on the command line: what is out of range is one line that names the option, before any work."""

from __future__ import annotations

import pytest

GENERATE = ["generate", "--task", "arithmetic", "--split", "dev", "--model", "m/m", "--output-dir", "out"]
SCORE = ["score", "--task", "gsm8k", "--golds", "g", "--input", "i", "--output", "o"]
STAGE2 = ["build-data", "--stage", "2", "--task", "gsm8k", "--weak", "w", "--votes", "v"]

WRONG = [
    ([*SCORE, "--timeout", "1e300"], "--timeout", "above 0 and of at most 3,600, got 1e+300"),
    ([*SCORE, "--timeout", "nan"], "--timeout", "got nan"),
    ([*SCORE, "--timeout", "inf"], "--timeout", "got inf"),
    ([*SCORE, "--timeout", "0"], "--timeout", "got 0.0"),
    ([*SCORE, "--workers", "1000000"], "--workers", "from 1 to 1,024, got 1000000"),
    ([*GENERATE, "--temperature", "nan"], "--temperature", "from 0 to 100, got nan"),
    ([*GENERATE, "--samples", "1000000000"], "--samples", "from 1 to 10,000, got 1000000000"),
    ([*GENERATE, "--limit", "1e3"], "--limit", "a whole number from 1 to 1,000,000,000, got '1e3'"),
    ([*GENERATE, "--max-tokens", "0"], "--max-tokens", "got 0"),
    ([*GENERATE, "--top-p", "0"], "--top-p", "above 0 and of at most 1, got 0.0"),
    ([*GENERATE, "--shard", "1/1000000000"], "--shard", "from 1 to 10,000, got 1000000000"),
    ([*GENERATE, "--first-seed", "-1"], "--first-seed", "got -1"),
    (["build-data", "--stage", "1", "--pad-to", "0"], "--pad-to", "got 0"),
    (["build-data", "--stage", "1", "--iteration", "101"], "--iteration", "from 1 to 100, got 101"),
    ([*STAGE2, "--min-confidence", "nan"], "--min-confidence", "from 0 to 1, got nan"),
    ([*STAGE2, "--min-confidence", "0.9"], "negative_confidence", "at least min_confidence (0.9), got 0.8"),
    ([*STAGE2, "--pairs-per-question", "0"], "--pairs-per-question", "got 0"),
    (["evaluate", "--pass-at", "1000000000", "x"], "--pass-at", "from 1 to 10,000"),
    (["evaluate", "x", "--floor", "nan", "--ceiling", "1"], "floor", "from 0 to 1, got nan"),
    (["run", "arithmetic", "--jobs", "0"], "--jobs", "from 1 to 10,000, got 0"),
    (
        ["build-data", "--stage", "1", "--set", "learning_rate=-1"],
        "learning_rate",
        "above 0 and of at most 10",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "option", "words"),
    [pytest.param(*row, id=" ".join(row[0][0:1] + row[0][-2:])) for row in WRONG],
)
def test_a_number_out_of_range_is_one_line(w2s, tmp_path, arguments, option, words):
    if arguments[:2] == ["evaluate", "x"]:
        row = '{"id": 0, "prompt": "p", "response": "r", "pred": "1", "gold": "1", "result": true}\n'
        (tmp_path / "cwd/x").write_text(row)
    done = w2s(*arguments, code=2)
    assert done.stderr.count("\n") == 1
    assert option in done.stderr
    assert words in done.stderr
    assert not (tmp_path / "cwd/out").exists()


def test_the_embedded_example_with_one_side_twice(w2s, tmp_path):
    row = '{"id": 0, "prompt": "p", "response": "r", "pred": "1"}\n'
    for name in ("weak", "icl"):
        (tmp_path / f"cwd/{name}.jsonl").write_text(row)
    stage1 = ["build-data", "--stage", "1", "--task", "gsm8k", "--no-config", "--weak", "weak.jsonl"]
    refused = w2s(*stage1, "--icl", "./weak.jsonl", code=2).stderr
    assert "the same file on both sides" in refused
    warned = w2s(*stage1, "--icl", "icl.jsonl").stderr
    assert warned == "warning: --weak and --icl have the same content, so they agree on every question\n"
