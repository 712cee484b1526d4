"""Trainings and merges whose weights follow from settings, data and earlier weights, as real ones do."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from pathlib import Path

import yaml

DECIDING = ("learning_rate", "max_steps", "num_train_epochs", "seed", "stage")


def main() -> None:
    verb, file, *_ = sys.argv[1:]  # the rest says that old weights may be overwritten
    config = yaml.safe_load(Path(file).read_text())
    learnt = hashlib.sha256(repr([config.get(key) for key in DECIDING]).encode())
    if "adapter_name_or_path" in config:
        learnt.update(Path(config["adapter_name_or_path"], "adapter_model.safetensors").read_bytes())
    if verb == "export":
        save(config["export_dir"], "config.json", "model.safetensors", learnt.digest(), {})
        return
    data = Path(config["dataset_dir"])
    entry = json.loads((data / "dataset_info.json").read_text())[config["dataset"]]
    learnt.update((data / entry["file_name"]).read_bytes())
    base = {"base_model_name_or_path": config["model_name_or_path"], "peft_type": "LORA"}
    save(config["output_dir"], "adapter_config.json", "adapter_model.safetensors", learnt.digest(), base)


def save(folder, config, weights, learnt, values) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, config).write_text(json.dumps(values))
    header = json.dumps({"learnt": {"dtype": "U8", "shape": [32], "data_offsets": [0, 32]}}).encode()
    Path(folder, weights).write_bytes(struct.pack("<Q", len(header)) + header + learnt)


if __name__ == "__main__":
    main()
