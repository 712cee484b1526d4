"""Results of Stage I (agreement and its accuracy) and of Stage II (votes, pairs and their sources)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from w2s_factory.building import Accuracy, Agreement, HeadroomShares, PairCounts, PairRules
from w2s_factory.building.agreement import agreeing
from w2s_factory.building.pair_origins import ORIGIN, sidecar
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.stage2_headroom import one_answer
from w2s_factory.building.weak_answers import JoinedVotes, Judgements
from w2s_factory.errors import UserError
from w2s_factory.experiment.report.folder import line_of
from w2s_factory.records import SFT, VOTE, read, read_object, read_pairs
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from w2s_factory.experiment.report.folder import Run
    from w2s_factory.experiment.run_contents import Agreed, Preferred
    from w2s_factory.records import Vote


@dataclass(frozen=True)
class Iteration:
    """One iteration of Stage I for one seed.

    Attributes:
        seed: The seed of the repetition.
        iteration: The iteration, from 1.
        agreement: The counts of the comparison of both sides.
        kept: The numbers of the kept questions, from 0, in the order of the weak results.
        rows: The rows of the hybrid set, two for each kept question; None if it does not exist.
    """

    seed: int
    iteration: int
    agreement: Agreement
    kept: Sequence[int]
    rows: int | None

    @property
    def weak(self) -> Accuracy:
        """Return the accuracy of all answers of the weak side."""
        return _together(self.agreement.weak_kept, self.agreement.weak_dropped)

    @property
    def icl(self) -> Accuracy:
        """Return the accuracy of all answers of the icl side."""
        return _together(self.agreement.icl_kept, self.agreement.icl_dropped)

    @property
    def as_agreed(self) -> bool:
        """Return whether the hybrid set holds exactly the kept questions; a padded set holds more."""
        return self.rows is None or self.rows == 2 * self.agreement.kept


def iterations(run: Run) -> list[Iteration]:
    """Return the iterations whose results exist, by iteration and seed.

    Raises:
        UserError: The results do not belong together.
    """
    there = [files for files in run.contents.stage1 if run.has(files.weak, files.icl)]
    return [
        _iteration(run, files) for files in sorted(there, key=lambda files: (files.iteration, files.seed))
    ]


def _iteration(run: Run, agreed: Agreed) -> Iteration:
    found = agreeing(get_task(run.contents.task), run.at(agreed.weak), run.at(agreed.icl))
    rows = sum(1 for _ in read(run.at(agreed.hybrid), SFT)) if run.has(agreed.hybrid) else None
    return Iteration(agreed.seed, agreed.iteration, found.agreement, found.kept, rows)


def _together(kept: Accuracy, dropped: Accuracy) -> Accuracy:
    return Accuracy(kept.right + dropped.right, kept.known + dropped.known)


@dataclass(frozen=True)
class Bar:
    """The number of questions whose majority has one confidence, and of those whose majority is correct.

    `right` is None if a gold is not known.
    """

    confidence: float
    questions: int
    right: int | None


@dataclass(frozen=True)
class Preferences:
    """The results of Stage II for one seed.

    Attributes:
        seed: The seed of the repetition.
        judgements: The judgement of each question, which is read again whenever it is iterated over.
        bars: The votes by confidence, in rising order.
        counts: The number of pairs, and of questions without pairs, that the votes give.
        rules: The rules by which votes become pairs.
        rules_noted: Whether the rules are those in the pairs' manifest, rather than those of the contents.
        rows: The number of pairs in the file; None if it does not exist.
        sources: The number of pairs by the seed of their sampled response; empty if it is not recorded.
    """

    seed: int
    judgements: Judgements
    bars: list[Bar]
    counts: PairCounts
    rules: PairRules
    rules_noted: bool
    rows: int | None
    sources: dict[int, int]

    @property
    def as_judged(self) -> bool:
        """Return whether the pair file holds as many pairs as the votes give."""
        return self.rows is None or self.rows == self.counts.pairs


def preferences(run: Run) -> list[Preferences]:
    """Return Stage II of each seed whose votes exist.

    Raises:
        UserError: The files do not belong together.
    """
    there = [files for files in run.contents.stage2 if run.has(files.weak, files.votes)]
    return [_preferences(run, files) for files in sorted(there, key=lambda files: files.seed)]


@dataclass(frozen=True)
class MeasuredHeadroom:
    """The headroom of Stage II for one seed, as its step wrote it.

    Attributes:
        seed: The seed of the repetition.
        split: The split on which it was measured.
        row: The content of its file (docs/formats.md).
    """

    seed: int
    split: str
    row: Mapping[str, Any]

    @property
    def one_answer(self) -> str:
        """Return what the majority is compared with, in words."""
        return one_answer(self.row.get("temperature", 0))


def headrooms(run: Run) -> list[MeasuredHeadroom]:
    """Return the headroom of each seed for which it was measured.

    Raises:
        UserError: A file cannot be read, or lacks a key.
    """
    found = []
    for files in sorted(run.contents.stage2, key=lambda files: files.seed):
        if files.headroom is not None and run.has(files.headroom):
            row = read_object(run.at(files.headroom))
            missing = [key for key in (*HeadroomShares.__dataclass_fields__, "sentence") if key not in row]
            if missing:
                raise UserError("is missing", file=run.at(files.headroom), field=missing[0])
            found.append(MeasuredHeadroom(files.seed, str(files.headroom_split), row))
    return found


def _preferences(run: Run, files: Preferred) -> Preferences:
    task, pairs, votes = get_task(run.contents.task), run.at(files.pairs), run.at(files.votes)
    line = line_of(pairs) or {}
    noted = _noted_rules(line)
    rules = noted or _rules(run)
    reading = ResponseRule(train_on=line.get("train_on", "whole"))
    joined = JoinedVotes(task, run.at(files.weak), votes, reading)
    judgements, counts = Judgements(task, joined, rules, votes, reading), PairCounts()
    for judged in judgements:
        counts.count(judged)
    return Preferences(
        seed=files.seed,
        judgements=judgements,
        bars=_bars(list(read(votes, VOTE))),
        counts=counts,
        rules=rules,
        rules_noted=noted is not None,
        rows=sum(1 for _ in read_pairs(pairs)) if pairs.exists() else None,
        sources=_sources(pairs),
    )


def _noted_rules(line: Mapping[str, Any]) -> PairRules | None:
    """Return the rules in the manifest's line for the pairs as they are now; None if it has none."""
    rules = line.get("rules")
    if not isinstance(rules, dict):
        return None
    return PairRules(**{field.name: rules[field.name] for field in fields(PairRules) if field.name in rules})


def _rules(run: Run) -> PairRules:
    """Return the task's published rules, with the thresholds of the contents."""
    thresholds = {
        rule.name: value
        for rule in fields(PairRules)
        if (value := getattr(run.contents, rule.name, None)) is not None
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
