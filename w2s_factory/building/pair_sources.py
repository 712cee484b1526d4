"""Origins of preference pairs (`*.origins.jsonl`): vote and seed behind each side, and `--explain`."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.sample_pools import consistency_pools, gold_pools
from w2s_factory.building.voted_samples import VotedQuestions
from w2s_factory.building.weak_answers import JoinedVotes, Judgements
from w2s_factory.errors import UserError
from w2s_factory.folders import RESULTS, results_in, samples_in, seed_number, seeds_in, votes_in
from w2s_factory.quantities import PAIR_SETS, ConsistencyRules, PairRules, PairThresholds
from w2s_factory.records import ANY, OUTPUT, Form, Table, last_facts, read, rows_of, text_digest
from w2s_factory.scoring.seeds import seed_sources
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from w2s_factory.building.pairs import Judged, WeakSide
    from w2s_factory.quantities import PairDraws, PairSet
    from w2s_factory.records import Id, RowsLike, RowSource, Sample, Vote
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task

_SUFFIX = ".origins.jsonl"
_OF_SAMPLES: Final = ("consistency", "gold")

EachT = TypeVar("EachT")


class Seeds:
    """The seeds of the samples in votes, found again in the results of each seed.

    A vote has its samples in the order of their seeds. So of several samples with the same text in a pool,
    the first has the lowest seed.

    Args:
        samples: The folder of the samples (`seed{n}/results.jsonl`); or the results of each seed, as `vote`
            takes them.

    Attributes:
        files: The results of each seed.

    Raises:
        UserError: The folder has no `seed{n}/results.jsonl`, or one cannot be read.
    """

    def __init__(self, samples: SamplesLike) -> None:
        self._name: object = samples if isinstance(samples, (str, os.PathLike)) else "samples"
        self._answers: dict[Id, bytes] = {}
        found = (
            _in_folder(samples_in(Path(samples)))
            if isinstance(samples, (str, os.PathLike))
            else seed_sources(samples)
        )
        self.files = list(found.values())
        self._seeds = list(found)
        for number, source in enumerate(found.values()):
            for row in read(source, OUTPUT):
                sample = text_digest(row["response"]) + number.to_bytes(_NUMBER_BYTES)
                self._answers[row["id"]] = self._answers.get(row["id"], b"") + sample

    def of(self, vote: Vote, pool: str, place: int) -> int:
        """Return the seed of the response at a place, from 0, in `pos_responses` or `neg_responses`.

        Raises:
            UserError: The seeds' responses to the question are not those of the vote.
        """
        samples = [*vote["pos_responses"], *vote["neg_responses"]]
        voted = [text_digest(sample["response"]) for sample in samples]
        sampled = [*_sampled(self._answers.get(vote["id"], b""))]
        if sorted(voted) != sorted(digest for digest, _ in sampled):
            problem = f"has other samples for the id {vote['id']!r} than the votes"
            raise UserError(problem, file=self._name, hint="Name the samples that were voted on")
        response = vote[pool][place]["response"]  # type: ignore[literal-required]
        same = [self._seeds[number] for digest, number in sampled if digest == text_digest(response)]
        before = [sample["response"] for sample in vote[pool][:place]]  # type: ignore[literal-required]
        return same[before.count(response)]


_DIGEST_BYTES = 16
_NUMBER_BYTES = 4


def _sampled(samples: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the digest of each sample of a question, and the number of its seed."""
    size = _DIGEST_BYTES + _NUMBER_BYTES
    for start in range(0, len(samples), size):
        sample = samples[start : start + size]
        yield sample[:_DIGEST_BYTES], int.from_bytes(sample[_DIGEST_BYTES:])


def _in_folder(folder: Path) -> dict[int, RowSource]:
    """Return the results below a folder by seed, in the order of the seeds."""
    found: dict[int, RowSource] = {
        seed_number(seed): seed / RESULTS for seed in seeds_in(folder) if (seed / RESULTS).exists()
    }
    if not found:
        raise UserError("holds no seed0/results.jsonl, seed1/...", file=folder)
    return found


class Origin(TypedDict):
    """The origin of one pair; row n of the file of origins belongs to pair n of the pair file.

    `votes` counts the samples by final answer, the majority first. `pool` is the list of the vote that the
    sampled response was drawn from, `place` its place there, from 0, and `seed` its sampling seed (null if no
    samples were named). `weak_result` and `other_result` say whether the two responses are right (null if the
    gold is not known).
    """

    id: Id
    prompt: str
    weak_side: WeakSide
    weak_pred: str
    weak_result: bool | None
    confidence: float
    votes: dict[str, int]
    pool: str
    place: int
    seed: int | None
    other_pred: str
    other_result: bool | None


