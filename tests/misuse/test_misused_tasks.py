"""No custom task surprises: one whose methods raise or return anything is used, or named in one line."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from trial import tries_of

from w2s_factory import (
    Split,
    Task,
    W2SError,
    build_gold,
    build_stage1,
    build_test,
    score,
    score_response,
    score_responses,
)
from w2s_factory.records import TEST, Form, read, write

RAISED = [ValueError("no"), KeyError("k"), RecursionError(), StopIteration(), AttributeError("x"), TypeError(),
          UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), MemoryError(), OSError(28, "full")]  # fmt: skip
RETURNED = [None, 0, 1.5, float("nan"), b"bytes", [], ["a"], {}, {"question": 1}, object(), True, "", "text", "\ud800",
            {"source": "S", "question": "q", "solution": "s", "answer": "a", "tag": {}}]  # fmt: skip
HOOKS = ["extract", "normalise", "normalise_gold", "equal", "is_answer", "prompt", "test_row", "gold_output",
         "extract_any", "written_response"]  # fmt: skip
RAW: Form[dict[str, Any]] = Form("raw rows", {"question": (str,)})
ROWS = [{"id": n, "prompt": f"Question: q{n}\nAnswer:", "response": f"{n}", "pred": f"{n}"} for n in range(3)]

behaviours = st.one_of(
    st.sampled_from([("raises", error) for error in RAISED]),
    st.sampled_from([("returns", value) for value in RETURNED]),
)
names = (f"task{number}" for number in itertools.count())


def behaving(kind: str, value: Any):
    """A method that raises or returns one thing, whatever it is given."""

    def method(self, *arguments, **named):
        if kind == "raises":
            raise value
        return value

    return method


@st.composite
def tasks(draw) -> Task:
    """A task of whose methods one or two misbehave."""
    chosen = draw(st.lists(st.sampled_from(HOOKS), min_size=1, max_size=2, unique=True))
    methods = {name: behaving(*draw(behaviours)) for name in chosen}
    splits = draw(st.sampled_from([{}, {"train_1": Split("raw.jsonl", "golds.jsonl", "T")}]))
    return type("Misbehaving", (Task,), methods)(name=next(names), raw_form=RAW, splits=splits)


@tries_of(0.05, 30)
@given(tasks())
def test_a_task_that_misbehaves_is_named(task):
    folder = Path(tempfile.mkdtemp(prefix="w2s-misuse-"))
    for name in ("weak", "icl", "output"):
        write(folder / f"{name}.jsonl", ROWS)
    write(folder / "raw.jsonl", [{"question": "q0", "answer": "0"}])
    golds = [
        {"source": "T", "question": f"q{n}", "solution": "s", "answer": f"{n}", "tag": {}} for n in range(3)
    ]
    write(folder / "golds.jsonl", golds)
    uses = [
        lambda: score_response(task, "1", "1"),
        lambda: score_responses(task, ["1", "2"], ["1", "1"]),
        lambda: score(task, folder / "golds.jsonl", folder / "output.jsonl", folder / "out/results.jsonl"),
        lambda: build_stage1(task, folder / "weak.jsonl", folder / "icl.jsonl", folder / "one"),
        lambda: list(read(built_test(task, folder), TEST)),
        lambda: build_gold(task, folder / "raw.jsonl", folder / "gold.json"),
    ]
    complaints = [text for text in map(complaint, uses) if text is not None]
    assert all(task.name in text and "\n" not in text for text in complaints), complaints


def built_test(task: Task, folder: Path) -> Path:
    build_test(task, folder / "raw.jsonl", folder / "test.jsonl", split=next(iter(task.splits), None))
    return folder / "test.jsonl"


def complaint(use) -> str | None:
    """Return the message with which a use of a task is refused; None if it was not."""
    try:
        use()
    except W2SError as error:
        return str(error)
    return None
