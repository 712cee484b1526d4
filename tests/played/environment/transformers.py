"""A tokenizer that counts words."""

from __future__ import annotations


class AutoTokenizer:
    @classmethod
    def from_pretrained(cls, model, **options):
        return lambda texts, **_: {"input_ids": [text.split() for text in texts]}
