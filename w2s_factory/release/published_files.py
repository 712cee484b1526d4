"""Published files known by path and git hash at the release's commit (`tree.json`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from w2s_factory.records import read_object

_TREE = read_object(Path(__file__).with_name("tree.json"))

REPOSITORY: str = _TREE["repository"]
COMMIT: str = _TREE["commit"]


@dataclass(frozen=True)
class Published:
    """One published file.

    Attributes:
        path: Below the release's root.
        git_hash: Git's blob hash of its bytes.
        size: Its bytes; None where that is not known.
    """

    path: str
    git_hash: str
    size: int | None


FILES = {
    file["path"]: Published(file["path"], file["git_blob_sha1"], file["bytes"]) for file in _TREE["files"]
}
"""The published data files, by path."""


def git_hash(content: bytes) -> str:
    """The hash git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
