"""Stage I: questions that were kept although weak and icl do not agree, and sets out of step."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus, File
    from w2s_factory.release.auditing.forms import Row
    from w2s_factory.tasks import Task


def empty_agreements(corpus: Corpus) -> Iterator[Found]:
    """Kept questions on which both responses give no final answer at all."""
    for sides, task in _judged(corpus):
        empty = [
            f"id {weak['id']}"
            for weak, icl in _questions(sides)
            if not _answer(task, weak) and not _answer(task, icl)
        ]
        if empty:
            total = len(sides["weak"].rows)
            text = f"on {len(empty)} of {total:,} kept questions neither response gives a final answer"
            yield Found(_where(sides), len(empty), total, text, few(empty))


def disagreements(corpus: Corpus) -> Iterator[Found]:
    """Kept questions on which the two responses give different final answers: padding."""
    for sides, task in _judged(corpus):
        pairs = list(_questions(sides))
        differing = [
            f"id {weak['id']}: {_answer(task, weak) or 'none'} and {_answer(task, icl) or 'none'}"
            for weak, icl in pairs
            if _answer(task, weak) != _answer(task, icl)
        ]
        if differing:
            text = (
                f"on {len(differing):,} of {len(pairs):,} kept questions the two responses disagree: "
                f"{len(pairs) - len(differing):,} are consistent"
            )
            yield Found(_where(sides), len(differing), len(pairs), text, few(differing))


def out_of_step(corpus: Corpus) -> Iterator[Found]:
    """Weak and icl sets of other questions, or a hybrid set that does not hold just their rows."""
    for sides in _sets(corpus):
        if {"weak", "icl"} <= sides.keys():
            yield from _unpaired(sides)
        if {"weak", "icl", "hybrid"} <= sides.keys():
            ours = Counter(_key(row) for row in chain(sides["weak"].rows, sides["icl"].rows))
            theirs = Counter(_key(row) for row in sides["hybrid"].rows)
            lacking, foreign = list((ours - theirs).elements()), list((theirs - ours).elements())
            if lacking or foreign:
                text = (
                    f"the hybrid set lacks {len(lacking)} rows of the two sides and has {len(foreign)} others"
                )
                count = max(len(lacking), len(foreign))
                shown = few(f"id {key[0]}: {key[2]}" for key in [*foreign, *lacking])
                yield Found(_where(sides), count, sum(theirs.values()), text, shown)


def _unpaired(sides: dict[str, File]) -> Iterator[Found]:
    pairs = list(zip_longest(sides["weak"].rows, sides["icl"].rows, fillvalue={"id": None, "content": None}))
    wrong = [
        f"{weak['id']} and {icl['id']}"
        for weak, icl in pairs
        if (weak["id"], weak["content"]) != (icl["id"], icl["content"])
    ]
    if wrong:
        text = f"in {len(wrong)} of {len(pairs):,} rows weak and icl answer different questions"
        yield Found(_where(sides), len(wrong), len(pairs), text, few(wrong))


def _sets(corpus: Corpus) -> Iterator[dict[str, File]]:
    """The sides of each iteration."""
    grouped: dict[tuple[str, ...], dict[str, File]] = defaultdict(dict)
    for file in corpus.of("sft"):
        if file.stage1:
            grouped[file.stage1][file.parts["side"]] = file
    yield from grouped.values()


def _judged(corpus: Corpus) -> Iterator[tuple[dict[str, File], Task]]:
    """The iterations with both sides whose task says what a final answer is by text."""
    for sides in _sets(corpus):
        if {"weak", "icl"} <= sides.keys():
            task = corpus.text_task_of(sides["weak"])
            if task:
                yield sides, task


def _questions(sides: dict[str, File]) -> Iterator[tuple[Row, Row]]:
    """Weak and icl row of each question both sides hold."""
    icl = {row["id"]: row for row in sides["icl"].rows}
    return ((row, icl[row["id"]]) for row in sides["weak"].rows if row["id"] in icl)


def _answer(task: Task, row: Row) -> str:
    return task.normalise(task.extract(row["output"]))


def _key(row: Row) -> tuple[str, str, str]:
    return str(row["id"]), row["content"], row["output"]


def _where(sides: dict[str, File]) -> str:
    return ", ".join(sides[side].name for side in ("weak", "icl", "hybrid") if side in sides)
