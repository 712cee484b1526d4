"""Tokenizers for templates: byte-level BPE with the special tokens that each template of LLaMA-Factory names.

Each is written as a folder with `tokenizer.json` and `tokenizer_config.json`, as models have them, for
`template_table.py` and for tests.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from w2s_factory.llamafactory.known_templates import TemplateFormat

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The words into which Qwen and Llama 3 split a text before BPE (Llama 3 takes up to three digits)."""

TEXTS = (
    "What is 17 + 5? The sum of 17 and 5 is 22.\nThe answer is 22.\n\n",
    "How many days have 3 weeks? A week has 7 days, and 3 * 7 = 21. The answer is 21.\n\n",
    "You are a helpful assistant. You are a careful tutor.\nHuman: Assistant: User: System:\n\n",
    "Question:The answer?The sum.The number]The sum>The sum\n",  # texts of two messages without a space
    "user\nassistant\nsystem\nmodel\n### Instruction:\n### Response:\n\n\n",
)
MARK = re.compile(
    "<(?:\\||\N{FULLWIDTH VERTICAL LINE})[^<>|\\s]+(?:\\||\N{FULLWIDTH VERTICAL LINE})>|"
    r"(?<!<)</?\|?[\w:.-]+\|?>|\[\|\w+\|\]|\[/?[A-Za-z_]+\]"
    r"|\]~!?b\[|\]~b\]|\[e~\[|◁/?think▷|reserved_\d"
)
"""Texts in templates that published tokenizers have as one token."""

BOS, EOS = "<|tests_begin|>", "<|tests_end|>"


@cache
def trained_json() -> str:
    """Return a tokenizer of some hundred tokens without special ones, as JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    return tokenizer.to_str()


def write_tokenizer(
    folder: Path,
    special: Iterable[str] = (),
    *,
    bos: str | None = BOS,
    eos: str = EOS,
    chat_template: str | None = None,
) -> Path:
    """Write a tokenizer to a folder, and return the folder.

    Args:
        folder: The folder.
        special: Its special tokens in addition to BOS and EOS.
        bos: Its BOS token; None for none.
        eos: Its EOS token.
        chat_template: Its chat template; None for none.
    """
    tokenizer = Tokenizer.from_str(trained_json())
    tokenizer.add_special_tokens(list(dict.fromkeys([*filter(None, [bos]), eos, *special])))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": eos,
        "pad_token": eos,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
    }
    written = json.dumps(config | ({"chat_template": chat_template} if chat_template else {}))
    (folder / "tokenizer_config.json").write_text(written, "utf-8")
    return folder


def special_tokens(template: TemplateFormat) -> list[str]:
    """Return the special tokens that a template names: its stop words, its marks, and those of thinking."""
    slots = [*template.prefix, *template.system, *template.user, *template.assistant]
    single = [slot["token"] for slot in slots if isinstance(slot, dict) and "token" in slot]
    texts = [*(slot for slot in slots if isinstance(slot, str)), *(template.thought_words or ())]
    marks = [mark for text in texts for mark in MARK.findall(text)]
    return list(dict.fromkeys([*template.stop_words, *single, *marks]))
