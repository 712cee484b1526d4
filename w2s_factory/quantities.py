"""The numbers that users set, each with its range and the default that commands and functions share.

They are kept apart from the modules that use them, so that a command's help loads none of those.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

from annotated_types import Ge, Gt, Le

from w2s_factory.errors import UserError
from w2s_factory.ranges import Seed, Share, check_fields

SEED: Final[Seed] = 42
"""The seed of the release's draws: demonstrations, and which of several pairs."""

Iteration: TypeAlias = Annotated[int, Ge(1), Le(100)]
"""An iteration of Stage I, and how many there are; the paper has up to two. Each trains three models."""

PaddedSize: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""Questions of a padded set; never more than the results hold."""

Confidence: TypeAlias = Share
"""The share of a question's samples that give the majority answer."""

PairsPerQuestion: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""Pairs of one question; no more than it has samples."""

PAIRS_PER_QUESTION: Final[PairsPerQuestion] = 1
"""The most pairs of one question in the release's sets for GSM8K."""

Samples: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""Responses to one question, each with a seed and a folder of its own; so also the k of pass@k."""

Temperature: TypeAlias = Annotated[float, Ge(0), Le(100)]
"""The divisor of scores before tokens are drawn; at 100 nearly all tokens are equally likely."""

SampledTemperature: TypeAlias = Annotated[Temperature, Gt(0)]
"""A temperature at which responses differ by their seed."""

PUBLISHED_SAMPLES: Final[Samples] = 10
PUBLISHED_TEMPERATURE: Final[SampledTemperature] = 1.0
"""The paper's sampled responses, which vote and give pass@10."""

TopP: TypeAlias = Annotated[float, Gt(0), Le(1)]
"""A share of the probability mass."""

MaxTokens: TypeAlias = Annotated[int, Ge(1), Le(10_000_000)]
"""The length of a response in tokens; the longest contexts of today's models hold ten million."""

QuestionCount: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""The number of first questions that are asked; more than there are is all of them."""

DemonstrationCount: TypeAlias = Annotated[int, Ge(1), Le(1_000)]
"""The number of demonstrations a prompt shows."""

Timeout: TypeAlias = Annotated[float, Gt(0), Le(3_600)]
"""Seconds a comparison may take; nearly all take milliseconds, and an hour is as good as for ever."""

TIMEOUT: Final[Timeout] = 5.0

Workers: TypeAlias = Annotated[int, Ge(1), Le(1_024)]
"""Processes that compare at once."""

Jobs: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""Processor cores to use, or with an executor jobs at once."""


@dataclass(frozen=True, kw_only=True)
class PairThresholds:
    """Thresholds of Stage II: which questions give pairs. The defaults are the release's for GSM8K and MATH.

    `build-data` has an option for each field, whose help is the field's `help`; the values that a field
    allows are those of its type.

    Raises:
        UserError: A value is out of its range, or `negative_confidence` is below `min_confidence`.
    """

    min_confidence: Confidence = field(
        default=0.6,
        metadata={"help": "Skip a question if less than this share of its samples gave the majority answer."},
    )
    negative_confidence: Confidence = field(
        default=0.8,
        metadata={
            "help": "Reject the weak response only if at least this share of the samples gave the same other "
            "answer. Not below --min-confidence."
        },
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.negative_confidence < self.min_confidence:
            raise UserError(
                f"expected at least min_confidence ({self.min_confidence}), got {self.negative_confidence}",
                field="negative_confidence",
                hint="Questions below min_confidence are skipped anyway",
            )


@dataclass(frozen=True, kw_only=True)
class PairRules(PairThresholds):
    """Rules by which Stage II builds pairs from votes; the defaults are the release's for GSM8K.

    Attributes:
        pairs_per_question: The most pairs of one question.
        seed: The seed of the random generator; one generator draws for all questions.
        drop_duplicates: Whether to leave out a pair that repeats another pair of its question. The published
            MATH files have such pairs.
    """

    pairs_per_question: PairsPerQuestion = PAIRS_PER_QUESTION
    seed: Seed = SEED
    drop_duplicates: bool = False


MIN_CONFIDENCE, NEGATIVE_CONFIDENCE = PairThresholds.min_confidence, PairThresholds.negative_confidence
