"""Stage I sets from each other: hybrid from weak and icl, and back; the padded MATH sets likewise."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from w2s_factory.records import SFT, read, write

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.records import Sft


def hybrid(out: Path, weak: Path, icl: Path, unpadded: Path | None = None) -> None:
    """The weak and the icl row of each question in turn.

    Args:
        out: Where the set goes.
        weak: The weak set.
        icl: The icl set.
        unpadded: Of a padded set, a side before padding: only the head, which is as long, is interleaved;
            the weak tail follows it, then the icl tail.
    """
    sides = list(read(weak, SFT)), list(read(icl, SFT))
    head = _count(unpadded) if unpadded else max(map(len, sides))
    turns = chain.from_iterable(zip(*(side[:head] for side in sides), strict=True))
    write(out, chain(turns, *(side[head:] for side in sides)))


def side(out: Path, hybrid: Path, unpadded: Path | None = None, *, icl: bool) -> None:
    """The weak or the icl set back from the hybrid one: the reverse of `hybrid`."""
    rows = list(read(hybrid, SFT))
    head = _count(unpadded) if unpadded else len(rows) // 2
    tails = rows[2 * head :]
    middle = len(tails) // 2
    write(out, rows[icl : 2 * head : 2] + (tails[middle:] if icl else tails[:middle]))


def at_ids(out: Path, published: Path, full_weak: Path) -> None:
    """The weak set from full weak, given which questions were kept."""
    responses = {row["id"]: row for row in read(full_weak, SFT)}
    write(out, (responses.get(row["id"], _unknown(row)) for row in read(published, SFT)))


def agreeing(out: Path, weak: Path, icl: Path, *, icl_side: bool) -> None:
    """A side before padding: the questions of a padded set on which both final answers are the same."""
    sides = list(read(weak, SFT)), list(read(icl, SFT))
    answers = [{row["id"]: row.get("pred") for row in rows} for rows in sides]
    kept = (row for row in sides[icl_side] if answers[0].get(row["id"]) == answers[1].get(row["id"]))
    write(out, ({"id": row["id"], "content": row["content"], "output": row["output"]} for row in kept))


def _count(path: Path) -> int:
    return sum(1 for _ in read(path, SFT))


def _unknown(row: Sft) -> Sft:
    return {**row, "content": "", "output": ""}
