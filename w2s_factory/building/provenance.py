"""Where each pair came from: a line beside each pair file's pairs, and one question's story in words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from w2s_factory.errors import UserError
from w2s_factory.records import Form, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.building.pairs import Judged, WeakSide
    from w2s_factory.building.seeds import Seeds
    from w2s_factory.records import Id, Sample


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
    return Path(pairs).with_suffix(".origins.jsonl")


def origins(judged: Judged, seeds: Seeds | None = None) -> Iterator[Origin]:
    """The origins of a question's pairs, in the order of the pairs."""
    if judged.weak_side is None:
        return
    vote, weak = judged.vote, judged.weak
    pool = "neg_responses" if judged.weak_side == "chosen" else "pos_responses"
    responses: list[Sample] = vote[pool]  # type: ignore[literal-required]
    answers = Counter(sample["pred"] for sample in [*vote["pos_responses"], *vote["neg_responses"]])
    for other in judged.others:
        place = next(number for number, sample in enumerate(responses) if sample is other)
        yield {
            "id": vote["id"],
            "prompt": vote["prompt"],
            "weak_side": judged.weak_side,
            "weak_pred": weak.pred,
            "weak_result": weak.result,
            "confidence": vote["confidence"],
            "votes": dict(answers.most_common()),
            "pool": pool,
            "place": place,
            "seed": seeds.of(vote, pool, place) if seeds else None,
            "other_pred": other["pred"],
            "other_result": other.get("result"),
        }


def explain(pairs: str | Path, name: str) -> str:
    """One question's story: what was asked, how the samples voted, what was set against what.

    Args:
        pairs: The pair file, which has its sidecar beside it.
        name: The question's id.

    Raises:
        UserError: There is no sidecar, or the question gave no pair.
    """
    path = sidecar(pairs)
    found = [origin for origin in read(path, ORIGIN) if str(origin["id"]) == name]
    if not found:
        raise UserError(f'no pair of the question "{name}"', file=path)
    return "\n".join([_question(found[0]), *map(_pair, found)])


def _question(origin: Origin) -> str:
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
