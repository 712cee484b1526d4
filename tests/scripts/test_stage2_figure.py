"""The figure of headroom and gain, its table, and the page that shows both."""

from __future__ import annotations

import csv
import re

import pytest
import stage2_figure

from tests.conftest import ROOT

with stage2_figure.TABLE.open(newline="") as file:
    ROWS = list(csv.DictReader(file))
SECTION = (ROOT / "docs/stage2.md").read_text().partition("## Headroom against gain")[2]
TABLE = [line for line in SECTION.partition("```sh")[0].splitlines() if line.startswith("| ")]
CELLS = [[cell.strip(" *").replace("**", "") for cell in line.strip("|").split("|")] for line in TABLE[1:]]
"""Setting, greedy and majority, headroom, gain by published and by consistency pairs."""


def test_the_figure_is_drawn_from_the_table(tmp_path):
    """Compare words, ticks and the number of marks; their places depend on matplotlib's version."""
    stage2_figure.draw(stage2_figure.TABLE, tmp_path / "figure.svg")
    drawn, kept = (path.read_text() for path in (tmp_path / "figure.svg", stage2_figure.FIGURE))
    words = re.findall(r">([^<>]+)</text>", drawn)
    assert words == re.findall(r">([^<>]+)</text>", kept)
    assert {f"{row['setting']}: {row['pairs']}" for row in ROWS} < set(words)
    assert drawn.count("<use ") == kept.count("<use ")


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n", "setting,pairs,headroom\nx,other,1\n"])
def test_another_table_is_refused_in_one_line(tmp_path, monkeypatch, capsys, text):
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    options = ["--table", str(tmp_path / "t.csv"), "--output", str(tmp_path / "f.svg")]
    monkeypatch.setattr("sys.argv", ["", *options])
    with pytest.raises(SystemExit) as caught:
        stage2_figure.main()
    assert caught.value.code == 2
    assert "t.csv: expected a table like stage2_settings.csv" in capsys.readouterr().err
    assert not (tmp_path / "f.svg").exists()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['setting']} {row['pairs']} {row['headroom']}")
def test_the_page_has_the_values_of_the_table(row):
    """Find one line with its headroom and, in the column of its pairs, its gain, with intervals where known."""
    column = 3 if row["pairs"] == "published" else 4
    headroom, gain = (estimate(row, name) for name in ("headroom", "gain"))
    assert any(cells[2].startswith(headroom) and cells[column].startswith(gain) for cells in CELLS)


def test_the_page_has_no_other_values():
    assert sum(bool(cell) for cells in CELLS for cell in cells[3:]) == len(ROWS)


def estimate(row: dict[str, str], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{float(row[name]):+.1f}" + (f" ({float(low):.1f} to {float(high):.1f})" if low else "")
