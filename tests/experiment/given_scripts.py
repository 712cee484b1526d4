"""The data that the pages of responses load, read without a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def given(path: Path) -> Any:
    """Return the data that a script gives to the page; the script must be one call with its own name."""
    text = path.read_bytes().decode("ascii")
    start = f'w2sResponses.give("{path.stem}",'
    assert text.startswith(start)
    assert text.endswith(");\n")
    return json.loads(text.removeprefix(start).removesuffix(");\n"))


def sets(folder: Path) -> dict[str, dict[str, Any]]:
    """The sets of questions by name."""
    return {one["name"]: one for one in given(folder / "contents.js")["sets"]}


def questions(folder: Path, name: str) -> dict[str, tuple[list[Any], dict[str, Any]]]:
    """Overview and texts of each question of a set, by id; each text is in the file that its overview names."""
    described = sets(folder)[name]
    texts = {
        number: given(folder / f"{name}_texts_{number}.js") for number in range(1, described["texts"] + 1)
    }
    rows = [
        row
        for number in range(1, described["overviews"] + 1)
        for row in given(folder / f"{name}_overview_{number}.js")
    ]
    assert len(rows) == described["questions"] == sum(map(len, texts.values()))
    return {row[0]: (row, texts[row[-1]].pop(0)) for row in rows}
