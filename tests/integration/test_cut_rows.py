"""Rows of chat templates that are too long: those reported are those that LLaMA-Factory cuts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from preprocessing import preprocess
from tiny_training import training

from w2s_factory.llamafactory.datasets import Dataset
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.long_rows import measure
from w2s_factory.llamafactory.training_config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.long_rows import Lengths

pytestmark = pytest.mark.train

CUTOFF = 200
SIZES = [(p, r) for p in (1, 40, 90, 150, 300) for r in (1, 40, 90, 150, 300)]
"""Bytes, hence tokens, of prompt and response."""


def measured(arguments: dict[str, Any], entry: dict[str, Any], folder: Path) -> Lengths:
    return measure(
        Config(folder / "train.yaml", (), arguments),
        Dataset("words", entry, folder / "data" / "words.json"),
        find_installation(python=sys.executable),
    )


def written(folder: Path, rows: list[dict[str, Any]], **entry: Any) -> dict[str, Any]:
    (folder / "data" / "words.json").write_text(json.dumps(rows))
    whole = {"file_name": "words.json", **entry}
    (folder / "data" / "dataset_info.json").write_text(json.dumps({"words": whole}))
    return whole


def trained(labels: list[int]) -> list[int]:
    return [label for label in labels if label != -100]


@pytest.mark.parametrize(
    ("template", "more", "rows_think"),
    [
        ("chatml", {}, False),
        ("qwen3", {}, False),  # adds an empty thinking to the response
        ("qwen3", {"enable_thinking": False}, True),  # removes the thinking, adds an empty one to the prompt
        ("mistral", {"default_system": "Be brief."}, False),
        ("breeze", {}, False),  # EOS after the last response only
        ("qwen3", {"packing": True}, True),
    ],
)
def test_long_rows_are_those_llamafactory_cuts(
    template: str, more: dict[str, Any], rows_think: bool, tiny_chat: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    thought = "<think>\n{}\n</think>\n\n".format("t" * 30) if rows_think else ""
    rows = [
        {"id": place, "content": "q" * p, "output": thought + "a" * r, "system": "s" * (place % 3 * 10)}
        for place, (p, r) in enumerate(SIZES)
    ]
    entry = written(tmp_path, rows, columns={"prompt": "content", "response": "output", "system": "system"})
    arguments = training(
        tiny_chat, dataset_dir, tmp_path / "out", template=template, cutoff_len=CUTOFF, **more
    )
    found = measured(arguments, entry, tmp_path)
    unpacked = arguments | {"packing": False, "cutoff_len": CUTOFF - bool(more.get("packing"))}
    [cut] = preprocess(unpacked, tmp_path)
    [whole] = preprocess(arguments | {"packing": False, "cutoff_len": 10_000}, tmp_path)
    expected = [
        (place, len(before["input_ids"]), trained(after["labels"]) != trained(before["labels"]))
        for place, (before, after) in enumerate(zip(whole, cut, strict=True))
        if after["input_ids"] != before["input_ids"]
    ]
    assert [(row.row, row.tokens, row.loses_answer) for row in found.long] == expected
    assert 0 < len(expected) < len(rows) == found.rows
    assert {loses for *_, loses in expected} == {True, False}


def test_long_pairs_are_those_llamafactory_cuts(tiny_chat: Path, dataset_dir: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": "q" * p, "chosen": "a" * r, "rejected": "b" * (r // 2 + place % 3 * 60)}
        for place, (p, r) in enumerate(SIZES)
    ]
    columns = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
    entry = written(tmp_path, rows, ranking=True, columns=columns)
    arguments = training(
        tiny_chat, dataset_dir, tmp_path / "out", template="qwen3", cutoff_len=CUTOFF, stage="dpo"
    )
    found = measured(arguments, entry, tmp_path)
    [cut] = preprocess(arguments, tmp_path)
    [whole] = preprocess(arguments | {"cutoff_len": 10_000}, tmp_path)
    expected = []
    for place, (before, after) in enumerate(zip(whole, cut, strict=True)):
        sides = ("chosen", "rejected")
        if any(after[f"{side}_input_ids"] != before[f"{side}_input_ids"] for side in sides):
            tokens = max(len(before[f"{side}_input_ids"]) for side in sides)
            loses = any(trained(after[f"{s}_labels"]) != trained(before[f"{s}_labels"]) for s in sides)
            expected.append((place, tokens, loses))
    assert [(row.row, row.tokens, row.loses_answer) for row in found.long] == expected
    assert 0 < len(expected) < len(rows)
