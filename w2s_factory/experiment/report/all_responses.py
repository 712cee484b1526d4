"""All responses of a run by question, with verdicts and votes, and the pair or the reason for having none."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from w2s_factory.answers.thinking import Markers, parts_of
from w2s_factory.building.pair_origins import ORIGIN, sidecar
from w2s_factory.building.weak_answers import is_full_weak
from w2s_factory.records import ANSWERED, ANY, RowIndex, StoredRows, as_pair
from w2s_factory.scoring.golds import index_golds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from w2s_factory.answers.thinking import ThinkingAndAnswer
    from w2s_factory.building.pairs import Judged
    from w2s_factory.building.weak_answers import Judgements
    from w2s_factory.experiment.report.findings import Findings
    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.records import Id, Vote

VERDICTS: Final = {
    "c": "correct",
    "w": "wrong",
    "n": "no final answer",
    "u": "thinking did not end",
    "f": "the engine refused the request",
    "g": "gold answer not known",
    "-": "no response",
}
"""The verdicts on a response by their letters, with which overviews write them."""

_QUESTION: Final = 300
_ANSWER: Final = 80
"""The most characters of a question and of a final answer in an overview."""

WEAK_CHOSEN, WEAK_REJECTED = "pair: the weak response is chosen", "pair: the weak response is rejected"
NO_TAG: Final = "(none)"
_UNKNOWN_PAIR: Final = "pair: its origin is not recorded"
_NO_FILE: Final = "no pair yet: the pair file does not exist"
_OTHER_RULES: Final = "no pair in the file, though these votes give one: it was built by other rules or files"
_NO_VOTE: Final = "no votes on this question"


@dataclass(frozen=True)
class Column:
    """The responses of a model, or of one side of Stage I, to questions.

    Attributes:
        label: Its name.
        rows: Its results.
        any_format: The same responses, scored in any format; None if they were not.
    """

    label: str
    rows: RowIndex[Any]
    any_format: RowIndex[Any] | None = None


@dataclass(frozen=True)
class Agreeing:
    """The questions that an iteration of Stage I keeps: their numbers in the weak results."""

    iteration: int
    weak: RowIndex[Any]
    kept: Collection[int]

    def state(self, name: Id) -> str:
        """Return whether a question is kept, in words."""
        number = self.weak.numbers.get(name)
        return "not asked" if number is None else "kept" if number in self.kept else "dropped"


class AskedQuestion(NamedTuple):
    """A question with all responses to it, as values of JSON.

    Attributes:
        overview: What a list of questions shows: id, the beginning of the question, the gold answer, the
            letter of each column's verdict, the final answers, and the question's groups.
        texts: All texts (docs/formats.md).
    """

    overview: list[Any]
    texts: dict[str, Any]


@dataclass(frozen=True)
class QuestionSet:
    """Questions that were asked with one seed, which can be read as often as needed, one at a time.

    Attributes:
        name: Its name, with which the names of its files begin.
        title: What the questions are.
        seed: The seed.
        columns: The models or sides that answered.
        golds: The questions with their golds; None if there are none.
        tags: The tags of golds by which questions are grouped.
        agreeing: The iterations of Stage I.
        votes: The votes on these questions, judged for Stage II; None if there are none.
        pairs: The file of pairs that they gave, which may not exist.
        markers: The markers of thinking; None for those known by default.
    """

    name: str
    title: str
    seed: int
    columns: list[Column]
    golds: RowIndex[dict[str, Any]] | None = None
    tags: list[str] = field(default_factory=list)
    agreeing: list[Agreeing] = field(default_factory=list)
    votes: Judgements | None = None
    pairs: Path | None = None
    markers: Markers | None = None

    @property
    def labels(self) -> list[str]:
        """Return the labels of the columns; the last one is that of the votes, if there are any."""
        return [column.label for column in self.columns] + (["Majority of the samples"] if self.votes else [])

    @property
    def grouped_by(self) -> list[str]:
        """Return the names of the groups that each question has."""
        iterations = [f"Stage I, iteration {one.iteration}" for one in self.agreeing]
        return [*self.tags, *iterations, *(["Stage II"] if self.votes else [])]

    def __iter__(self) -> Iterator[AskedQuestion]:
        """Yield each question that has a response or a vote: those with votes first, in their order.

        Raises:
            UserError: A file has changed since it was first read.
        """
        with ExitStack() as files:
            columns = [files.enter_context(_by_id(column.rows)) for column in self.columns]
            loose = [
                None if column.any_format is None else files.enter_context(_by_id(column.any_format))
                for column in self.columns
            ]
            gold = files.enter_context(_by_id(self.golds)) if self.golds else _nothing
            paired = files.enter_context(_pairs(self.pairs))
            for name, judged in self._names():
                rows = [row(name) for row in columns]
                others = [other(name) if other else None for other in loose]
                yield self._asked(name, rows, others, gold(name) or {}, (judged, paired(name)))

    def _names(self) -> Iterator[tuple[Id, Judged | None]]:
        seen: set[Id] = set()
        for judged in self.votes or ():
            seen.add(judged.vote["id"])
            yield judged.vote["id"], judged
        for column in self.columns:
            for name in column.rows.numbers:
                if name not in seen:
                    seen.add(name)
                    yield name, None

    def _asked(
        self,
        name: Id,
        rows: list[Any],
        loose: list[Any],
        gold: Mapping[str, Any],
        stage2: tuple[Judged | None, list[dict[str, Any]] | None],
    ) -> AskedQuestion:
        prompts: list[dict[str, str]] = []
        responses = [
            row and self._response(row, other, prompts) for row, other in zip(rows, loose, strict=True)
        ]
        right = next((row["gold"] for row in rows if row and "gold" in row), gold.get("answer")) or ""
        judged, pairs = stage2
        outcome = _outcome(judged, pairs)
        answered = [(one["verdict"], one["final"]) if one else ("-", "") for one in responses]
        answered += [_majority(judged.vote, self.markers) if judged else ("-", "")] if self.votes else []
        groups = [_tag(gold, tag) for tag in self.tags]
        groups += [one.state(name) for one in self.agreeing] + ([outcome] if self.votes else [])
        question = gold.get("question", "")
        asked = question or (judged.vote["prompt"] if judged else prompts[0]["text"])
        overview = [
            str(name),
            _shortened(asked, _QUESTION),
            _shortened(right, _ANSWER),
            "".join(letter for letter, _ in answered),
            [_shortened(answer, _ANSWER) for _, answer in answered],
            groups,
        ]
        texts: dict[str, Any] = {"question": question, "solution": gold.get("solution", ""), "gold": right}
        texts |= {"prompts": prompts, "responses": responses}
        if self.votes:
            texts |= {"votes": judged and self._votes(judged.vote), "pairs": pairs or [], "outcome": outcome}
        return AskedQuestion(overview, texts)

    def _response(
        self, row: Mapping[str, Any], loose: Mapping[str, Any] | None, prompts: list[dict[str, str]]
    ) -> dict[str, Any]:
        """Return a response for the page; its prompt is added to those of the question."""
        prompt = {"system": row.get("system", ""), "text": row["prompt"]}
        if prompt not in prompts:
            prompts.append(prompt)
        found = _parts(row, self.markers) | {"prompt": prompts.index(prompt)}
        if loose:
            letter, answer = _verdict(loose, parts_of(loose, self.markers))
            found["any_format"] = [letter, answer]
        return found

    def _votes(self, vote: Vote) -> dict[str, Any]:
        pools = [("pos_responses", True), ("neg_responses", False)]
        samples = [
            _parts(sample, self.markers) | {"majority": majority}
            for pool, majority in pools
            for sample in vote[pool]  # type: ignore[literal-required]
        ]
        return {"confidence": vote["confidence"], "samples": samples}


def question_sets(run: Run, found: Findings) -> Iterator[QuestionSet]:
    """Yield the questions of each seed: first those of the models compared, then those of both stages.

    Raises:
        UserError: A file cannot be read, or has a duplicate id.
    """
    given = run.contents.reasoning
    markers = None if given is None else Markers(*given)
    for make in (_of_models, _of_stages):
        for seed in run.contents.seeds:
            questions = make(run, found, seed, markers)
            if questions.columns:
                yield questions


def _of_models(run: Run, found: Findings, seed: int, markers: Markers | None) -> QuestionSet:
    """Return the questions on which the models are compared, with those responses that belong to a seed."""
    contents = run.contents
    columns = [
        Column(
            model.label,
            RowIndex(run.at(one.results), ANSWERED),
            RowIndex(run.at(one.any_format), ANSWERED)
            if one.any_format and run.has(one.any_format)
            else None,
        )
        for model in found.models
        for one in contents.models
        if one.key == model.key and run.has(one.results) and (model.strict.once or one.seed == seed)
    ]
    golds = index_golds(run.at(contents.golds)) if columns and run.has(contents.golds) else None
    tags = list(dict.fromkeys(group.tag for group in found.groups))
    return QuestionSet(
        f"models_seed{seed}", f"all models ({contents.split})", seed, columns, golds, tags, markers=markers
    )


def _of_stages(run: Run, found: Findings, seed: int, markers: Markers | None) -> QuestionSet:
    """Return the questions from which Stage I and Stage II build their data with a seed."""
    contents = run.contents
    columns: dict[Path, Column] = {}
    agreeing = []
    for files in contents.stage1:
        for iteration in found.stage1:
            if (files.seed, files.iteration) == (iteration.seed, iteration.iteration) and files.seed == seed:
                for side, path in (("weak", files.weak), ("icl", files.icl)):
                    label = f"Iteration {files.iteration}, {side}"
                    columns.setdefault(path, Column(label, RowIndex(run.at(path), ANSWERED)))
                kept = frozenset(iteration.kept)
                agreeing.append(Agreeing(files.iteration, columns[files.weak].rows, kept))
    votes = next((one.judgements for one in found.stage2 if one.seed == seed), None)
    stage2 = next((one for one in contents.stage2 if one.seed == seed and votes), None)
    if stage2 and stage2.weak not in columns and not is_full_weak(run.at(stage2.weak)):
        columns[stage2.weak] = Column("Weak model", RowIndex(run.at(stage2.weak), ANSWERED))
    train_golds = contents.train_golds if columns and run.has(contents.train_golds) else None
    golds = None if train_golds is None else index_golds(run.at(train_golds))
    return QuestionSet(
        f"stages_seed{seed}",
        "both stages (training data)",
        seed,
        list(columns.values()),
        golds,
        agreeing=agreeing,
        votes=votes,
        pairs=run.at(stage2.pairs) if stage2 else None,
        markers=markers,
    )


def _tag(gold: Mapping[str, Any], name: str) -> str:
    """Return the value of a question's tag; a question without it has one that can be chosen in a list."""
    return str(gold.get("tag", {}).get(name, "")) or NO_TAG


