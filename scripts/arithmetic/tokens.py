"""The word-level tokenizer of the tiny models: words, signs, single digits, spaces, line breaks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from w2s_factory.records import RESULT, TEST, read
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
SPACE = "▁"
"""Stands for a space, which belongs to the word behind it; before a digit it is a token of its own."""
PIECE = rf"{SPACE}?[A-Za-z]+|{SPACE}?#+|\d|\n|{SPACE}?[^\sA-Za-z\d#{SPACE}]|{SPACE}"
CONTEXT = 1024
"""Tokens; a question and its solution take about 90, with four demonstrations about 450."""


def texts() -> Iterator[str]:
    """Every prompt and response of the task."""
    task = get_task("arithmetic")
    for split in task.splits.values():
        for row in read(task.path(split.test), TEST):
            yield task.prompt(row["question"])
            yield row["solution"]
    if task.example is not None:
        for results in (task.example.weak, task.example.icl):
            yield from (row["response"] for row in read(results, RESULT))


def vocabulary(texts: Iterable[str]) -> list[str]:
    """The tokens: special ones, newline, space, digits, then words and signs, each without and with a space.

    Having both lets a text or a line begin with any of them.
    """
    pieces = {piece for text in texts for piece in re.findall(PIECE, text.replace(" ", SPACE))}
    digits = [str(digit) for digit in range(10)]
    words = sorted({piece.removeprefix(SPACE) for piece in pieces} - {"", "\n", *digits})
    return [*SPECIAL.values(), "\n", SPACE, *digits, *words, *(SPACE + word for word in words)]


def make_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A tokenizer whose decoding gives back the encoded text, spaces and line breaks included."""
    vocab = {token: place for place, token in enumerate(vocabulary(texts))}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=SPECIAL["unk_token"]))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL.values()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="never", split=False),
            pre_tokenizers.Split(Regex(PIECE), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="never", split=False)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, root: Path) -> None:
    """Write the tokenizer into `root` as transformers reads it; no token is added to what it encodes."""
    root.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(root / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # known to transformers 4 and 5
        **SPECIAL,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
    }
    (root / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
