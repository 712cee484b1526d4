"""Many calls at a time: each result when it is there, a failure only when no result is lost by it."""

from __future__ import annotations

import asyncio
import threading
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

AskT = TypeVar("AskT")
ResultT = TypeVar("ResultT")


class _Outcome(NamedTuple):
    result: Any
    error: BaseException | None


def by_threads(call: Callable[[AskT], ResultT], asks: Iterable[AskT], most: int) -> Iterator[ResultT]:
    """Call with each of `asks`, `most` at a time, each in a thread, and give each result when it is there.

    When a call fails no further ones are begun, the results of those under way are given, and then its
    error is raised. Calls under way when the iteration is left (Ctrl-C) are not waited for, not even at
    the end of the process: that is why these are not the threads of `concurrent.futures`.
    """
    waiting, running, failed = iter(asks), 0, None
    finished: SimpleQueue[_Outcome] = SimpleQueue()
    while True:
        for ask in islice(waiting, 0 if failed else most - running):
            threading.Thread(target=_finish, args=(call, ask, finished), daemon=True).start()
            running += 1
        if not running:
            break
        outcome = finished.get()
        running -= 1
        if outcome.error is None:
            yield outcome.result
        else:
            failed = failed or outcome.error
    if failed:
        raise failed


def by_tasks(
    runner: asyncio.Runner, calls: Iterator[Coroutine[Any, Any, ResultT]], most: int
) -> Iterator[ResultT]:
    """As `by_threads`, for coroutines in the loop of `runner`: those under way when left are cancelled."""
    running: set[asyncio.Task[ResultT]] = set()
    failed: BaseException | None = None
    try:
        while True:
            for call in islice(calls, 0 if failed else most - len(running)):
                running.add(runner.get_loop().create_task(call))
            if not running:
                break
            done, running = runner.run(asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))
            for task in done:
                if (error := task.exception()) is None:
                    yield task.result()
                else:
                    failed = failed or error
    finally:
        for task in running:
            task.cancel()
        if running:
            runner.run(asyncio.wait(running))
    if failed:
        raise failed


def _finish(call: Callable[[AskT], Any], ask: AskT, finished: SimpleQueue[_Outcome]) -> None:
    try:
        finished.put(_Outcome(call(ask), None))
    except BaseException as error:  # noqa: BLE001  raised where the results are taken
        finished.put(_Outcome(None, error))
