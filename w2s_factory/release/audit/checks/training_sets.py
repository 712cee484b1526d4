"""Checks of Stage I sets and preference pairs: what they keep, pair and repeat."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from w2s_factory.release.audit.corpus import pair_of, prompt_of, responses
from w2s_factory.release.audit.finding import Occurrence, check, few
from w2s_factory.release.audit.known_golds import final_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task

Sides: TypeAlias = "dict[str, File]"
"""The sets of one Stage I iteration, by side: weak, icl, hybrid."""


@check(
    "empty-agreements",
    title="Kept questions on which neither response has a final answer",
    consequence="Two failures count as agreement; the model learns not to answer.",
    instead="`build-data --stage 1` keeps only equal, non-empty answers.",
)
def empty_agreements(corpus: Corpus) -> Iterator[Occurrence]:
    """Find kept questions on which both responses give no final answer."""
    for sides, task in _comparable_sides(corpus):
        empty = [
            f"id {weak['id']}"
            for weak, icl in _common_questions(sides)
            if not final_answer(task, weak["output"]) and not final_answer(task, icl["output"])
        ]
        if empty:
            total = len(sides["weak"].rows)
            text = f"on {len(empty)} of {total:,} kept questions neither response gives a final answer"
            yield Occurrence(_names(sides), len(empty), total, text, few(empty))


@check(
    "padding",
    title="Kept questions on which weak and icl disagree",
    consequence="Stage I is not the consistent questions alone: inconsistent labels dilute it.",
    instead="`build-data --stage 1` keeps the consistent questions alone, unless --pad-to asks for padding.",
)
def padding(corpus: Corpus) -> Iterator[Occurrence]:
    """Find kept questions on which the two responses give different final answers: these are padding."""
    for sides, task in _comparable_sides(corpus):
        answers = [
            (weak["id"], final_answer(task, weak["output"]), final_answer(task, icl["output"]))
            for weak, icl in _common_questions(sides)
        ]
        differing = [
            f"id {name}: {weak or 'none'} and {icl or 'none'}" for name, weak, icl in answers if weak != icl
        ]
        if differing:
            text = (
                f"on {len(differing):,} of {len(answers):,} kept questions the two responses disagree: "
                f"{len(answers) - len(differing):,} are consistent"
            )
            yield Occurrence(_names(sides), len(differing), len(answers), text, few(differing))


@check(
    "out-of-step",
    title="Weak, icl and hybrid sets that do not belong together",
    consequence="The sets are compared as if they asked the same questions.",
    instead="The three sets of an iteration are written together or not at all.",
)
def out_of_step(corpus: Corpus) -> Iterator[Occurrence]:
    """Find weak and icl sets of different questions, and hybrid sets whose rows are not those of the two."""
    for sides in _iterations(corpus):
        if {"weak", "icl"} <= sides.keys():
            yield from _unpaired_rows(sides)
        if {"weak", "icl", "hybrid"} <= sides.keys():
            yield from _other_hybrid_rows(sides)


def _unpaired_rows(sides: Sides) -> Iterator[Occurrence]:
    pairs = list(zip_longest(sides["weak"].rows, sides["icl"].rows, fillvalue={"id": None, "content": None}))
    wrong = [
        f"{weak['id']} and {icl['id']}"
        for weak, icl in pairs
        if (weak["id"], weak["content"]) != (icl["id"], icl["content"])
    ]
    if wrong:
        text = f"in {len(wrong)} of {len(pairs):,} rows weak and icl answer different questions"
        yield Occurrence(_names(sides), len(wrong), len(pairs), text, few(wrong))


def _other_hybrid_rows(sides: Sides) -> Iterator[Occurrence]:
    of_sides = Counter(_row_key(row) for row in chain(sides["weak"].rows, sides["icl"].rows))
    of_hybrid = Counter(_row_key(row) for row in sides["hybrid"].rows)
    lacking = list((of_sides - of_hybrid).elements())
    foreign = list((of_hybrid - of_sides).elements())
    if lacking or foreign:
        text = f"the hybrid set lacks {len(lacking)} rows of the two sides and has {len(foreign)} others"
        count = max(len(lacking), len(foreign))
        shown = few(f"id {name}: {response}" for name, _, response in [*foreign, *lacking])
        yield Occurrence(_names(sides), count, len(sides["hybrid"].rows), text, shown)


def _iterations(corpus: Corpus) -> Iterator[Sides]:
    """Yield the sets of each Stage I iteration, by side."""
    grouped: dict[tuple[str, ...], Sides] = defaultdict(dict)
    for file in corpus.of("sft"):
        if file.stage1:
            grouped[file.stage1][file.parts["side"]] = file
    yield from grouped.values()


def _comparable_sides(corpus: Corpus) -> Iterator[tuple[Sides, Task]]:
    """Yield each iteration that has both sides, with its task, if that compares final answers as text."""
    for sides in _iterations(corpus):
        if {"weak", "icl"} <= sides.keys():
            task = corpus.text_task_of(sides["weak"])
            if task:
                yield sides, task


def _common_questions(sides: Sides) -> Iterator[tuple[Row, Row]]:
    """Yield the weak and the icl row of each question that both sides hold."""
    icl = {row["id"]: row for row in sides["icl"].rows}
    return ((row, icl[row["id"]]) for row in sides["weak"].rows if row["id"] in icl)


def _row_key(row: Row) -> tuple[str, str, str]:
    return str(row["id"]), row["content"], row["output"]


def _names(sides: Sides) -> str:
    return ", ".join(sides[side].name for side in ("weak", "icl", "hybrid") if side in sides)


class WeakResponses(NamedTuple):
    """A weak model's responses by id, and the name of the file they are in."""

    source: str
    by_id: dict[object, str]

    def in_pair(self, row: Row) -> bool:
        """Return whether a pair holds the response to its question."""
        return self.by_id.get(row["id"]) in pair_of(row)


