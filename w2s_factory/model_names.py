"""Names of models and adapters, which can mean a folder or a name on the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PATH: Final = re.compile(r"/|~|\.{1,2}(/|$)")
_ON_HUB: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_path(name: str | Path, base: Path | None = None) -> bool:
    """Return whether a name can only mean a folder, whether or not this exists.

    This is so if it begins with `/`, `./`, `../` or `~`, and for `FOLDER/NAME` if FOLDER exists.

    Args:
        name: A folder or a name on the hub.
        base: The folder to which paths are relative; the working folder if None.
    """
    text = str(name)
    if _PATH.match(text):
        return True
    return "/" in text and (Path(base or "") / text).parent.is_dir()


def is_missing(name: str | Path, base: Path | None = None) -> bool:
    """Return whether a name can only mean a folder, and this does not exist."""
    return is_path(name, base) and not (Path(base or "") / Path(name).expanduser()).is_dir()


def on_hub(name: str | Path) -> bool:
    """Return whether a name means a model on the hub (`NAME` or `OWNER/NAME`).

    It does not if such a file or folder exists, nor for `FOLDER/NAME` if FOLDER exists: a command may yet
    create it.
    """
    text = str(name)
    return bool(_ON_HUB.fullmatch(text)) and not Path(text).exists() and not is_path(text)
