"""Comparisons in worker processes, killed after `TIMEOUT` (quantities.py) or above their limit of memory."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pebble import CONSTS, ProcessExpired, ProcessPool

from w2s_factory.answers.limits import Verdict
from w2s_factory.errors import HookError, short
from w2s_factory.processes import address_space, cores
from w2s_factory.quantities import Timeout, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


ItemT = TypeVar("ItemT")
FoundT = TypeVar("FoundT")

_MEMORY = 1024**3
"""Bytes that a worker may use beyond its memory at the start."""

_TICK = 0.02
"""Seconds between two checks of the workers; Pebble's default of 0.1 adds up to 0.3 s to each pool."""

_PR_SET_PDEATHSIG = 1


def run(
    compare: Callable[[str, str], bool],
    pairs: Sequence[tuple[str, str]],
    *,
    timeout: Timeout,
    workers: Workers | None = None,
) -> Iterator[tuple[tuple[str, str], Verdict]]:
    """Yield each pair with its verdict, in order, from worker processes.

    Where a comparison takes more than `timeout` seconds, needs more than 1 GiB or ends its process, the
    verdict is False and names the limit. No worker outlives the iteration, however it ends; on Linux not even
    if this process is killed.

    Args:
        compare: Compares an answer and a reference; importable by its name.
        pairs: Pairs of answer and reference.
        timeout: Seconds that a comparison may take.
        workers: The number of processes; by default one for each core that this process may use.

    Raises:
        HookError: `compare` raises SystemExit.
        Exception: `compare` raises this error.
    """
    with _pool(min(workers or cores(), len(pairs))) as pool:
        futures = [pool.schedule(compare, pair, timeout=timeout) for pair in pairs]
        for pair, future in zip(pairs, futures, strict=True):
            yield pair, _verdict(future, pair)


def in_chunks(
    function: Callable[[Sequence[ItemT]], list[FoundT]],
    chunks: Sequence[Sequence[ItemT]],
    workers: Workers | None = None,
) -> Iterator[list[FoundT]]:
    """Yield what a function returns for each chunk, in order, from worker processes.

    Args:
        function: A function of a chunk; importable by its name.
        chunks: The chunks.
        workers: The number of processes; by default one for each core that this process may use.

    Raises:
        Exception: `function` raises this error.
    """
    with _pool(min(workers or cores(), len(chunks))) as pool:
        for future in [pool.schedule(function, (chunk,)) for chunk in chunks]:
            yield future.result()


@contextmanager
def imports() -> Iterator[None]:
    """Make imports in the block cheap for forked workers: the garbage collector never visits the objects."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


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
    except SystemExit as error:  # it would end the command without a message
        answer, reference = map(short, pair)
        problem = f"comparing {answer} with {reference} raised SystemExit: {error}; expected True or False"
        raise HookError(problem, "equal", pair) from error


def _limit_worker() -> None:
    """Have this worker end at once at SIGTERM or when its parent ends, and limit its memory."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a Python handler would wait for a long computation to end
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415
        import resource  # noqa: PLC0415  not on every platform

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        most = address_space() + _MEMORY
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