ORIGIN: Form[Origin] = Form(
    "pair origins",
    {
        "id": (int, str),
        "prompt": (str,),
        "weak_side": (str,),
        "weak_pred": (str,),
        "confidence": (float, int),
        "votes": (dict,),
        "pool": (str,),
        "place": (int,),
        "other_pred": (str,),
    },
)


class OriginSide(TypedDict):
    """One side of a pair of two samples: where it is in the vote, its seed, its answer and its verdict.

    See `Origin` for the keys.
    """

    pool: str
    place: int
    seed: int | None
    pred: str
    result: bool | None


class SampledOrigin(TypedDict):
    """The origin of one pair of two samples, whose sides both come from the vote; see `Origin`."""

    id: Id
    prompt: str
    confidence: float
    votes: dict[str, int]
    chosen: OriginSide
    rejected: OriginSide


SAMPLED_ORIGIN: Form[SampledOrigin] = Form(
    "origins of pairs of samples",
    {
        "id": (int, str),
        "prompt": (str,),
        "confidence": (float, int),
        "votes": (dict,),
        "chosen": (dict,),
        "rejected": (dict,),
    },
)


def sidecar(pairs: str | Path) -> Path:
    """Return the file of origins of a pair file: `paired.origins.jsonl` for `paired.json`."""
    return Path(pairs).with_suffix(_SUFFIX)


def read_origins(source: RowSource) -> Iterator[Mapping[str, Any]]:
    """Yield the origins of pairs of any kind, as `Origin` or as `SampledOrigin`, in the order of the pairs.

    Raises:
        UserError: The file does not exist, cannot be read, or has other rows.
    """
    form: Form[Any] = SAMPLED_ORIGIN if _of_samples(_first(source)) else ORIGIN
    return read(source, form)


def _first(source: RowSource) -> Mapping[str, Any]:
    rows: Iterator[dict[str, Any]] = read(source, ANY)
    return next(rows, {})


def _of_samples(origin: Mapping[str, Any]) -> bool:
    """Return whether both sides of a pair are samples."""
    return "chosen" in origin


def side_verdicts(origin: Mapping[str, Any]) -> tuple[bool | None, bool | None]:
    """Return whether the chosen and the rejected response of a pair are right; None where it is not known."""
    if _of_samples(origin):
        return origin["chosen"].get("result"), origin["rejected"].get("result")
    both = origin.get("weak_result"), origin.get("other_result")
    return both if origin["weak_side"] == "chosen" else both[::-1]


def origins(judged: Judged, seeds: Seeds | None = None) -> Iterator[Origin]:
    """Yield the origins of a question's pairs, in the order of the pairs."""
    if judged.weak_side is None:
        return
    vote, asked = judged.vote, _asked(judged)
    for other in judged.others:
        pool, place = next(
            (pool, number)
            for pool in ("pos_responses", "neg_responses")
            for number, sample in enumerate(vote[pool])
            if sample is other
        )
        yield {
            "id": asked["id"],
            "prompt": asked["prompt"],
            "weak_side": judged.weak_side,
            "weak_pred": asked["weak_pred"],
            "weak_result": asked["weak_result"],
            "confidence": asked["confidence"],
            "votes": asked["votes"],
            "pool": pool,
            "place": place,
            "seed": seeds.of(vote, pool, place) if seeds else None,
            "other_pred": other["pred"],
            "other_result": other.get("result"),
        }


def sampled_origin(vote: Vote, chosen: int, rejected: int, seeds: Seeds | None = None) -> SampledOrigin:
    """Return the origin of a pair of two samples, given by their numbers, the majority's first."""
    return {
        "id": vote["id"],
        "prompt": vote["prompt"],
        "confidence": vote["confidence"],
        "votes": _counted(vote),
        "chosen": _side(vote, chosen, seeds),
        "rejected": _side(vote, rejected, seeds),
    }


def _side(vote: Vote, number: int, seeds: Seeds | None) -> OriginSide:
    majority = len(vote["pos_responses"])
    pool, place = ("pos_responses", number) if number < majority else ("neg_responses", number - majority)
    sample: Sample = vote[pool][place]  # type: ignore[literal-required]
    return {
        "pool": pool,
        "place": place,
        "seed": seeds.of(vote, pool, place) if seeds else None,
        "pred": sample["pred"],
        "result": sample.get("result"),
    }


