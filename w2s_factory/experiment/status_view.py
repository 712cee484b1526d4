"""The status of a run as lines of text, as `status` prints it, and as `run` draws it while it works."""

from __future__ import annotations

import contextlib
import datetime
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, get_args

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from w2s_factory.errors import one_line
from w2s_factory.experiment.run_lock import Activity
from w2s_factory.experiment.status import COMPLETE, RunReader, StepState
from w2s_factory.terminal import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from w2s_factory.experiment.status import RunStatus, StepStatus

_STYLES: Final[dict[StepState, str]] = {
    "waiting": "dim",
    "running": "bold cyan",
    "done": "green",
    "failed": "bold red",
    "restored": "green",
}
"""The look of a step's state on a terminal."""

_RANKS: Final[dict[StepState, int]] = {"failed": 0, "running": 1, "waiting": 2, "done": 3, "restored": 3}
"""The order in which steps are shown where there is no room for all."""

_STATE: Final = max(map(len, get_args(StepState)))

_SHORTEST: Final = 8
"""The columns that a name has on the narrowest terminal, and a time on all."""

_LONGEST: Final = 100 * 365 * 86_400.0
"""Seconds from which on a time is not written: a damaged file says so."""

_NOTABLE: Final = 10.0
"""Seconds from which on it is said that a step takes longer than others did: short ones vary."""

EVERY: float = 1.0
"""Seconds between two looks at the files of a run that is drawn."""


def print_status(status: RunStatus) -> None:
    """Print a status: on a terminal as much as fits its size, elsewhere all steps in whole lines."""
    if sys.stdout is None:
        return
    if not is_terminal(sys.stdout):
        sys.stdout.writelines(f"{line.plain}\n" for line in status_lines(status))
        return
    console = Console(highlight=False)
    console.print(Group(*status_lines(status, console.size.height - 1, console.size.width)))


def status_lines(
    status: RunStatus, room: int | None = None, columns: int | None = None, *, ended: bool = False
) -> list[Text]:
    """Return a status as lines: the run, then its steps in the order of the plan.

    Args:
        status: The status.
        room: The most lines; None for all. Failed, running and next steps come first, the rest is counted.
        columns: The columns that a terminal has for a line; None for whole lines. Names of steps are
            shortened before their times; of other lines the end is cut, where the least important is.
        ended: Whether to leave out that no run is active, which says that one has ended.
    """
    status = _printable(status)
    head = [_summary(status), *([] if ended and not status.complete else [_activity(status)])]
    head += _unmeasured(status)
    left = None if room is None else max(room - len(head), 1)
    shown = _selected(status.steps, left)
    width = _name_width(shown, columns)
    lines = [line for step in shown for line in _step_lines(step, width)]
    return [_fitting(line) for line in (*head, *lines, *_rest(status, shown))]


def _printable(status: RunStatus) -> RunStatus:
    """Return a status without control characters in what is printed: a folder may be another user's."""
    steps = tuple(
        replace(step, name=one_line(step.name), log=one_line(step.log), job=step.job and one_line(step.job))
        for step in status.steps
    )
    return replace(
        status,
        name=one_line(status.name),
        host=one_line(status.host),
        steps=steps,
        unmeasured=tuple(map(one_line, status.unmeasured)),
        jobs_left=status.jobs_left and tuple(map(one_line, status.jobs_left)),
    )


