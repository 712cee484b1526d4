"""Rows of chats in LLaMA-Factory's own preprocessing: they train the very tokens that are asked and written."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tiny_training import training

from tests.chat_templates import QWEN3
from w2s_factory import records
from w2s_factory.building import (
    PromptForm,
    ResponseRule,
    build_full_weak,
    build_stage1,
    build_stage2,
    convert_pairs,
)
from w2s_factory.chat import ChatTemplate, Turn
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

GSM8K = get_task("gsm8k")
END = "<|im_end|>\n"
SYSTEM = "Think first.\n\nThen answer."

PREPROCESS = """
import json, sys
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer

for file in sys.argv[1:]:
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(json.load(open(file)))
    loaded = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    stage = "rm" if finetuning_args.stage == "dpo" else finetuning_args.stage
    examples = get_dataset(template, model_args, data_args, training_args, stage=stage, **loaded)["train_dataset"]
    json.dump([dict(example) for example in examples], open(f"{file}.examples", "w"))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's config, and a tokenizer of bytes in which two line ends are one token, as in Qwen's."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("llamafactory")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "ĊĊ"])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [("Ċ", "Ċ")]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>", "</think>"])
    folder = tmp_path_factory.mktemp("model")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    ).save_pretrained(folder)
    transformers.LlamaConfig(vocab_size=300, hidden_size=8, num_attention_heads=1).save_pretrained(folder)
    return folder


def encoded(model: Path, text: str) -> list[int]:
    transformers = pytest.importorskip("transformers")
    ids: list[int] = transformers.AutoTokenizer.from_pretrained(model)(text, add_special_tokens=False)[
        "input_ids"
    ]
    return ids


def tokens(model: Path, prompt: str, written: str) -> list[int]:
    """The tokens of a prompt as it is asked, and those that the model writes after it."""
    return encoded(model, prompt) + encoded(model, written + END)


def asked(
    question: str, *, opens: bool = False, thinking: bool | None = None, system: str | None = SYSTEM
) -> str:
    """The text that `generate` gives the model; with `opens`, as templates of models that always think end."""
    turns = [Turn("user", question)] if system is None else [Turn("system", system), Turn("user", question)]
    return ChatTemplate(QWEN3).render(turns, thinking=thinking) + ("<think>\n" if opens else "")


def result(number: int, thinking: str, answer: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "prompt": f"How many is {number}?",
        "response": f"{thinking}\n</think>\n\n{answer}",
        **more,
    }


def preprocess(
    model: Path, folder: Path, trainings: dict[str, dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """The examples of each training, by its name."""
    for name, more in trainings.items():
        arguments = training(
            model, more.pop("dataset_dir"), folder / "out", template="qwen3", cutoff_len=2048, **more
        )
        (folder / f"{name}.json").write_text(json.dumps(arguments))
    (folder / "preprocess.py").write_text(PREPROCESS)
    files = [f"{name}.json" for name in trainings]
    subprocess.run([sys.executable, "preprocess.py", *files], cwd=folder, check=True, timeout=500)
    return {name: json.loads((folder / f"{name}.json.examples").read_text()) for name in trainings}


def test_what_is_trained_is_what_was_asked_and_written(model: Path, tmp_path: Path) -> None:
    opened = {"prompt_opens_thinking": True}
    weak = [result(n, f"<think>\nWeak {n}.", f"#### {n}", pred=str(n), system="Weak system.") for n in (1, 2)]
    icl = [result(n, f"Strong {n}.", f"#### {n}", pred=str(n), system=SYSTEM, **opened) for n in (1, 2)]
    build_stage1(GSM8K, weak, icl, tmp_path / "whole")
    build_stage1(GSM8K, weak, icl, tmp_path / "answer", response_rule=ResponseRule(train_on="answer"))
    plain = [{"id": n, "prompt": GSM8K.prompt(f"How many is {n}?"), "response": f"#### {n}"} for n in (1, 2)]
    build_full_weak(
        GSM8K, plain, tmp_path / "full/weak.json", prompt_form=PromptForm(chat=True, system=SYSTEM)
    )
    build_full_weak(GSM8K, plain, tmp_path / "full/alone.json", prompt_form=PromptForm(chat=True))
    votes = [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "system": SYSTEM,
            "gold": "1",
            "pos_responses": [{"response": row["response"], "pred": row["pred"], **opened}],
            "neg_responses": [{"response": "No.\n</think>\n\n#### 7", "pred": "7", **opened}],
            "confidence": 0.9,
        }
        for row in icl
    ]
    pairs = build_stage2(GSM8K, weak, votes, tmp_path / "pairs/release.json", form="release").built.file
    convert_pairs(pairs, tmp_path / "pairs/columns.json", "columns")
    assert all(pair["system"] == SYSTEM for pair in records.read_pairs(tmp_path / "pairs/columns.json"))
    hybrid = {"dataset": "gsm8k_weak_iter1_hybrid"}
    found = preprocess(
        model,
        tmp_path,
        {
            "whole": {"dataset_dir": tmp_path / "whole", **hybrid},
            "answer": {"dataset_dir": tmp_path / "answer", **hybrid, "enable_thinking": False},
            "full": {"dataset_dir": tmp_path / "full", "dataset": "weak", "enable_thinking": False},
            "alone": {"dataset_dir": tmp_path / "full", "dataset": "alone", "enable_thinking": False},
            "pairs": {"dataset_dir": tmp_path / "pairs", "dataset": "columns", "stage": "dpo"},
        },
    )
    question = "How many is 1?"
    opens, without = asked(question, opens=True), asked(question, thinking=False)
    alone = asked(question, thinking=False, system=None)
    ours = tokens(model, asked(question), "<think>\nWeak 1.\n</think>\n\n#### 1")
    strong = tokens(model, opens, "Strong 1.\n</think>\n\n#### 1")
    assert [example["input_ids"] for example in found["whole"][:2]] == [ours, strong]
    assert found["answer"][0]["input_ids"] == tokens(model, without, "#### 1")
    assert found["answer"][0]["input_ids"] == found["answer"][1]["input_ids"] == found["full"][0]["input_ids"]
    assert found["alone"][0]["input_ids"] == tokens(model, alone, "#### 1")
    assert found["pairs"][0]["chosen_input_ids"] == ours
    assert found["pairs"][0]["rejected_input_ids"] == tokens(model, opens, "No.\n</think>\n\n#### 7")
    assert trained(found["whole"][1]) == encoded(model, f"<think>\nStrong 1.\n</think>\n\n#### 1{END}")
    assert trained(found["answer"][1]) == encoded(model, f"#### 1{END}")


def trained(example: dict[str, Any]) -> list[int]:
    return [label for label in example["labels"] if label != -100]
