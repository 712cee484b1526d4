"""The long description of a built package: the README, whose links to files of a clone become plain text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

IN_A_CLONE = re.compile(r"\[([^\]]+)\]\((?!https?://|#)[^)]+\)")
"""A Markdown link to a file next to the README, which an index does not have."""


class LongDescription(MetadataHookInterface):
    """The hook that sets `readme` when a package is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` in the project's metadata."""
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": IN_A_CLONE.sub(r"\1", text)}