WeakModels: TypeAlias = dict[tuple[str, str], WeakResponses]
"""The responses of weak models, by task and weak model."""


@check(
    "mislabelled-pairs",
    title="Pairs without a response of the weak model they are named for",
    consequence="Stage II teaches against another model's mistakes than the strong model was trained on.",
    instead="`build-data --stage 2` takes the named weak model's responses; `--check FILE` checks any file.",
)
def mislabelled_pairs(corpus: Corpus) -> Iterator[Occurrence]:
    """Find pairs without a response of the weak model their file is named for."""
    kept = _weak_responses(corpus, "iter1_weak")
    models = kept | _weak_responses(corpus, "full_weak")
    for file in corpus.of("pairs"):
        if file.weak_model not in models:
            continue
        own = models[file.weak_model]
        asked = [row for row in file.rows if row["id"] in own.by_id]
        without = [row for row in asked if not own.in_pair(row)]
        if without:
            holding = len(asked) - len(without)
            texts = [
                f"{len(without):,} of {len(asked):,} pairs hold no response of {own.source}, {holding:,} do"
            ]
            texts += _in_kept(file, kept.get(file.weak_model), own)
            texts += _of_others(file, models)
            yield Occurrence(file.name, len(without), len(asked), "; ".join(texts), _distinct_ids(without))


def _in_kept(file: File, kept: WeakResponses | None, own: WeakResponses) -> Iterator[str]:
    """Yield the same counts for the questions Stage I kept, if these are not the ones counted already."""
    if kept and kept is not own:
        asked = [row for row in file.rows if row["id"] in kept.by_id]
        holding = sum(map(kept.in_pair, asked))
        yield f"of {len(asked):,} on questions of {kept.source} {holding:,} hold its response"


def _of_others(file: File, models: WeakModels) -> Iterator[str]:
    """Yield how many pairs hold a response of each other weak model of the task."""
    for key, other in models.items():
        if file.weak_model and key[0] == file.weak_model[0] and key != file.weak_model:
            yield f"{sum(map(other.in_pair, file.rows)):,} of {len(file.rows):,} hold one of {other.source}"


def _weak_responses(corpus: Corpus, kind: str) -> WeakModels:
    """Return the responses of each weak model in one kind of set."""
    return {
        file.weak_model: WeakResponses(file.path.name, {row["id"]: row["output"] for row in file.rows})
        for file in corpus.of("sft")
        if file.weak_model and file.parts["kind"] == kind
    }


@check(
    "chosen-equals-rejected",
    title="Pairs whose chosen and rejected response are the same",
    consequence="They give no preference; DPO's loss stays at log 2 on them.",
    instead="A minority response never has the majority's answer, so no such pair is built.",
)
def chosen_equals_rejected(corpus: Corpus) -> Iterator[Occurrence]:
    """Find pairs whose chosen and rejected response are the same."""
    for file in corpus.of("pairs"):
        same = [row for row in file.rows if len({text.strip() for text in pair_of(row)}) < 2]
        if same:
            text = f"in {len(same)} of {len(file.rows):,} pairs chosen and rejected are the same"
            yield Occurrence(file.name, len(same), len(file.rows), text, _distinct_ids(same))


def _distinct_ids(rows: list[Row]) -> tuple[str, ...]:
    return few(dict.fromkeys(f"id {row['id']}" for row in rows))


@check(
    "duplicates",
    title="Rows that repeat another row",
    consequence="They weigh more than other rows in training.",
    instead="Pairs are drawn as published; `build-data --stage 2 --drop-duplicates` leaves repeats out.",
)
def duplicates(corpus: Corpus) -> Iterator[Occurrence]:
    """Find rows, of pairs or of questions with a response, that occur more than once."""
    for file in corpus.of("pairs", "sft", "results"):
        if file.parts.get("side") == "hybrid":  # weak and icl may well write the same
            continue
        keys = [
            (str(row["id"]), prompt_of(row), *responses(file.kind, row)) for row in file.rows if "id" in row
        ]
        extra = {key: count - 1 for key, count in Counter(keys).items() if count > 1}
        if extra:
            noun = "pair" if file.kind == "pairs" else "row"
            count = sum(extra.values())
            text = f"{count} of {len(file.rows):,} {noun}s repeat another {noun}"
            yield Occurrence(file.name, count, len(file.rows), text, few(f"id {key[0]}" for key in extra))
