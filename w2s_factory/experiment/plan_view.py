"""A plan shown as a table, or drawn as an SVG of steps and what they wait for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from w2s_factory.errors import UserError
from w2s_factory.experiment.workflow import resources_of
from w2s_factory.records import Outputs
from w2s_factory.terminal import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.spec import Kind
    from w2s_factory.experiment.steps import Step

_NAMED = 4
"""Files named of a step; of more, the first and how many others."""


def as_table(plan: Plan) -> str:
    """Return every step in order with its needs, a file a line, and how many steps there are of which kind.

    No line is longer than 100 columns: a long path goes on in the next one.
    """
    width = max(len(step.name) for step in plan.steps)
    kinds = Counter(step.kind for step in plan.steps)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    lines = [line for step in plan.steps for line in _lines(step, width)]
    return "\n".join([*lines, "", f"{len(plan.steps):,} steps: {counted}"])


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
    "data": "#dfe7ef",
    "train": "#f6d6b8",
    "export": "#f6e6b8",
    "generate": "#cfe8cf",
    "score": "#e6dcf2",
    "vote": "#e6dcf2",
    "report": "#ffffff",
}

_LETTER, _HEIGHT, _GAP, _LAYER = 6.8, 24.0, 14.0, 64.0
_SWEEPS = 4
"""Passes that move a step towards those it is connected with; more change little."""


def draw_plan(plan: Plan, file: str | Path) -> Path:
    """Draw a plan into an SVG file, replacing a picture that is there. Needs no other program.

    An arrow leads from a step to one that waits for it; where other arrows say so already, there is none.

    Raises:
        UserError: The file's name does not end in `.svg`, or it holds something else than an SVG picture.
    """
    if Path(file).suffix != ".svg":
        raise UserError("is no name of a picture", file=file, hint="Name it FILE.svg")
    import networkx as nx  # noqa: PLC0415  costs time that only a picture need pay

    graph = nx.transitive_reduction(_graph(plan))
    layers = _ordered(graph, [list(layer) for layer in nx.topological_generations(graph)])
    with Outputs(force=_is_picture(Path(file))) as outputs:
        outputs.text(file, ET.tostring(_picture(plan, graph, layers), encoding="unicode") + "\n")
    return Path(file)


def _is_picture(file: Path) -> bool:
    try:
        return file.read_bytes()[:4] == b"<svg"
    except OSError:
        return False


def _graph(plan: Plan) -> Any:
    """Steps by name, with an edge from each to those that read what it writes."""
    import networkx as nx  # noqa: PLC0415

    writer = {file: step.name for step in plan.steps for file in step.writes}
    graph = nx.DiGraph()
    graph.add_nodes_from(step.name for step in plan.steps)
    graph.add_edges_from(
        (writer[file], step.name) for step in plan.steps for file in step.reads if file in writer
    )
    return graph


def _ordered(graph: Any, layers: list[list[str]]) -> list[list[str]]:
    """Each layer in the order of the places of its neighbours in the layers before it."""
    place = {name: index / len(layer) for layer in layers for index, name in enumerate(layer)}
    for sweep in range(_SWEEPS):
        neighbours = graph.predecessors if sweep % 2 == 0 else graph.successors
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=lambda name: _middle([place[other] for other in neighbours(name)], place[name]))
            place.update({name: index / len(layer) for index, name in enumerate(layer)})
    return layers


def _middle(places: list[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _picture(plan: Plan, graph: Any, layers: list[list[str]]) -> ET.Element:
    kinds = {step.name: step.kind for step in plan.steps}
    centres, width = _centres(layers)
    height = _LAYER * len(layers) + _GAP
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:.0f} {height:.0f}")
    root.attrib |= {"width": f"{width:.0f}", "height": f"{height:.0f}"}
    root.set("style", "background:#fff;font:11px ui-monospace,monospace")
    ET.SubElement(root, "title").text = f"{plan.experiment.name}: {len(plan.steps)} steps"
    for first, second in graph.edges:
        _arrow(root, centres[first], centres[second])
    for name, centre in centres.items():
        _box(root, name, centre, COLOURS[kinds[name]])
    return root


def _centres(layers: list[list[str]]) -> tuple[dict[str, tuple[float, float]], float]:
    """The middle of each step's box, and how wide the picture is."""
    widths = [sum(_width(name) + _GAP for name in layer) + _GAP for layer in layers]
    centres: dict[str, tuple[float, float]] = {}
    for row, (layer, taken) in enumerate(zip(layers, widths, strict=True)):
        x = (max(widths) - taken) / 2 + _GAP
        for name in layer:
            centres[name] = (x + _width(name) / 2, _GAP + row * _LAYER + _HEIGHT / 2)
            x += _width(name) + _GAP
    return centres, max(widths)


def _width(name: str) -> float:
    return len(name) * _LETTER + 16


def _arrow(root: ET.Element, first: tuple[float, float], second: tuple[float, float]) -> None:
    (x1, y1), (x2, y2) = (first[0], first[1] + _HEIGHT / 2), (second[0], second[1] - _HEIGHT / 2)
    bend = (y2 - y1) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    ET.SubElement(root, "path", d=path, fill="none", stroke="#8a94a0")
    tip = f"{x2 - 3:.1f},{y2 - 6:.1f} {x2 + 3:.1f},{y2 - 6:.1f} {x2:.1f},{y2:.1f}"
    ET.SubElement(root, "polygon", points=tip, fill="#8a94a0")


def _box(root: ET.Element, name: str, centre: tuple[float, float], colour: str) -> None:
    (x, y), width = centre, _width(name)
    rect = ET.SubElement(root, "rect", x=f"{x - width / 2:.1f}", y=f"{y - _HEIGHT / 2:.1f}", rx="4")
    rect.attrib |= {"width": f"{width:.1f}", "height": f"{_HEIGHT:.0f}", "fill": colour, "stroke": "#55606c"}
    text = ET.SubElement(root, "text", {"x": f"{x:.1f}", "y": f"{y + 4:.1f}", "text-anchor": "middle"})
    text.text = name
