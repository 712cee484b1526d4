"""Where a dataset's file and its `dataset_info.json` lie: in one folder, or as in the release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import dataset_info

LAYOUTS = ("folder", "release")

RELEASE_DATA = PurePosixPath("data/llama_factory")
"""Where the release keeps its datasets, below its root."""


@dataclass(frozen=True)
class Location:
    """Where one dataset goes.

    Attributes:
        file: The dataset's file.
        file_name: What its entry calls it, relative to `dataset_dir`.
        indexes: Every `dataset_info.json` that gets the entry.
        dataset_dir: The folder to name to LLaMA-Factory, absolute.
    """

    file: Path
    file_name: str
    indexes: tuple[Path, ...]
    dataset_dir: Path


def place(layout: str, output_dir: str | Path, folder: str, name: str) -> Location:
    """Where a dataset goes in a layout.

    `folder` puts file and index beside each other in `output_dir`. `release` takes `output_dir` for the
    release's root and puts the file in `data/llama_factory/FOLDER`. There the release's own index names
    files from the root, which LLaMA-Factory finds only if `dataset_dir` is the root; so the root gets
    the same index, from the first of `indexes` where it has none yet.

    Args:
        layout: `folder` or `release`.
        output_dir: The folder, or the release's root.
        folder: The task's folder in the release (`gsm8k`).
        name: The file's own name.

    Raises:
        UserError: There is no such layout.
    """
    root = Path(output_dir).expanduser().absolute()
    if layout == "folder":
        return Location(root / name, name, (root / dataset_info.NAME,), root)
    if layout == "release":
        file_name = str(RELEASE_DATA / folder / name)
        indexes = (root / RELEASE_DATA / dataset_info.NAME, root / dataset_info.NAME)
        return Location(root / file_name, file_name, indexes, root)
    raise UserError(f'no layout "{layout}"', hint=f"Layouts: {', '.join(LAYOUTS)}")


def root_of(layout: str, file: str | Path, folder: str) -> Path:
    """The folder to hand to `place` so that a dataset lies at `file`.

    Raises:
        UserError: In the `release` layout, `file` does not lie in `data/llama_factory/FOLDER`.
    """
    file = Path(file).expanduser().absolute()
    if layout != "release":
        return file.parent
    inside = RELEASE_DATA / folder
    if not file.parent.as_posix().endswith(f"/{inside}"):
        raise UserError(f"in the layout release this file belongs in {inside}", file=file)
    return file.parents[len(inside.parts)]
