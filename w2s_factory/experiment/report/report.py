"""`report`: write the page of a run, with folders of its figures, numbers and responses next to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from w2s_factory.errors import UserError, encodable
from w2s_factory.experiment.report import csv_tables
from w2s_factory.experiment.report.figures.all_figures import draw
from w2s_factory.experiment.report.findings import find_out
from w2s_factory.experiment.report.folder import REPORT_FACT, open_run
from w2s_factory.experiment.report.page import page
from w2s_factory.experiment.report.response_pages import PAGE, ResponsePages
from w2s_factory.experiment.report.summary import answer
from w2s_factory.experiment.run_contents import CONTENTS
from w2s_factory.records import Outputs, noted_files

if TYPE_CHECKING:
    from w2s_factory.experiment.report.findings import Findings
    from w2s_factory.experiment.report.folder import Run


_FIGURES: Final = (".svg", ".csv")
_PAGES: Final = (".html", ".css", ".js")
"""The suffixes of the files in a report's folders. With `a.html` and `a_responses.html`, they share one."""


@dataclass(frozen=True)
class Reported:
    """The files that `report` wrote, and the result.

    Attributes:
        answer: The result in one sentence.
        page: The HTML file.
        beside: The folder of figures (SVG) and numbers (CSV).
        absent: The number of files that the run names and that do not exist yet.
        responses: The page of all responses, in a folder of its own; None if there are none yet.
    """

    answer: str
    page: Path
    beside: Path
    absent: int
    responses: Path | None = None


def report(folder: str | Path, output: str | Path | None = None, *, force: bool = False) -> Reported:
    """Write the report of a run: a self-contained HTML page, its figures and numbers, and all responses.

    The same files give the same bytes. Files of an earlier report are replaced or removed, other files are
    replaced only with `force`. The report of an incomplete run shows the existing results and lists the
    missing files.

    Args:
        folder: The folder of a run, with its `contents.json`.
        output: The page to write, by default `report.html` in the folder. With `NAME.html`, figures and
            numbers go to `NAME/`, and the pages of responses to `NAME_responses/`.
        force: Overwrite existing files.

    Raises:
        UserError: The folder is not that of a run, a file in it cannot be used, or one would be overwritten.
    """
    path = Path(folder) / "report.html" if output is None else Path(output)
    if path.suffix != ".html":
        raise UserError('expected a name that ends in ".html"', file=path, field="--output")
    run = open_run(folder)
    found = find_out(run)
    there = _write(found, run, path, force=force)
    responses = _responses(path) / PAGE
    return Reported(
        answer(found.models), path, _beside(path), len(found.absent), responses if there else None
    )


def _beside(page: Path) -> Path:
    """Return the folder of figures and numbers."""
    return page.with_suffix("")


def _responses(page: Path) -> Path:
    """Return the folder of the pages of responses."""
    return page.with_name(f"{page.stem}_responses")


def _write(found: Findings, run: Run, path: Path, *, force: bool) -> bool:
    """Write all files or none, and return whether there are responses.

    New and changed files get a line in the manifest. Files that an earlier report wrote and that this report
    does not have are removed; files that were changed since stay.
    """
    fact = {REPORT_FACT: found.contents.name}
    drawings, beside, responses = draw(found), _beside(path), _responses(path)
    earlier = {folder: noted_files(folder, **fact) for folder in (path.parent, beside, responses)}
    texts = {beside / f"{drawing.name}.svg": drawing.alone() for drawing in drawings.all()}
    texts |= {beside / f"{name}.csv": _csv(rows) for name, rows in _tables(found).items() if rows}
    with Outputs(inputs=[run.folder / CONTENTS], reads=run.files(), force=force) as outputs:
        pages = ResponsePages(outputs, responses, earlier[responses])
        written = pages.write(run, found, path.name)
        texts = {path: page(found, drawings, beside.name, responses.name if written else "")} | texts
        for file, text in texts.items():
            outputs.text(file, encodable(text), replace=file.name in earlier[file.parent])
        outputs.note(**fact)
        outputs.remove(responses, _of_kind(earlier[responses], _PAGES) - written)
        outputs.remove(beside, _of_kind(earlier[beside], _FIGURES) - {file.name for file in texts})
    return bool(written)


def _of_kind(names: set[str], suffixes: tuple[str, ...]) -> set[str]:
    return {name for name in names if name.endswith(suffixes)}


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
