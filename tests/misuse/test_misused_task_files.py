"""No task file surprises: whatever its keys hold, it is a task that can be shown, or a mistake in one line."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from trial import tries_of

from w2s_factory import W2SError, get_task, show_task
from w2s_factory.tasks.task_file import ColumnsSection, SplitSection, TaskFile

ROWS = "id,question,answer,why\n1,a?,1,It is 1.\n2,b?,2,It is 2.\n3,c?,,No.\n4,d?,x,#### 4\n"
VALID: dict[str, Any] = {
    "rows": "rows.csv",
    "columns": {"solution": "why", "answer": {"column": "answer", "regex": "(.)"}, "id": "id"},
    "prompt": "{{ question }}",
    "splits": {"train_1": 0.5, "test": {"share": 0.25}},
}
VALUES = [None, True, 0, -1, 0.5, 1, 1e400, float("nan"), "", " ", "a", "rows.csv", "rows.yaml", ".", "none.csv", "/",
          "/dev/null", "question", "why", "id", "{{ question }}", "{{ x }}", "{{ question", "{% for a in b %}", "{{ 1 / 0 }}",
          "{{ question.__class__ }}", "{{ cycler }}", "{{ id.x.y }}", "(", "(a+)+$", "a", "(x)?", "number", "symbolic",
          "text", "auto", "regex:(a)", "regex:a", "regex:(", "published", "numbers", "1%", "\ud800", "\x00", "a\nb", [],
          ["a"], [None], {}, {"a": 1}, {"share": 1}, {"path": "rows.csv"}, {"column": "answer"}, {"column": None},
          {"path": "."}, {"path": ".", "split": "rows"}, {"path": "rows.csv", "config": "a"}, {"regex": "(a)"}, [{"response": "r"}],
          [{"question": "q", "response": "r"}], {"train_1": 0.5, "train_2": 0.5}, {"test": "rows.csv"}, {"test": None}, {"": 1}]  # fmt: skip
KEYS = [*TaskFile.model_fields, "rowz", ""]
INNER = {"columns": [*ColumnsSection.model_fields, "x"], "splits": ["train_1", "test", "a b", "TRAIN_1"],
         "rows": [key for key in SplitSection.model_fields if key != "hub"]}  # fmt: skip
LINES = ["id,question,answer,why\n", "", "question\n", "id,id\n1,2\n", '"', "a;b\n1;2\n", "\ufeffid,question,answer,why\n1,q,1,w\n",
         "id,question,answer,why\n1,,1,w\n", "id,question,answer,why\n1,a,1,w\n1,b,2,w\n", "\x00", "id,question,answer,why\n,q,1,w\n"]  # fmt: skip


@st.composite
def task_files(draw) -> dict[str, Any]:
    """A valid task file with one to three values replaced, removed or added, at any level."""
    file = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        key, section = draw(st.sampled_from(KEYS)), file
        if key in INNER and isinstance(file.get(key), dict) and draw(st.booleans()):
            section, key = file[key], draw(st.sampled_from(INNER[key]))
        if draw(st.booleans()) or key not in section:
            section[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            del section[key]
    return file


@tries_of(0.1, 100)
@given(file=task_files(), rows=st.one_of(st.just(ROWS), st.sampled_from(LINES)))
@example(file=VALID, rows=ROWS)
def test_a_task_file_is_shown_or_refused_in_one_line(file, rows):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows.csv").write_text(rows)
        text = yaml.safe_dump(file)
        (folder / "own.yaml").write_text(text)
        refused = refusal(folder / "own.yaml")
        assert refused is None or (refused and "\n" not in refused)


def refusal(file: Path) -> str | None:
    """Return why a task cannot be shown; None if all of its splits can."""
    try:
        task = get_task(file)
        for split in task.splits:
            assert all(row.prompt.strip() for row in show_task(task, split).rows)
    except W2SError as error:
        return str(error)
    return None
