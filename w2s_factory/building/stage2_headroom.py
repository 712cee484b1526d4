"""Headroom of Stage II: what a vote over samples knows beyond the greedy answer, and how clean pairs are."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.building.agreement import Accuracy
from w2s_factory.building.pair_origins import origins_of, read_origins, side_verdicts
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.folders import OUTPUT, results_in
from w2s_factory.quantities import HeadroomPoints, Samples
from w2s_factory.ranges import check
from w2s_factory.records import ANY, Outputs, Table, last_facts, read, rows_of
from w2s_factory.scoring.metrics import Difference, bootstrap_mean, paired_bootstrap, wilson_interval
from w2s_factory.scoring.seeds import SAME_GOLDS, seed_sources
from w2s_factory.scoring.verdicts import differing_gold, read_verdicts, sampled_questions
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.records import Id, RowsLike, RowSource
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.scoring.verdicts import SampledQuestion
    from w2s_factory.tasks import Task

_EXACT: Final = 9
"""The digits of a difference in points that count, so that 5 of 100 questions are exactly 5 points."""

_BUILD_AGAIN: Final = "Build the pairs again, which writes both files"


@dataclass(frozen=True)
class HeadroomShares:
    """The accuracies of one model on the same questions, each with a 95 % interval.

    Attributes:
        greedy: The accuracy of its one answer to each question, greedy by default (Wilson's interval).
        averaged: Its mean accuracy over k samples, avg@k (a bootstrap over the questions).
        majority: The accuracy of the majority answers of k samples, maj@k (Wilson's interval).
        passed: The share of questions with a right one among k samples, pass@k (Wilson's interval).
        difference: `majority` less `greedy`, on the same questions (a paired bootstrap).
    """

    greedy: Difference
    averaged: Difference
    majority: Difference
    passed: Difference
    difference: Difference


@dataclass(frozen=True)
class PairVerdicts:
    """The number of preference pairs, and how often their sides are right where golds are known."""

    pairs: int
    chosen: Accuracy
    rejected: Accuracy


@dataclass(frozen=True)
class Headroom:
    """Headroom of Stage II: accuracy of the majority of samples less that of one answer (greedy by default).

    Attributes:
        questions: The number of questions whose gold is known.
        left_out: The number of those whose gold is not known.
        k: The number of samples of each question.
        shares: The accuracies; None if no gold is known.
        pairs: The preference pairs; None if they were not named.
        temperature: The temperature of the one answer to each question, as its manifest notes it; 0 is
            greedy.
    """

    questions: int
    left_out: int
    k: int
    shares: HeadroomShares | None
    pairs: PairVerdicts | None = None
    temperature: float = 0.0

    @property
    def points(self) -> float | None:
        """Return the difference of majority and one answer in percentage points; None if not known."""
        return None if self.shares is None else round(100 * self.shares.difference.value, _EXACT)

    @property
    def sentence(self) -> str:
        """Return whether the majority knows more than the greedy answer (or a sampled one), as one sentence.

        It knows more, or less, only if the whole interval of the difference is above, or below, zero.
        """
        one = one_answer(self.temperature)
        if self.shares is None:
            return f"Whether the majority knows more than {one} is not known: no gold answer is."
        shares = self.shares
        value, low, high = (f"{100 * share:+.1f}" for share in shares.difference)
        if shares.difference.low > 0:
            knows = "knows more than"
        else:
            knows = "knows less than" if shares.difference.high < 0 else "does not clearly know more than"
        return (
            f"The majority of {self.k} samples {knows} {one}: {shares.majority.value:.1%} "
            f"against {shares.greedy.value:.1%} of {self.questions:,} questions, {value} points "
            f"(95 % interval {low} to {high})."
        )

    def as_json(self) -> dict[str, Any]:
        """Return the content of `headroom.json`: shares are from 0 to 1, what is not known is null."""
        row: dict[str, Any] = {"questions": self.questions, "left_out": self.left_out, "k": self.k}
        row |= {"temperature": self.temperature} if self.temperature else {}
        for name in HeadroomShares.__dataclass_fields__:
            estimate = self.shares and getattr(self.shares, name)
            row[name] = estimate and estimate._asdict()
        if self.pairs is not None:
            row["pairs"] = self.pairs.pairs
            row["chosen_right"], row["rejected_right"] = self.pairs.chosen.share, self.pairs.rejected.share
            row["chosen_known"], row["rejected_known"] = self.pairs.chosen.known, self.pairs.rejected.known
        return row | {"sentence": self.sentence}


def one_answer(temperature: float) -> str:
    """Return what the majority is compared with, in words: the greedy answer, or a sampled one."""
    return f"one sampled answer (temperature {temperature:g})" if temperature else "the greedy answer"


def headroom_in_words(row: Mapping[str, Any]) -> list[str]:
    """Return the content of `headroom.json` as lines: its sentence, its accuracies, the verdicts on pairs."""
    k, one = row["k"], "sampled" if row.get("temperature") else "greedy"
    names = {"greedy": one, "averaged": f"avg@{k}", "majority": f"maj@{k}", "passed": f"pass@{k}"}
    lines = [row["sentence"]]
    for name, label in names.items():
        if row[name] is not None:
            value, low, high = (row[name][end] for end in Difference._fields)
            lines.append(f"  {label:<8} {value:.1%}  (95 % interval {low:.1%} to {high:.1%})")
    if row["left_out"]:
        lines.append(f"  {row['left_out']:,} questions whose gold is not known are left out")
    if "pairs" in row:
        chosen, rejected = (_right(row, side) for side in ("chosen", "rejected"))
        lines.append(f"  {row['pairs']:,} pairs: chosen right {chosen}, rejected right {rejected}")
    return lines


def _right(row: Mapping[str, Any], side: str) -> str:
    """Return how often a side of the pairs is right."""
    share, known = row[f"{side}_right"], row.get(f"{side}_known", row["pairs"])
    return "unknown" if share is None else f"{share:.1%} of {known:,}"


def headroom(
    greedy: RowsLike,
    samples: SamplesLike,
    *,
    k: Samples | None = None,
    task: Task | str | None = None,
    pairs: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    require: HeadroomPoints | None = None,
    force: bool = False,
) -> Headroom:
    """Return the headroom of Stage II: whether a model's majority knows more than its greedy answer.

    Stage II teaches a model what its own samples agree on. The headroom does not bound the gain
    (docs/stage2.md). Questions whose gold is not known are left out.

    Args:
        greedy: The results of one answer to each question, or a folder with `results.jsonl`. It counts as
            greedy unless the manifest next to it notes another temperature.
        samples: The results of several samples of the same model on the same questions: a folder with
            `seed0/results.jsonl` ..., or the results of each seed.
        k: The number of samples that count, the first ones; all if None.
        task: The task that says which answers are equal; None if only the same text is.
        pairs: The file of preference pairs built from samples, with its origins next to it; None for none.
        output: The file to which to write the headroom as JSON; None to write nothing.
        require: The least difference, in percentage points.
        force: Overwrite a file that has other content.

    Raises:
        UserError: A file cannot be read, the two are about different questions, or there are fewer than k
            samples.
        DelegateError: The difference (its point estimate) is below `require`, or not known. Nothing is
            written then.
    """
    check(k, Samples | None, "k")
    check(require, HeadroomPoints | None, "require")
    named = str(samples) if isinstance(samples, (str, os.PathLike)) else "samples"
    answers = rows_of(greedy, "greedy", results_in)
    seeds, seen = seed_sources(samples), Counter[bool]()
    k = len(seeds) if k is None else k
    equal = None if task is None else get_task(task)
    questions = list(sampled_questions(seeds, k, equal, named, seen))
    _check_ids(questions, named)
    if error := differing_gold(next(iter(seeds.values())), answers):
        raise error
    shares = _shares(answers, questions, k, named) if questions else None
    paired = [] if pairs is None else _pair_files(Path(pairs))
    of_pairs = _of_pairs(*paired) if paired else None
    found = Headroom(len(questions), seen[False], k, shares, of_pairs, _temperature(answers))
    _check_required(found, require)
    if output is not None:
        with Outputs(inputs=[answers, *seeds.values(), *paired], force=force) as outputs:
            outputs.text(Path(output), json.dumps(found.as_json(), indent=2) + "\n")
            outputs.note()
    return found


def _temperature(answers: RowSource) -> float:
    """Return the temperature that a manifest notes for the responses behind results; 0 if it notes none."""
    settings = {} if isinstance(answers, Table) else last_facts(answers.with_name(OUTPUT)).get("settings")
    noted = settings.get("temperature") if isinstance(settings, dict) else None
    return float(noted) if isinstance(noted, (int, float)) else 0.0


def _check_ids(questions: list[SampledQuestion], samples: str) -> None:
    """Check that no question occurs twice.

    Raises:
        UserError: One does.
    """
    twice = [key for key, times in Counter(question.id for question in questions).items() if times > 1]
    if twice:
        raise UserError(f"expected each id once in a file of results, got {twice[0]!r} again", file=samples)


def _shares(greedy: RowSource, questions: list[SampledQuestion], k: Samples, samples: str) -> HeadroomShares:
    verdicts = read_verdicts(greedy)
    asked = {question.id: None for question in questions}
    if apart := [key for key in (*asked, *verdicts) if key not in asked or key not in verdicts]:
        here, there = ("no", "one") if apart[0] in asked else ("a", "none")
        problem = f"has {here} verdict on the question {apart[0]!r}, but {samples} has {there}"
        raise UserError(problem, file=greedy, hint=SAME_GOLDS)
    first = [verdicts[question.id] for question in questions]
    vote = [question.majority for question in questions]
    return HeadroomShares(
        greedy=_share(first),
        averaged=bootstrap_mean([sum(question.verdicts[:k]) / k for question in questions]),
        majority=_share(vote),
        passed=_share([any(question.verdicts[:k]) for question in questions]),
        difference=paired_bootstrap(first, vote),
    )


def _share(verdicts: list[bool]) -> Difference:
    right, total = sum(verdicts), len(verdicts)
    return Difference(right / total, *wilson_interval(right, total))


def _pair_files(pairs: Path) -> list[RowSource]:
    """Return the pair file and that of its origins.

    Raises:
        UserError: One of them does not exist, or the origins are named instead of the pairs.
    """
    if not pairs.exists():
        raise UserError("no such file", file=pairs)
    if (origins := origins_of(pairs)) == pairs:
        raise UserError("expected pairs, got their origins", file=pairs, hint="Name the pair file")
    return [pairs, origins]


def _of_pairs(file: RowSource, origins: RowSource) -> PairVerdicts:
    """Return the number of pairs, and the verdicts on both sides, from their file and that of their origins.

    Raises:
        UserError: A file cannot be read, or they are not about the same pairs.
    """
    chosen, rejected = Accuracy(), Accuracy()
    ids: list[Id] = []
    for origin in read_origins(origins):
        ids.append(origin["id"])
        for side, verdict in zip((chosen, rejected), side_verdicts(origin), strict=True):
            side.count(verdict)
    there = [row.get("id") for row in read(file, ANY)]
    if len(there) != len(ids):
        problem = f"holds {len(there):,} pairs, but there are origins of {len(ids):,}"
        raise UserError(problem, file=file, hint=_BUILD_AGAIN)
    for number, (name, known) in enumerate(zip(there, ids, strict=True), 1):
        if name is not None and name != known:
            problem = f"pair {number:,} is of the id {name!r}, but its origin is of {known!r}"
            raise UserError(problem, file=file, hint=_BUILD_AGAIN)
    return PairVerdicts(len(ids), chosen, rejected)


BELOW: Final = "the headroom of Stage II does not reach the required"
"""The words by which `run` knows that a step ended for this reason."""


def _check_required(found: Headroom, require: HeadroomPoints | None) -> None:
    """Check the difference against the least one that is allowed.

    Raises:
        DelegateError: It is smaller, or not known.
    """
    if require is None or (found.points is not None and found.points >= require):
        return
    raise DelegateError(f"{BELOW} {require:.12g} points. {found.sentence.removesuffix('.')}")
