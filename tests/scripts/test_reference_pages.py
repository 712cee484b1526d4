"""The pages of docs/ that programs write are those that the code gives now."""

from __future__ import annotations

import json
from importlib.metadata import version

import click
import paper_estimate
import pytest
import reference_pages
from packaging.version import Version

import w2s_factory
from tests.conftest import ROOT
from w2s_factory.cli import COMMANDS, group
from w2s_factory.llamafactory.versions import RELEASES

OTHER_HELP = Version(version("click")) < Version("8.2")
"""Earlier versions of click write defaults in words in parentheses."""


@pytest.mark.parametrize("page", ["commands.md", "api.md", "versions.md"])
def test_a_written_page_is_up_to_date(page):
    if page == "commands.md" and OTHER_HELP:
        pytest.skip("click before 8.2 writes the help in other words")
    written = (ROOT / "docs" / page).read_text("utf-8")
    assert written == reference_pages.pages()[page], "write it again: python scripts/reference_pages.py"


def test_every_command_has_its_help_on_the_page():
    page = reference_pages.commands_page()
    for name in COMMANDS:
        assert f"\n### `w2s-factory {name}`\n" in page
        for inner in getattr(group.get_command(click.Context(group), name), "commands", {}):
            assert f"\n#### `w2s-factory {name} {inner}`\n" in page
    assert page.count("\nUsage: ") == page.count("```text\n")


def test_every_public_name_is_on_the_page_once_with_its_purpose():
    page = reference_pages.api_page()
    for name in w2s_factory.__all__:
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert len(line.split("|")[2].split()) > 2, line
    assert page.count("\n| `") == len(w2s_factory.__all__)


@pytest.mark.parametrize("number", [0, 1])
def test_every_release_is_in_one_row_of_a_table_of_versions(number):
    table = reference_pages.versions_tables().split("\n\n")[number]
    covered = []
    for line in table.splitlines()[2:]:
        first, _, last = line.split("|")[1].strip().partition(" to ")
        covered += RELEASES[RELEASES.index(first) : RELEASES.index(last or first) + 1]
    assert covered == list(RELEASES)


def test_a_hole_in_the_page_is_filled():
    page = "before\n<!-- versions -->\nold\n<!-- end of versions -->\nafter\n"
    filled = reference_pages.with_table(page)
    assert filled.startswith("before\n<!-- versions -->\n| releases |")
    assert filled.endswith("|\n<!-- end of versions -->\nafter\n")
    assert "old" not in filled


def test_the_table_of_estimates_is_up_to_date(monkeypatch):
    monkeypatch.setenv("W2S_RELEASE", "release")
    page = (ROOT / "docs" / "reproduce.md").read_text("utf-8")
    assert page == paper_estimate.with_table(page), "write it again: python scripts/paper_estimate.py"


def test_the_estimate_for_gsm8k_is_the_one_that_is_explained(monkeypatch):
    monkeypatch.setenv("W2S_RELEASE", "release")
    found = paper_estimate.estimate(paper_estimate.EXPERIMENTS[0])
    explained = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    assert f"{found.hours:.1f} h, {found.gpu_hours:.0f} GPU hours" in explained
    assert f"{found.trained / 1e6:.1f} M trained, {found.written / 1e6:.1f} M written" in explained
    assert f"of which {found.trainings - 1} train and {found.generations} ask the 70B model" in explained


PREFIXES = ("train_gsm8k_llama2_7b", "train_math_llama2_7b", "train_olympic_llama3-8b-instruct")


@pytest.mark.release
@pytest.mark.parametrize(
    ("counts", "prefix"),
    list(zip(paper_estimate.EXPERIMENTS, PREFIXES, strict=True)),
    ids=lambda value: getattr(value, "experiment", ""),
)
def test_the_rows_of_the_estimate_are_those_of_the_release(release, counts, prefix):
    """A part of the release may lack the later iteration."""
    files = {path.name: path for path in (release / "data").rglob("*.json")}
    expected = {f"{prefix}_iter{number}_weak.json": kept for number, kept in enumerate(counts.kept, 1)}
    if not counts.experiment.startswith("olympic"):  # whose number of pairs is a guess
        expected[f"{prefix}_iter{len(counts.kept)}_hybrid_paired.json"] = counts.pairs
    found = {name: len(json.loads(files[name].read_text())) for name in expected if name in files}
    assert found
    assert found == {name: expected[name] for name in found}
