"""The folder of a run as `run` leaves it, made of simulated answers: for tests of the report."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from w2s_factory import PairRules, build_stage1, build_stage2, get_task, headroom, records, vote

if TYPE_CHECKING:
    from pathlib import Path

SUBJECTS = ("Algebra", "Geometry", "Number Theory")
LABELS = {
    "weak_floor": "Weak model (floor)",
    "strong_zero_shot": "Strong model, zero-shot",
    "full_weak_ft": "Full weak fine-tuning",
    "weak_icl": "Weak ICL",
    "sft_chosen": "SFT on the chosen side (control)",
    "dpo": "DPO",
    "orpo": "ORPO",
    "strong_ceiling": "Strong ceiling",
} | {
    f"iter{number}_{side}_ft": f"Stage I, iteration {number}, {side}-ft"
    for number in (1, 2)
    for side in ("weak", "icl", "hybrid")
}
ACCURACIES = {
    "weak_floor": 0.52,
    "strong_zero_shot": 0.38,
    "full_weak_ft": 0.61,
    "weak_icl": 0.80,
    "iter1_weak_ft": 0.74,
    "iter1_icl_ft": 0.83,
    "iter1_hybrid_ft": 0.81,
    "iter2_weak_ft": 0.77,
    "iter2_icl_ft": 0.85,
    "iter2_hybrid_ft": 0.86,
    "sft_chosen": 0.862,
    "dpo": 0.84,
    "orpo": 0.91,
    "strong_ceiling": 0.95,
}
FEWEST = ("weak_floor", "strong_zero_shot", "iter2_hybrid_ft", "dpo", "strong_ceiling")
"""The fewest models whose run has every part of a report."""
"""The chance of a right answer, which decides what the report must say."""


def rows(golds, chance, generator, *, prefix=""):
    """Results with that chance of a right answer; harder questions are missed by everybody more often."""
    for number, gold in enumerate(golds):
        hardness = (hash_of(number) - 0.5) * 0.5 * min(chance, 1 - chance) * 2
        right = generator.random() < chance - hardness
        answer = gold["answer"] if right else str(int(gold["answer"]) + generator.choice([1, 2, 10]))
        yield {
            "id": number,
            "prompt": f"{prefix}Question: {gold['question']}\nAnswer:",
            "response": f"So it is {answer} <b>& done</b>.\n#### {answer}",
            "pred": answer,
            "gold": gold["answer"],
            "result": right,
        }


def hash_of(number):
    return (number * 7919 % 997) / 997


def golds(count, tag, first=0):
    return [
        {
            "source": tag,
            "question": f"Ann has {number} <apples> & buys 2. How many are there?",
            "solution": f"{number} + 2 = {number + 2}.\n#### {number + 2}",
            "answer": str(number + 2),
            "tag": {
                "subject": SUBJECTS[number % 3],
                "level": 1 + number % 5,
                "unique_id": f"test/{number}.json",
            },
        }
        for number in range(first, first + count)
    ]


def make_run(
    folder: Path,
    *,
    task="gsm8k",
    weak_name="gemma_2b",
    seeds=(0, 1, 2),
    questions=200,
    asked=150,
    accuracies=ACCURACIES,
    name="made",
):
    """A complete run; returns its contents as written."""
    maker = Maker(folder, task, list(seeds), accuracies)
    maker.write("golds/test.jsonl", golds(questions, "TEST", 1000))
    maker.write("golds/train_2.jsonl", golds(asked, "TRAIN_2"))
    maker.questions, maker.asked = golds(questions, "TEST", 1000), golds(asked, "TRAIN_2")
    for seed in seeds:
        maker.seed(seed)
    contents = {
        "name": name,
        "task": task,
        "weak_name": weak_name,
        "weak_model": "models/weak",
        "strong_model": "models/strong",
        "split": "test",
        "golds": "golds/test.jsonl",
        "train_golds": "golds/train_2.jsonl",
        "seeds": list(seeds),
        "min_confidence": 0.6,
        "negative_confidence": 0.8,
        "notes": ["All answers are simulated: this run shows a report, not a result."],
        "models": maker.models,
        "stage1": maker.stage1,
        "stage2": maker.stage2,
        "jobs": maker.jobs,
    }
    (folder / "contents.json").write_text(json.dumps(contents, indent=2) + "\n")
    return contents


class Maker:
    def __init__(self, folder, task, seeds, accuracies):
        self.folder, self.task, self.accuracies = folder, get_task(task), accuracies
        self.models, self.stage1, self.stage2, self.jobs = [], [], [], []
        self.questions = self.asked = []

    def write(self, path, written):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        records.write(self.folder / path, written)
        return path

    def seed(self, seed):
        generator = random.Random(seed)
        at = f"seed{seed}"
        for key, chance in self.accuracies.items():
            self.model(at, key, chance + generator.uniform(-0.01, 0.01), seed, generator)
        for number, chances in ((1, (0.5, 0.7)), (2, (0.74, 0.83))):
            self.iteration(at, number, chances, seed, generator)
        self.preferences(at, seed, generator)

    def model(self, at, key, chance, seed, generator):
        folder = f"{at}/test/{key}"
        one = {
            "key": key,
            "label": LABELS[key],
            "stage": "stage1"
            if key.startswith("iter")
            else "stage2"
            if key in {"sft_chosen", "dpo", "orpo"}
            else "baseline",
            "iteration": int(key[4]) if key.startswith("iter") else None,
            "seed": seed,
            "results": self.write(f"{folder}/results.jsonl", rows(self.questions, chance, generator)),
        }
        records.note([self.folder / one["results"]], model=f"models/{key}", seed=seed, task=self.task.name)
        if key == "strong_zero_shot":
            one["any_format"] = self.write(
                f"{folder}/any_format/results.jsonl", rows(self.questions, 0.79, generator)
            )
        if "hybrid" in key or key in {"dpo", "orpo", "strong_ceiling"}:
            one["samples"] = f"{folder}/t1.0"
            for sample in range(10):
                self.write(
                    f"{folder}/t1.0/seed{sample}/results.jsonl", rows(self.questions, chance - 0.1, generator)
                )
        if key not in {"strong_zero_shot", "weak_icl"}:
            one["training"] = f"{at}/models/{key}"
            self.training(one["training"], generator, preference={"dpo": "sigmoid", "orpo": "orpo"}.get(key))
            self.job(f"{at}/train_{key}", "train", seed, 40 + 100 * chance)
        self.job(f"{at}/generate_{key}", "generate", seed, 20 + 10 * chance)
        self.models.append(one)

    def training(self, folder, generator, *, preference):
        history = []
        for step in range(5, 135, 5):
            one = {
                "step": step,
                "epoch": step / 130,
                "loss": 2.5 / (1 + step / 15) + generator.uniform(0, 0.1),
            }
            if preference:
                one |= {
                    "rewards/chosen": -step / 400,
                    "rewards/rejected": -step / 150,
                    "rewards/accuracies": 0.8,
                    "rewards/margins": step / 150 - step / 400,
                }
                one |= {"logps/chosen": -20 - step / 20, "logps/rejected": -24 - step / 8}
            history.append(one)
        (self.folder / folder).mkdir(parents=True)
        log = [{"current_steps": one["step"], "total_steps": 130, "loss": one["loss"]} for one in history]
        self.write(f"{folder}/trainer_log.jsonl", log)
        history.append({"step": 130, "train_loss": 0.4, "train_runtime": 12.0})
        (self.folder / folder / "trainer_state.json").write_text(json.dumps({"log_history": history}))
        if preference:
            weights = self.folder / folder / "adapter_model.safetensors"
            weights.write_bytes(b"")
            records.note([weights], config={"stage": "dpo", "pref_loss": preference, "pref_beta": 0.1})

    def job(self, name, kind, seed, seconds):
        benchmark = self.folder / f"benchmarks/{name}.tsv"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text(f"s\th:m:s\tmax_rss\n{seconds:.4f}\t0:00:01\t100.0\n")
        command = [f"w2s-factory {kind} {name}"]
        self.jobs.append(
            {
                "name": name,
                "kind": kind,
                "seed": seed,
                "command": command,
                "log": f"logs/{name}.log",
                "benchmark": f"benchmarks/{name}.tsv",
            }
        )

    def iteration(self, at, number, chances, seed, generator):
        folder = self.folder / f"{at}/iter{number}"
        weak = self.write(f"{at}/iter{number}/weak_results.jsonl", rows(self.asked, chances[0], generator))
        icl = self.write(
            f"{at}/iter{number}/icl_results.jsonl",
            rows(self.asked, chances[1], generator, prefix="Shown.\n\n"),
        )
        built = build_stage1(
            self.task,
            self.folder / weak,
            self.folder / icl,
            folder / "data",
            weak_name="made",
            iteration=number,
        ).built
        hybrid = built["hybrid"].file.resolve().relative_to(self.folder.resolve())
        self.stage1.append(
            {"seed": seed, "iteration": number, "weak": weak, "icl": icl, "hybrid": str(hybrid)}
        )

    def preferences(self, at, seed, generator):
        folder = self.folder / at / "stage2"
        for sample in range(10):
            self.write(f"{at}/stage2/t1.0/seed{sample}/results.jsonl", rows(self.asked, 0.7, generator))
        votes, pairs = folder / "majority_voting_results.jsonl", folder / "data/made_paired.json"
        vote(folder / "t1.0", votes)
        weak = self.folder / at / "iter1/weak_results.jsonl"
        build_stage2(self.task, weak, votes, pairs, rules=PairRules(), samples=folder / "t1.0")
        greedy = self.write(f"{at}/stage2/results.jsonl", rows(self.asked, 0.6, generator))
        measured = self.folder / at / "headroom.json"
        headroom(self.folder / greedy, folder / "t1.0", task=self.task, pairs=pairs, output=measured)
        names = {
            "weak": weak,
            "samples": folder / "t1.0",
            "votes": votes,
            "pairs": pairs,
            "headroom": measured,
        }
        self.stage2.append(
            {"seed": seed, "headroom_split": "train_2"}
            | {key: str(path.relative_to(self.folder)) for key, path in names.items()}
        )


def rows_of(path: Path) -> list[dict]:
    """Return the rows of a file of a made run."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def edit_rows(path: Path, edits: dict[int, dict]) -> None:
    """Change single rows of a file by their place."""
    found = rows_of(path)
    for place, changes in edits.items():
        found[place] |= changes
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
