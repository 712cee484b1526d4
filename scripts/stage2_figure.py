"""Draw docs/stage2_headroom.svg: headroom before Stage II against its gain, by setting and pairs.

The values are those of docs/stage2_settings.csv, in points, with 95 % intervals where they are known.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS = Path(__file__).resolve().parent.parent / "docs"
TABLE, FIGURE = DOCS / "stage2_settings.csv", DOCS / "stage2_headroom.svg"
MARKERS = {"published": "o", "consistency": "s"}
"""The marker of each set of pairs."""


def draw(table: Path, figure: Path) -> None:
    """Draw a table's rows as points with both intervals."""
    mpl.rcParams.update({"svg.hashsalt": "stage2", "svg.fonttype": "none", "font.size": 10})
    drawing = Figure(figsize=(7, 6), layout="constrained")
    axes = drawing.add_subplot()
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(0, color="grey", linewidth=0.8)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    colours = {setting: f"C{number}" for number, setting in enumerate({row["setting"]: None for row in rows})}
    named: set[str] = set()
    for row in rows:
        (headroom, across), (gain, up) = (estimate(row, name) for name in ("headroom", "gain"))
        label, colour = f"{row['setting']}: {row['pairs']}", colours[row["setting"]]
        style = {"fmt": MARKERS[row["pairs"]], "color": colour, "capsize": 3}
        axes.errorbar(headroom, gain, up, across, label=None if label in named else label, **style)
        named.add(label)
    axes.set_xlabel("headroom: maj@10 less greedy accuracy of M_plus, points")
    axes.set_ylabel("gain of DPO over M_plus, points")
    drawing.legend(loc="outside lower center", fontsize=8)
    drawing.savefig(figure, metadata={"Date": None})


def estimate(row: Mapping[str, str], name: str) -> tuple[float, list[list[float]] | None]:
    """Return a value, and the lengths of its interval below and above it; None without an interval."""
    value = float(row[name])
    if not row[f"{name}_low"]:
        return value, None
    return value, [[value - float(row[f"{name}_low"])], [float(row[f"{name}_high"]) - value]]


def main() -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE, help="default: %(default)s")
    parser.add_argument("--output", type=Path, default=FIGURE, help="default: %(default)s")
    options = parser.parse_args()
    try:
        draw(options.table, options.output)
    except (OSError, LookupError, TypeError, ValueError) as error:
        parser.error(f"{options.table}: expected a table like {TABLE.name}, got {error!r}")
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
