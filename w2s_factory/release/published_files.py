"""The published data files, with their paths and git hashes at the known commit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from w2s_factory.records import read_object

_TREE = read_object(Path(__file__).with_name("published_files.json"))

REPOSITORY: str = _TREE["repository"]
COMMIT: str = _TREE["commit"]


@dataclass(frozen=True)
class Published:
    """A published data file.

    Attributes:
        path: The path below the release's root.
        git_hash: Git's blob hash of its content.
        size: The size in bytes; None if not known.
    """

    path: str
    git_hash: str
    size: int | None


FILES = {
    file["path"]: Published(file["path"], file["git_blob_sha1"], file["bytes"]) for file in _TREE["files"]
}
"""The published data files, by path."""


def git_hash(content: bytes) -> str:
    """Return the hash git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
