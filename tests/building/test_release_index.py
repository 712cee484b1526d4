"""The root of the release's layout."""

from __future__ import annotations

import json

from w2s_factory.building.dataset_files import Recipe, place_datasets
from w2s_factory.llamafactory.dataset_info import sft_entry
from w2s_factory.tasks import get_task


def test_published_datasets_are_found_from_the_root(tmp_path):
    published = {"gsm8k_1": sft_entry("data/llama_factory/gsm8k/gsm8k_train_1.json")}
    below = tmp_path / "data" / "llama_factory" / "dataset_info.json"
    below.parent.mkdir(parents=True)
    below.write_text(json.dumps(published))
    rows = [{"id": 0, "content": "a", "output": "b"}]
    place_datasets(
        get_task("gsm8k"), {"train_gsm8k_x": rows}, tmp_path, inputs=[], recipe=Recipe(layout="release")
    )
    root = json.loads((tmp_path / "dataset_info.json").read_text())
    assert list(root) == ["gsm8k_1", "gsm8k_x"]
    assert root == json.loads(below.read_text())