@contextmanager
def _by_id(rows: RowIndex[Any]) -> Iterator[Callable[[Id], Any]]:
    """Yield a function that returns the row of a question, or None if it has none."""
    numbers = rows.numbers
    with rows.opened() as row:
        yield lambda name: row(numbers[name]) if name in numbers else None


def _nothing(name: Id) -> None:
    """Return None, as there is no file."""


@contextmanager
def _pairs(path: Path | None) -> Iterator[Callable[[Id], list[dict[str, Any]] | None]]:
    """Yield a function that returns the pairs of a question; None if their file does not exist."""
    if path is None or not path.exists():
        yield _nothing
        return
    rows: StoredRows[Any] = StoredRows(path, ANY, keep=False)
    numbers: dict[Id, list[int]] = {}
    for number, (_, row) in enumerate(rows.scan()):
        numbers.setdefault(row["id"], []).append(number)
    origins = StoredRows(sidecar(path), ORIGIN).scanned() if sidecar(path).exists() else None
    noted = origins is not None and len(origins) == len(rows)
    with rows.opened() as row_of, origins.opened() if origins and noted else nullcontext(_nothing) as origin:
        yield lambda name: [_pair(row_of(number), origin(number)) for number in numbers.get(name, [])]


def _pair(row: Any, origin: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a pair for the page: both texts, the weak response's side, and the sample's seed if recorded."""
    chosen, rejected = (as_pair(row) if "chosen" in row else row)["output"]
    of = origin or {}
    return {"chosen": chosen, "rejected": rejected, "weak": of.get("weak_side"), "seed": of.get("seed")}


def _outcome(judged: Judged | None, pairs: list[dict[str, Any]] | None) -> str:
    """Return what Stage II made of a question, in words."""
    if pairs:
        return {"chosen": WEAK_CHOSEN, "rejected": WEAK_REJECTED}.get(pairs[0]["weak"] or "", _UNKNOWN_PAIR)
    if judged is None:
        return _NO_VOTE
    if judged.skipped is not None:
        return f"no pair: {judged.skipped}"
    return _NO_FILE if pairs is None else _OTHER_RULES


def _majority(vote: Vote, markers: Markers | None) -> tuple[str, str]:
    """Return the letter of the majority answer's verdict, and the answer."""
    first = vote["pos_responses"][0]
    return _verdict(first, parts_of(first, markers))


def _parts(row: Mapping[str, Any], markers: Markers | None) -> dict[str, Any]:
    """Return the parts of a response for the page."""
    parts = parts_of(row, markers)
    letter, final = _verdict(row, parts)
    found = {"verdict": letter, "final": final, "thinking": parts.thinking, "answer": parts.answer}
    return found | ({"error": row["error"]} if row.get("error") else {})


def _verdict(row: Mapping[str, Any], parts: ThinkingAndAnswer) -> tuple[str, str]:
    """Return the letter of a response's verdict, and its final answer."""
    final, right = row["pred"], row.get("result")
    if row.get("error"):
        return "f", final
    if not final and not right:
        return "n" if parts.closed else "u", final
    return "g" if right is None else "c" if right else "w", final


def _shortened(text: Any, longest: int) -> str:
    """Return the beginning of a text in one line."""
    words = " ".join(str(text)[: 4 * longest].split())
    return words if len(words) <= longest else f"{words[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
