"""Self-training: a response with the majority answer to each question, as SFT rows (`--stage self`)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.building.agreement import Accuracy
from w2s_factory.building.dataset_files import WEAK_NAME, Built, Recipe, Rows, place_dataset
from w2s_factory.building.pairs import EMPTY, UNSURE, majority_answer
from w2s_factory.building.prompt_form import PromptForm
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.building.sample_pools import UNTRAINABLE
from w2s_factory.building.voted_samples import VotedQuestions
from w2s_factory.errors import UserError
from w2s_factory.folders import votes_in
from w2s_factory.quantities import SEED, Confidence, PairThresholds
from w2s_factory.ranges import Seed, check
from w2s_factory.records import SFT, rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from w2s_factory.building.voted_samples import VotedSamples
    from w2s_factory.records import RowsLike, Sft
    from w2s_factory.tasks import Task

SKIPPED = (UNSURE, EMPTY)
"""The reasons why a question gives no row, in the order in which they are checked.

`UNTRAINABLE` is checked last, and counted only where it occurs.
"""


@dataclass
class SelfTrainingCounts:
    """Counts of self-training.

    Attributes:
        questions: The number of questions asked.
        rows: The number of rows, one for each question kept.
        skipped: The number of questions without a row, by reason.
        kept: The accuracy of the responses in the rows.
    """

    questions: int = 0
    rows: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SKIPPED, 0))
    kept: Accuracy = field(default_factory=Accuracy)


@dataclass(frozen=True)
class SelfTraining:
    """The result of `build_self_training`: the counts, and the dataset."""

    counts: SelfTrainingCounts
    built: Built

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame."""
        return self.built.to_frame()


def build_self_training(
    task: Task | str,
    votes: RowsLike,
    output: str | Path | None = None,
    *,
    min_confidence: Confidence = PairThresholds.min_confidence,
    seed: Seed = SEED,
    prompt_form: PromptForm | None = None,
    response_rule: ResponseRule | None = None,
    recipe: Recipe | None = None,
) -> SelfTraining:
    """Build SFT rows from samples with the majority answer: rejection sampling without gold answers.

    Of each question with a confident majority, one response with the majority answer is drawn, each sample
    with the same probability. So a response that was sampled several times is more likely. This is the
    selection of self-improvement by self-consistency (Huang et al. 2022, arXiv 2210.11610), which trains on
    all responses with the majority answer, in several formats.

    Args:
        task: The task; it names the dataset if `output` is None.
        votes: The majority file over the samples of the model (M_plus).
        output: The file to write; None to write nothing.
        min_confidence: The least share of a question's samples that must have the majority answer.
        seed: The seed of the draws; one generator draws for all questions.
        prompt_form: How the model to train will be asked; as it was for the samples if None.
        response_rule: The part of responses to train on; the whole ones if None.
        recipe: The layout and the training config; the defaults of `Recipe` if None.

    Raises:
        UserError: The votes cannot be read, or no question gives a row. Nothing is written then.
    """
    check(min_confidence, Confidence, "min_confidence")
    check(seed, Seed, "seed")
    task, votes = get_task(task), rows_of(votes, "votes", votes_in)
    prompt_form, response_rule = (prompt_form or PromptForm()).of(task), response_rule or ResponseRule()
    way, questions = response_rule.way(task, votes), VotedQuestions(votes, response_rule)
    counts = SelfTrainingCounts()
    drawn = [*_draws(questions, min_confidence, seed, counts)]
    if not counts.rows:
        problem = f"none of {counts.questions} questions has a confident majority with an answer"
        answered = any(majority_answer(vote) for vote in questions)  # else no threshold gives a row
        hint = "Lower --min-confidence" if answered and counts.skipped[UNSURE] else None
        raise UserError(problem, file=votes, hint=hint)
    built = place_dataset(
        task,
        Rows(
            (prompt_form.applied(task, row, "content") for row in _rows(questions, drawn)),
            SFT,
            system=prompt_form.has_system(next(iter(questions))),
        ),
        output,
        stem=task.file_stem(WEAK_NAME, "self"),
        inputs=(votes,),
        recipe=response_rule.recipe(prompt_form.recipe(recipe or Recipe())),
        facts={
            "rules": {"min_confidence": min_confidence, "seed": seed},
            **prompt_form.facts,
            **response_rule.facts(way),
        },
    )
    return SelfTraining(counts, built)


def majority_pool(voted: VotedSamples, min_confidence: float) -> list[int] | str:
    """Return the samples from which a question's row is drawn, or the reason why it gives none."""
    if voted.vote["confidence"] < min_confidence:
        return UNSURE
    if majority_answer(voted.vote) == "":
        return EMPTY
    return voted.trainable(voted.majority) or UNTRAINABLE


def _draws(
    questions: VotedQuestions, min_confidence: float, seed: int, counts: SelfTrainingCounts
) -> Iterator[int | None]:
    """Yield the place of the response drawn for each question, None if there is none, and count them."""
    generator = random.Random(seed)
    for voted in questions.as_written():
        counts.questions += 1
        pool = majority_pool(voted, min_confidence)
        if isinstance(pool, str):
            counts.skipped[pool] = counts.skipped.get(pool, 0) + 1
            yield None
            continue
        [place] = generator.sample(pool, 1)
        counts.rows += 1
        counts.kept.count(voted.vote["pos_responses"][place].get("result"))
        yield place


def _rows(questions: VotedQuestions, drawn: Sequence[int | None]) -> Iterator[Sft]:
    """Yield the row of each question that gives one, with the system prompt of the votes if they have one."""
    for vote, place in zip(questions, drawn, strict=True):
        if place is None:
            continue
        text = questions.text(vote["pos_responses"][place]) or ""
        row: Sft = {"id": vote["id"], "content": vote["prompt"], "output": text}
        yield {**row, "system": vote["system"]} if "system" in vote else row