def _fitting(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _name_width(steps: Sequence[StepStatus], columns: int | None) -> int:
    """Return the columns for the names of steps: those of the longest, or what their times leave."""
    longest = max((len(step.name) for step in steps), default=0)
    if columns is None:
        return longest
    times = [len(clock(step.seconds)) for step in steps if step.seconds is not None]
    return min(longest, max(columns - _STATE - 6 - max([_SHORTEST, *times]), _SHORTEST))


def _within(name: str, width: int) -> str:
    """Return a name, without its middle if it is longer than a width."""
    if len(name) <= width:
        return name
    end = width // 2
    return f"{name[: width - end - 1]}\N{HORIZONTAL ELLIPSIS}{name[-end:]}"


def _summary(status: RunStatus) -> Text:
    return Text(f"{status.name}: {_steps(len(status.steps))}, {_in_words(status.counts)}", style="bold")


def _in_words(counts: Mapping[StepState, int]) -> str:
    """Return the numbers of steps by state in words, the complete ones first."""
    order = sorted(counts, key=lambda state: -_RANKS[state])
    return ", ".join(f"{counts[state]:,} {state}" for state in order if counts[state])


def _steps(count: int) -> str:
    return f"{count:,} {'step' if count == 1 else 'steps'}"


def _activity(status: RunStatus) -> Text:
    """Return the line that says whether a run is active, for how long, and what remains."""
    if status.active is False:
        return Text(_at_rest(status))
    parts = ["active" if status.active else "may be active"]
    if status.seconds is not None:
        parts[0] += f" for {clock(status.seconds)}"
    if status.remaining_seconds is not None and not status.complete:
        about = "at least" if status.unmeasured else "about"
        parts.append(f"{about} {clock(status.remaining_seconds)} left")
    if status.active is None and status.quiet_seconds is not None:
        parts.append(f"last wrote to a log {clock(status.quiet_seconds)} ago")
    if status.process is not None:
        parts.append(f"process {status.process} on {status.host}")
    return Text("; ".join(parts))


def _at_rest(status: RunStatus) -> str:
    if status.processes_left:
        count = "a process" if status.processes_left == 1 else f"{status.processes_left} processes"
        return f"no run is active, but a killed one left {count}; the same `run` command ends them first"
    if status.jobs_left is None:
        return "no run is active; its jobs may go on in Slurm, which does not answer"
    if status.jobs_left:
        return f"no run is active, but its jobs in Slurm go on: {', '.join(status.jobs_left)}"
    return "complete" if status.complete else "no run is active; the same `run` command continues"


def _unmeasured(status: RunStatus) -> Iterator[Text]:
    """Yield the line that names what the remaining time lacks, if it lacks something."""
    if status.unmeasured:
        lacks = "not counting" if status.remaining_seconds is not None else "time left not known:"
        yield Text(f"{lacks} {', '.join(status.unmeasured)} (none measured yet)")


def _step_lines(step: StepStatus, width: int) -> list[Text]:
    """Return the lines of a step: its state, name and time, and for a running or failed one its details."""
    name = f"  {_within(step.name, width):<{width}}"
    line = Text.assemble((f"  {step.state:<{_STATE}}", _STYLES[step.state]), name)
    if step.seconds is not None:
        line.append(f"  {clock(step.seconds):>{_SHORTEST}}", style="dim" if step.state in COMPLETE else "")
    line.rstrip()
    details = "; ".join(_details(step))
    return [line, Text(f"{'':{_STATE + 4}}{details}")] if details else [line]


def _details(step: StepStatus) -> Iterator[str]:
    if step.state == "failed":
        yield f"log: {step.log}"
    if step.state == "waiting" and step.job:
        yield f"job {step.job} waits in Slurm's queue"
    if step.state != "running":
        return
    if step.responses is not None:
        yield f"{step.responses.done:,} of {step.responses.total:,} responses"
    if step.training is not None:
        yield f"step {step.training.step:,} of {step.training.total:,}"
    if step.remaining_seconds is None:
        yield "time left not known yet"
    elif step.remaining_seconds > 0:
        yield f"about {clock(step.remaining_seconds)} left"
    elif (step.seconds or 0.0) > _NOTABLE and step.responses is None and step.training is None:
        yield "takes longer than such steps did"
    yield from _measured(step)
    if step.job:
        yield f"job {step.job}"


def _measured(step: StepStatus) -> Iterator[str]:
    """Yield the pace of a generation, in tokens if they are known, or the loss of a training."""
    if step.training is not None and step.training.loss is not None:
        yield f"loss {step.training.loss:.4g}"
    if step.responses is None or step.responses.per_second is None:
        return
    tokens = step.responses.tokens_per_second
    yield f"{step.responses.per_second:,.3g} responses/s" if tokens is None else f"{tokens:,.0f} tokens/s"


def _selected(steps: Sequence[StepStatus], room: int | None) -> list[StepStatus]:
    """Return the steps for which there is room, in order: failed, running, next ones, and the last complete.

    One line is left for the number of the others.
    """
    if room is None or sum(map(_height, steps)) <= room:
        return list(steps)
    ranked = sorted(range(len(steps)), key=lambda index: _rank(steps[index], index))
    chosen, free = set(), room - 1
    for index in ranked:
        if _height(steps[index]) > free:
            break
        chosen.add(index)
        free -= _height(steps[index])
    return [step for index, step in enumerate(steps) if index in chosen]


def _rank(step: StepStatus, index: int) -> tuple[int, int]:
    """Return the place of a step where not all can be shown; of complete ones the last come first."""
    return _RANKS[step.state], -index if step.state in COMPLETE else index


def _height(step: StepStatus) -> int:
    return 2 if any(True for _ in _details(step)) else 1


def _rest(status: RunStatus, shown: Sequence[StepStatus]) -> Iterator[Text]:
    """Yield a line with the number of steps that are not shown, by their state."""
    states = [step.state for step in shown]
    counts = {state: count - states.count(state) for state, count in status.counts.items()}
    if any(counts.values()):
        yield Text(f"  and {_in_words(counts)}", style="dim")


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds (`1:02:03`)."""
    if not seconds < _LONGEST:
        return "over 100 years"
    return str(datetime.timedelta(seconds=int(seconds)))


@contextmanager
def drawn(folder: Path, stays: Callable[[], bool] = lambda: True) -> Iterator[bool]:
    """Draw the steps of the run in a folder on stderr until the block ends, if it is a terminal that can.

    What is printed meanwhile appears above.

    Args:
        folder: The folder, with the plan of the run in it.
        stays: Returns, at the end of the block, whether the last state stays on the terminal.

    Yields:
        Whether they are drawn.
    """
    console = Console(stderr=True, highlight=False)
    if not (is_terminal(sys.stderr) and console.is_interactive) or console.is_dumb_terminal:
        yield False
        return
    reader, stop = RunReader(folder, Activity(active=True)), threading.Event()
    live = Live(console=console, auto_refresh=False)
    thread = threading.Thread(target=_draw_until, args=(stop, reader, live), daemon=True)
    live.start()
    try:
        thread.start()
        yield True
    finally:
        stop.set()
        try:
            thread.join()
            reader.activity, live.transient = Activity(active=False), not stays()
            _draw(reader, live, ended=True)
        finally:
            with contextlib.suppress(OSError):  # the terminal may be gone
                live.stop()


def _draw_until(stop: threading.Event, reader: RunReader, live: Live) -> None:
    while not stop.is_set():
        _draw(reader, live)
        stop.wait(EVERY)


def _draw(reader: RunReader, live: Live, *, ended: bool = False) -> None:
    """Draw the status now; what cannot be read or drawn is left to the next time."""
    size = live.console.size
    with contextlib.suppress(Exception):  # the run goes on whatever becomes of its display
        lines = status_lines(reader.read(), size.height - 1, size.width, ended=ended)
        live.update(Group(*lines), refresh=True)
