"""What Snakemake says, told in our words: a line for each finished step; what failed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOTAL = re.compile(r"total +(\d+)")
_BEGINS = re.compile(r"(?:local)?rule (\w+):")
_ENDS = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_FAILS = re.compile(r"Error in rule (\w+)")
_REFUSES = re.compile(r"(?:\S+: error: |Error: (?=Error parsing ))(.+)")
EVERYTHING = "everything"
"""The rule that has no step: it asks for all files."""


@dataclass
class Progress:
    """The state of a workflow, from the lines Snakemake (9) writes.

    Attributes:
        names: Step by rule.
        tell: Given a line for each finished step.
        total: How many steps there are to do.
        done: How many are.
        failed: The rules that failed.
        refused: What it says of arguments that it does not take; "" if nothing.
    """

    names: Mapping[str, str]
    tell: Callable[[str], None]
    total: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)
    refused: str = ""
    _since: dict[str, float] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Take a line into account."""
        if match := _TOTAL.match(line):
            self.total = int(match[1]) - 1
        elif match := _BEGINS.match(line):
            self._since[match[1]] = time.monotonic()
        elif (match := _ENDS.match(line)) and match[1] != EVERYTHING:
            self._end(match[1])
        elif (match := _FAILS.match(line)) and match[1] not in self.failed:
            self.failed.append(match[1])
        elif match := _REFUSES.match(line):
            self.refused = shortened(match[1])

    def _end(self, rule: str) -> None:
        self.done += 1
        took = time.monotonic() - self._since.get(rule, time.monotonic())
        width = len(str(self.total))
        self.tell(f"[{self.done:>{width}}/{self.total}] {self.names.get(rule, rule)}  {took:.1f} s")
