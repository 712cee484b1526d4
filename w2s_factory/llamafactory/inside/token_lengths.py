"""A program that counts the tokens of texts with a model's own tokenizer, without special tokens.

It is run by the interpreter of LLaMA-Factory's environment, so that the tokenizer is the one that training
uses. It reads {"model": name or path, "options": for AutoTokenizer, "texts": [...]} from stdin and writes the
list of lengths.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    asked = json.load(sys.stdin)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(asked["model"], trust_remote_code=False, **asked["options"])
    lengths: list[int] = []
    for start in range(0, len(asked["texts"]), 4096):  # a batch is spread over all cores
        batch = tokenizer(asked["texts"][start : start + 4096], add_special_tokens=False, verbose=False)
        lengths += map(len, batch["input_ids"])
    json.dump(lengths, sys.stdout)


main()
