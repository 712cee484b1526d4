"""Origins of preference pairs (`*.origins.jsonl`): the vote and the seed behind each side."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from w2s_factory.errors import UserError
from w2s_factory.folders import RESULTS, samples_in, seed_number, seeds_in
from w2s_factory.records import ANY, OUTPUT, Form, Table, read, read_placed, text_digest, wrong_row
from w2s_factory.scoring.seeds import seed_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.building.pairs import Judged, WeakSide
    from w2s_factory.records import Id, Place, RowSource, Sample, Vote
    from w2s_factory.scoring.seeds import SamplesLike

_SUFFIX = ".origins.jsonl"
_SIDES: Final = ("chosen", "rejected")


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
        "weak_result": (bool, type(None)),
        "confidence": (float, int),
        "votes": (dict,),
        "pool": (str,),
        "place": (int,),
        "seed": (int, type(None)),
        "other_pred": (str,),
        "other_result": (bool, type(None)),
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


_ORIGIN_SIDE = Form.of(OriginSide, "sides of pairs")


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


def origins_of(pairs: RowSource) -> RowSource:
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


def read_origins(source: RowSource) -> Iterator[Mapping[str, Any]]:
    """Yield the origins of pairs of any kind, as `Origin` or as `SampledOrigin`, in the order of the pairs.

    Raises:
        UserError: The file does not exist, cannot be read, or has other rows.
    """
    rows: Iterator[dict[str, Any]] = read(source, ANY)
    of_samples = is_of_samples(next(rows, {}))
    form: Form[Any] = SAMPLED_ORIGIN if of_samples else ORIGIN
    for place, origin in read_placed(source, form):
        if of_samples:
            for side in _SIDES:
                _check_side(place, side, origin[side])
        else:
            _check_weak_side(place, origin)
        yield origin


def _check_side(place: Place, side: str, origin: Mapping[str, Any]) -> None:
    """Check one side of a pair of samples.

    Raises:
        UserError: It is not what `build-data` writes.
    """
    if wrong := wrong_row(origin, _ORIGIN_SIDE):
        raise place.error(wrong.problem, field=f"{side}.{wrong.field}")


def _check_weak_side(place: Place, origin: Mapping[str, Any]) -> None:
    """Check a pair with the weak model's response.

    Raises:
        UserError: Its side is unknown, or it is mixed with the sides of a pair of samples.
    """
    if origin["weak_side"] not in _SIDES:
        problem = f"expected chosen or rejected, got {origin['weak_side']!r}"
        raise place.error(problem, field="weak_side")
    if is_of_samples(origin):
        problem = "expected none, since the first pair of the file has the weak model's response"
        raise place.error(problem, field="chosen")


def is_of_samples(origin: Mapping[str, Any]) -> bool:
    """Return whether both sides of a pair are samples."""
    return "chosen" in origin


def side_verdicts(origin: Mapping[str, Any]) -> tuple[bool | None, bool | None]:
    """Return whether the chosen and the rejected response of a pair are right; None where it is not known."""
    if is_of_samples(origin):
        return origin["chosen"]["result"], origin["rejected"]["result"]
    both = origin["weak_result"], origin["other_result"]
    return both if origin["weak_side"] == "chosen" else both[::-1]


def origins(judged: Judged, seeds: Seeds | None = None) -> Iterator[Origin]:
    """Yield the origins of a question's pairs, in the order of the pairs."""
    if judged.weak_side is None:
        return
    vote, asked = judged.vote, judged_question(judged)
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


def judged_question(judged: Judged) -> Mapping[str, Any]:
    """Return the part of a question's origins that they all share."""
    weak = {"weak_pred": judged.weak.pred, "weak_result": judged.weak.result}
    return {**voted_question(judged.vote), **weak}


def voted_question(vote: Vote) -> dict[str, Any]:
    """Return the part of a question's origins that is known from its vote."""
    return {
        "id": vote["id"],
        "prompt": vote["prompt"],
        "confidence": vote["confidence"],
        "votes": _counted(vote),
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
