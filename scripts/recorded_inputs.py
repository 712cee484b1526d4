"""The files that the recorded commands read, written into each case's folder.

The published release and the published code's expected results are not part of the project. Without
them, the cases that need them are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = "outputs/gsm8k_train_2/zero_shot/llama2_7b_gsm8k_1/zero-shot/direct/results.jsonl"


@dataclass(frozen=True)
class Places:
    """Folders that the commands name: `{tree}`, `{release}`, `{facts}` in their text."""

    tree: Path
    release: Path | None
    facts: Path | None

    def fill(self, text: str) -> str:
        """Return the text with each `{name}` replaced by its folder."""
        for name in ("tree", "release", "facts"):
            text = text.replace(f"{{{name}}}", str(getattr(self, name)))
        return text


def write(path: Path, content: Any) -> None:
    """Write rows (a list) as JSON lines, or in a file named .json one value; text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list) and path.suffix == ".jsonl":
        content = "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


PROMPT = "Question: How many?\nAnswer:"
OUTPUT = {"id": 0, "prompt": PROMPT, "response": "2.\n#### 2"}
RESULT = OUTPUT | {"pred": "2", "gold": "2", "result": True}
RAW = {"id": "gsm8k_0", "question": "How many?", "answer": "<<1+1=2>>2.\n#### 2"}
TAG = {"subject": "Algebra", "level": 2, "unique_id": "test/algebra/1.json"}
TEST = {"source": "GSM8K", "question": "How many?", "solution": "#### 2", "answer": "2", "tag": TAG}
SAMPLE = {"response": "3.\n#### 3", "pred": "3", "result": False}
RIGHT = SAMPLE | {"pred": "2", "result": True}
VOTE = {"id": 0, "prompt": PROMPT, "gold": "2", "pos_responses": [RIGHT] * 9, "neg_responses": [SAMPLE]}
VOTE |= {"confidence": 0.9}
PAIR = {"id": 0, "instruction": PROMPT, "input": "", "output": ["2.\n#### 2", "3.\n#### 3"]}
CHOSEN = {"id": 0, "instruction": PROMPT, "input": "", "chosen": "2.\n#### 2", "rejected": "3.\n#### 3"}
SFT_COLUMNS = {"prompt": "content", "response": "output"}
PAIR_COLUMNS = {"prompt": "instruction", "query": "input"}
INDEX = {
    "toy": {"file_name": "toy.json", "columns": SFT_COLUMNS},
    "gsm8k_llama2_7b_iter1_hybrid": {"file_name": "toy.json", "columns": SFT_COLUMNS},
    "ranked": {
        "file_name": "ranked.json",
        "ranking": True,
        "columns": PAIR_COLUMNS | {"response": "output"},
    },
    "pairs": {
        "file_name": "pairs.json",
        "ranking": True,
        "columns": PAIR_COLUMNS | {"chosen": "chosen", "rejected": "rejected"},
    },
}
EXAMPLES: dict[str, Any] = {
    "raw/gsm8k/train_1.jsonl": [RAW],
    "train_1.jsonl": [RAW],
    **{f"{name}.jsonl": [RESULT] for name in ("results", "weak", "icl", "weak_results")},
    **{f"{side}/results.jsonl": [RESULT] for side in ("weak", "strong")},
    **{f"outputs/t1.0/seed{seed}/results.jsonl": [RESULT] for seed in range(10)},
    **{f"outputs/test/t1.0/seed{seed}/results.jsonl": [RESULT] for seed in range(10)},
    "output.jsonl": [OUTPUT],
    "full_weak.json": [
        {"id": number, "content": PROMPT, "output": "2.\n#### 2"} for number in (102, 456, 2619, 3037)
    ],
    "votes/majority_voting_results.jsonl": [VOTE],
    "published/paired.json": [PAIR],
    "data/test/gsm8k_train_2.jsonl": [TEST],
    "data/test/math.jsonl": [TEST],
    "demos.json": [OUTPUT | {"source": "full_weak.json", "sha256": "0" * 64}],
}
CONFIGS: dict[str, Any] = {
    "model/config.json": {},
    "adapter/adapter_config.json": {"base_model_name_or_path": "model", "peft_type": "LORA"},
    "data/toy.json": [{"id": 0, "content": PROMPT, "output": "2.\n#### 2"}],
    "data/pairs.json": [CHOSEN],
    "data/ranked.json": [PAIR],
    "data/dataset_info.json": INDEX,
}
MISTAKES: dict[str, Any] = {
    "empty.jsonl": "",
    "tested.jsonl": [TEST | {"tag": {}, "source": "GSM8K_TRAIN_1"}],
    "twice.jsonl": [OUTPUT, OUTPUT],
    "long.jsonl": [RAW | {"answer": "2\n#### 2\nand more"}],
    "torn.jsonl": '{"id": 1\n',
    "digits.jsonl": '{"id": ' + "9" * 5000 + "}",
    "unknown_key.yaml": "name: a\ntask: gsm8k\nwaek: {}\n",
    "not_yaml.yaml": "a: [1\n",
    "twice.yaml": "stage: sft\nstage: dpo\n",
}


