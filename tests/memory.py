"""The memory that a function needs at most."""

from __future__ import annotations

import gc
import tracemalloc


def peak(function) -> int:
    """Bytes that Python objects take at most while a function runs."""
    gc.collect()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