def _counted(vote: Vote) -> dict[str, int]:
    """Return the number of samples by final answer, the most frequent one first."""
    answers = Counter(sample["pred"] for sample in [*vote["pos_responses"], *vote["neg_responses"]])
    return dict(answers.most_common())


@dataclass(frozen=True)
class PairSource:
    """The files and thresholds that pairs were built from, to explain why a question has no pair.

    Attributes:
        task: The task that says when two answers are equal.
        weak: The weak model's results or full weak data; None for pairs of samples.
        votes: The majority file.
        rules: The rules, of the class by which pairs of their kind are built: `PairThresholds` (or
            `PairRules`) for pairs with the weak model's response, `ConsistencyRules`, or for gold pairs
            `PairDraws`. The draws have no part in whether a question gives a pair.
        response_rule: How responses are read; the published way if None.
    """

    task: Task | str
    weak: RowsLike | None
    votes: RowsLike
    rules: PairThresholds | PairDraws
    response_rule: ResponseRule | None = None

    @property
    def kind(self) -> PairSet:
        """Return the kind of pairs that have such rules; that of random pairs is the kind they came from."""
        if isinstance(self.rules, PairThresholds):
            return "weak"
        return "consistency" if isinstance(self.rules, ConsistencyRules) else "gold"


def pair_kind(pairs: str | Path) -> PairSet:
    """Return the kind of the pairs in a file, by the manifest and the origins next to it.

    Raises:
        UserError: There are no origins; or both sides are samples, and the manifest does not say by which
            rule they were selected.
    """
    path = _origins(Path(pairs))
    if (noted := _noted_kind(path)) is not None:
        return noted
    if not _of_samples(_first(path)):
        return "weak"
    problem = "no line of its manifest says whether its pairs were selected by consistency or by gold"
    raise UserError(
        problem, file=pairs, hint="Keep the manifest.jsonl that build-data wrote next to the pairs"
    )


def _noted_kind(origins: RowSource) -> PairSet | None:
    """Return the kind that the manifest notes for some origins; None if it does not mention them."""
    facts = {} if isinstance(origins, Table) else last_facts(origins)
    kind = facts.get("pairs", "weak")
    return next((known for known in PAIR_SETS if facts and kind == known), None)


def explain_pair(pairs: RowsLike, name: Id, source: PairSource | None = None) -> str:
    """Return how the pairs of a question came about: the question, the votes, and the responses paired.

    Args:
        pairs: The pair file, which has its origins next to it; or the origins (`Stage2.origins`).
        name: The question's id.
        source: The files and thresholds that the pairs were built from, to explain also why a question has
            no pair.

    Raises:
        UserError: There are no origins; or the question has no pair, and the reason cannot be found.
    """
    path, name = _origins(rows_of(pairs, "origins")), str(name)
    found: list[Mapping[str, Any]] = []
    of_samples = False
    for origin in read_origins(path):
        of_samples = _of_samples(origin)
        if str(origin["id"]) == name:
            found.append(origin)
    if found:
        return "\n".join([_question(found[0]), *map(_pair, found)])
    if source is None:
        weak = "" if of_samples else ", --weak"
        hint = f"To find out why, also name --task{weak} and --votes"
        raise UserError(f'has no pair of the question "{name}"', file=path, hint=hint)
    noted = _noted_kind(path) or (source.kind if of_samples == (source.kind in _OF_SAMPLES) else None)
    if noted != source.kind and (noted, source.kind) != ("random", "weak"):
        problem = f"has {noted or 'other'} pairs, which are not built by rules of {source.kind} pairs"
        raise UserError(problem, file=path, hint="Name the rules that they were built by")
    return _skipped(source, name, path)


def _origins(pairs: RowSource) -> RowSource:
    """Return the origins of pairs, which are next to their file, or given themselves.

    Raises:
        UserError: They are not next to the file.
    """
    if isinstance(pairs, Table) or pairs.name.endswith(_SUFFIX):
        return pairs
    path = sidecar(pairs)
    if not path.exists():
        problem = f"{path.name}, the file of its pairs' origins, is not in its folder"
        hint = "build-data writes both files, convert-pairs only pairs: name the file that was converted"
        raise UserError(problem, file=pairs, hint=hint)
    return path


