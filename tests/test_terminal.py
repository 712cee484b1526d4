"""Any output of another program is shown in a few short lines."""

from __future__ import annotations

import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.experiment.terminal import Terminal
from w2s_factory.terminal import WIDTH, end_of_log, first_line, last_line, shortened, wrapped


@given(st.text())
def test_a_shortened_text_is_one_line_of_300_characters(text):
    line = shortened(text)
    assert len(line) <= 300
    assert line.isprintable()


def test_the_ends_of_a_long_line_stay():
    line = shortened("ValueError: " + "x" * 110_000 + " is too much")
    assert line.startswith("ValueError: xxx")
    assert line.endswith("xxx is too much")
    assert " ... " in line
    assert len(line) == 300
    assert shortened("x" * 300) == "x" * 300


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"50%\r100%\rdone\n", ["50%", "100%", "done"]),
        (b"\x1b[31mred\x1b[0m\n", ["\\x1b[31mred\\x1b[0m"]),
        (b"\xff\xfe\n", ["\N{REPLACEMENT CHARACTER}" * 2]),
        (b"".join(b"%d\n" % number for number in range(100)), [str(number) for number in range(85, 100)]),
    ],
)
def test_the_end_of_a_log(tmp_path, content, lines):
    (tmp_path / "log").write_bytes(content)
    assert end_of_log(tmp_path / "log") == lines


@pytest.mark.parametrize("line", [b"x" * 110_000, b"x" * 3_000_000, b"x y " * 1_000_000])
def test_a_log_of_long_lines_is_shown_in_a_few_kilobytes(tmp_path, line):
    (tmp_path / "log").write_bytes((line + b"\n") * 3 + b"ValueError: no\n")
    shown = end_of_log(tmp_path / "log")
    assert shown[-1] == "ValueError: no"
    assert sum(map(len, shown)) <= 15 * 300


def test_a_log_that_is_not_there(tmp_path):
    assert end_of_log(tmp_path / "none") == ["(nothing was written)"]


def test_the_first_and_the_last_line_of_a_message():
    assert (first_line("\n  \n a\nb\n\n"), last_line("\na\n b \n\n")) == ("a", "b")
    assert (first_line(" \n"), last_line("")) == ("", "")
    assert len(first_line("x" * 1000)) == len(last_line("x" * 1000)) == 300


@given(st.text(alphabet="abc /\n", max_size=600))
def test_wrapped_lines_fit_and_keep_every_letter(text):
    shown = wrapped(text, first="  ", then="    ")
    assert max(map(len, shown.split("\n"))) <= WIDTH
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text)


def test_a_path_is_broken_behind_a_slash():
    path = "/".join(["folder"] * 30)
    lines = wrapped(path).split("\n")
    assert all(line.endswith("/") for line in lines[:-1])
    assert "".join(line.strip() for line in lines) == path


@pytest.mark.parametrize("plain", [{}, {"NO_COLOR": "1"}])
def test_errors_have_colours_unless_the_environment_wants_none(plain):
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | plain
    terminal = Terminal([sys.executable, "-m", "w2s_factory", "status", "nowhere"], environ=environ)
    try:
        assert terminal.wait() == 2
        assert "Error: " in terminal.text
        assert ("\x1b[31m" in terminal.raw) is (not plain)
    finally:
        terminal.close()
