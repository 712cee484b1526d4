"""Damage to files: flipped bits, cuts, deletion; with or without the time stamp of before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


def flip(content: bytes, draw: Random) -> bytes:
    """Return the content with one bit flipped."""
    changed = bytearray(content)
    if changed:
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(content: bytes, draw: Random) -> bytes:
    """Return the start of the content."""
    return content[: draw.randrange(len(content))] if content else content


def zeros(content: bytes, draw: Random) -> bytes:
    """Return the content with a block of zeros, as a disk has it after a power failure."""
    start = draw.randrange(len(content)) if content else 0
    length = min(draw.randint(1, 4096), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


SPOILED = {"flipped bit": flip, "truncated": cut, "zeros": zeros}


def spoil(path: Path, draw: Random) -> str:
    """Damage a file; return how, in words."""
    how = draw.choice(["flipped bit", "flipped bit", "truncated", "zeros", "deleted"])
    if how == "deleted":
        path.unlink()
        return how
    before, stamp = path.read_bytes(), path.stat()
    after = SPOILED[how](before, draw)
    path.write_bytes(after)
    if draw.random() < 0.5:
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        how += ", time stamp restored"
    return how
