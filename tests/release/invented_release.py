"""A tree with the paths and forms of the published release and invented rows, written without our own code."""

from __future__ import annotations

import json
import random
from itertools import chain
from typing import TYPE_CHECKING

from w2s_factory.release.published_files import FILES, Published, git_hash

if TYPE_CHECKING:
    from pathlib import Path

WEAK = ("llama2_7b", "gemma_2b", "mistral_7b")
COUNT = 30
KEYS = {"gsm8k": "####", "math": "The answer is:"}
PADDED = {("math", "gemma_2b"), ("math", "mistral_7b")}
OLYMPIC = "olympic_outputs/llama3-8b-instruct/test"


def make_release(root: Path) -> dict[str, Published]:
    """Write the tree, all of its 77 files; return what is then published of it."""
    for task in ("gsm8k", "math"):
        _splits(root, task)
        for weak in WEAK:
            _weak(root, task, weak)
    _olympic(root)
    _index(root)
    return {path: _facts(root, path) for path in FILES}


def _facts(root: Path, path: str) -> Published:
    content = (root / path).read_bytes()
    return Published(path, git_hash(content), len(content))


def lines(root: Path, path: str, rows: list[dict]) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def dataset(root: Path, path: str, rows: list[dict]) -> None:
    (root / "data/llama_factory" / path).parent.mkdir(parents=True, exist_ok=True)
    (root / "data/llama_factory" / path).write_text(json.dumps(rows, indent=4))


def question(task: str, split: str, number: int) -> str:
    return f"{task} {split} n\u00famero {number}: what is {number} + 1?"


def answer(number: int) -> str:
    return f"{number + 1:,}"


def _splits(root: Path, task: str) -> None:
    order = list(range(7473))
    random.Random(42).shuffle(order)
    ids = {"train_2": sorted(order[:3737]), "train_1": sorted(order[3737:])}
    for split in ("train_1", "train_2", "test"):
        tag = task.upper() + ("" if split == "test" else f"_{split.upper()}")
        raw, test = [], []
        for number in range(990, 990 + COUNT):
            text, gold = question(task, split, number), answer(number)
            place = {"subject": "Algebra", "level": 2, "unique_id": f"{split}/{number}.json"}
            if task == "math":
                row = {"problem": text, "solution": f"It is $\\boxed{{{gold}}}$.", "answer": gold, **place}
                gold_row = {
                    "source": tag,
                    "question": text,
                    "solution": row["solution"],
                    "answer": gold,
                    "tag": place,
                }
            else:
                name = (
                    f"gsm8k_{ids[split][len(raw)]}"
                    if split != "test" and len(raw) < COUNT - 5
                    else f"aug_{number}"
                )
                row = {
                    "id": name,
                    "question": text,
                    "answer": f"It is <<{number}+1={number + 1}>>.\n#### {gold}",
                }
                written = gold.replace(",", "") if split == "test" else gold
                gold_row = {
                    "source": tag,
                    "question": text,
                    "solution": row["answer"],
                    "answer": written,
                    "tag": {},
                }
            raw.append(row)
            test.append(gold_row)
        lines(root, f"data/raw/{task}/{split}.jsonl", test if (task, split) == ("gsm8k", "test") else raw)
        if split != "train_1":
            lines(root, f"data/test/{task}{'' if split == 'test' else '_train_2'}.jsonl", test)
        if split != "test":
            dataset(root, f"{task}/{task}_{split}.json", [_gold(task, n, row) for n, row in enumerate(raw)])


def _gold(task: str, number: int, row: dict) -> dict:
    if task == "math":
        output = f"{row['solution']} The answer is: {row['answer']}"
        return {"id": number, "content": f"Question: {row['problem']}\nAnswer:", "output": output}
    output = f"It is .\n#### {row['answer'].rpartition(' ')[2]}"
    return {"id": number, "content": f"Question: {row['question']}\nAnswer:", "output": output}


