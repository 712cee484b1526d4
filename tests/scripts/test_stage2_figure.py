"""The figure of headroom and gain, its table, and the page that shows both."""

from __future__ import annotations

import csv
import re

import pytest
import stage2_figure

from tests.conftest import ROOT

with stage2_figure.TABLE.open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def test_the_figure_is_drawn_from_the_table(tmp_path):
    """Compare words, ticks and the number of marks; their places depend on matplotlib's version."""
    stage2_figure.draw(stage2_figure.TABLE, tmp_path / "figure.svg")
    drawn, kept = (path.read_text() for path in (tmp_path / "figure.svg", stage2_figure.FIGURE))
    words = re.findall(r">([^<>]+)</text>", drawn)
    assert words == re.findall(r">([^<>]+)</text>", kept)
    assert {f"{row['setting']}: {row['pairs']}" for row in ROWS} < set(words)
    assert drawn.count("<use ") == kept.count("<use ")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['setting']} {row['pairs']} {row['headroom']}")
def test_the_page_has_the_values_of_the_table(row):
    """Find one line of the page with the headroom and the gain of a row, and their intervals where known."""
    wanted = []
    for name in ("headroom", "gain"):
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        interval = f" ({float(low):g} to {float(high):g})" if low else ""
        wanted.append(f"{float(row[name]):+g}{interval}")
    page = (ROOT / "docs/stage2.md").read_text().partition("## Headroom against gain")[2]
    page = re.sub(r"(\d)\.0\b", r"\1", page).replace("*", "")
    assert any(all(value in line for value in wanted) for line in page.splitlines()), wanted
