"""Draw docs/stage2_headroom.svg: headroom before Stage II against its gain, by setting.

The values are those of docs/stage2_settings.csv, in percentage points, each with its 95 % interval.
"""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

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
            headroom, gain = float(row["headroom"]), float(row["gain"])
            across = [[headroom - float(row["headroom_low"])], [float(row["headroom_high"]) - headroom]]
            up = [[gain - float(row["gain_low"])], [float(row["gain_high"]) - gain]]
            axes.errorbar(headroom, gain, xerr=across, yerr=up, fmt="o", capsize=3, label=row["setting"])
    axes.set_xlabel("headroom: maj@10 less greedy accuracy of M_plus, points")
    axes.set_ylabel("gain of DPO over M_plus, points")
    axes.legend(loc="upper left", fontsize=9)
    drawing.savefig(figure, metadata={"Date": None})


if __name__ == "__main__":
    draw(TABLE, FIGURE)
    print(f"wrote {FIGURE}")
