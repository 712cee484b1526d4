"""`report`: write the page of a run, with its figures and its numbers in a folder next to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from w2s_factory.errors import UserError, encodable
from w2s_factory.experiment.report import csv_tables
from w2s_factory.experiment.report.figures.all_figures import draw
from w2s_factory.experiment.report.findings import find_out
from w2s_factory.experiment.report.folder import REPORT_FACT, open_run
from w2s_factory.experiment.report.page import page
from w2s_factory.experiment.report.summary import answer
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.records import Outputs, noted

if TYPE_CHECKING:
    from w2s_factory.experiment.report.findings import Findings
    from w2s_factory.experiment.report.folder import Run


@dataclass(frozen=True)
class Reported:
    """The files that `report` wrote, and the result.

    Attributes:
        answer: The result in one sentence.
        page: The HTML file.
        beside: The folder of figures (SVG) and numbers (CSV).
        absent: The number of files that the run names and that do not exist yet.
    """

    answer: str
    page: Path
    beside: Path
    absent: int


def report(folder: str | Path, output: str | Path | None = None, *, force: bool = False) -> Reported:
    """Write the report of a run: a self-contained HTML page, and a folder of its figures and numbers.

    The same files give the same bytes. Files of an earlier report are replaced, other files only with
    `force`. The report of an incomplete run shows the existing results and lists the missing files.

    Args:
        folder: The folder of a run, with its `contents.json`.
        output: The page to write, by default `report.html` in the folder. With `NAME.html`, figures and
            numbers go to `NAME/`.
        force: Overwrite existing files.

    Raises:
        UserError: The folder is not that of a run, a file in it cannot be used, or one would be overwritten.
    """
    path = Path(folder) / "report.html" if output is None else Path(output)
    if path.suffix != ".html":
        raise UserError('expected a name that ends in ".html"', file=path, field="--output")
    run = open_run(folder)
    found = find_out(run)
    drawings, beside = draw(found), path.with_suffix("")
    texts = {path: page(found, drawings, beside.name)}
    texts |= {beside / f"{drawing.name}.svg": drawing.alone() for drawing in drawings.all()}
    texts |= {beside / f"{name}.csv": _csv(rows) for name, rows in _tables(found).items() if rows}
    _write(texts, run, found.contents.name, force=force)
    return Reported(answer(found.models), path, beside, len(found.absent))


def _write(texts: dict[Path, str], run: Run, name: str, *, force: bool) -> None:
    """Write all files or none; new and changed ones get a line in the manifest."""
    fact = {REPORT_FACT: name}
    ours = {path for path in texts if noted(path, **fact)}
    with Outputs(inputs=[run.folder / CONTENTS], reads=run.files(), force=force) as outputs:
        for path, text in texts.items():
            outputs.text(path, encodable(text), replace=path in ours)
        outputs.note(**fact)


def _tables(found: Findings) -> dict[str, list[dict[str, Any]]]:
    return {
        "models": csv_tables.models_table(found.models),
        "unfinished": csv_tables.unfinished_table(found.unfinished),
        "paper": found.paper,
        "comparisons": csv_tables.comparisons_table(found.compared),
        "stage1": csv_tables.stage1_table(found.stage1),
        "stage2": csv_tables.stage2_table(found.stage2),
        "confidence": csv_tables.confidence_table(found.stage2),
        "tags": csv_tables.tags_table(found.groups),
        "changes": csv_tables.changes_table(found.changes) if found.changes else [],
        "training": csv_tables.training_table(found.trainings),
        "times": csv_tables.times_table(found.timed),
        "provenance": csv_tables.provenance_table(found.artefacts),
    }


def _csv(rows: list[dict[str, Any]]) -> str:
    return str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
