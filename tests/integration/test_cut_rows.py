"""Rows of chat templates that are too long: those reported are those that LLaMA-Factory cuts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from preprocessing import preprocess_each
from tiny_training import training

from w2s_factory.llamafactory.datasets import Dataset
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.long_rows import measure
from w2s_factory.llamafactory.training_config import Config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

CUTOFF = 200
SIZES = [(p, r) for p in (1, 40, 90, 150, 300) for r in (1, 40, 90, 150, 300)]
"""Bytes, hence tokens, of prompt and response."""

COLUMNS = {"prompt": "content", "response": "output", "system": "system"}
SFT = [
    {
        "id": place,
        "content": "q" * p,
        "output": f"<think>\n{'t' * 30}\n</think>\n\n{'a' * r}" if place % 2 else "a" * r,
        "system": "s" * (place % 3 * 10),
    }
    for place, (p, r) in enumerate(SIZES)
]
PAIRS = [
    {"content": "q" * p, "chosen": "a" * r, "rejected": "b" * (r // 2 + place % 3 * 60)}
    for place, (p, r) in enumerate(SIZES)
]
PAIR_ENTRY = {"ranking": True, "columns": {"prompt": "content", "chosen": "chosen", "rejected": "rejected"}}

CASES: dict[str, dict[str, Any]] = {
    "an empty thinking is trained": {"template": "qwen3"},
    "thinking is removed": {"template": "qwen3", "enable_thinking": False},
    "the system prompt is in the question": {"template": "mistral", "default_system": "Be brief."},
    "EOS ends the row only": {"template": "breeze"},
    "packing leaves one token less": {"template": "chatml", "packing": True},
    "pairs": {"template": "qwen3", "stage": "dpo", "dataset": "pairs"},
}


class Preprocessed(NamedTuple):
    """A case's arguments, and its examples with and without a limit, by LLaMA-Factory."""

    arguments: dict[str, Any]
    cut: list[dict[str, Any]]
    whole: list[dict[str, Any]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "words.json").write_text(json.dumps(SFT))
    (folder / "pairs.json").write_text(json.dumps(PAIRS))
    index = {
        "words": {"file_name": "words.json", "columns": COLUMNS},
        "pairs": {"file_name": "pairs.json", **PAIR_ENTRY},
    }
    (folder / "dataset_info.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def preprocessed(
    tiny_chat: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Preprocessed]:
    folder = tmp_path_factory.mktemp("preprocessed")
    cases = {
        name: training(tiny_chat, data, folder / "out", **({"cutoff_len": CUTOFF} | case))
        for name, case in CASES.items()
    }
    jobs = []
    for arguments in cases.values():
        limit = CUTOFF - bool(arguments.get("packing"))  # packed rows could not be distinguished
        jobs += [arguments | {"packing": False, "cutoff_len": length} for length in (limit, 10_000)]
    examples = preprocess_each(jobs, folder)
    pairs = zip(examples[::2], examples[1::2], strict=True)
    return {
        name: Preprocessed(arguments, cut, whole)
        for (name, arguments), (cut, whole) in zip(cases.items(), pairs, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_long_rows_are_those_llamafactory_cuts(
    name: str, preprocessed: dict[str, Preprocessed], data: Path
) -> None:
    arguments, cut, whole = preprocessed[name]
    dataset = arguments["dataset"]
    entry = json.loads((data / "dataset_info.json").read_text())[dataset]
    found = measure(
        Config(data / "train.yaml", (), arguments),
        Dataset(dataset, entry, data / f"{dataset}.json"),
        find_installation(python=sys.executable),
    )
    expected = [
        (place, max(len(before[f"{side}input_ids"]) for side in sides), trained(after) != trained(before))
        for place, (before, after) in enumerate(zip(whole, cut, strict=True))
        for sides in [("chosen_", "rejected_") if dataset == "pairs" else ("",)]
        if any(after[f"{side}input_ids"] != before[f"{side}input_ids"] for side in sides)
    ]
    assert [(row.row, row.tokens, row.loses_answer) for row in found.long] == expected
    assert 0 < len(expected) < len(SIZES) == found.rows
    assert {loses for *_, loses in expected} == {True, False}


def trained(example: dict[str, Any]) -> list[list[int]]:
    """The tokens of an example that are trained, on each side."""
    sides = [example[key] for key in example if key.endswith("labels")]
    return [[label for label in labels if label != -100] for labels in sides]
