"""Checks of Stage I sets and preference pairs: what they keep, pair and repeat."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain, repeat, zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from w2s_factory.records import text_digest
from w2s_factory.release.audit.corpus import pair_of, prompt_of, responses
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.known_golds import final_answer
from w2s_factory.release.audit.tally import EXAMPLES, few, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        _, empty, shown = tally(
            None
            if final_answer(task, weak["output"]) or final_answer(task, icl["output"])
            else f"id {weak['id']}"
            for weak, icl in _common_questions(sides)
        )
        if empty:
            total = len(sides["weak"].rows)
            text = f"on {empty} of {total:,} kept questions neither response gives a final answer"
            yield Occurrence(_names(sides), empty, total, text, shown)


@check(
    "padding",
    title="Kept questions on which weak and icl disagree",
    consequence="Stage I is not the consistent questions alone: inconsistent labels dilute it.",
    instead="`build-data --stage 1` keeps the consistent questions alone, unless --pad-to asks for padding.",
)
def padding(corpus: Corpus) -> Iterator[Occurrence]:
    """Find kept questions on which the two responses give different final answers: these are padding."""
    for sides, task in _comparable_sides(corpus):
        answers = (
            (weak["id"], final_answer(task, weak["output"]), final_answer(task, icl["output"]))
            for weak, icl in _common_questions(sides)
        )
        total, differing, shown = tally(
            None if weak == icl else f"id {name}: {weak or 'none'} and {icl or 'none'}"
            for name, weak, icl in answers
        )
        if differing:
            text = (
                f"on {differing:,} of {total:,} kept questions the two responses disagree: "
                f"{total - differing:,} are consistent"
            )
            yield Occurrence(_names(sides), differing, total, text, shown)


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
    pairs = zip_longest(sides["weak"].rows, sides["icl"].rows, fillvalue={"id": None, "content": None})
    total, wrong, shown = tally(
        None
        if (weak["id"], weak["content"]) == (icl["id"], icl["content"])
        else f"{weak['id']} and {icl['id']}"
        for weak, icl in pairs
    )
    if wrong:
        text = f"in {wrong} of {total:,} rows weak and icl answer different questions"
        yield Occurrence(_names(sides), wrong, total, text, shown)


def _other_hybrid_rows(sides: Sides) -> Iterator[Occurrence]:
    differing = Counter(_row_digest(row) for side in ("weak", "icl") for row in sides[side].rows)
    for row in sides["hybrid"].rows:
        digest = _row_digest(row)
        differing[digest] -= 1
        if not differing[digest]:
            del differing[digest]
    lacking, foreign = +differing, -differing
    if lacking or foreign:
        text = (
            f"the hybrid set lacks {lacking.total()} rows of the two sides and has {foreign.total()} others"
        )
        count = max(lacking.total(), foreign.total())
        shown = chain(
            _elements(sides["hybrid"].rows, foreign),
            _elements(chain(sides["weak"].rows, sides["icl"].rows), lacking),
        )
        yield Occurrence(_names(sides), count, len(sides["hybrid"].rows), text, few(shown))


def _elements(rows: Iterable[Row], counts: Mapping[bytes, int]) -> Iterator[str]:
    """Yield the id and the response of some rows, as often as each counts, in the order of the rows."""
    shown: set[bytes] = set()
    for row in rows if counts else ():
        digest = _row_digest(row)
        if digest in counts and digest not in shown:
            shown.add(digest)
            yield from repeat(f"id {row['id']}: {row['output']}", counts[digest])


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
    numbers = {row["id"]: number for number, row in enumerate(sides["icl"].rows)}
    with sides["icl"].rows.opened() as icl_row:
        for row in sides["weak"].rows:
            if row["id"] in numbers:
                yield row, icl_row(numbers[row["id"]])


def _row_digest(row: Row) -> bytes:
    return text_digest(str(row["id"]), row["content"], row["output"])


def _names(sides: Sides) -> str:
    return ", ".join(sides[side].name for side in ("weak", "icl", "hybrid") if side in sides)


class WeakResponses(NamedTuple):
    """The digests of a weak model's responses by id, and the name of the file they are in."""

    source: str
    by_id: dict[object, bytes]

    def in_pair(self, row: Row) -> bool:
        """Return whether a pair holds the response to its question."""
        own = self.by_id.get(row["id"])
        return own is not None and any(own == text_digest(text) for text in pair_of(row))


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
        asked = sum(row["id"] in own.by_id for row in file.rows)
        holding = sum(map(own.in_pair, file.rows))
        without = asked - holding
        if without:
            texts = [f"{without:,} of {asked:,} pairs hold no response of {own.source}, {holding:,} do"]
            texts += _in_kept(file, kept.get(file.weak_model), own)
            texts += _of_others(file, models)
            shown = _distinct_ids(row for row in file.rows if row["id"] in own.by_id and not own.in_pair(row))
            yield Occurrence(file.name, without, asked, "; ".join(texts), shown)


def _in_kept(file: File, kept: WeakResponses | None, own: WeakResponses) -> Iterator[str]:
    """Yield the same counts for the questions Stage I kept, if these are not the ones counted already."""
    if kept and kept is not own:
        asked = sum(row["id"] in kept.by_id for row in file.rows)
        holding = sum(map(kept.in_pair, file.rows))
        yield f"of {asked:,} on questions of {kept.source} {holding:,} hold its response"


def _of_others(file: File, models: WeakModels) -> Iterator[str]:
    """Yield how many pairs hold a response of each other weak model of the task."""
    for key, other in models.items():
        if file.weak_model and key[0] == file.weak_model[0] and key != file.weak_model:
            yield f"{sum(map(other.in_pair, file.rows)):,} of {len(file.rows):,} hold one of {other.source}"


def _weak_responses(corpus: Corpus, kind: str) -> WeakModels:
    """Return the responses of each weak model in one kind of set."""
    return {
        file.weak_model: WeakResponses(
            file.path.name, {row["id"]: text_digest(row["output"]) for row in file.rows}
        )
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
        same = sum(map(_are_same, file.rows))
        if same:
            text = f"in {same} of {len(file.rows):,} pairs chosen and rejected are the same"
            shown = _distinct_ids(filter(_are_same, file.rows))
            yield Occurrence(file.name, same, len(file.rows), text, shown)


def _are_same(row: Row) -> bool:
    return len({text.strip() for text in pair_of(row)}) < 2


def _distinct_ids(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the first few different ids of rows."""
    shown: dict[str, None] = {}
    for row in rows:
        shown[f"id {row['id']}"] = None
        if len(shown) == EXAMPLES:
            break
    return few(shown)


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
        counts = Counter(digest for digest, _ in _digests(file))
        extra = {digest: count - 1 for digest, count in counts.items() if count > 1}
        if extra:
            noun = "pair" if file.kind == "pairs" else "row"
            count = sum(extra.values())
            text = f"{count} of {len(file.rows):,} {noun}s repeat another {noun}"
            yield Occurrence(file.name, count, len(file.rows), text, few(_repeated(file, extra)))


def _digests(file: File) -> Iterator[tuple[bytes, str]]:
    """Yield the digest of the texts of each row that has an id, and the id."""
    for row in file.rows:
        if "id" in row:
            name = str(row["id"])
            yield text_digest(name, prompt_of(row), *responses(file.kind, row)), name


def _repeated(file: File, extra: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids of the rows with some digests, in the order in which they first occur."""
    left = set(extra)
    for digest, name in _digests(file):
        if digest in left:
            left.discard(digest)
            yield f"id {name}"
