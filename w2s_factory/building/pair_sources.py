"""Origins of preference pairs (`*.origins.jsonl`): vote and seed behind each side, and `--explain`."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from w2s_factory.building.weak_answers import JoinedVotes, Judgements
from w2s_factory.errors import UserError
from w2s_factory.folders import RESULTS, results_in, samples_in, seed_number, seeds_in, votes_in
from w2s_factory.quantities import PairRules
from w2s_factory.records import OUTPUT, Form, Table, read, rows_of, text_digest
from w2s_factory.scoring.seeds import seed_sources
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.building.pairs import Judged, WeakSide
    from w2s_factory.building.response_rule import ResponseRule
    from w2s_factory.quantities import PairThresholds
    from w2s_factory.records import Id, RowsLike, RowSource, Sample, Vote
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task

_SUFFIX = ".origins.jsonl"


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


def sidecar(pairs: str | Path) -> Path:
    """Return the file of origins of a pair file: `paired.origins.jsonl` for `paired.json`."""
    return Path(pairs).with_suffix(_SUFFIX)


def origins(judged: Judged, seeds: Seeds | None = None) -> Iterator[Origin]:
    """Yield the origins of a question's pairs, in the order of the pairs."""
    if judged.weak_side is None:
        return
    vote, asked = judged.vote, _asked(judged)
    pool = "neg_responses" if judged.weak_side == "chosen" else "pos_responses"
    responses: list[Sample] = vote[pool]  # type: ignore[literal-required]
    for other in judged.others:
        place = next(number for number, sample in enumerate(responses) if sample is other)
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


@dataclass(frozen=True)
class PairSource:
    """The files and thresholds that pairs were built from, to explain why a question has no pair.

    Attributes:
        task: The task that says when two answers are equal.
        weak: The weak model's results or full weak data.
        votes: The majority file.
        rules: The thresholds. The other rules have no part in whether a question gives a pair.
        response_rule: How responses are read; the published way if None.
    """

    task: Task | str
    weak: RowsLike
    votes: RowsLike
    rules: PairThresholds
    response_rule: ResponseRule | None = None


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
    found = [origin for origin in read(path, ORIGIN) if str(origin["id"]) == name]
    if found:
        return "\n".join([_question(found[0]), *map(_pair, found)])
    if source is None:
        hint = "To find out why, also name --task, --weak and --votes"
        raise UserError(f'has no pair of the question "{name}"', file=path, hint=hint)
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
    task, weak = get_task(source.task), rows_of(source.weak, "weak", results_in)
    votes = rows_of(source.votes, "votes", votes_in)
    joined = JoinedVotes(task, weak, votes, source.response_rule)
    questions = [each for each in joined if str(each[1]["id"]) == name]
    if not questions:
        raise UserError(f'has no question "{name}"', file=votes)
    rules = PairRules(**asdict(source.rules))
    [judged] = Judgements(task, questions, rules, votes, source.response_rule)
    if judged.skipped is None:
        problem = f'has no pair of the question "{name}", to which these votes and thresholds give a pair'
        raise UserError(problem, file=path, hint="Name the files and thresholds that it was built with")
    return f"{_question(_asked(judged))}\nno pair: {judged.skipped}"


def _asked(judged: Judged) -> Mapping[str, Any]:
    """Return the part of a question's origins that they all share."""
    vote = judged.vote
    answers = Counter(sample["pred"] for sample in [*vote["pos_responses"], *vote["neg_responses"]])
    return {
        "id": vote["id"],
        "prompt": vote["prompt"],
        "weak_pred": judged.weak.pred,
        "weak_result": judged.weak.result,
        "confidence": vote["confidence"],
        "votes": dict(answers.most_common()),
    }


def _question(origin: Mapping[str, Any]) -> str:
    """Return the lines on a question: its prompt, its votes, and the weak answer."""
    votes = ", ".join(f"{answer or 'no answer'} {count}x" for answer, count in origin["votes"].items())
    return (
        f"question {origin['id']}: {origin['prompt']}\n"
        f"votes: {votes} (confidence {origin['confidence']:.2f})\n"
        f"weak answer: {origin['weak_pred'] or 'none'}{_verdict(origin['weak_result'])}"
    )


def _pair(origin: Origin) -> str:
    """Return the line on one pair."""
    other = "rejected" if origin["weak_side"] == "chosen" else "chosen"
    seed = "an unknown seed" if origin["seed"] is None else f"seed {origin['seed']}"
    answer = f"{origin['other_pred'] or 'none'}{_verdict(origin['other_result'])}"
    return f"pair: weak is {origin['weak_side']}; {other} is the sample of {seed}, answer {answer}"


def _verdict(result: bool | None) -> str:
    return "" if result is None else " (right)" if result else " (wrong)"
