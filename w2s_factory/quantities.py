"""The numbers that users set, each with its range and the default that commands and functions share.

They are separate from the modules that use them, so that the help of a command loads none of those.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from annotated_types import Ge, Gt, Le

from w2s_factory.ranges import Seed, Share

SEED: Final[Seed] = 42
"""The seed of the release's draws: of demonstrations, and of pairs where there are several."""

Iteration: TypeAlias = Annotated[int, Ge(1), Le(100)]
"""An iteration of Stage I, or their number; the paper has up to two. Each trains three models."""

PaddedSize: TypeAlias = Annotated[int, Ge(1), Le(1_000_000_000)]
"""A number of questions in a padded set; at most as many as the results hold."""

Confidence: TypeAlias = Share
"""The share of a question's samples that have the majority answer."""

MIN_CONFIDENCE: Final[Confidence] = 0.6
NEGATIVE_CONFIDENCE: Final[Confidence] = 0.8
"""The release's value for GSM8K and MATH."""

PairsPerQuestion: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""A number of pairs of one question; at most as many as it has samples."""

Samples: TypeAlias = Annotated[int, Ge(1), Le(10_000)]
"""A number of responses to one question, each with its own seed and folder; also the k of pass@k."""

Temperature: TypeAlias = Annotated[float, Ge(0), Le(100)]
"""The divisor of the logits before tokens are drawn; at 100 nearly all tokens are equally likely."""

SampledTemperature: TypeAlias = Annotated[Temperature, Gt(0)]
"""A temperature at which responses depend on the seed."""

TopP: TypeAlias = Annotated[float, Gt(0), Le(1)]
"""A share of the probability mass, from which tokens are drawn."""

MaxTokens: TypeAlias = Annotated[int, Ge(1), Le(10_000_000)]
"""A length of responses in tokens; the longest contexts of present models hold ten million."""

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