def _weak(root: Path, task: str, weak: str) -> None:
    """Results, full weak, Stage I and pairs of one weak model, which answers rightly but for every fourth."""
    prompts = [f"Question: {question(task, 'train_2', n)}\nAnswer:" for n in range(990, 990 + COUNT)]
    rows = {
        side: [_result(task, weak, side, n, prompt) for n, prompt in enumerate(prompts)]
        for side in ("weak", "icl")
    }
    path = f"outputs/{task}_train_2/zero_shot/{weak}_{task}_1/zero-shot/direct/results.jsonl"
    lines(root, path, rows["weak"])
    dataset(root, f"{task}/train_{task}_{weak}_full_weak.json", [_sft(row) for row in rows["weak"]])
    agreed = [n for n in range(COUNT) if rows["weak"][n]["pred"] == rows["icl"][n]["pred"] != ""]
    others = [n for n in range(COUNT) if n not in agreed]
    stem = f"{task}/train_{task}_{weak}_iter"
    for iteration in (1, 2) if task == "gsm8k" else (1,):
        kept = agreed[iteration:]
        if (task, weak) in PADDED:
            _stage1(root, f"{stem}{iteration}", rows, kept, [], "_wo_aug", ())
            _stage1(root, f"{stem}{iteration}", rows, kept, others[:3], "", ("gold", "pred", "result"))
        else:
            _stage1(root, f"{stem}{iteration}", rows, kept, [], "", ())
    last = 2 if task == "gsm8k" else 1
    pairs = [(n, [rows["weak"][n]["response"], f"sample {n}"]) for n in range(0, COUNT, 2)]
    dataset(root, f"{stem}{last}_hybrid_paired.json", [_pair(n, prompts[n], output) for n, output in pairs])


def _result(task: str, weak: str, side: str, number: int, prompt: str) -> dict:
    right, written = number % 4 != (side == "icl"), number % 10 != 9
    pred = str(number + 991 + (not right) * (2 if side == "icl" else 1)) if written else ""
    response = f"{weak} {side} thinks of {number}.\n" + (f"{KEYS[task]} {pred}" if written else "No idea")
    row = {"id": number, "prompt": prompt, "response": response, "pred": pred, "gold": str(number + 991)}
    row["result"] = row["pred"] == row["gold"]
    return row | ({"num_tokens": number + 7, "num_words": len(response.split())} if written else {})


def _sft(row: dict, keys: tuple[str, ...] = ()) -> dict:
    return {
        "id": row["id"],
        "content": row["prompt"],
        "output": row["response"],
        **{key: row[key] for key in keys},
    }


def _stage1(root, stem, rows, kept, others, suffix, keys) -> None:
    head = [[_sft(rows[side][n], keys) for n in kept] for side in ("weak", "icl")]
    tail = [[_sft(rows[side][n], keys) for n in others] for side in ("weak", "icl")]
    for place, side in enumerate(("weak", "icl")):
        dataset(root, f"{stem}_{side}{suffix}.json", head[place] + tail[place])
    dataset(root, f"{stem}_hybrid{suffix}.json", [*chain(*zip(*head, strict=True)), *tail[0], *tail[1]])


def _pair(name: int | str, prompt: str, output: list[str]) -> dict:
    return {"id": name, "instruction": prompt, "input": "", "output": output}


def _olympic(root: Path) -> None:
    stem = "olympicarena/train_olympic_llama3-8b-instruct"
    names = [f"Math_{number}" for number in (31, 7, 12, 5)]
    rows = {
        side: [
            {"id": name, "prompt": f"Solve {name}.\n\nAnswer:", "response": f" {side} says {name}"}
            for name in names
        ]
        for side in ("weak", "icl")
    }
    dataset(root, f"{stem}_full_weak.json", [_sft(row) for row in rows["weak"]])
    for iteration in (1, 2):
        _stage1(root, f"{stem}_iter{iteration}", rows, range(iteration, 4), [], "", ())
    pairs = [_pair(row["id"], row["prompt"], [row["response"], "no"]) for row in rows["weak"]]
    dataset(root, f"{stem}_iter2_hybrid_paired.json", pairs)
    hub = [{"id": row["id"], "problem": row["id"], "vllm_prompt": row["prompt"]} for row in rows["weak"]]
    lines(root, f"{OLYMPIC}/input.jsonl", hub)
    answered = [row | {"response": one["response"]} for row, one in zip(hub, rows["weak"], strict=True)]
    lines(root, f"{OLYMPIC}/output.jsonl", answered)
    (root / OLYMPIC / "result.json").write_text('{"accuracy": 0.25}')


def _index(root: Path) -> None:
    """The published index, which is known to the letter, has nothing to do with the rows."""
    from w2s_factory.release.rebuilt_training_sets import rebuild_index

    rebuild_index(root / "data/llama_factory/dataset_info.json")
