"""A training of two steps: its words, rows, tokenizer and YAML; and `w2s-factory` run as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [f"w{number}" for number in range(40)]
ROWS = [
    {
        "id": number,
        "content": " ".join(WORDS[number : number + 4]),
        "output": " ".join(WORDS[number + 4 : number + 7]),
    }
    for number in range(12)
]


def save_tokenizer(folder: Path, *, adds_bos: bool) -> None:
    """One token a word, BOS 1, EOS 2; `adds_bos` puts BOS before every text, as Llama's does."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    words = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *WORDS])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if adds_bos:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)


CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"
)
"""A chat template as Qwen3's, without tools."""


def save_byte_tokenizer(folder: Path, chat_template: str | None = CHAT) -> None:
    """One token a byte, after BOS 0, EOS 1, PAD 2, and the markers of turns and of thinking."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    special = ["<s>", "<|im_end|>", "<|endoftext|>", "<|im_start|>", "<think>", "</think>"]
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*special, *letters])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = chat_template
    fast.save_pretrained(folder)


def training(model: Path, dataset_dir: Path, output_dir: Path, **more: Any) -> dict[str, Any]:
    """Two steps of LoRA SFT."""
    return {
        "model_name_or_path": str(model),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_target": "q_proj,v_proj",
        "dataset": "words",
        "dataset_dir": str(dataset_dir),
        "template": "vanilla",
        "cutoff_len": 16,
        "output_dir": str(output_dir),
        "overwrite_cache": True,
        "per_device_train_batch_size": 2,
        "max_steps": 2,
        "learning_rate": 1.0e-3,
        "report_to": "none",
        "save_strategy": "no",
        "dataloader_num_workers": 0,
        **more,
    }


def w2s(
    *arguments: object, cwd: Path, seconds: float = 300, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `w2s-factory` as a user does, from `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "w2s_factory", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
