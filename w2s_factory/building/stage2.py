"""Stage II: votes over samples turned into preference pairs (paper, section 3.2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building.agreement import Accuracy
from w2s_factory.building.conversion import place_pairs
from w2s_factory.building.dataset_files import Built, Recipe, Rows
from w2s_factory.building.joining import compared, joined, naming_questions, vote_equality, weak_responses
from w2s_factory.building.pair_sources import ORIGIN, Seeds, origins, sidecar
from w2s_factory.building.pairs import SKIPPED, Judged, judge_votes
from w2s_factory.errors import UserError
from w2s_factory.folders import results_in, votes_in
from w2s_factory.quantities import PairRules
from w2s_factory.records import Table, is_stdout, rows_of
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    import pandas as pd

    from w2s_factory.records import PairForm, RowsLike
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


@dataclass
class PairCounts:
    """What became of the questions of a Stage II.

    Attributes:
        questions: How many were asked.
        weak_chosen: Pairs whose chosen response is the weak model's.
        weak_rejected: Pairs whose rejected response is the weak model's.
        limits: Comparisons that a limit of time or memory ended; the weak answer counts as another one.
        skipped: Questions without a pair, by reason.
        chosen: How right the chosen responses are, where gold is known.
        rejected: How right the rejected ones are.
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
        """All pairs."""
        return self.weak_chosen + self.weak_rejected

    def count(self, judged: Judged) -> None:
        """Take one question into account."""
        self.questions += 1
        if judged.skipped is not None:
            self.skipped[judged.skipped] += 1
        weak_chosen = judged.weak_side == "chosen"
        for other in judged.others:
            self.weak_chosen += weak_chosen
            self.weak_rejected += not weak_chosen
            (self.chosen if weak_chosen else self.rejected).count(judged.weak.result)
            (self.rejected if weak_chosen else self.chosen).count(other.get("result"))


@dataclass(frozen=True)
class Stage2:
    """The result of `build_stage2`.

    Attributes:
        counts: The counts.
        built: The dataset of pairs.
        origins: The file that says where each pair is from; its rows if no output was named; None where the
            pairs were printed.
    """

    counts: PairCounts
    built: Built
    origins: Path | Table | None

    def to_frame(self) -> pd.DataFrame:
        """Return the pairs as a DataFrame."""
        return self.built.to_frame()


def build_stage2(
    task: Task | str,
    weak: RowsLike,
    votes: RowsLike,
    output: str | Path | None = None,
    *,
    rules: PairRules | None = None,
    samples: SamplesLike | None = None,
    form: PairForm | None = None,
    recipe: Recipe | None = None,
) -> Stage2:
    """Make preference pairs of the original weak responses and a majority vote.

    A weak answer that a confident majority shares is chosen over a minority response; one that a very
    confident majority does not share is rejected for a majority response. Draws are the published ones.

    Args:
        task: Says how many pairs a question gives at most, and when two answers are equal.
        weak: The original weak model's results, or its full weak data.
        votes: The majority file over the samples of M_plus on the same questions.
        output: The pair file; None to write nothing.
        rules: Thresholds, number of pairs, seed; the published ones of the task if None.
        samples: The seeds' results, as `vote` takes them, to record which seed each response came from.
        form: The pairs' form: `release` or `columns`; by default the one the LLaMA-Factory version reads.
        recipe: Layout and training config.

    Raises:
        UserError: The files do not belong together, or no pair is left; nothing is written then.
    """
    task, weak = get_task(task), rows_of(weak, "weak", results_in)
    votes = rows_of(votes, "votes", votes_in)
    rules = rules or PairRules(pairs_per_question=task.pairs_per_question)
    counts = PairCounts()
    seeds = None if samples is None else Seeds(samples)
    questions = list(joined(weak_responses(task, weak), votes, weak))
    with naming_questions(compared(questions), votes):
        same = vote_equality(task, questions)
        counts.limits = same.limits
        judged = list(judge_votes(questions, rules, same))
    for one in judged:
        counts.count(one)
    if not counts.pairs:
        raise UserError(f"none of {counts.questions} questions gives a pair", file=votes)
    beside = (row for one in judged for row in origins(one, seeds))
    where = Table("origins", beside) if output is None else sidecar(output)
    built = place_pairs(
        task,
        (pair for one in judged for pair in one.pairs()),
        output,
        form=form,
        inputs=(weak, votes, *(seeds.files if seeds else ())),
        recipe=recipe or Recipe(preset="dpo"),
        beside={where: Rows(beside, ORIGIN)} if isinstance(where, Path) else None,
        rules=asdict(rules),
    )
    return Stage2(counts, built, None if is_stdout(output) else where)
