"""No command surprises: whatever it is given, it ends in time, complains in one line, and loses nothing."""

from __future__ import annotations

import pytest
from command_lines import tries
from hypothesis import given
from inputs import LINES, contents
from trial import Try, attempt, tries_of


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.arguments[:60])
def test_the_lines_that_tries_begin_with_work(line, template, stood_in):
    outcome = attempt(Try(line.words), template)
    assert outcome.code == line.code, outcome.err


@pytest.mark.usefixtures("stood_in")
def test_quick_commands(template):
    files = tuple(contents(template))

    @tries_of(0.7, 200)
    @given(tries([line for line in LINES if not line.slow], files))
    def never_surprise(one):
        attempt(one, template)

    never_surprise()


@pytest.mark.usefixtures("stood_in")
def test_slow_commands(template):
    files = tuple(contents(template))

    @tries_of(0.1, 10)
    @given(tries([line for line in LINES if line.slow], files))
    def never_surprise(one):
        attempt(one, template)

    never_surprise()
