"""The progress of a workflow, read from the lines of Snakemake and of its executor for Slurm."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVERYTHING: Final = "everything"
"""The rule that is not a step: it asks for all files."""

Event: TypeAlias = Literal["started", "finished", "failed"]
"""The last thing that Snakemake prints about a step."""


class Submission(NamedTuple):
    """A step's job in Slurm.

    Attributes:
        job: The number of the job.
        log: Slurm's log of it.
    """

    job: str
    log: Path


_COMMAND = re.compile(r"  Command: (.+)")
_REPEATED = re.compile(r" --forcerun ((?:\w+ )+)--snakefile ")
_BUILDS = re.compile(r"Building DAG of jobs\.\.\.$")
_CARRIES_OUT = re.compile(r"Using shell: ")
_PROVIDES = re.compile(r"Provided (cores|remote nodes): (\d{1,9})\b")
_PROVIDES_GPUS = re.compile(r"Provided resources: .*\bgpu=\D*(\d{1,9})\b")
_TABLE = re.compile(r"job +count$")
_LISTED = re.compile(r"(\w+) +\d+$")
_TOTAL = re.compile(r"total +(\d{1,9})\s*$")
_BEGINS = re.compile(r"(?:local)?rule (\w+):")
_NUMBER = re.compile(r" +jobid: (\d+)$")
_ENDS = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_FAILS = re.compile(r"Error in rule (\w+)")
_REFUSES = re.compile(r"(?:\S+: error: |Error: (?=Error parsing ))(.+)")
_SUBMITS = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\w+) \(log: (.+)\)\.")
_NOT_SUBMITTED = re.compile(r" +message: *(SLURM sbatch failed\..*|Job submission failed .*)")


@dataclass
class Progress:
    """The state of a workflow, read from the lines that Snakemake (9) and its executor for Slurm (2.8) print.

    Its log holds the lines of all calls for a folder, one after the other; each call lists again what is to
    do. A call counts once it has named the shell of its steps: no call does that only shows what is to do
    (`-- -n`), or has nothing to do. The times that Snakemake prints have no time zone and are not read.

    Attributes:
        names: Step names by rule.
        tell: The function that gets a line for each step that starts or ends.
        logs: The logs of steps by rule; a step's start is passed to `tell` if its log is here.
        starts: What a step does when Snakemake starts it, if an executor may send it elsewhere.
        total: The number of steps to do.
        done: The number of finished steps.
        failed: The rules that failed.
        refused: Snakemake's message about arguments that it refuses; "" if there is none.
        carries_out: Whether the last call counts.
        command: Snakemake's command line in the last call that counts; the following are of this call, too.
        limits: How much it may use at the same time: `cores`, or `jobs` with an executor, and `gpu`.
        listed: The rules that the last call has to do.
        events: The last event of each rule in the last call.
        restored: The rules that were last done alone, to restore damaged files.
        active: The last job in Slurm of each rule that has one and whose end Snakemake has not noticed.
        submitted: The last job in Slurm of each rule in the last call, also after its end.
        not_submitted: The executor's message about each rule whose job Slurm did not accept.
    """

    names: Mapping[str, str]
    tell: Callable[[str], None]
    logs: Mapping[str, Path] = field(default_factory=dict)
    starts: str = "starts"
    total: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)
    refused: str = ""
    carries_out: bool = True
    command: str = ""
    limits: dict[str, int] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    events: dict[str, Event] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    active: dict[str, Submission] = field(default_factory=dict)
    submitted: dict[str, Submission] = field(default_factory=dict)
    not_submitted: dict[str, str] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _rules: dict[str, str] = field(default_factory=dict)
    _rule: str = ""
    _repeated: frozenset[str] = frozenset()
    _in_table: bool = False
    _announced: str = ""

    def take(self, line: str) -> None:
        """Update the state from a line."""
        line = line.rstrip("\n")
        if match := _COMMAND.match(line):
            self._announced = match[1]
        elif _BUILDS.match(line):
            self.carries_out = False
        elif _CARRIES_OUT.match(line):
            self._call(self._announced)
        elif match := _TOTAL.match(line):
            self.total, self._in_table = int(match[1]) - 1, False
        elif match := _REFUSES.match(line):
            self.refused = shortened(match[1])
        elif self.carries_out:
            self._take_event(line)

    def _call(self, command: str) -> None:
        """Start over for another call of Snakemake, which carries out steps."""
        repeated = _REPEATED.search(command)
        self.command, self._repeated = command, frozenset(repeated[1].split() if repeated else ())
        self.carries_out, self.limits = True, {}
        self.listed, self.events, self.failed = set(), {}, []
        self.active, self.submitted, self.not_submitted, self._rules = {}, {}, {}, {}

    def _take_event(self, line: str) -> None:
        if _TABLE.match(line):
            self._in_table = True
        elif self._in_table and (match := _LISTED.match(line)):
            self.listed.add(match[1])
        elif match := _PROVIDES.match(line):
            self.limits["cores" if match[1] == "cores" else "jobs"] = int(match[2])
        elif match := _PROVIDES_GPUS.match(line):
            self.limits["gpu"] = int(match[1])
        elif match := _BEGINS.match(line):
            self._begin(match[1], "starts" if line.startswith("local") else self.starts)
        elif (match := _ENDS.match(line)) and match[1] != EVERYTHING:
            self._end(match[1])
        elif match := _FAILS.match(line):
            self._fail(match[1])
        else:
            self._take_job(line)

    def _take_job(self, line: str) -> None:
        if match := _NUMBER.match(line):
            self._rules[match[1]] = self._rule
        elif (match := _SUBMITS.match(line)) and match[1] in self._rules:
            rule = self._rules[match[1]]
            self.active[rule] = self.submitted[rule] = Submission(match[2], Path(match[3]))
        elif match := _NOT_SUBMITTED.match(line):
            self.not_submitted[self._rule] = shortened(match[1])

    def _begin(self, rule: str, starts: str) -> None:
        self._rule = rule
        if rule == EVERYTHING:
            return
        self.events[rule], self._since[rule] = "started", time.monotonic()
        if rule in self.logs:
            self.tell(f"{self.names.get(rule, rule)} {starts}; its log: {self.logs[rule]}")

    def _end(self, rule: str) -> None:
        self.active.pop(rule, None)
        self.done += 1
        self.events[rule] = "finished"
        (self.restored.add if rule in self._repeated else self.restored.discard)(rule)
        took = time.monotonic() - self._since.get(rule, time.monotonic())
        width = len(str(self.total))
        self.tell(f"[{self.done:>{width}}/{self.total}] {self.names.get(rule, rule)}  {took:.1f} s")

    def _fail(self, rule: str) -> None:
        self._rule = rule
        self.active.pop(rule, None)
        self.events[rule] = "failed"
        if rule not in self.failed:
            self.failed.append(rule)
