"""Stage II: preference pairs from the weak model's responses and votes over samples (paper, section 3.2)."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from w2s_factory.building.agreement import Accuracy
from w2s_factory.building.dataset_files import Recipe, Rows
from w2s_factory.building.pair_dataset import PairDataset
from w2s_factory.building.pair_origins import ORIGIN, Seeds, origins
from w2s_factory.building.pairs import SKIPPED, Judged
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.weak_answers import JoinedVotes, Judgements, is_full_weak
from w2s_factory.errors import UserError
from w2s_factory.folders import results_in, votes_in
from w2s_factory.quantities import PairRules
from w2s_factory.records import rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from w2s_factory.building.prompt_form import PromptForm
    from w2s_factory.records import PairForm, RowsLike
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


@dataclass
class PairCounts:
    """Counts of Stage II.

    Attributes:
        questions: The number of questions asked.
        weak_chosen: The number of pairs whose chosen response is the weak model's.
        weak_rejected: The number of pairs whose rejected response is the weak model's.
        limits: The number of comparisons that a limit of time or memory ended; they count as unequal.
        skipped: The number of questions without a pair, by reason.
        chosen: The accuracy of the chosen responses.
        rejected: The accuracy of the rejected responses.
    """

    questions: int = 0
    weak_chosen: int = 0
    weak_rejected: int = 0
    limits: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SKIPPED, 0))
    chosen: Accuracy = field(default_factory=Accuracy)
    rejected: Accuracy = field(default_factory=Accuracy)

    @property
    def pairs(self) -> int:
        """The number of all pairs."""
        return self.weak_chosen + self.weak_rejected

    def count(self, judged: Judged) -> None:
        """Count a question and its pairs."""
        self.questions += 1
        if judged.skipped is not None:
            self.skipped[judged.skipped] = self.skipped.get(judged.skipped, 0) + 1
        weak_chosen = judged.weak_side == "chosen"
        for other in judged.others:
            self.weak_chosen += weak_chosen
            self.weak_rejected += not weak_chosen
            (self.chosen if weak_chosen else self.rejected).count(judged.weak.result)
            (self.rejected if weak_chosen else self.chosen).count(other.get("result"))


class Stage2(PairDataset[PairCounts]):
    """The result of `build_stage2`.

    Attributes:
        counts: The counts.
        built: The dataset of pairs.
        origins: The file of the pairs' origins; its rows if no output was named; None if the pairs were
            printed.
    """


def build_stage2(  # noqa: PLR0913  each is an option of the command
    task: Task | str,
    weak: RowsLike,
    votes: RowsLike,
    output: str | Path | None = None,
    *,
    rules: PairRules | None = None,
    samples: SamplesLike | None = None,
    prompt_form: PromptForm | None = None,
    response_rule: ResponseRule | None = None,
    form: PairForm | None = None,
    recipe: Recipe | None = None,
    random_sides: bool = False,
) -> Stage2:
    """Build preference pairs from the original weak model's responses and a majority vote.

    A weak response whose answer a confident majority shares is chosen over a minority response. One whose
    answer a very confident majority does not share is rejected for a majority response. The draws are those
    of the release. Prompt and system prompt of the pairs are those of the votes, which M_plus was asked with.

    Args:
        task: The task that says when two answers are equal, and how many pairs a question gives at most.
        weak: The original weak model's results, or its full weak data.
        votes: The majority file over the samples of M_plus (the model that Stage I trained) on the same
            questions.
        output: The pair file; None to write nothing.
        rules: The thresholds, the number of pairs and the seed; the published ones of the task if None.
        samples: The results of each seed, as `vote` takes them, to record the seed of each response.
        prompt_form: How M_plus will be asked; as it was for the samples if None.
        response_rule: How responses are read, and the part of them to train on; the published way if None.
        form: The form of the pairs, `release` or `columns`; None for the form that the LLaMA-Factory version
            reads.
        recipe: The layout and the training config; the defaults of `Recipe` with the preset `dpo` if None.
        random_sides: Whether a coin, seeded with the rules' seed, swaps the sides of each question's pairs: a
            control, whose pairs have the same texts and no preference.

    Raises:
        UserError: The files have different questions, were scored in different ways or cannot be read, or no
            question gives a pair. Nothing is written then.
    """
    task, weak = get_task(task), rows_of(weak, "weak", results_in)
    votes = rows_of(votes, "votes", votes_in)
    rules = rules or PairRules(pairs_per_question=task.pairs_per_question)
    seeds = None if samples is None else Seeds(samples)
    response_rule = response_rule or ResponseRule()
    full_weak = is_full_weak(weak)
    way = response_rule.way(task, *([] if full_weak else [weak]), votes)
    if full_weak:
        response_rule.refuse_other_part(weak)
    joined = JoinedVotes(task, weak, votes, response_rule)
    judgements = Judgements(task, joined, rules, votes, response_rule)
    judged = _SwappedByCoin(judgements, rules.seed) if random_sides else judgements
    counts = PairCounts(limits=judgements.limits)
    for judgement in judged:
        counts.count(judgement)
    if not counts.pairs:
        problem = f"none of {counts.questions} questions gives a pair"
        raise UserError(problem, file=votes, topic="no-pairs")
    return Stage2.placed(
        counts,
        task,
        (pair for judgement in judged for pair in judgement.pairs()),
        Rows((row for judgement in judged for row in origins(judgement, seeds)), ORIGIN),
        output,
        first=next(iter(judged)).vote,
        way=way,
        prompt_form=prompt_form,
        response_rule=response_rule,
        form=form,
        recipe=recipe,
        inputs=(weak, votes, *(seeds.files if seeds else ())),
        facts={**({"pairs": "random"} if random_sides else {}), "rules": asdict(rules)},
    )


@dataclass(frozen=True)
class _SwappedByCoin:
    """Judgements in which a coin decides whether the two sides of a question's pairs change places.

    The coins are drawn again, with the same outcome, whenever it is iterated over. They have a generator of
    their own, so that the pairs are those that are drawn without them.
    """

    judgements: Judgements
    seed: int

    def __iter__(self) -> Iterator[Judged]:
        generator = random.Random(f"coin {self.seed}")
        for judged in self.judgements:
            if judged.weak_side is None or generator.random() < 0.5:
                yield judged
            else:
                yield replace(judged, weak_side="rejected" if judged.weak_side == "chosen" else "chosen")
