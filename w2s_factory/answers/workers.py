"""Comparisons in processes of their own, which are killed when they take too long or too much."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pebble import CONSTS, ProcessExpired, ProcessPool

from w2s_factory.answers.limits import Verdict
from w2s_factory.errors import HookError, short
from w2s_factory.quantities import Timeout, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


_MEMORY = 1024**3
"""Bytes a worker may take beyond what it starts with."""

_TICK = 0.02
"""Seconds between two looks of the pool at its workers; Pebble's own tenth adds up to 0.3 s to each pool."""

_PR_SET_PDEATHSIG = 1


def run(
    compare: Callable[[str, str], bool],
    pairs: Sequence[tuple[str, str]],
    *,
    timeout: Timeout,
    workers: Workers | None = None,
) -> Iterator[tuple[tuple[str, str], Verdict]]:
    """The verdict on each pair, in order, from worker processes.

    A comparison that outlasts `timeout` seconds, needs more than 1 GiB or kills its process is wrong and
    says so in its verdict. No worker outlives the iteration, however it ends (on Linux not even where this
    process is killed).

    Args:
        compare: Compares a prediction and a gold; importable by its name.
        pairs: Predictions and golds.
        timeout: Seconds a comparison may take.
        workers: Processes at once; by default one for each core this process may use.

    Raises:
        HookError: `compare` raises SystemExit.
        Exception: Whatever else `compare` raises.
    """
    with _pool(min(workers or cores(), len(pairs))) as pool:
        futures = [pool.schedule(compare, pair, timeout=timeout) for pair in pairs]
        for pair, future in zip(pairs, futures, strict=True):
            yield pair, _verdict(future, pair)


@contextmanager
def imports() -> Iterator[None]:
    """Import what forked workers share: no garbage is collected meanwhile, nor later in what was imported."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPool]:
    CONSTS.sleep_unit = min(CONSTS.sleep_unit, _TICK)
    # A fork has SymPy imported already, and needs no guarded main module of the user's.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    pool = ProcessPool(workers, initializer=_limit_worker, context=context)
    try:
        yield pool
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _verdict(future: Any, pair: tuple[str, str]) -> Verdict:
    try:
        return Verdict(future.result())
    except TookTooLong:
        return Verdict(False, "time")
    except MemoryError:
        return Verdict(False, "memory")
    except ProcessExpired:
        return Verdict(False, "crash")
    except SystemExit as error:  # it would end the command without a word
        pred, gold = map(short, pair)
        problem = f"comparing {pred} with {gold} raised SystemExit: {error}; expected True or False"
        raise HookError(problem, "equal", pair) from error


def _limit_worker() -> None:
    """Die at once when told to or when the parent dies, and take no more memory than is given."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a Python handler would wait for the end of a long sum
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415
        import resource  # noqa: PLC0415  not on every platform

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + _MEMORY
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
