"""Demonstrations for weak ICL, picked from a weak model's outputs: by the release's sampler, or by id."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.extraction import Extraction, parse_extraction
from w2s_factory.answers.thinking import RESPONSE_PARTS, parts_of, text_of
from w2s_factory.errors import UserError, listed, short
from w2s_factory.folders import responses_in
from w2s_factory.quantities import SEED, DemonstrationCount
from w2s_factory.ranges import Seed, check
from w2s_factory.records import (
    DEMONSTRATION,
    OUTPUT,
    RESULT,
    SFT,
    Form,
    Table,
    content_hash,
    read,
    read_placed,
    rows_of,
)
from w2s_factory.scoring.noted_way import noted_way
from w2s_factory.scoring.unused_markers import check_markers
from w2s_factory.tasks import TASK_FILES, get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.answers.thinking import Markers, ResponsePart
    from w2s_factory.records import Demonstration, Id, RowsLike, RowSource
    from w2s_factory.tasks import Task

PUBLISHED_SEED = SEED
PUBLISHED_COUNT = 4

_CHECK = "Check --extract, and the stop texts with which they were generated; --ids takes any response"
"""The hint where no response has an answer."""


def pick_demonstrations(
    task: Task | str,
    source: RowsLike,
    *,
    count: DemonstrationCount = PUBLISHED_COUNT,
    seed: Seed = PUBLISHED_SEED,
    correct_only: bool = False,
    show: ResponsePart = "answer",
    extract: str | Extraction | None = None,
    markers: Markers | None = None,
) -> list[Demonstration]:
    """Draw demonstrations as the release does: shuffle all rows and take the first with an answer.

    A response whose thinking never ended has none.

    Args:
        task: The task, whose answer key marks a response with an answer.
        source: Full weak data, outputs, or results.
        count: The number of demonstrations.
        seed: The seed of the shuffle `random.seed(seed); random.shuffle(rows)`.
        correct_only: Take responses whose `result` is true instead; needs results.
        show: The part of a response to show.
        extract: The way to find the answer of a response, where the answer key does not mark it; None for
            the task's own.
        markers: The markers of thinking; None for those by which the responses were scored.

    Raises:
        UserError: The source cannot be read, holds fewer such rows, or has duplicate ids; or a number is out
            of its range.
    """
    task, source = get_task(task), rows_of(source, "source", responses_in)
    check(count, DemonstrationCount, "count")
    check(seed, Seed, "seed")
    _check_part(show)
    way = parse_extraction(task.extraction if extract is None else extract)
    rows = _rows(source, results=correct_only)
    markers = _markers(markers, source, rows)
    Random(seed).shuffle(rows)
    fit = (
        shown
        for row in rows
        if (shown := _shown(row, show, markers)) is not None
        if (row["result"] if correct_only else _answers(task, way, row, markers))
    )
    picked = list(islice(fit, count))
    if len(picked) < count:
        wanted = "whose result is true" if correct_only else _wanted(task, way)
        hint = "Ask for fewer with --count" if picked else _CHECK if rows and not correct_only else None
        raise UserError(f"holds only {len(picked)} responses {wanted}, not {count}", file=source, hint=hint)
    return _noted(picked, source)


def _answers(task: Task, way: Extraction, row: dict[str, Any], markers: Markers | None) -> bool:
    """Return whether a response has an answer: it holds the answer key, or any text if there is no key."""
    answer = parts_of(row, markers).answer
    if not way.is_published:
        return way(answer, task.answer_key, numbers=task.answers_are_numbers) != ""
    return task.answer_key in answer if task.answer_key else not answer.isspace() and answer != ""


def _wanted(task: Task, way: Extraction) -> str:
    """Return which responses are wanted, for a message."""
    if not way.is_published:
        return f"with an answer (--extract {way.way})"
    return f'that hold the answer key "{task.answer_key}"' if task.answer_key else "that are not blank"


def _shown(row: dict[str, Any], show: ResponsePart, markers: Markers | None) -> dict[str, Any] | None:
    """Return a row with the part of its response that is shown; None if it has no answer."""
    text = text_of(row, markers, answer_alone=show == "answer")
    return None if text is None else row | {"response": text}


def _markers(named: Markers | None, source: RowSource, rows: Sequence[dict[str, Any]]) -> Markers | None:
    """Return the markers named, or else those by which the responses were scored.

    Raises:
        UserError: No response has the markers named; or the results were scored from other responses.
    """
    check_markers(named, [(source, rows)])
    scored = noted_way(source)
    return scored.markers if named is None else named


def _check_part(show: str) -> None:
    if show not in RESPONSE_PARTS:
        raise UserError(f"expected {' or '.join(RESPONSE_PARTS)}, got {short(show)}", field="show")


def named_demonstrations(
    source: RowsLike,
    ids: Sequence[Id],
    *,
    question: Id | None = None,
    show: ResponsePart = "answer",
    markers: Markers | None = None,
) -> list[Demonstration]:
    """Return the demonstrations with these ids, in this order, whatever their answers hold.

    Args:
        source: Full weak data, Stage I data, outputs, or results.
        ids: The ids of the demonstrations.
        question: The id of the row whose prompt is shown with every response, instead of the response's own.
            The release's demonstrations for OlympicArena are like this, by mistake.
        show: The part of a response to show.
        markers: The markers of thinking; None for those by which the responses were scored.

    Raises:
        UserError: The source cannot be read, lacks an id, or has duplicate ids; an id in `ids` is empty,
            duplicate, or fits two rows; or a response has no answer, as its thinking did not end.
    """
    _check_part(show)
    source, names = rows_of(source, "source", responses_in), [str(name) for name in listed(ids, "ids")]
    if not names or not all(name.strip() for name in names):
        raise UserError("expected ids, got an empty one" if names else "expected ids, got none", field="ids")
    repeated = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if repeated:
        problem = f"expected different ids, got {', '.join(repeated)} more than once"
        raise UserError(problem, field="ids")
    rows = _by_name(source)
    markers = _markers(markers, source, [row for named in rows.values() for row in named])
    asked = [] if question is None else [str(question)]
    ambiguous = [name for name in [*names, *asked] if len(rows.get(name, ())) > 1]
    if ambiguous:
        problem = f"holds two rows of id {', '.join(ambiguous)}: one id is a number, the other is text"
        raise UserError(problem, file=source, hint="Write the ids in one way")
    missing = [name for name in [*names, *asked] if name not in rows]
    if missing:
        raise UserError(f"holds no row of id {', '.join(missing)}", file=source)
    prompt = {} if question is None else {"prompt": rows[str(question)][0]["prompt"]}
    picked = {name: _shown(rows[name][0], show, markers) for name in names}
    unanswered = ", ".join(name for name, row in picked.items() if row is None)
    if unanswered:
        problem = f"has no answer of id {unanswered}: the request failed, or the thinking did not end"
        raise UserError(problem, file=source, hint="Name other ids")
    return _noted([row | prompt for row in picked.values() if row is not None], source)


def read_demonstrations(path: str | RowSource) -> list[Demonstration]:
    """Return the demonstrations of a file that `demos` wrote, or of another source in that form, in order.

    Those of a task file are its own.

    Raises:
        UserError: A row is not in that form, or holds a text that cannot be encoded; or a task file has none.
    """
    rows = []
    if isinstance(path, (str, Path)) and str(path).endswith(TASK_FILES):
        path = Table(str(path), _of_task(Path(path)))
    for place, row in read_placed(path, DEMONSTRATION):
        place.require_utf8(row, "prompt", "response")
        rows.append(row)
    return rows


def _of_task(path: Path) -> list[Demonstration]:
    """Return the demonstrations that a task file has.

    Raises:
        UserError: The file is not a task file, or has none.
    """
    found = get_task(path).demonstrations
    if not found:
        raise UserError("has no demonstrations", file=path, hint="Add the key demonstrations")
    return found


def _rows(source: RowSource, *, results: bool = False) -> list[dict[str, Any]]:
    """Return the rows of a source in any form as rows of `id`, `prompt`, `response` (and `result`)."""
    form = RESULT if results else _form(source)
    rows: list[dict[str, Any]] = []
    seen: set[Id] = set()
    for place, found in read_placed(source, form):
        row = dict(found)
        if row["id"] in seen:
            raise place.error(f"expected different ids, got {short(row['id'])} again", field="id")
        seen.add(row["id"])
        rows.append(row)
        if form is SFT:
            row["prompt"], row["response"] = row["content"], row["output"]
    return rows


def _by_name(source: RowSource) -> dict[str, list[dict[str, Any]]]:
    """Return the rows by their ids as texts, which a number and a text can share (0 and "0")."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(source):
        rows.setdefault(str(row["id"]), []).append(row)
    return rows


def _form(source: RowSource) -> Form[Any]:
    """Return the form of a source: full weak data has `content`, outputs and results have `prompt`."""
    first: dict[str, Any] = next(read(source, Form("responses", {"id": (int, str)})), {})
    return SFT if "content" in first else OUTPUT


def _noted(rows: list[dict[str, Any]], source: RowSource) -> list[Demonstration]:
    sha256 = source.sha256 if isinstance(source, Table) else content_hash(source)
    origin = f"{source} (in memory)" if isinstance(source, Table) else str(source)
    return [_as_demonstration(row, origin, sha256) for row in rows]


def _as_demonstration(row: dict[str, Any], origin: str, sha256: str) -> Demonstration:
    shown: Demonstration = {
        "id": row["id"],
        "prompt": row["prompt"],
        "response": row["response"],
        "source": origin,
        "sha256": sha256,
    }
    if "system" in row:
        shown["system"] = row["system"]
    return shown
