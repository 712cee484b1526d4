"""Make `data/models/tiny_llama/`: a Llama of random weights with a word-level tokenizer for `arithmetic`.

`make data` runs this. The weights are drawn by Python's own generator, so that they do not depend on
torch's version; the tokenizer's words are those of `data/arithmetic/`.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from w2s_factory.records import RESULT, TEST, read
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20240718
DEVIATION = 0.05
ROOT = Path(__file__).resolve().parent.parent / "data" / "models" / "tiny_llama"
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


def vocabulary() -> list[str]:
    """The tokens: special ones, newline, space, digits, then words and signs, each without and with a space.

    Having both lets a text or a line begin with any of them.
    """
    pieces = {piece for text in texts() for piece in re.findall(PIECE, text.replace(" ", SPACE))}
    digits = [str(digit) for digit in range(10)]
    words = sorted({piece.removeprefix(SPACE) for piece in pieces} - {"", "\n", *digits})
    return [*SPECIAL.values(), "\n", SPACE, *digits, *words, *(SPACE + word for word in words)]


def make_tokenizer() -> Tokenizer:
    """A tokenizer whose decoding gives back the encoded text, spaces and line breaks included."""
    vocab = {token: place for place, token in enumerate(vocabulary())}
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


def make_model(vocab_size: int) -> LlamaForCausalLM:
    """A Llama of about 0.13 million parameters, all but the norms drawn from a normal distribution."""
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    random = Random(SEED)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            if weight.dim() > 1:
                drawn = [random.gauss(0, DEVIATION) for _ in range(weight.numel())]
                weight.copy_(torch.tensor(drawn).view_as(weight))
    return model


def make(root: Path) -> None:
    """Write model and tokenizer into `root`; the model card there is written by hand."""
    root.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    tokenizer.save(str(root / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # known to transformers 4 and 5
        **SPECIAL,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
    }
    (root / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    disable_progress_bar()
    make_model(tokenizer.get_vocab_size()).save_pretrained(root)


def main() -> None:
    """Parse the command line and make the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    make(options.root)
    print(f"wrote {options.root}")


if __name__ == "__main__":
    main()