def examples(folder: Path, places: Places) -> None:
    """Write what the commands in README, docs and help name: files of one row, and models."""
    for name, content in EXAMPLES.items():
        write(folder / name, content)
    for name in ("toy.json", "dataset_info.json"):
        write(folder / "w2s-data" / name, CONFIGS[f"data/{name}"])
    for name in ("path/to/strong-model", "path/to/weak-model", "PATH"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(places.tree / "data/models/tiny_llama")


def configs(folder: Path, _: Places) -> None:
    """Write a model, an adapter and an index of datasets, for configs."""
    for name, content in CONFIGS.items():
        write(folder / name, content)


def mistakes(folder: Path, places: Places) -> None:
    """Write the files of `examples` and `configs`, and some with faults."""
    examples(folder, places)
    configs(folder, places)
    for name, content in MISTAKES.items():
        write(folder / name, content)


def gsm8k_sides(folder: Path, places: Places) -> None:
    """Write icl responses that agree with the published weak ones where the published Stage I kept them."""
    weak = lines(places.release / PUBLISHED)
    kept = "data/llama_factory/gsm8k/train_gsm8k_llama2_7b_iter1_icl.json"
    icl = {row["id"]: row["output"] for row in json.loads((places.release / kept).read_text("utf-8"))}
    other = "I do not know.\n#### 987654"
    rows = [row | {"response": icl.get(row["id"], other)} for row in weak]
    write(folder / "icl.jsonl", [{key: row[key] for key in ("id", "prompt", "response")} for row in rows])


def olympic_sides(folder: Path, places: Places) -> None:
    """Write the responses of OlympicArena's published Stage I, weak and icl."""
    for side in ("weak", "icl"):
        name = f"train_olympic_llama3-8b-instruct_iter1_{side}.json"
        rows = json.loads((places.release / "data/llama_factory/olympicarena" / name).read_text("utf-8"))
        outputs = [{"id": row["id"], "prompt": row["content"], "response": row["output"]} for row in rows]
        write(folder / f"{side}.jsonl", outputs)


def answers(folder: Path, places: Places) -> None:
    """Write MATH answers (one in six of the published vectors) and judged ones (one in four), with golds."""
    scored = [
        row for row in lines(places.facts / "scoring_vectors.jsonl") if "answer is" in row["answer_key"]
    ]
    vectors = json.loads((places.facts / "judge_vectors.json").read_text("utf-8"))
    judged = [row for row in vectors if isinstance(row["gold"], str)]
    for name, taken in (
        ("math", [(row["response"], row["answer"]) for row in scored[::6]]),
        ("judged", [(row["pred"], row["gold"]) for row in judged[::4]]),
    ):
        golds = [
            {"source": "", "question": "", "solution": "", "answer": gold, "tag": {}} for _, gold in taken
        ]
        outputs = [
            {"id": place, "prompt": "", "response": response} for place, (response, _) in enumerate(taken)
        ]
        write(folder / name / "golds.jsonl", golds)
        write(folder / name / "output.jsonl", outputs)


def any_format(folder: Path, _: Places) -> None:
    """Write a few GSM8K answers in several formats, with golds."""
    texts = ["#### 0", "so 1.", "It is 2, or 7", "no", "1,004 #### 4", "\\boxed{5}", ""]
    golds = [TEST | {"answer": str(number), "tag": {}} for number in range(len(texts))]
    write(folder / "golds.jsonl", golds)
    write(
        folder / "output.jsonl",
        [{"id": place, "prompt": PROMPT, "response": text} for place, text in enumerate(texts)],
    )


def arithmetic_samples(folder: Path, places: Places) -> None:
    """Write four seeds of the embedded task's responses: one or three of four are the weak side's."""
    source = places.tree / "data/arithmetic/examples"
    weak, icl = (lines(source / f"{side}_results.jsonl") for side in ("weak", "icl"))
    for seed in range(4):
        odd = [(place + seed) % 4 == 0 for place in range(len(weak))]
        rows = [(weak if alone != (place % 2) else icl)[place] for place, alone in enumerate(odd)]
        write(folder / f"t1.0/seed{seed}/results.jsonl", rows)
    write(folder / "weak.jsonl", weak)


def run_answers(folder: Path, places: Places) -> None:
    """Write the embedded task's weak and icl responses where a run of the smoke preset would put them."""
    source = places.tree / "data/arithmetic/examples"
    train_2 = folder / "answers/seed0/outputs/arithmetic_train_2"
    for side, place in (
        ("weak", "zero_shot/small_arithmetic_1/zero-shot"),
        ("icl", "few_shot/large/few-shot"),
    ):
        write(train_2 / place / "direct/results.jsonl", lines(source / f"{side}_results.jsonl"))


def whole_release(folder: Path, _: Places) -> None:
    """Write a file of one row for each that the ready experiments take from the release."""
    names = [
        f"data/raw/{task}/{split}" for task in ("gsm8k", "math") for split in ("train_1", "train_2", "test")
    ]
    names += [f"data/raw/olympicarena/{split}" for split in ("train_2", "test")]
    for task in ("gsm8k", "math"):
        for weak in ("llama2_7b", "gemma_2b", "mistral_7b"):
            names.append(f"outputs/{task}_train_2/zero_shot/{weak}_{task}_1/zero-shot/direct/results")
    for name in names:
        write(folder / f"whole/{name}.jsonl", [{}])


def hub(folder: Path, _: Places) -> None:
    """Write OlympicArena's folders as the hub has them, with a few questions."""

    def row(subject: str, number: int, **others: Any) -> dict[str, Any]:
        common = {"id": f"{subject}_{number}", "prompt": f"Hello.\n\nproblem:\nNumber {number}?"}
        common |= {"subject": subject, "answer_type": "NV", "language": "EN"}
        return common | {"answer": [str(number)]} | others

    write(folder / "FOLDER/Physics/val.json", [row("Physics", 2), row("Physics", 1)])
    write(folder / "FOLDER/Math/val.jsonl", [row("Math", 7), row("Math", 8, language="ZH")])
    write(folder / "FOLDER/Math/test.json", [row("Math", 3, answer=None), row("Math", 4, answer_type="CODE")])


def made_run(folder: Path, places: Places) -> None:
    """Make the folder of a whole run of simulated answers, by the library recorded."""
    maker = ROOT / "tests/experiment/made_runs.py"
    program = f"import pathlib, runpy\nmake = runpy.run_path({str(maker)!r})['make_run']\n"
    program += "make(pathlib.Path('runs/gsm8k'), seeds=(0, 1), questions=60, asked=50)"
    environment = {**os.environ, "PYTHONPATH": str(places.tree)}
    command = [sys.executable, "-c", program]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
