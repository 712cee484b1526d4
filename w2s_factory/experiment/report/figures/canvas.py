"""SVG from matplotlib: reproducible, with a description, in the reader's light or dark colours."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from w2s_factory.errors import encodable, one_line
from w2s_factory.experiment.report.figures.palette import LIGHT, as_variables, style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

_INCH: Final = 72
"""Points per inch: the unit of matplotlib's SVG, so that sizes here are CSS pixels."""

_WIDTH: Final = 400
"""Pixels of a report's figure: wider ones would be illegible on a phone."""

_STYLE: Final = {
    "svg.fonttype": "none",  # text stays text, so it can be read aloud, searched and copied
    "svg.hashsalt": "w2s-factory",
    "font.family": "DejaVu Sans",  # used to measure text; the page shows its own font
    "font.size": 12,
    "text.color": LIGHT["ink"],
    "text.parse_math": False,  # a label such as `$\\foo$` is shown as it is written
    "axes.edgecolor": LIGHT["soft"],
    "axes.labelcolor": LIGHT["soft"],
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.8,
    "xtick.color": LIGHT["soft"],
    "ytick.color": LIGHT["soft"],
    "lines.linewidth": 2,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 11,
    "legend.labelcolor": LIGHT["ink"],
}


_LONGEST: Final = 36
"""The most characters of a label; a longer one would take the space of the plot."""

_UNMEASURED: Final = (
    r"Glyph .* missing from",
    r"Matplotlib currently does not support",
    r"constrained_layout not",
)
"""Warnings about text that matplotlib's font lacks or cannot fit; the figure is drawn anyway."""

_HALO: Final = "text{paint-order:stroke;stroke:var(--paper);stroke-width:4px}"
"""A style that separates text from lines that cross it; a page has it in its own style sheet."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        name: The name of its files.
        title: Its title.
        description: Its content as text, for readers who cannot see it.
        inline: The SVG element for a page that defines the colours.
    """

    name: str
    title: str
    description: str
    inline: str

    def alone(self, *, scaled: bool = True) -> str:
        """Return the figure as an SVG file of its own, which contains the colours.

        Args:
            scaled: Whether a viewer scales the figure to its window, rather than show it at its own size.
        """
        opening, rest = self.inline.split(">", 1)
        if not scaled and (box := re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', opening)):
            opening += f' width="{box[1]}" height="{box[2]}"'
        opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        look = f"{style('svg')}svg{{background:var(--paper);font-family:system-ui,sans-serif}}{_HALO}"
        return f'<?xml version="1.0" encoding="utf-8"?>\n{opening}><style>{look}</style>{rest}\n'


@contextmanager
def canvas(height: float, width: float = _WIDTH) -> Iterator[Figure]:
    """Provide an empty figure of this height and width in pixels, in the style of the report."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():  # type: ignore[arg-type]  # stubs type each key
        for message in _UNMEASURED:
            warnings.filterwarnings("ignore", message)
        yield Figure(figsize=(width / _INCH, height / _INCH), layout="constrained")


def drawn(figure: Figure, name: str, title: str, description: str) -> Drawing:
    """Return the figure as a drawing; to be called within the `canvas` block."""
    title, description = _written(title), _written(description)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Drawing(name, title, description, _inline(buffer.getvalue(), name, title, description))


def drawable(text: str, longest: int = _LONGEST) -> str:
    """Return a label that matplotlib and SVG can hold: printable, and not longer than `longest`."""
    text = _written(text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def file_stem(name: str) -> str:
    """Return a name that a file and an element of a page can have; changed names stay different."""
    plain = re.sub(r"[^\w.-]", "_", name)[:_LONGEST]
    if plain == name:
        return name
    return f"{plain}_{hashlib.sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def _written(text: str) -> str:
    return one_line(encodable(text))


def hatched(colour: str) -> dict[str, Any]:
    """Return the style of bars for wrong answers, which differ also without colours."""
    return {"color": LIGHT[colour], "hatch": "///", "edgecolor": LIGHT["paper"], "linewidth": 0}


def percent_axis(axes: Axes, which: str = "y") -> None:
    """Label an axis of shares in per cent."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(lambda value, _: f"{value * 100:.0f}%")


def _inline(svg: str, name: str, title: str, description: str) -> str:
    """Return an SVG document as an element of a page: with unique ids, a title and a description."""
    svg = svg[svg.index("<svg") :]
    for superfluous in (r"<metadata>.*?</metadata>", r"<defs>\s*<style.*?</defs>", r"font-family: [^;\"]*;?"):
        svg = re.sub(rf"\s*{superfluous}", "", svg, flags=re.S)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    body = svg.split(">", 1)[1].rstrip()
    head = (
        f'<svg {box[0] if box else ""} xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'stroke-linejoin="round" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return as_variables(head + body)
