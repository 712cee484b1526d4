"""The pages of all responses: one page of HTML, and files of data that it loads when they are needed.

A browser lets a page on the disk read no other file than by a script element. So the data are scripts: each
is one call with the name of the file and its rows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import encodable
from w2s_factory.experiment.report.all_responses import VERDICTS, question_sets
from w2s_factory.experiment.report.figures import palette
from w2s_factory.experiment.report.page import templates

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from w2s_factory.experiment.report.all_responses import QuestionSet
    from w2s_factory.experiment.report.findings import Findings
    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.records import Outputs

PAGE: Final = "index.html"
_LARGEST: Final = 2_000_000
"""Characters from which on a file of data is complete: a browser loads as many in an instant."""


def script(name: str, value: Any) -> str:
    """Return the script that gives a value to the page under a name.

    It is ASCII: line separators that would end a line of JavaScript, and lone surrogates, which UTF-8 cannot
    encode, are escapes. So is `<`, so that no text can end a script element or begin a comment.
    """
    return _call(name, _json(value))


def _call(name: str, text: str) -> str:
    return f'w2sResponses.give("{name}",{text});\n'


def _json(value: Any) -> str:
    """Return a value as JSON that is safe in a script."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


class ResponsePages:
    """The folder of the pages of all responses.

    Args:
        outputs: What its files are written with.
        folder: The folder.
        replaced: The names of files in it that are replaced.

    Attributes:
        names: The names of the files written.
    """

    def __init__(self, outputs: Outputs, folder: Path, replaced: Collection[str]) -> None:
        self._outputs, self._folder, self._replaced = outputs, folder, replaced
        self.names: set[str] = set()

    def text(self, name: str, text: str) -> None:
        """Write a file."""
        self.names.add(name)
        self._outputs.text(self._folder / name, encodable(text), replace=name in self._replaced)

    def write(self, run: Run, found: Findings, report: str) -> set[str]:
        """Write all files, and return their names; write nothing if there is no response.

        Memory holds the texts of one file at most, whatever the number of responses.

        Args:
            run: The run.
            found: Its results.
            report: The name of the report's page, which is next to the folder.

        Raises:
            UserError: A file of the run cannot be read.
        """
        sets = [self._questions(questions) for questions in question_sets(run, found)]
        if sets:
            render = templates().get_template
            self.text("contents.js", script("contents", {"verdicts": VERDICTS, "sets": sets}))
            self.text("responses.css", render("responses.css").render(palette=palette.style(":root")))
            self.text("responses.js", render("responses.js").render())
            self.text(PAGE, render("responses.html").render(contents=found.contents, report=report))
        return self.names

    def _questions(self, questions: QuestionSet) -> dict[str, Any]:
        """Write the files of a set of questions, and return its description."""
        overviews = _Parts(self, f"{questions.name}_overview")
        texts = _Parts(self, f"{questions.name}_texts")
        count = 0
        for asked in questions:
            overviews.add([*asked.overview, texts.number])
            texts.add(asked.texts)
            count += 1
        return {
            "name": questions.name,
            "title": questions.title,
            "seed": questions.seed,
            "labels": questions.labels,
            "groupedBy": questions.grouped_by,
            "questions": count,
            "overviews": overviews.finish(),
            "texts": texts.finish(),
        }


class _Parts:
    """Files of rows, numbered from 1, each complete when it holds about two million characters.

    Attributes:
        number: The number of the file to which the next row goes.
    """

    def __init__(self, pages: ResponsePages, stem: str) -> None:
        self._pages, self._stem = pages, stem
        self._rows: list[str] = []
        self._size = 0
        self.number = 1

    def add(self, row: Any) -> None:
        """Add a row."""
        self._rows.append(_json(row))
        self._size += len(self._rows[-1])
        if self._size >= _LARGEST:
            self._write()

    def finish(self) -> int:
        """Write the last rows, and return the number of files."""
        if self._rows:
            self._write()
        return self.number - 1

    def _write(self) -> None:
        name = f"{self._stem}_{self.number}"
        self._pages.text(f"{name}.js", _call(name, f"[{','.join(self._rows)}]"))
        self._rows, self._size = [], 0
        self.number += 1
