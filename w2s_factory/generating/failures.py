"""Failed requests of a run: those that the engine refused, and how many of them end the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.errors import DelegateError, UserError
    from w2s_factory.generating.part import Part
    from w2s_factory.quantities import FailedShare
    from w2s_factory.records import Demonstration, Id

_SHOWN = 3
"""The number of ids that a message names."""


_LENGTH = ("context", "too long", "maximum model length", "max_model_len")
"""Words of a reason that mean that a prompt is too long."""


class Failures:
    """The failed requests of a run.

    Args:
        parts: The parts of the run.
        share: The share of all requests that may fail, rounded up to whole requests: a single bad request
            ends no run. Below 1, a run of which every request fails ends in any case.
        demonstrations: The demonstrations in the prompts, which may be what makes them too long.
    """

    def __init__(
        self, parts: Sequence[Part], share: FailedShare, demonstrations: Sequence[Demonstration] = ()
    ) -> None:
        self._parts, self._share, self._demonstrations = parts, share, demonstrations
        self._requests = sum(len(part.requests) for part in parts)
        most = self._requests if share == 1 else self._requests - 1
        self._allowed = min(math.ceil(share * self._requests), most)

    @property
    def count(self) -> int:
        """The number of failed requests."""
        return sum(len(part.failed) for part in self._parts)

    def __str__(self) -> str:
        failed = [(name, reason) for part in self._parts for name, reason in part.failed.items()]
        names = ids_shown([name for name, _ in failed])
        reason = f"{'the first: ' if len(failed) > 1 else ''}{failed[0][1]}"
        return f"{self.count:,} of {self._requests:,} requests failed (id {names}; {reason}{self._shown})"

    @property
    def _shown(self) -> str:
        """The length of the demonstrations in words, if the first failed prompt was too long with them."""
        if not self._demonstrations or not self._too_long:
            return ""
        length = sum(len(shown["prompt"]) + len(shown["response"]) for shown in self._demonstrations)
        return f"; its {len(self._demonstrations):,} demonstrations have {length:,} characters"

    @property
    def _too_long(self) -> bool:
        """Whether the reason of the first failure is the length, as the engines and servers word it."""
        reason = next((reason for part in self._parts for reason in part.failed.values()), "")
        return any(word in reason.lower() for word in _LENGTH)

    def check(self, kind: type[UserError | DelegateError]) -> None:
        """Check that no more requests failed than may.

        Raises:
            UserError: Too many failed, and `kind` is this class: it is known before the first request.
            DelegateError: Too many failed, and `kind` is this class.
        """
        if self.count <= self._allowed:
            return
        problem = f"{self}, more than --max-failures {self._share:g} allows ({self._allowed:,})"
        hint = "Remove the cause, or raise --max-failures; --retry-failed asks again"
        if self._shown:
            hint = "Give fewer or shorter demonstrations and --restart, or raise --max-failures"
        raise kind(problem, hint=hint, topic="failed-requests")


def ids_shown(ids: Sequence[Id]) -> str:
    """Return the first few ids for a message."""
    return ", ".join(map(repr, ids[:_SHOWN])) + (" ..." if len(ids) > _SHOWN else "")
