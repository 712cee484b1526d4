"""Concurrent calls: each result is given when it is finished, a failure after all other results."""

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
    """Call a function with each argument, each in a thread; yield each result when it is finished.

    When a call fails, no further calls are started, the results of the running ones are yielded, and then its
    error is raised. When the iteration is left (Ctrl-C), running calls are not awaited, not even at the end
    of the process: this is why the threads of `concurrent.futures` are not used.

    Args:
        call: The function.
        asks: The arguments.
        most: The largest number of calls at a time.
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
    """Await coroutines in the loop of a runner; yield each result when it is finished.

    A failure is handled as in `by_threads`. When the iteration is left, running coroutines are cancelled.
    """
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
