"""A plan as a table, and as a picture of its steps and their dependencies."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.experiment.report.figures.palette import LIGHT
from w2s_factory.experiment.workflow import resources_of
from w2s_factory.records import Outputs
from w2s_factory.terminal import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.resources import Kind
    from w2s_factory.experiment.steps import Step

_NAMED = 4
"""The most files of a step that are listed; of more, the first one and the number of the others."""


def as_table(plan: Plan) -> str:
    """Return all steps in order with their resources and files, and the number of steps of each kind.

    The numbers are the first line and the last one, since the table is long.
    No line is longer than 100 columns: a long path continues in the next line.
    """
    width = max(len(step.name) for step in plan.steps)
    kinds = Counter(step.kind for step in plan.steps)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    lines = [line for step in plan.steps for line in _lines(step, width)]
    summary = f"{len(plan.steps):,} steps: {counted}"
    return "\n".join([summary, "", *lines, "", summary])


def _lines(step: Step, width: int) -> Iterator[str]:
    yield wrapped(f"{step.name:<{width}}  {_needs(step)}", then=" " * 4)
    for title, files in (("reads", step.reads), ("writes", step.writes)):
        for number, file in enumerate(_named(files)):
            yield wrapped(file, first=f"    {title if number == 0 else '':<8}", then=" " * 16)


def _named(files: Sequence[str]) -> list[str]:
    if len(files) <= _NAMED:
        return list(files)
    return [files[0], f"and {len(files) - 1:,} more"]


def _needs(step: Step) -> str:
    threads = f"{step.need.threads} thread" + "s" * (step.need.threads != 1)
    return ", ".join([threads, *(f"{name} {value}" for name, value in resources_of(step.need).items())])


COLOURS: Final[dict[Kind, str]] = {
    "data": "soft",
    "train": "orange",
    "export": "red",
    "generate": "green",
    "score": "purple",
    "vote": "teal",
    "report": "blue",
}
"""The colour of a step's box by its kind, from the palette of the report."""

_FONT: Final = 11
_LETTER: Final = 0.6 * _FONT
"""Pixels of a letter, at most on average."""

_BOX, _ROW, _GAP, _MARGIN = 24.0, 76.0, 18.0, 16.0
"""Pixels: the height of a box, the distance of rows, the space between boxes, and around the picture."""


def draw_plan(plan: Plan, file: str | Path) -> Path:
    """Draw a plan as an SVG file, replacing an SVG file that exists.

    A line leads from each step down to those that wait for it, unless other lines imply that already.

    Raises:
        UserError: The file's name does not end in `.svg`, or the file exists and is not an SVG picture.
    """
    if Path(file).suffix != ".svg":
        raise UserError("expected the name of an SVG file", file=file, hint="Name it FILE.svg")
    import networkx as nx  # noqa: PLC0415  only a picture needs it

    graph = nx.transitive_reduction(_graph(plan))
    order = [step.name for step in plan.steps]
    rows = [sorted(row, key=order.index) for row in nx.topological_generations(graph)]
    with Outputs(force=_is_picture(Path(file))) as outputs:
        outputs.text(file, _picture(plan, graph, rows))
    return Path(file)


def _is_picture(file: Path) -> bool:
    try:
        return re.match(rb"(<\?xml[^>]*>\s*)?<svg", file.read_bytes()[:200]) is not None
    except OSError:
        return False


def _graph(plan: Plan) -> Any:
    """Return a graph of the steps' names, with an edge from each step to those that read what it writes."""
    import networkx as nx  # noqa: PLC0415

    writer = {file: step.name for step in plan.steps for file in step.writes}
    graph = nx.DiGraph()
    graph.add_nodes_from(step.name for step in plan.steps)
    graph.add_edges_from(
        (writer[file], step.name) for step in plan.steps for file in step.reads if file in writer
    )
    return graph


def _picture(plan: Plan, graph: Any, rows: list[list[str]]) -> str:
    """Return the SVG: a box for each step, a row for each generation, and a line for each edge."""
    from w2s_factory.experiment.report.figures.canvas import canvas, drawn  # noqa: PLC0415  loads matplotlib

    centres, width = _centres(graph, rows)
    height = _ROW * (len(rows) - 1) + _BOX + 2 * _MARGIN
    with canvas(height, width) as figure:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        for first, second in sorted(graph.edges):
            _line(axes, centres[first], centres[second])
        for step in plan.steps:
            _box(axes, step.name, centres[step.name], COLOURS[step.kind])
        kinds = "; ".join(f"{step.name} ({step.kind})" for step in plan.steps)
        title = f"{plan.experiment.name}: {len(plan.steps)} steps"
        return drawn(figure, "plan", title, f"{kinds}.").alone(scaled=False)


def _centres(graph: Any, rows: list[list[str]]) -> tuple[dict[str, tuple[float, float]], float]:
    """Return the centre of each step's box, and the width of the picture, in pixels."""
    import networkx as nx  # noqa: PLC0415

    cell = max(map(_width, graph)) + _GAP
    placed = nx.multipartite_layout(graph, subset_key=dict(enumerate(rows)), align="horizontal")
    left, top = (min(place[axis] for place in placed.values()) for axis in (0, 1))
    unit = (max(place[1] for place in placed.values()) - top) / max(len(rows) - 1, 1) or 1
    centres = {
        name: (_MARGIN + cell / 2 + (x - left) / unit * cell, _MARGIN + _BOX / 2 + (y - top) / unit * _ROW)
        for name, (x, y) in placed.items()
    }
    return centres, cell * max(map(len, rows)) + 2 * _MARGIN


def _width(name: str) -> float:
    return len(name) * _LETTER + 16


def _line(axes: Axes, first: tuple[float, float], second: tuple[float, float]) -> None:
    axes.annotate(
        "",
        (second[0], second[1] - _BOX / 2),
        (first[0], first[1] + _BOX / 2),
        arrowprops={
            "arrowstyle": "-|>",
            "color": LIGHT["soft"],
            "alpha": 0.7,
            "linewidth": 0.8,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _box(axes: Axes, name: str, centre: tuple[float, float], colour: str) -> None:
    look = {
        "boxstyle": "round,pad=0.5",
        "facecolor": LIGHT["paper"],
        "edgecolor": LIGHT[colour],
        "linewidth": 1.5,
    }
    axes.text(*centre, name, ha="center", va="center", fontsize=_FONT, bbox=look, zorder=3)
