"""The numbers that users set, each with its range and the default that commands and functions share.

They are separate from the modules that use them, so that the help of a command loads none of those.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeAlias, get_args

from annotated_types import Ge, Gt, Le

from w2s_factory.errors import UserError
from w2s_factory.ranges import Seed, Share, check_fields

SEED: Final[Seed] = 42
"""The seed of the release's draws: of demonstrations, and of pairs where there are several."""

Iteration: TypeAlias = Annotated[int, Ge(1), Le(100)]
"""An iteration of Stage I, or their number; the paper has up to two. Each trains three models."""

FIRST_ITERATION: Final[Iteration] = 1

PaddedSize: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""A number of questions in a padded set; at most as many as the results hold."""

Confidence: TypeAlias = Share
"""The share of a question's samples that have the majority answer."""

PairKind: TypeAlias = Literal["weak", "consistency"]
"""The kinds of preference pairs: of the weak model's responses and samples, as published, or of samples."""

PairControl: TypeAlias = Literal["gold", "random"]
"""Controls of preference pairs, for experiments alone: selected by gold answers, or with random sides."""

PairSet: TypeAlias = Literal[PairKind, PairControl]
"""All sets of pairs that an experiment can train on."""

PAIR_KINDS: Final[tuple[PairKind, ...]] = get_args(PairKind)
PAIR_CONTROLS: Final[tuple[PairControl, ...]] = get_args(PairControl)
PAIR_SETS: Final[tuple[PairSet, ...]] = get_args(PairSet)

PAIRS_WITH_WEAK_SIDE: Final[frozenset[PairSet]] = frozenset({"weak", "random"})
"""Those of which one side is the weak model's response; both sides of the others are samples."""

PairsPerQuestion: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""A number of pairs of one question; at most as many as it has samples."""

PAIRS_PER_QUESTION: Final[PairsPerQuestion] = 1
"""The most pairs of one question in the release's sets for GSM8K."""

Samples: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""A number of responses to one question, each with its own seed and folder; also the k of pass@k."""

Temperature: TypeAlias = Annotated[float, Ge(0), Le(100)]
"""The divisor of the logits before tokens are drawn; at 100 nearly all tokens are equally likely."""

SampledTemperature: TypeAlias = Annotated[Temperature, Gt(0)]
"""A temperature at which responses depend on the seed."""

PUBLISHED_SAMPLES: Final[Samples] = 10
PUBLISHED_TEMPERATURE: Final[SampledTemperature] = 1.0
"""The paper's sampled responses, which vote and give pass@10."""

HeadroomPoints: TypeAlias = Annotated[float, Ge(-100), Le(100)]
"""An accuracy of majority answers less that of greedy answers, in percentage points."""

TopP: TypeAlias = Annotated[float, Gt(0), Le(1)]
"""A share of the probability mass, from which tokens are drawn."""

TopK: TypeAlias = Annotated[int, Ge(0), Le(10_000_000)]
"""A number of likeliest tokens, from which one is drawn; 0 for all of them."""

MinP: TypeAlias = Annotated[float, Ge(0), Le(1)]
"""The share of the likeliest token's probability that a token must have to be drawn; 0 for all tokens."""

PresencePenalty: TypeAlias = Annotated[float, Ge(-2), Le(2)]
"""A number subtracted from the scores of tokens that the response holds; the range of OpenAI's API."""

RepetitionPenalty: TypeAlias = Annotated[float, Gt(0), Le(100)]
"""A divisor of the scores of tokens that the prompt or the response holds already; 1 changes nothing."""

MaxTokens: TypeAlias = Annotated[int, Ge(1), Le(10_000_000)]
"""A length of responses in tokens; the longest contexts of present models hold ten million."""

MAX_TOKENS: Final[MaxTokens] = 1024

RayCpus: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""The number of CPUs that Ray reserves for each device of a training."""

FailedShare: TypeAlias = Share
"""A share of a run's requests that may fail."""

MAX_FAILURES: Final[FailedShare] = 0.01

QuestionCount: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""A number of questions, the first ones of a file; all of them if the file holds fewer."""

DemonstrationCount: TypeAlias = Annotated[int, Ge(1), Le(1_000)]
"""A number of demonstrations in a prompt."""

Timeout: TypeAlias = Annotated[float, Gt(0), Le(3_600)]
"""Seconds that a comparison may take; nearly all take milliseconds, and none needs an hour."""

TIMEOUT: Final[Timeout] = 5.0

Workers: TypeAlias = Annotated[int, Ge(1), Le(1_024)]
"""A number of processes that compare answers at the same time."""

Jobs: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""A number of processor cores, or of concurrent jobs if there is an executor."""


@dataclass(frozen=True, kw_only=True)
class PairThresholds:
    """The thresholds by which Stage II selects questions. The defaults are the release's for GSM8K and MATH.

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
class PairDraws:
    """The number of pairs drawn from a question, and the seed; the defaults are the release's for GSM8K.

    Attributes:
        pairs_per_question: The most pairs of one question.
        seed: The seed of the random generator; one generator draws for all questions.
        drop_duplicates: Whether to leave out a pair that repeats another pair of its question. The published
            MATH files have such pairs.

    Raises:
        UserError: A value is out of its range.
    """

    pairs_per_question: PairsPerQuestion = PAIRS_PER_QUESTION
    seed: Seed = SEED
    drop_duplicates: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class PairRules(PairDraws, PairThresholds):
    """Rules by which Stage II builds pairs from votes; the defaults are the release's for GSM8K."""

    def __post_init__(self) -> None:
        PairThresholds.__post_init__(self)  # which checks the fields of the draws, too


@dataclass(frozen=True, kw_only=True)
class ConsistencyRules(PairDraws):
    """Rules by which consistency pairs are built from votes.

    Attributes:
        min_confidence: The least share of a question's samples that the most frequent answer must have.
    """

    min_confidence: Confidence = PairThresholds.min_confidence
