"""The maker of the embedded task: the same bytes again, and each simulated solver's mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from arithmetic import solvers
from arithmetic.problems import Earlier, Problem, Step

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "make_arithmetic.py"


def make(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_made_again_it_is_the_same(tmp_path):
    done = make("--root", tmp_path)
    assert done.returncode == 0, done.stderr
    shipped = ROOT / "data" / "arithmetic"
    files = {path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == files
    for file in files:
        assert (tmp_path / file).read_bytes() == (shipped / file).read_bytes(), file


def test_it_overwrites_only_when_asked(tmp_path):
    (tmp_path / "dev.jsonl").write_text("mine\n")
    assert "exists and has other content" in make("--root", tmp_path).stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["dev.jsonl"]
    assert make("--root", tmp_path, "--force").returncode == 0


ONE = Problem("", (Step(17, "+", 25),))
THREE = Problem("", (Step(3, "x", 17), Step(Earlier(0), "-", 12), Step(Earlier(1), "+", 4)))

MISTAKES = [
    (solvers.right, ONE, "17 + 25 = 42.\n#### 42"),
    (solvers.right, THREE, "3 x 17 = 51.\n51 - 12 = 39.\n39 + 4 = 43.\n#### 43"),
    (solvers.forgets_carries, ONE, "17 + 25 = 32.\n#### 32"),
    (solvers.forgets_carries, THREE, "3 x 17 = 31.\n31 - 12 = 29.\n29 + 4 = 23.\n#### 23"),
    (solvers.forgets_carries, Problem("", (Step(95, "+", 12),)), "95 + 12 = 107.\n#### 107"),
    (solvers.drops_last_step, ONE, "17 + 25 = 42.\n#### 42"),
    (solvers.drops_last_step, THREE, "3 x 17 = 51.\n51 - 12 = 39.\n#### 39"),
]


@pytest.mark.parametrize(("solver", "problem", "response"), MISTAKES)
def test_solvers_whose_mistake_is_certain(solver, problem, response):
    assert solver(problem, Random(0)) == response


MISTAKES_BY_LOT = [
    (solvers.slips_rarely, ONE, 1 / 8),
    (solvers.slips_often, ONE, 2 / 5),
    (solvers.confuses_plus_and_minus, ONE, 1 / 2),
    (solvers.confuses_plus_and_minus, THREE, 3 / 4),
]


@pytest.mark.parametrize(("solver", "problem", "share"), MISTAKES_BY_LOT)
def test_solvers_whose_mistake_is_drawn(solver, problem, share):
    random, right = Random(0), solvers.right(problem, Random(0))
    wrong = sum(solver(problem, random) != right for _ in range(4000)) / 4000
    assert abs(wrong - share) < 0.03


def test_confusing_takes_the_smaller_from_the_larger():
    random = Random(0)
    responses = {solvers.confuses_plus_and_minus(ONE, random) for _ in range(50)}
    assert responses == {"17 + 25 = 42.\n#### 42", "25 - 17 = 8.\n#### 8"}


@pytest.mark.parametrize("habits", [solvers.WEAK, solvers.ICL])
def test_shares_are_percent(habits):
    assert sum(habits.values()) == 100
