"""Sources of preference pairs: the seed, vote and file that each response of a pair came from."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from w2s_factory.building.joining import compared, joined, naming_questions, vote_equality, weak_responses
from w2s_factory.building.pairs import judge_votes
from w2s_factory.errors import UserError
from w2s_factory.folders import RESULTS, results_in, samples_in, seed_number, seeds_in, votes_in
from w2s_factory.records import OUTPUT, Form, Table, read, rows_of
from w2s_factory.scoring.seeds import seed_sources
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.building.pairs import Judged, WeakSide
    from w2s_factory.quantities import PairRules
    from w2s_factory.records import Id, RowsLike, RowSource, Sample, Vote
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


class Seeds:
    """The seeds of a vote's samples, read again from the results of each seed (`DIR/seed{n}/results.jsonl`).

    A vote holds its samples in the order of their seeds, so of several samples with one text the first in
    a pool is that of the lowest seed.

    Args:
        samples: The folder of the seeds' results; or the results of each seed, as `vote` takes them.

    Attributes:
        files: Each seed's results.

    Raises:
        UserError: It holds no `seed{n}/results.jsonl`, or one can't be read.
    """

    def __init__(self, samples: SamplesLike) -> None:
        self._name: object = samples if isinstance(samples, (str, os.PathLike)) else "samples"
        self._answers: dict[Id, list[tuple[int, str]]] = {}
        found = (
            _in_folder(samples_in(Path(samples)))
            if isinstance(samples, (str, os.PathLike))
            else seed_sources(samples)
        )
        self.files = list(found.values())
        for seed, source in found.items():
            for row in read(source, OUTPUT):
                self._answers.setdefault(row["id"], []).append((seed, row["response"]))

    def of(self, vote: Vote, pool: str, place: int) -> int:
        """The seed of one response: of the `place`-th of `pos_responses` or `neg_responses`.

        Raises:
            UserError: The seeds' responses to the question are not those of the vote.
        """
        responses = [sample["response"] for sample in [*vote["pos_responses"], *vote["neg_responses"]]]
        sampled = self._answers.get(vote["id"], [])
        if sorted(responses) != sorted(response for _, response in sampled):
            raise UserError(f"holds other samples for the id {vote['id']!r} than the votes", file=self._name)
        response = vote[pool][place]["response"]  # type: ignore[literal-required]
        same = [seed for seed, text in sampled if text == response]
        before = [sample["response"] for sample in vote[pool][:place]]  # type: ignore[literal-required]
        return same[before.count(response)]


def _in_folder(folder: Path) -> dict[int, RowSource]:
    """Return the results below a folder by seed, in the order of the seeds."""
    found: dict[int, RowSource] = {
        seed_number(seed): seed / RESULTS for seed in seeds_in(folder) if (seed / RESULTS).exists()
    }
    if not found:
        raise UserError("holds no seed0/results.jsonl, seed1/...", file=folder)
    return found


_SUFFIX = ".origins.jsonl"


class Origin(TypedDict):
    """One pair's origin; row n of the sidecar is pair n of the file.

    `votes` counts the samples by final answer, the majority first. `pool` is the list of the vote the
    sampled response was drawn from, `place` its 0-based place there, `seed` its sampling seed (null:
    the vote does not tell and no samples were at hand). `weak_result` and `other_result` say whether
    the two responses are right, where gold is known.
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
    """The file of origins that belongs to a pair file: `paired.json` has `paired.origins.jsonl`."""
    return Path(pairs).with_suffix(_SUFFIX)


def origins(judged: Judged, seeds: Seeds | None = None) -> Iterator[Origin]:
    """The origins of a question's pairs, in the order of the pairs."""
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
    """What a pair file was built from, to tell why a question has no pair.

    Attributes:
        task: Says when two answers are equal.
        weak: The weak model's results or full weak data.
        votes: The majority file.
        rules: Those the pairs were built by; of them only the two thresholds decide whether there is a pair.
    """

    task: Task | str
    weak: RowsLike
    votes: RowsLike
    rules: PairRules


def explain_pair(pairs: RowsLike, name: Id, source: PairSource | None = None) -> str:
    """One question's story: what was asked, how the samples voted, what was set against what.

    Args:
        pairs: The pair file, which has its origins next to it; or the origins (`Stage2.origins`).
        name: The question's id.
        source: What the file was built from; then a question without a pair has a story, too.

    Raises:
        UserError: There is no sidecar; or the question gave no pair, and why is not known.
    """
    path, name = _origins(rows_of(pairs, "origins")), str(name)
    found = [origin for origin in read(path, ORIGIN) if str(origin["id"]) == name]
    if found:
        return "\n".join([_question(found[0]), *map(_pair, found)])
    if source is None:
        hint = "Name --task, --weak and --votes, too, to be told why"
        raise UserError(f'no pair of the question "{name}"', file=path, hint=hint)
    return _skipped(source, name, path)


def _origins(pairs: RowSource) -> RowSource:
    """Return where the origins of pairs are: next to their file, or given themselves."""
    if isinstance(pairs, Table) or pairs.name.endswith(_SUFFIX):
        return pairs
    path = sidecar(pairs)
    if not path.exists():
        problem = f"{path.name}, which says where its pairs came from, is not in its folder"
        hint = "build-data writes both, convert-pairs only pairs: name the file that was converted"
        raise UserError(problem, file=pairs, hint=hint)
    return path


def _skipped(source: PairSource, name: str, path: RowSource) -> str:
    """Why a question has no pair, judged again as it was when the pairs were built."""
    task, weak = get_task(source.task), rows_of(source.weak, "weak", results_in)
    votes = rows_of(source.votes, "votes", votes_in)
    questions = joined(weak_responses(task, weak), votes, weak)
    mine = [(weak, vote) for weak, vote in questions if str(vote["id"]) == name]
    if not mine:
        raise UserError(f'no question "{name}"', file=votes)
    with naming_questions(compared(mine), votes):
        [judged] = judge_votes(mine, source.rules, vote_equality(task, mine))
    if judged.skipped is None:
        problem = f'no pair of the question "{name}", to which these votes and thresholds give one'
        raise UserError(problem, file=path, hint="Name the files and thresholds it was built with")
    return f"{_question(_asked(judged))}\nno pair: {judged.skipped}"


def _asked(judged: Judged) -> Mapping[str, Any]:
    """What every origin of a question says alike."""
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
    votes = ", ".join(f"{answer or 'no answer'} {count}x" for answer, count in origin["votes"].items())
    return (
        f"question {origin['id']}: {origin['prompt']}\n"
        f"votes: {votes} (confidence {origin['confidence']:.2f})\n"
        f"weak answer: {origin['weak_pred'] or 'none'}{_verdict(origin['weak_result'])}"
    )


def _pair(origin: Origin) -> str:
    other = "rejected" if origin["weak_side"] == "chosen" else "chosen"
    seed = "an unknown seed" if origin["seed"] is None else f"seed {origin['seed']}"
    answer = f"{origin['other_pred'] or 'none'}{_verdict(origin['other_result'])}"
    return f"pair: weak is {origin['weak_side']}; {other} is the sample of {seed}, answer {answer}"


def _verdict(result: bool | None) -> str:
    return "" if result is None else " (right)" if result else " (wrong)"
