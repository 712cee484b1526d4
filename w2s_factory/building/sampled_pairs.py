"""Preference pairs both of whose sides are samples of M_plus: by consistency, or (a control) by gold answers.

Which samples may be on which side is in `sample_pools.py`. The published pairs, which have the weak model's
response on one side, are in `pairs.py` and `stage2.py`.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.building.agreement import Accuracy
from w2s_factory.building.dataset_files import Recipe, Rows
from w2s_factory.building.pair_dataset import PairDataset
from w2s_factory.building.pair_origins import SAMPLED_ORIGIN, Seeds, sampled_origin
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.sample_pools import (
    CONSISTENCY_SKIPPED,
    GOLD_SKIPPED,
    NO_GOLD,
    Pools,
    consistency_pools,
    draw_pairs,
    gold_pools,
)
from w2s_factory.building.voted_samples import VotedQuestions, samples_of
from w2s_factory.errors import UserError
from w2s_factory.folders import votes_in
from w2s_factory.quantities import ConsistencyRules, PairDraws
from w2s_factory.records import rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from w2s_factory.building.pair_origins import SampledOrigin
    from w2s_factory.building.prompt_form import PromptForm
    from w2s_factory.building.voted_samples import VotedSamples
    from w2s_factory.records import Pair, PairForm, RowsLike, RowSource, Vote
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


@dataclass
class SampledPairCounts:
    """Counts of pairs of samples.

    Attributes:
        questions: The number of questions asked.
        pairs: The number of pairs.
        limits: The number of comparisons that a limit of time or memory ended; they count as unequal.
        skipped: The number of questions without a pair, by reason.
        chosen: The accuracy of the chosen responses.
        rejected: The accuracy of the rejected responses.
    """

    questions: int = 0
    pairs: int = 0
    limits: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    chosen: Accuracy = field(default_factory=Accuracy)
    rejected: Accuracy = field(default_factory=Accuracy)


class SampledPairSet(PairDataset[SampledPairCounts]):
    """The result of `build_consistency_pairs` or `build_gold_pairs`.

    Attributes:
        counts: The counts.
        built: The dataset of pairs.
        origins: The file of the pairs' origins; its rows if no output was named; None if the pairs were
            printed.
    """


def build_consistency_pairs(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    votes: RowsLike,
    output: str | Path | None = None,
    *,
    rules: ConsistencyRules | None = None,
    samples: SamplesLike | None = None,
    prompt_form: PromptForm | None = None,
    response_rule: ResponseRule | None = None,
    form: PairForm | None = None,
    recipe: Recipe | None = None,
) -> SampledPairSet:
    """Build preference pairs from the samples alone: the most frequent answer against the least frequent one.

    The pairs are those of ScPO (Prasad et al. 2024, arXiv 2411.04109), without the weak model. ScPO also
    weights the loss of each pair by the difference of both frequencies, adds a likelihood term to it, and
    samples new questions and responses in rounds; LLaMA-Factory has no weighted loss, so here every pair
    counts the same. Differing from the published pairs of Stage II, samples without an answer are never
    rejected. Prompt and system prompt of the pairs are those of the votes.

    Args:
        task: The task that says when two answers are equal, and how many pairs a question gives at most.
        votes: The majority file over the samples of M_plus (the model that Stage I trained).
        output: The pair file; None to write nothing.
        rules: The threshold, the number of pairs and the seed; that of Stage II and the task's if None.
        samples: The results of each seed, as `vote` takes them, to record the seed of each response.
        prompt_form: How M_plus will be asked; as it was for the samples if None.
        response_rule: How responses are read, and the part of them to train on; as they were voted on if
            None.
        form: The form of the pairs, `release` or `columns`; None for the form that the LLaMA-Factory version
            reads.
        recipe: The layout and the training config; the defaults of `Recipe` with the preset `dpo` if None.

    Raises:
        UserError: The files cannot be read, the samples are not those of the votes, or no question gives a
            pair. Nothing is written then.
    """
    task = get_task(task)
    rules = rules or ConsistencyRules(pairs_per_question=task.pairs_per_question)
    return _built(
        "consistency", task, votes, output,
        voted=lambda questions: questions.classified(task),
        pools=lambda voted: consistency_pools(voted, rules.min_confidence),
        draws=rules, skipped=CONSISTENCY_SKIPPED, samples=samples, prompt_form=prompt_form,
        response_rule=response_rule, form=form, recipe=recipe,
    )  # fmt: skip


def build_gold_pairs(  # noqa: PLR0913  as above
    task: Task | str,
    votes: RowsLike,
    output: str | Path | None = None,
    *,
    draws: PairDraws | None = None,
    samples: SamplesLike | None = None,
    prompt_form: PromptForm | None = None,
    response_rule: ResponseRule | None = None,
    form: PairForm | None = None,
    recipe: Recipe | None = None,
) -> SampledPairSet:
    """Build pairs of a right and a wrong sample by gold: a control, which uses what the method must not know.

    Every question with a right and a wrong sample gives pairs, however its samples voted. So they show what
    preference training on M_plus's own samples does without mistakes in the pairs. They are no upper bound:
    in docs/stage2.md the published pairs did as well.

    Args:
        task: The task, which says how many pairs a question gives at most.
        votes: As in `build_consistency_pairs`; every sample must have its verdict (`result`).
        output: As in `build_consistency_pairs`.
        draws: The number of pairs and the seed; the task's number if None.
        samples: As in `build_consistency_pairs`.
        prompt_form: As in `build_consistency_pairs`.
        response_rule: As in `build_consistency_pairs`.
        form: As in `build_consistency_pairs`.
        recipe: As in `build_consistency_pairs`.

    Raises:
        UserError: As `build_consistency_pairs`.
    """
    task = get_task(task)
    return _built(
        "gold", task, votes, output,
        voted=VotedQuestions.as_written, pools=gold_pools,
        draws=draws or PairDraws(pairs_per_question=task.pairs_per_question), skipped=GOLD_SKIPPED,
        samples=samples, prompt_form=prompt_form, response_rule=response_rule, form=form, recipe=recipe,
    )  # fmt: skip


class SampledPairs:
    """Pairs of samples, selected and drawn once; their rows are read again whenever they are needed.

    Args:
        questions: The questions.
        voted: Their samples, in the same order.
        pools: Returns the samples from which both sides are drawn, or why a question gives no pair.
        draws: The number of pairs and the seed; one generator draws for all questions that give pairs.
        skipped: The reasons that are counted also where they do not occur.

    Attributes:
        counts: The counts.
    """

    def __init__(
        self,
        questions: VotedQuestions,
        voted: Iterable[VotedSamples],
        pools: Callable[[VotedSamples], Pools | str],
        draws: PairDraws,
        skipped: dict[str, int],
    ) -> None:
        self.counts = SampledPairCounts(skipped=skipped)
        self._questions = questions
        self._drawn: list[list[tuple[int, int]]] = []
        generator = random.Random(draws.seed)
        for each in voted:
            found = pools(each)
            if isinstance(found, str):
                skipped[found] = skipped.get(found, 0) + 1
            pairs = [] if isinstance(found, str) else draw_pairs(found, each.texts, draws, generator)
            self._drawn.append(pairs)
            self._count(each.vote, pairs)
        self.counts.limits = questions.limits

    def _count(self, vote: Vote, pairs: list[tuple[int, int]]) -> None:
        samples = samples_of(vote)
        self.counts.questions += 1
        self.counts.pairs += len(pairs)
        for chosen, rejected in pairs:
            self.counts.chosen.count(samples[chosen].get("result"))
            self.counts.rejected.count(samples[rejected].get("result"))

    def _each(self) -> Iterator[tuple[Vote, tuple[int, int]]]:
        for vote, pairs in zip(self._questions, self._drawn, strict=True):
            for pair in pairs:
                yield vote, pair

    def rows(self) -> Iterator[Pair]:
        """Yield the pairs in the published form, with the system prompt of the votes if they have one."""
        for vote, pair in self._each():
            samples = samples_of(vote)
            row: Pair = {
                "id": vote["id"],
                "instruction": vote["prompt"],
                "input": "",
                "output": [self._questions.text(samples[number]) or "" for number in pair],
            }
            yield {**row, "system": vote["system"]} if "system" in vote else row

    def origins(self, seeds: Seeds | None) -> Iterator[SampledOrigin]:
        """Yield the origin of each pair."""
        return (sampled_origin(vote, *pair, seeds) for vote, pair in self._each())


def _built(  # noqa: PLR0913  the arguments of both builders, and in what they differ
    kind: str,
    task: Task,
    votes: RowsLike,
    output: str | Path | None,
    *,
    voted: Callable[[VotedQuestions], Iterable[VotedSamples]],
    pools: Callable[[VotedSamples], Pools | str],
    draws: PairDraws,
    skipped: Iterable[str],
    samples: SamplesLike | None,
    prompt_form: PromptForm | None,
    response_rule: ResponseRule | None,
    form: PairForm | None,
    recipe: Recipe | None,
) -> SampledPairSet:
    """Select pairs of samples and write them with their origins.

    Raises:
        UserError: The votes cannot be read, the samples are others, no question gives a pair, or as
            `place_pairs`.
    """
    votes = rows_of(votes, "votes", votes_in)
    response_rule = response_rule or ResponseRule()
    way = response_rule.way(task, votes)
    questions = VotedQuestions(votes, response_rule)
    pairs = SampledPairs(questions, voted(questions), pools, draws, dict.fromkeys(skipped, 0))
    _require_pairs(pairs.counts, votes)
    seeds = None if samples is None else Seeds(samples)
    return SampledPairSet.placed(
        pairs.counts,
        task,
        pairs.rows(),
        Rows(pairs.origins(seeds), SAMPLED_ORIGIN),
        output,
        first=next(iter(questions)),
        way=way,
        prompt_form=prompt_form,
        response_rule=response_rule,
        form=form,
        recipe=recipe,
        inputs=(votes, *(seeds.files if seeds else ())),
        facts={"pairs": kind, "rules": asdict(draws)},
    )


def _require_pairs(counts: SampledPairCounts, votes: RowSource) -> None:
    if not counts.pairs:
        problem = f"none of {counts.questions} questions gives a pair"
        no_gold = counts.skipped.get(NO_GOLD) == counts.questions
        hint = "Gold pairs need the verdicts of samples: score these with gold answers" if no_gold else None
        raise UserError(problem, file=votes, hint=hint, topic="no-pairs")
