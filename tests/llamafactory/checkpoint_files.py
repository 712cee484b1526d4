"""A checkpoint as transformers and torch write it, made without them."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def archive(file: Path, content: bytes = b"numbers" * 40) -> None:
    """Write a file as `torch.save` does: a zip archive that is not compressed."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as written:
        written.writestr(f"{file.stem}/data.pkl", b"pickled")
        written.writestr(f"{file.stem}/data/0", content)


def safetensors(file: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {}})
    file.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))


def checkpoint(folder: Path, step: int, ranks: int = 1) -> Path:
    """Write a whole checkpoint of an adapter."""
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    safetensors(made / "adapter_model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "training_args.bin"):
        archive(made / name)
    for rank in range(ranks):
        archive(made / (f"rng_state_{rank}.pth" if ranks > 1 else "rng_state.pth"))
    (made / "adapter_config.json").write_text("{}")
    (made / "trainer_state.json").write_text(json.dumps({"global_step": step, "loss": float("nan")}))
    return made
