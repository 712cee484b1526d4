"""The checkpoints in the output folder of a training, and the check that one is complete and readable.

transformers resumes from a checkpoint without its optimizer or its random numbers, too, and then trains
other weights than an undisturbed training; and a file that was cut off ends every further attempt.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_CHECKPOINT: Final = re.compile(r"checkpoint-(\d+)")

_STATE: Final = "trainer_state.json"
"""The last file that transformers (5.6) writes into a checkpoint, when all ranks have saved their weights."""

_OPTIMIZER: Final = ("optimizer*", "global_step*", "pytorch_model_fsdp*")
"""Files and folders with the optimizer's state: of transformers, of DeepSpeed, of FSDP."""

_BEFORE_ARCHIVES: Final = b"\x80"
"""The first byte of what `torch.save` wrote before torch 1.6, which says nothing of its length."""


def checkpoints(folder: Path) -> dict[int, Path]:
    """Return the checkpoints of a training, by their steps, the last one first."""
    matches = ((_CHECKPOINT.fullmatch(path.name), path) for path in folder.glob("checkpoint-*"))
    found = {int(match[1]): path for match, path in matches if match and path.is_dir()}
    return dict(sorted(found.items(), reverse=True))


def remove(checkpoint: Path) -> None:
    """Remove a checkpoint.

    Raises:
        UserError: A file of it cannot be removed.
    """
    try:
        shutil.rmtree(checkpoint)
    except OSError as error:
        raise UserError(f"cannot be removed ({error.strerror})", file=checkpoint) from None


def damage(checkpoint: Path, step: int, ranks: int) -> str | None:
    """Return what makes a checkpoint useless; None if it is complete and each of its files can be read.

    All of it is read, some seconds for each GB. A changed bit is found in what torch saved (the optimizer),
    but not in the numbers of a safetensors file, which has no checksum.

    Args:
        checkpoint: The folder.
        step: The step after which it was saved.
        ranks: The number of processes of the training, each of which saves its random numbers.

    Raises:
        UserError: A file cannot be read for another reason than its content.
    """
    if not _passes(lambda file: json.loads(file.read_bytes())["global_step"] == step, checkpoint / _STATE):
        return f"{_STATE} is missing, cut off or of another step"
    if not any(path for pattern in _OPTIMIZER for path in checkpoint.glob(pattern)):
        return "the optimizer's state is missing"
    alone = (checkpoint / "rng_state.pth").is_file()
    if not alone and len(list(checkpoint.glob("rng_state_*.pth"))) < ranks:
        return "random numbers of a process are missing"
    for file in sorted(path for path in checkpoint.rglob("*") if path.is_file()):
        is_whole = _TESTS.get(file.suffix)
        if is_whole is not None and not _passes(is_whole, file):
            return f"{file.relative_to(checkpoint)} is damaged"
    return None


def _passes(is_whole: Callable[[Path], bool], file: Path) -> bool:
    try:
        return is_whole(file)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        return False
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=file) from None


def _is_json(file: Path) -> bool:
    json.loads(file.read_bytes())
    return True


def _is_archive(file: Path) -> bool:
    """Return whether a file of `torch.save`, a zip archive with checksums, is whole."""
    with file.open("rb") as opened:
        if opened.read(1) == _BEFORE_ARCHIVES:
            return True
    with zipfile.ZipFile(file) as archive:
        return archive.testzip() is None


def _is_safetensors(file: Path) -> bool:
    """Return whether a safetensors file is as long as its header says."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > file.stat().st_size:
            return False
        header: Mapping[str, Any] = json.loads(opened.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return file.stat().st_size == 8 + length + max(ends, default=0)


_TESTS: Final = {
    ".json": _is_json,
    ".safetensors": _is_safetensors,
    ".pt": _is_archive,
    ".pth": _is_archive,
    ".bin": _is_archive,
}
