"""Checks of training sets: preference pairs and Stage I sets."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from w2s_factory.release.audit.corpus import pair_of, prompt_of, responses
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task

FULL_WEAK, KEPT = "full_weak", "iter1_weak"


class Responses(NamedTuple):
    """A weak model's responses by id, and the file they stand in."""

    source: str
    by_id: dict[object, str]

    def within(self, row: Row) -> bool:
        """Whether a pair holds the response to its question."""
        return self.by_id.get(row["id"]) in pair_of(row)


Models: TypeAlias = dict[tuple[str, str], Responses]
"""By task and weak model."""


def not_of_weak(corpus: Corpus) -> Iterator[Found]:
    """Pairs without a response of the weak model their file is named for."""
    kept = _responses(corpus, KEPT)
    models = kept | _responses(corpus, FULL_WEAK)
    for file in corpus.of("pairs"):
        if file.weak_model not in models:
            continue
        own = models[file.weak_model]
        asked = [row for row in file.rows if row["id"] in own.by_id]
        without = [row for row in asked if not own.within(row)]
        if without:
            holding = len(asked) - len(without)
            told = [
                f"{len(without):,} of {len(asked):,} pairs hold no response of {own.source}, {holding:,} do"
            ]
            told += _in_kept(file, kept.get(file.weak_model), own)
            told += _of_others(file, models)
            yield Found(file.name, len(without), len(asked), "; ".join(told), _ids(without))


def _in_kept(file: File, kept: Responses | None, own: Responses) -> Iterator[str]:
    """The same for the questions the weak model's own Stage I kept, if that was not what was asked."""
    if kept and kept is not own:
        asked = [row for row in file.rows if row["id"] in kept.by_id]
        holding = sum(map(kept.within, asked))
        yield f"of {len(asked):,} on questions of {kept.source} {holding:,} hold its response"


def _of_others(file: File, models: Models) -> Iterator[str]:
    """How many pairs hold a response of each other weak model of the task."""
    for key, other in models.items():
        if file.weak_model and key[0] == file.weak_model[0] and key != file.weak_model:
            yield f"{sum(map(other.within, file.rows)):,} of {len(file.rows):,} hold one of {other.source}"


def _responses(corpus: Corpus, kind: str) -> Models:
    """The responses of each weak model in one kind of set."""
    return {
        file.weak_model: Responses(file.path.name, {row["id"]: row["output"] for row in file.rows})
        for file in corpus.of("sft")
        if file.weak_model and file.parts["kind"] == kind
    }


def _ids(rows: list[Row]) -> tuple[str, ...]:
    return few(dict.fromkeys(f"id {row['id']}" for row in rows))


def preferring_nothing(corpus: Corpus) -> Iterator[Found]:
    """Pairs whose chosen and rejected response are the same."""
    for file in corpus.of("pairs"):
        same = [row for row in file.rows if len({text.strip() for text in pair_of(row)}) < 2]
        if same:
            text = f"in {len(same)} of {len(file.rows):,} pairs chosen and rejected are the same"
            yield Found(file.name, len(same), len(file.rows), text, _ids(same))


def duplicates(corpus: Corpus) -> Iterator[Found]:
    """Rows, of pairs or of questions with a response, that stand more than once."""
    for file in corpus.of("pairs", "sft", "results"):
        if file.parts.get("side") == "hybrid":  # weak and icl may well write the same
            continue
        keys = [
            (str(row["id"]), prompt_of(row), *responses(file.kind, row)) for row in file.rows if "id" in row
        ]
        extra = {key: count - 1 for key, count in Counter(keys).items() if count > 1}
        if extra:
            what = "pair" if file.kind == "pairs" else "row"
            count = sum(extra.values())
            text = f"{count} of {len(file.rows):,} {what}s repeat another {what}"
            yield Found(file.name, count, len(file.rows), text, few(f"id {key[0]}" for key in extra))


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
