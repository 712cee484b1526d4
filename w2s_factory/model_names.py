"""Names of models and adapters: which can only mean a folder, and which a name on the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PATH: Final = re.compile(r"/|~|\.{1,2}(/|$)")
_ON_HUB: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_path(name: str | Path, base: Path | None = None) -> bool:
    """Return whether a name can only mean a folder, be it there or not.

    So it is where it begins with `/`, `./`, `../` or `~`, and for `FOLDER/NAME` where there is such a folder.

    Args:
        name: A folder or a name on the hub.
        base: Where relative paths begin; the working folder if None.
    """
    text = str(name)
    if _PATH.match(text):
        return True
    return "/" in text and (Path(base or "") / text).parent.is_dir()


def is_missing(name: str | Path, base: Path | None = None) -> bool:
    """Return whether a name can only mean a folder and there is no such folder."""
    return is_path(name, base) and not (Path(base or "") / Path(name).expanduser()).is_dir()


def on_hub(name: str | Path) -> bool:
    """Return whether weights are taken for a name on the hub (`NAME` or `OWNER/NAME`).

    What exists here is not, nor is `FOLDER/NAME` where there is such a folder: it is yet to be made.
    """
    text = str(name)
    return bool(_ON_HUB.fullmatch(text)) and not Path(text).exists() and not is_path(text)