def _skipped(source: PairSource, name: str, path: RowSource) -> str:
    """Return why a question has no pair, judging it again.

    Raises:
        UserError: The votes do not have the question, or they give a pair with these thresholds.
    """
    votes = rows_of(source.votes, "votes", votes_in)
    if isinstance(source.rules, PairThresholds):
        question, skipped = _unjudged(source, source.rules, name, votes)
    else:
        question, skipped = _unpaired(source, name, votes)
    if skipped is None:
        problem = f'has no pair of the question "{name}", to which these votes and thresholds give a pair'
        raise UserError(problem, file=path, hint="Name the files and thresholds that it was built with")
    return f"{_question(question)}\nno pair: {skipped}"


def _unjudged(
    source: PairSource, thresholds: PairThresholds, name: str, votes: RowSource
) -> tuple[Mapping[str, Any], str | None]:
    """Return a question and why its weak response is in no pair; None if it is in one.

    Raises:
        UserError: The weak model's responses are not named, or cannot be used.
    """
    if source.weak is None:
        raise UserError("is not named: these pairs have the weak model's responses", field="weak")
    task = get_task(source.task)
    joined = JoinedVotes(task, rows_of(source.weak, "weak", results_in), votes, source.response_rule)
    questions = _named(joined, lambda each: each[1]["id"], name, votes)
    rules = PairRules(**asdict(thresholds))
    [judged] = Judgements(task, questions, rules, votes, source.response_rule)
    return _asked(judged), judged.skipped


def _unpaired(source: PairSource, name: str, votes: RowSource) -> tuple[Mapping[str, Any], str | None]:
    """Return a question and why its samples give no consistency or gold pair; None if they give one."""
    questions = VotedQuestions(votes, source.response_rule or ResponseRule())
    rules = source.rules if isinstance(source.rules, ConsistencyRules) else None
    voted = questions.as_written() if rules is None else questions.classified(get_task(source.task))
    [found] = _named(voted, lambda each: each.vote["id"], name, votes)
    pools = gold_pools(found) if rules is None else consistency_pools(found, rules.min_confidence)
    return _of_vote(found.vote), pools if isinstance(pools, str) else None


def _named(
    questions: Iterable[EachT], id_of: Callable[[EachT], Id], name: str, votes: RowSource
) -> list[EachT]:
    """Return the question of a name, in a list.

    Raises:
        UserError: There is none.
    """
    found = [each for each in questions if str(id_of(each)) == name]
    if not found:
        raise UserError(f'has no question "{name}"', file=votes)
    return found


def _asked(judged: Judged) -> Mapping[str, Any]:
    """Return the part of a question's origins that they all share."""
    weak = {"weak_pred": judged.weak.pred, "weak_result": judged.weak.result}
    return {**_of_vote(judged.vote), **weak}


def _of_vote(vote: Vote) -> dict[str, Any]:
    """Return the part of a question's origins that is known from its vote."""
    return {
        "id": vote["id"],
        "prompt": vote["prompt"],
        "confidence": vote["confidence"],
        "votes": _counted(vote),
    }


def _question(origin: Mapping[str, Any]) -> str:
    """Return the lines on a question: its prompt, its votes, and the weak answer if pairs have it."""
    votes = ", ".join(f"{answer or 'no answer'} {count}x" for answer, count in origin["votes"].items())
    lines = [
        f"question {origin['id']}: {origin['prompt']}",
        f"votes: {votes} (confidence {origin['confidence']:.2f})",
    ]
    if "weak_pred" in origin:
        lines.append(f"weak answer: {origin['weak_pred'] or 'none'}{_verdict(origin['weak_result'])}")
    return "\n".join(lines)


def _pair(origin: Mapping[str, Any]) -> str:
    """Return the line on one pair."""
    if _of_samples(origin):
        chosen, rejected = (
            _sample(side["seed"], side["pred"], side["result"])
            for side in (origin["chosen"], origin["rejected"])
        )
        return f"pair: chosen is {chosen}; rejected is {rejected}"
    other = "rejected" if origin["weak_side"] == "chosen" else "chosen"
    sample = _sample(origin["seed"], origin["other_pred"], origin["other_result"])
    return f"pair: weak is {origin['weak_side']}; {other} is {sample}"


def _sample(seed: int | None, pred: str, result: bool | None) -> str:
    of = "an unknown seed" if seed is None else f"seed {seed}"
    return f"the sample of {of}, answer {pred or 'none'}{_verdict(result)}"


def _verdict(result: bool | None) -> str:
    return "" if result is None else " (right)" if result else " (wrong)"
