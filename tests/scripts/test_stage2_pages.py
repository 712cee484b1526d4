"""The tables of Stage II: the README repeats those of docs/stage2.md, whose differences are those of its means."""

from __future__ import annotations

import csv
import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs/stage2.md").read_text()
README = (ROOT / "README.md").read_text()


def table(text: str, after: str) -> list[list[str]]:
    """Return the rows below the head of the first table after some words."""
    lines = text.partition(after)[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    end = next(number for number, line in enumerate(lines) if number > start and not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 2 : end]]


TEST, FRESH = table(PAGE, "## Results on the test split"), table(PAGE, "**What came out**, in percent")
REPEATED = table(PAGE, "## The same on another processor")
REPEATED_FRESH = table(PAGE, "**What came out** ([all values]")
STORED = {"repeated": REPEATED, "repeated_fresh": REPEATED_FRESH}
TABLES = {"test": TEST, "fresh": FRESH, **STORED}
SHOWN = table(README, "made and selected for that")


@pytest.mark.parametrize(("row", "shown"), list(zip(TEST, SHOWN, strict=True)), ids=lambda row: row[0])
def test_the_readme_has_the_rows_of_the_page(row, shown):
    low, high = map(float, row[2].split(" to "))
    mean, half = map(float, shown[1].split(" ± "))
    assert (mean, shown[2]) == (float(row[1]), row[4])
    assert abs(half - (high - low) / 2) <= 0.06


@pytest.mark.parametrize("row", [row for rows in TABLES.values() for row in rows], ids=lambda row: row[0])
def test_means_are_those_of_the_seeds_and_inside_their_intervals(row):
    seeds = [float(seed) for seed in row[3].split(",")]
    low, high = map(float, row[2].split(" to "))
    assert abs(sum(seeds) / len(seeds) - float(row[1])) <= 0.11
    assert low <= float(row[1]) <= high


@pytest.mark.parametrize(("name", "rows"), STORED.items())
def test_the_page_has_the_values_of_the_stored_table(name, rows):
    with (ROOT / f"docs/stage2_{name}.csv").open(newline="") as file:
        stored = list(csv.DictReader(file))
    for row, values in zip(rows, stored, strict=True):
        assert row[1:4] == [values["mean"], f"{values['low']} to {values['high']}", values["seeds"]]
        for cell, key in zip(row[4:], ("gain", "over_sft"), strict=True):
            low, high = values[f"{key}_low"].lstrip("+"), values[f"{key}_high"].lstrip("+")
            assert cell in ("", f"{values[key]} ({low} to {high})")


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_differences_are_those_of_the_means(rows):
    m_plus = next(float(row[1]) for row in rows if "(M_plus)" in row[0])
    sft = next(float(row[1]) for row in rows if "SFT on the chosen" in row[0])
    found = [(row, other, cell) for row in rows for other, cell in zip((m_plus, sft), row[4:], strict=False)]
    for row, other, cell in found:
        if match := re.match(r"([+-][\d.]+) \(([-\d.]+) to ([-\d.]+)\)", cell):
            value, low, high = map(float, match.groups())
            assert abs(float(row[1]) - other - value) <= 0.11, row
            assert low <= value <= high
    assert sum(bool(cell) for _, _, cell in found) >= len(rows) - 3
