"""LLaMA-Factory's own preprocessing under vanilla: prompt, response, EOS, and what `cutoff_len` does."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from preprocessing import preprocess
from tiny_training import ROWS, save_tokenizer, training

from w2s_factory.llamafactory.datasets import Dataset
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.long_rows import measure
from w2s_factory.llamafactory.training_config import Config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train


def tokens(text: str) -> list[int]:
    return [int(word[1:]) + 3 for word in text.split()]


@pytest.mark.parametrize("ranks", [None, 2])
@pytest.mark.parametrize("adds_bos", [True, False])
def test_exactly_prompt_response_eos(
    adds_bos: bool, ranks: int | None, tiny_llama: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_bytes((tiny_llama / "config.json").read_bytes())
    save_tokenizer(model, adds_bos=adds_bos)
    transformers = pytest.importorskip("transformers")
    assert (transformers.AutoTokenizer.from_pretrained(model)("w1")["input_ids"] == [1, 4]) is adds_bos
    for examples in preprocess(training(model, dataset_dir, tmp_path / "out"), tmp_path, ranks):
        assert len(examples) == len(ROWS)
        for example, row in zip(examples, ROWS, strict=True):
            prompt, response = tokens(row["content"]), [*tokens(row["output"]), 2]
            assert example["input_ids"] == prompt + response
            assert example["labels"] == [-100] * len(prompt) + response


ROWS_AT_THE_EDGE = [  # words of prompt, words of response; cutoff_len is 16
    (12, 3),  # 16 with EOS: fits to the token
    (3, 12),
    (8, 7),
    (12, 4),  # 17: the prompt loses its end
    (4, 12),  # 17: the response loses its EOS
    (9, 8),  # 18: both
    (30, 2),
    (2, 30),
]


def sentence(words: int) -> str:
    return " ".join(f"w{number % 40}" for number in range(words))


def test_long_rows_are_those_llamafactory_cuts(tiny_llama: Path, dataset_dir: Path, tmp_path: Path) -> None:
    rows = [
        {"id": i, "content": sentence(p), "output": sentence(r)} for i, (p, r) in enumerate(ROWS_AT_THE_EDGE)
    ]
    (dataset_dir / "words.json").write_text(json.dumps(rows))
    arguments = training(tiny_llama, dataset_dir, tmp_path / "out")
    [examples] = preprocess(arguments, tmp_path)
    cut, loses_answer = set(), set()
    for place, (example, row) in enumerate(zip(examples, rows, strict=True)):
        prompt, response = tokens(row["content"]), [*tokens(row["output"]), 2]
        if example["input_ids"] != prompt + response:
            cut.add(place)
        if [label for label in example["labels"] if label != -100] != response:
            loses_answer.add(place)
    entry = json.loads((dataset_dir / "dataset_info.json").read_text())["words"]
    lengths = measure(
        Config(tmp_path / "train.yaml", (), arguments),
        Dataset("words", entry, dataset_dir / "words.json"),
        find_installation(python=sys.executable),
    )
    assert cut == {3, 4, 5, 6, 7}
    assert {row.row for row in lengths.long} == cut
    assert {row.row for row in lengths.long if row.loses_answer} == loses_answer
    assert [row.tokens for row in lengths.long] == [p + r + 1 for p, r in ROWS_AT_THE_EDGE if p + r + 1 > 16]


def test_long_pairs_are_those_llamafactory_cuts(tiny_llama: Path, dataset_dir: Path, tmp_path: Path) -> None:
    pairs = [(8, 7, 2), (8, 2, 7), (8, 8, 1), (8, 1, 8), (2, 20, 1)]
    rows = [{"instruction": sentence(p), "chosen": sentence(c), "rejected": sentence(r)} for p, c, r in pairs]
    (dataset_dir / "words.json").write_text(json.dumps(rows))
    columns = {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}
    entry = {"file_name": "words.json", "ranking": True, "columns": columns}
    (dataset_dir / "dataset_info.json").write_text(json.dumps({"words": entry}))
    arguments = training(tiny_llama, dataset_dir, tmp_path / "out", stage="dpo")
    [examples] = preprocess(arguments, tmp_path)
    cut = {
        place
        for place, (example, row) in enumerate(zip(examples, rows, strict=True))
        for side in ("chosen", "rejected")
        if example[f"{side}_input_ids"] != [*tokens(row["instruction"]), *tokens(row[side]), 2]
    }
    lengths = measure(
        Config(tmp_path / "train.yaml", (), arguments),
        Dataset("words", entry, dataset_dir / "words.json"),
        find_installation(python=sys.executable),
    )
    assert cut == {2, 3, 4}
    assert {row.row for row in lengths.long} == cut
