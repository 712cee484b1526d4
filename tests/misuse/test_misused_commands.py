"""No command surprises: whatever it is given, it ends in time, complains in one line, and loses nothing."""

from __future__ import annotations

import pytest
from command_lines import tries
from hypothesis import given
from inputs import LINES, contents
from trial import ASKED, Try, attempt, tries_of

from w2s_factory.cli import COMMANDS

SHARE, DEFAULT = 0.75, 230
"""The share of all tries that these tests make, and their number in the default suite."""

WEIGHTS = {
    name: sum(0.2 if line.slow else 1 for line in LINES if line.words[0] == name)
    for name in dict.fromkeys(line.words[0] for line in LINES)
}


def test_every_command_is_tried():
    assert set(COMMANDS) - set(WEIGHTS) == (set() if ASKED else {"report"})


@pytest.mark.usefixtures("stood_in")
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.arguments[:60])
def test_the_lines_that_tries_begin_with_work(line, template):
    outcome = attempt(Try(line.words), template)
    assert outcome.code == line.code, outcome.err


@pytest.mark.usefixtures("stood_in")
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_misused_command_does_not_surprise(name, template):
    files = tuple(contents(template))
    lines = [line for line in LINES if line.words[0] == name]
    part = WEIGHTS[name] / sum(WEIGHTS.values())

    @tries_of(SHARE * part, max(1, round(DEFAULT * part)))
    @given(tries(lines, files))
    def never_surprise(one):
        attempt(one, template)

    never_surprise()
