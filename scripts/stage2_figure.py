"""Draw docs/stage2_headroom.svg: headroom before Stage II against its gain, by setting.

The values are those of docs/stage2_settings.csv, in points, with 95 % intervals where they are known.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS = Path(__file__).resolve().parent.parent / "docs"
TABLE, FIGURE = DOCS / "stage2_settings.csv", DOCS / "stage2_headroom.svg"


def draw(table: Path, figure: Path) -> None:
    """Draw a table's rows as points with both intervals."""
    mpl.rcParams.update({"svg.hashsalt": "stage2", "font.size": 10})
    drawing = Figure(figsize=(7, 4.5), layout="constrained")
    axes = drawing.add_subplot()
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(0, color="grey", linewidth=0.8)
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            (headroom, across), (gain, up) = (estimate(row, name) for name in ("headroom", "gain"))
            axes.errorbar(headroom, gain, xerr=across, yerr=up, fmt="o", capsize=3, label=row["setting"])
    axes.set_xlabel("headroom: maj@10 less greedy accuracy of M_plus, points")
    axes.set_ylabel("gain of DPO over M_plus, points")
    axes.legend(loc="upper left", fontsize=9)
    drawing.savefig(figure, metadata={"Date": None})


def estimate(row: Mapping[str, str], name: str) -> tuple[float, list[list[float]] | None]:
    """A value, and how far its interval reaches below and above it."""
    value = float(row[name])
    if not row[f"{name}_low"]:
        return value, None
    return value, [[value - float(row[f"{name}_low"])], [float(row[f"{name}_high"]) - value]]


if __name__ == "__main__":
    draw(TABLE, FIGURE)
    print(f"wrote {FIGURE}")
