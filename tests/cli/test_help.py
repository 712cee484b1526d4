"""Every command: found, documented, and its help quick to get."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from w2s_factory.cli import COMMANDS, SECTIONS, group
from w2s_factory.cli.build_data_options import READ, STAGES
from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.tasks.registry import BUILT_IN

HEAVY = {"torch", "transformers", "datasets", "pandas", "sympy", "vllm", "llamafactory", "snakemake"}
HEAVY |= {"numpy", "orjson", "pebble", "pydantic", "yaml"}  # each costs as much as the whole help


def command_of(name) -> click.Command:
    command = importlib.import_module(f"w2s_factory.cli.{name.replace('-', '_')}").command
    assert isinstance(command, click.Command)
    return command


def first_line(command) -> str:
    return inspect.cleandoc(command.help).splitlines()[0]


def test_the_group_lists_every_command():
    shown = CliRunner().invoke(group, ["--help"])
    assert shown.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"{name} " in shown.output
        assert line.split()[0] in shown.output
    assert CliRunner().invoke(group, ["-h"]).output == shown.output


def test_every_line_of_the_group_fits_80_columns():
    """Commands are listed under their headings, each with its help on the same line."""
    lines = CliRunner().invoke(group, ["--help"]).output.splitlines()
    for title, commands in SECTIONS.items():
        below = lines[lines.index(f"{title}:") + 1 :][: len(commands)]
        assert [line.split(maxsplit=1) for line in below] == [list(item) for item in commands.items()]


@pytest.mark.parametrize("name", COMMANDS)
def test_its_line_is_the_first_of_its_docstring(name):
    assert first_line(command_of(name)) == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_works(name):
    shown = CliRunner().invoke(group, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("Usage: ")


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_names_an_example(name):
    shown = CliRunner().invoke(group, [name, "--help"]).output
    assert f"w2s-factory {name}" in shown.partition("Example")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    def unexplained(command):
        yield from (
            option.name for option in command.params if isinstance(option, click.Option) and not option.help
        )
        for inner in getattr(command, "commands", {}).values():
            yield from unexplained(inner)

    assert list(unexplained(command_of(name))) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_imports_nothing_heavy(name):
    code = (
        "import sys\nfrom w2s_factory.cli import main\nsys.argv = ['w2s-factory', sys.argv[1], '--help']\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    assert not {module.partition(".")[0] for module in done.stdout.splitlines()[-1].split()} & HEAVY


EVERY_HELP = """
import sys
from click.testing import CliRunner
from w2s_factory.cli import COMMANDS, group
from w2s_factory.cli.template import command as template
for words in [[], *([name] for name in COMMANDS), *(["template", name] for name in template.commands)]:
    print(CliRunner().invoke(group, [*words, "--help"]).output)
"""


@pytest.mark.parametrize("level", ["1", "2"])
def test_every_help_is_the_same_without_docstrings(monkeypatch, level):
    def shown():
        code = [sys.executable, "-c", EVERY_HELP]
        return subprocess.run(code, capture_output=True, text=True, check=True).stdout

    monkeypatch.delenv("PYTHONOPTIMIZE", raising=False)
    normal = shown()
    monkeypatch.setenv("PYTHONOPTIMIZE", level)
    assert shown() == normal
    assert normal.count("Usage: ") == len(COMMANDS) + 6
    assert "Turns a weak model's answers into training data" in normal
    assert "Remove the two files that install wrote." in normal


def test_an_unknown_command_is_one_line():
    command = [sys.executable, "-m", "w2s_factory", "no-such"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No such command 'no-such'" in done.stderr


@pytest.mark.parametrize("name", ["build-data", "demos", "generate", "score"])
def test_the_help_names_every_built_in_task(w2s, name):
    said = " ".join(w2s(name, "--help").stdout.split())
    assert ", ".join(BUILT_IN) in said


def test_options_are_listed_under_their_headings():
    stage = heading("Stage 1")

    @click.command(cls=HeadedCommand)
    @click.argument("file")
    @option("--plain", help="No heading.", show_default="in words")
    @stage("--first", help="One.")
    @heading("Stage 2")("--second", help="Two.")
    @stage("--third", help="Three.")
    def command(**options):
        return options

    shown = command.get_help(click.Context(command)).partition("Stage 1:")[2].split()
    words = "--first TEXT One. --third TEXT Three. Stage 2: --second TEXT Two. Other options: --plain TEXT No heading."
    assert shown == [
        *words.split(),
        "[default:",
        "in",
        "words]",
        "--help",
        "Show",
        "this",
        "message",
        "and",
        "exit.",
    ]
    assert command.main(["x", "--third", "3"], standalone_mode=False)["third"] == "3"


def test_build_data_groups_options_by_the_stages_that_read_them():
    headings: dict[str, set[tuple[str, ...]]] = {}
    for parameter in command_of("build-data").params:
        readers = tuple(stage for stage in STAGES if parameter.name in {"stage", *READ[stage]})
        headings.setdefault(parameter.heading, set()).add(readers)
    assert headings["All stages"] == {tuple(STAGES)}
    assert headings["Stages 1 and 2"] == {("1", "2")}
    assert headings["Stage 1"] == {("1",)}
    assert headings["Stages 2 and self"] == {("2", "self")}
    assert headings["Stages 1, 2 and self"] == {("1", "2", "self")}
    assert headings["Stage 2"] == {("2",)}
    assert headings["Stage 2, to inspect a pair file instead of building one"] == {("2",)}
    assert headings["Training config (all stages but test)"] == {("gold", "full-weak", "1", "2", "self")}
