"""What is asked of safetensors and torch when weights are checked; the real torch takes seconds to import."""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path
from types import SimpleNamespace


@contextlib.contextmanager
def safe_open(file, framework):
    text = Path(file).read_bytes()
    (length,) = struct.unpack("<Q", text[:8])
    yield SimpleNamespace(
        keys=json.loads(text[8 : 8 + length]).keys,
        get_tensor=lambda _: SimpleNamespace(is_floating_point=lambda: False),
    )
