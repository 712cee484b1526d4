"""Explanations of preference pairs: how those of a question came about, or why it has none (`--explain`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from w2s_factory.building.pair_origins import (
    is_of_samples,
    judged_question,
    origins_of,
    read_origins,
    voted_question,
)
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.sample_pools import consistency_pools, gold_pools
from w2s_factory.building.voted_samples import VotedQuestions
from w2s_factory.building.weak_answers import JoinedVotes, Judgements
from w2s_factory.errors import UserError
from w2s_factory.folders import results_in, votes_in
from w2s_factory.quantities import (
    PAIR_SETS,
    PAIRS_WITH_WEAK_SIDE,
    ConsistencyRules,
    PairRules,
    PairThresholds,
)
from w2s_factory.records import Table, last_facts, rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from w2s_factory.quantities import PairDraws, PairSet
    from w2s_factory.records import Id, RowsLike, RowSource
    from w2s_factory.tasks import Task

EachT = TypeVar("EachT")


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
    path = origins_of(Path(pairs))
    if (noted := _noted_kind(path)) is not None:
        return noted
    if not is_of_samples(next(iter(read_origins(path)), {})):
        return "weak"
    problem = "no line of its manifest says whether its pairs were selected by consistency or by gold"
    raise UserError(
        problem, file=pairs, hint="Keep the manifest.jsonl that build-data wrote next to the pairs"
    )


def noted_rules(pairs: str | Path) -> Mapping[str, Any]:
    """Return the rules by which the pairs in a file were built, as its manifest notes them; empty without."""
    rules = _facts(origins_of(Path(pairs))).get("rules")
    return rules if isinstance(rules, dict) else {}


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
    path, name = origins_of(rows_of(pairs, "origins")), str(name)
    found: list[Mapping[str, Any]] = []
    of_samples = False
    for origin in read_origins(path):
        of_samples = is_of_samples(origin)
        if str(origin["id"]) == name:
            found.append(origin)
    if found:
        return "\n".join([_question(found[0]), *map(_pair, found)])
    if source is None:
        weak = "" if of_samples else ", --weak"
        hint = f"To find out why, also name --task{weak} and --votes"
        raise UserError(f'has no pair of the question "{name}"', file=path, hint=hint)
    noted = _noted_kind(path) or (
        source.kind if of_samples != (source.kind in PAIRS_WITH_WEAK_SIDE) else None
    )
    if noted != source.kind and (noted, source.kind) != ("random", "weak"):
        problem = f"has {noted or 'other'} pairs, which are not built by rules of {source.kind} pairs"
        raise UserError(problem, file=path, hint="Name the rules that they were built by")
    return _skipped(source, name, path)


def _facts(origins: RowSource) -> dict[str, Any]:
    """Return what the manifest notes of some origins; empty if it does not mention them."""
    return {} if isinstance(origins, Table) else last_facts(origins)


def _noted_kind(origins: RowSource) -> PairSet | None:
    """Return the kind that the manifest notes for some origins; None if it does not mention them."""
    facts = _facts(origins)
    kind = facts.get("pairs", "weak")
    return next((known for known in PAIR_SETS if facts and kind == known), None)


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
    return judged_question(judged), judged.skipped


def _unpaired(source: PairSource, name: str, votes: RowSource) -> tuple[Mapping[str, Any], str | None]:
    """Return a question and why its samples give no consistency or gold pair; None if they give one."""
    questions = VotedQuestions(votes, source.response_rule or ResponseRule())
    rules = source.rules if isinstance(source.rules, ConsistencyRules) else None
    voted = questions.as_written() if rules is None else questions.classified(get_task(source.task))
    [found] = _named(voted, lambda each: each.vote["id"], name, votes)
    pools = gold_pools(found) if rules is None else consistency_pools(found, rules.min_confidence)
    return voted_question(found.vote), pools if isinstance(pools, str) else None


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
    if is_of_samples(origin):
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
