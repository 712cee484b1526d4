"""The cl100k vocabulary of `num_tokens`, where tiktoken has it at hand: nothing is downloaded."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

_NAME = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""Of the vocabulary in tiktoken's cache: the SHA-1 of its address."""

_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"


def has_cl100k() -> bool:
    """Whether tiktoken is installed and has the vocabulary, whole, in its cache."""
    try:
        import tiktoken  # noqa: F401, PLC0415  optional
    except ImportError:
        return False
    vocabulary = _cache() / _NAME
    return vocabulary.is_file() and hashlib.sha256(vocabulary.read_bytes()).hexdigest() == _SHA256


@cache
def cl100k() -> Encoding:
    """The encoding, to be asked for only where `has_cl100k`: else tiktoken would download it."""
    import tiktoken  # noqa: PLC0415  optional

    return tiktoken.get_encoding("cl100k_base")


def _cache() -> Path:
    """Where tiktoken looks first."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable])
    return Path(tempfile.gettempdir(), "data-gym-cache")
