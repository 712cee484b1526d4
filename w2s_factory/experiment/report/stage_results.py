"""Results of Stage I (agreement and its accuracy) and Stage II (votes, pairs and their sources)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from w2s_factory.building import Accuracy, Agreement, PairCounts, PairRules
from w2s_factory.building.agreement import agreeing
from w2s_factory.building.joining import joined, vote_equality, weak_responses
from w2s_factory.building.pair_sources import ORIGIN, sidecar
from w2s_factory.building.pairs import judge_votes
from w2s_factory.experiment.report.folder import line_of
from w2s_factory.records import SFT, VOTE, read, read_pairs
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.run_contents import Agreed, Preferred
    from w2s_factory.records import Vote


@dataclass(frozen=True)
class Iteration:
    """One iteration of Stage I for one seed.

    Attributes:
        seed, iteration: Which.
        agreement: Its counts.
        rows: Rows of the hybrid set, two for each kept question; None where it is not there.
    """

    seed: int
    iteration: int
    agreement: Agreement
    rows: int | None

    @property
    def weak(self) -> Accuracy:
        """All answers of the weak side."""
        return _together(self.agreement.weak_kept, self.agreement.weak_dropped)

    @property
    def icl(self) -> Accuracy:
        """All answers of the icl side."""
        return _together(self.agreement.icl_kept, self.agreement.icl_dropped)

    @property
    def as_agreed(self) -> bool:
        """Whether the hybrid set holds the kept questions and nothing else (padded ones hold more)."""
        return self.rows is None or self.rows == 2 * self.agreement.kept


def iterations(run: Run) -> list[Iteration]:
    """The iterations whose results are there, by iteration and seed.

    Raises:
        UserError: The results do not belong together.
    """
    there = [one for one in run.contents.stage1 if run.has(one.weak, one.icl)]
    return [_iteration(run, one) for one in sorted(there, key=lambda one: (one.iteration, one.seed))]


def _iteration(run: Run, agreed: Agreed) -> Iteration:
    agreement = Agreement()
    for _ in agreeing(get_task(run.contents.task), run.at(agreed.weak), run.at(agreed.icl), agreement):
        pass  # the counts are what is wanted
    rows = sum(1 for _ in read(run.at(agreed.hybrid), SFT)) if run.has(agreed.hybrid) else None
    return Iteration(agreed.seed, agreed.iteration, agreement, rows)


def _together(one: Accuracy, other: Accuracy) -> Accuracy:
    return Accuracy(one.right + other.right, one.known + other.known)


@dataclass(frozen=True)
class Bar:
    """The questions whose majority has one confidence, and how many of those majorities are right.

    `right` is None where a gold is not known.
    """

    confidence: float
    questions: int
    right: int | None


@dataclass(frozen=True)
class Preferences:
    """Stage II of one seed.

    Attributes:
        seed: Which.
        bars: The votes by confidence, in rising order.
        counts: What became of the questions under the rules.
        rules: The rules.
        rules_noted: Whether they are those the manifest has for the pairs, not those of the contents.
        rows: Pairs in the file; None where it is not there.
        sources: Pairs by the sampling seed of their sampled response, where the file beside says.
    """

    seed: int
    bars: list[Bar]
    counts: PairCounts
    rules: PairRules
    rules_noted: bool
    rows: int | None
    sources: dict[int, int]

    @property
    def as_judged(self) -> bool:
        """Whether the pair file holds as many pairs as the votes give."""
        return self.rows is None or self.rows == self.counts.pairs


def preferences(run: Run) -> list[Preferences]:
    """The Stages II whose votes are there, by seed.

    Raises:
        UserError: The files do not belong together.
    """
    there = [one for one in run.contents.stage2 if run.has(one.weak, one.votes)]
    return [_preferences(run, one) for one in sorted(there, key=lambda one: one.seed)]


def _preferences(run: Run, one: Preferred) -> Preferences:
    task, pairs, votes = get_task(run.contents.task), run.at(one.pairs), run.at(one.votes)
    noted = _noted_rules(pairs)
    rules = noted or _rules(run)
    counts = PairCounts()
    questions = list(joined(weak_responses(task, run.at(one.weak)), votes, run.at(one.weak)))
    for judged in judge_votes(questions, rules, vote_equality(task, questions)):
        counts.count(judged)
    return Preferences(
        seed=one.seed,
        bars=_bars(list(read(votes, VOTE))),
        counts=counts,
        rules=rules,
        rules_noted=noted is not None,
        rows=sum(1 for _ in read_pairs(pairs)) if pairs.exists() else None,
        sources=_sources(pairs),
    )


def _noted_rules(pairs: Path) -> PairRules | None:
    """The rules in the manifest's line for the pairs as they are."""
    rules = (line_of(pairs) or {}).get("rules")
    if not isinstance(rules, dict):
        return None
    return PairRules(**{field.name: rules[field.name] for field in fields(PairRules) if field.name in rules})


def _rules(run: Run) -> PairRules:
    """The published rules of the task, with the thresholds of the contents."""
    thresholds = {
        name: value
        for name in ("min_confidence", "negative_confidence")
        if (value := getattr(run.contents, name)) is not None
    }
    return PairRules(pairs_per_question=get_task(run.contents.task).pairs_per_question, **thresholds)


def _bars(votes: list[Vote]) -> list[Bar]:
    questions = Counter(vote["confidence"] for vote in votes)
    verdicts = [(vote["confidence"], vote["pos_responses"][0].get("result")) for vote in votes]
    right = Counter(confidence for confidence, verdict in verdicts if verdict)
    known = all(verdict is not None for _, verdict in verdicts)
    return [
        Bar(confidence, questions[confidence], right[confidence] if known else None)
        for confidence in sorted(questions)
    ]


def _sources(pairs: Path) -> dict[int, int]:
    path = sidecar(pairs)
    if not path.exists():
        return {}
    seeds = Counter(origin["seed"] for origin in read(path, ORIGIN))
    return {seed: seeds[seed] for seed in sorted(seed for seed in seeds if seed is not None)}
