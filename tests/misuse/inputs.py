"""Valid inputs for every command, small enough to be copied for each try, and a valid command line for each.

Everything is below `in/` of the folder a command is run in. The embedded arithmetic task gives the rows.
"""

from __future__ import annotations

import json
import os
import shutil
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import yaml
from made_runs import make_run

from w2s_factory import build_stage1, build_stage2, get_task, make_config, pick_demonstrations, vote
from w2s_factory.experiment.run import plan_experiment
from w2s_factory.experiment.run_folder import prepare
from w2s_factory.records import write
from w2s_factory.shipped import shipped

ROWS = 12
TASK = "arithmetic"
TRAINING = "train_arithmetic_weak_iter1_hybrid.yaml"


class Line(NamedTuple):
    """A command line that works.

    Attributes:
        arguments: Its words. Words that begin with `in/` name inputs, those that begin with `out` outputs.
        slow: Whether it takes more than a tenth of a second, so that fewer tries begin with it.
        code: Its exit code.
    """

    arguments: str
    slow: bool = False
    code: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.arguments.split())


LINES = [
    Line("build-data --stage gold --task arithmetic --input in/raw.jsonl --output out/gold.json --model in/model"),
    Line("build-data --stage test --task arithmetic --input in/raw.jsonl --output out/test.jsonl --split train_2"),
    Line("build-data --stage full-weak --task arithmetic --input in/weak.jsonl --output out/w.json --no-config"),
    Line("build-data --stage 1 --task arithmetic --weak in/weak.jsonl --icl in/icl.jsonl --output-dir out"),
    Line(
        "build-data --stage 2 --task arithmetic --weak in/weak.jsonl --votes in/votes.jsonl --output out/p.json"
        " --samples in/t1.0 --min-confidence 0.5 --negative-confidence 0.5 --no-config"
    ),
    Line(
        "build-data --stage 1 --task arithmetic --weak in/weak.jsonl --icl in/icl.jsonl --output-dir out"
        " --extract auto --mode published --train-on answer --chat on --system Think --no-config"
    ),
    Line(
        "build-data --stage 2 --pairs consistency --task arithmetic --votes in/three.jsonl --output out/c.json"
        " --min-confidence 0.5 --pairs-per-question 2 --drop-duplicates --no-config"
    ),
    Line("build-data --stage 2 --control random --task arithmetic --weak in/weak.jsonl --votes in/votes.jsonl"
         " --output out/r.json --no-config"),
    Line("build-data --stage 2 --control gold --task arithmetic --votes in/votes.jsonl --output out/g.json"),
    Line("build-data --stage self --task arithmetic --votes in/votes.jsonl --output out/s.json"
         " --min-confidence 0.5 --seed 3 --model in/model"),
    Line("build-data --stage 2 --check in/pairs/paired.json --weak in/weak.jsonl"),
    Line("build-data --stage 2 --explain 2 --output in/pairs/paired.json"),
    Line("convert-pairs in/pairs/paired.json --format release --output out/converted.json"),
    Line("convert-pairs in/pairs/paired.json --format chosen --output out/chosen.json"),
    Line(
        "make-config --preset tiny_lora_sft --model in/model --output-dir out/trained --output out/made.yaml"
        " --dataset arithmetic_weak_iter1_hybrid --dataset-dir in/data --llamafactory-version 0.9.5"
    ),
    Line("make-config --preset dpo --model in/model --adapter in/adapter --output-dir out/d --output out/d.yaml"
         " --dataset paired --dataset-dir in/pairs"),
    Line("train in/data/" + TRAINING, code=1),
    Line("export in/export.yaml", code=1),
    Line("demos --task arithmetic --from in/output.jsonl --count 2 --output out/demos.json"),
    Line("demos --task arithmetic --from in/output.jsonl --ids 1,2 --output out/demos.json"),
    Line(
        "generate --task arithmetic --questions in/golds.jsonl --model in/model --output-dir out"
        " --demos in/demos.json --engine echo --retry-failed --max-failures 0.1"
    ),
    Line(
        "generate --task arithmetic --split train_2 --model in/model --output-dir out --engine echo"
        " --samples 2 --limit 3 --temperature 0.7 --top-k 5 --min-p 0.1 --presence-penalty 0.5"
        " --repetition-penalty 1.1 --no-stop"
    ),
    Line("generate --task arithmetic --questions in/golds.jsonl --model in/model --output-dir out --dry-run"
         " --engine echo"),
    Line("generate --task arithmetic --split train_2 --model in/model --output-dir out --engine echo --limit 3"
         " --chat in/chat.jinja --system Think. --thinking auto --demonstrations text --demos in/demos.json"
         " --reasoning-start [T] --reasoning-end [/T]"),
    Line("demos --task arithmetic --from in/output.jsonl --count 2 --output out/demos.json --show whole"
         " --extract auto --reasoning-start <think> --reasoning-end </think>"),
    Line("merge-shards in/shards"),
    Line("score --task arithmetic --golds in/golds.jsonl --input in/output.jsonl --output out/results.jsonl"),
    Line("score --task arithmetic --golds in/golds.jsonl --input in/output.jsonl --compare published,symbolic"),
    Line(
        "score --task arithmetic --golds in/golds.jsonl --input in/output.jsonl --output out/results.jsonl"
        " --extract auto --reasoning-start <think> --reasoning-end </think>"
    ),
    Line("vote --input in/t1.0 --output out/votes.jsonl"),
    Line("vote --input in/t1.0 --output out/votes.jsonl --task arithmetic --extract auto --mode symbolic"),
    Line("evaluate in/weak.jsonl in/icl.jsonl --floor 0.1 --ceiling 0.9 --csv out/table.csv", slow=True),
    Line("evaluate --pass-at 2 in/t1.0 --json"),
    Line("evaluate in/weak.jsonl --headroom in/t1.0 --pairs in/pairs/paired.json --output out/headroom.json"
         " --require-headroom -90 --task arithmetic"),
    Line("init --task arithmetic --output out/experiment.yaml"),
    Line("init --task out/task.yaml"),
    Line("show-task in/task.yaml --split train_2"),
    Line("build-data --stage test --task in/task.yaml --split train_2 --output out/own.jsonl"),
    Line("build-data --stage gold --task in/task.yaml --split train_1 --output out/own.json"),
    Line("generate --task in/task.yaml --split test --model in/model --output-dir out --engine echo --limit 2"),
    Line("run in/experiment.yaml --dry-run"),
    Line("run in/experiment.yaml --output-dir out", slow=True, code=1),
    Line("status in/planned"),
    Line("status in/planned --json"),
    Line("fetch release --from in/no-repository --output-dir out/release", code=1),
    Line("verify-release in/release", code=1),
    Line("audit in/data"),
    Line("template status"),
    Line("template check --template chatml --model in/model --chat in/chat.jinja --thinking off", code=1),
    Line("template jinja chatml --model in/model --output out/chatml.jinja", code=1),
    Line("doctor", code=1),
]  # fmt: skip
REPORT = Line("report in/run --output out/report.html", slow=True)
"""Takes seconds for its figures, so the default suite leaves it out."""

LINES += [REPORT] if os.environ.get("W2S_MISUSE") else []


def make_inputs(folder: Path) -> None:
    """Write everything the command lines name, below `folder/in`."""
    into = folder / "in"
    into.mkdir(parents=True)
    task = get_task(TASK)
    raw, golds = (shipped("data", "arithmetic", name) for name in ("train_2.jsonl", "golds/train_2.jsonl"))
    for source, name in ((raw, "raw.jsonl"), (golds, "golds.jsonl")):
        (into / name).write_text("".join(islice(source.open(), ROWS)))
    rows = [json.loads(line) for line in (into / "golds.jsonl").open()]
    for name, period in (("weak", 2), ("icl", 3), ("t1.0/seed0/results", 4), ("t1.0/seed1/results", 5)):
        write(_made(into / f"{name}.jsonl"), _results(task, rows, period))
    write(into / "output.jsonl", ({key: row[key] for key in ("id", "prompt", "response")}
                                  for row in _results(task, rows, 2)))  # fmt: skip
    vote(into / "t1.0", into / "votes.jsonl")
    three = [*sorted(into.glob("t1.0/*/results.jsonl")), into / "weak.jsonl"]
    vote(three, into / "three.jsonl")  # with a third, some answers are rarer than others
    write(into / "demos.json", pick_demonstrations(task, into / "output.jsonl", count=2, seed=1))
    (into / "task.yaml").write_text(OWN_TASK)
    _model(into)
    (into / "chat.jinja").write_text("{% for message in messages %}[{{ message.content }}]{% endfor %}")
    build_stage1(task, into / "weak.jsonl", into / "icl.jsonl", into / "data", weak_name="weak", iteration=1)
    build_stage2(task, into / "weak.jsonl", into / "votes.jsonl", into / "pairs/paired.json")
    _configs(into)
    _shards(into, task)
    prepare(plan_experiment(into / "experiment.yaml"), into / "planned")
    _release(into)
    if REPORT in LINES:
        make_reported(folder)


def _results(task, rows, period: int):
    """Results in which every `period`th answer is wrong."""
    for number, row in enumerate(rows):
        answer = row["answer"] if number % period else str(int(row["answer"]) + 1)
        yield {
            "id": number,
            "prompt": task.prompt(row["question"]),
            "response": f"So it is {answer}.\n#### {answer}",
            "pred": answer,
            "gold": row["answer"],
            "result": answer == row["answer"],
        }


OWN_TASK = """\
rows: raw.jsonl
columns: {solution: answer, answer: {column: answer, regex: '#### (.+)'}}
compare: number
splits: {train_1: 0.5, train_2: 0.25, test: 0.25}
"""
"""A task file whose rows are raw rows of the embedded task."""


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _model(into: Path) -> None:
    """A model folder without weights worth copying, an adapter on it, and a chat template for it."""
    source = shipped("data", "models", "tiny_llama")
    (into / "model").mkdir()
    for file in source.iterdir():
        if file.suffix == ".safetensors":
            (into / "model" / file.name).symlink_to(file)
        else:
            shutil.copy(file, into / "model" / file.name)
    config = {"peft_type": "LORA", "base_model_name_or_path": "in/model", "r": 8, "task_type": "CAUSAL_LM"}
    (into / "chat.jinja").write_text(
        "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}"
    )
    (into / "adapter").mkdir()
    (into / "adapter/adapter_config.json").write_text(json.dumps(config))
    (into / "adapter/adapter_model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")


def _configs(into: Path) -> None:
    config = make_config("export", model=str(into / "model"), output_dir="out/merged",
                         adapter=[str(into / "adapter")], version="0.9.5", file=into / "export.yaml")  # fmt: skip
    (into / "export.yaml").write_text(config)
    training = into / "data" / TRAINING
    if not training.is_file():
        text = make_config("tiny_lora_sft", model=str(into / "model"), output_dir="out/trained",
                           dataset="arithmetic_weak_iter1_hybrid", dataset_dir=str(into / "data"),
                           version="0.9.5", file=training)  # fmt: skip
        training.write_text(text)
    (into / "preset.yaml").write_text(shipped("llama_factory_configs", "tiny_lora_sft.yaml").read_text())
    experiment = {
        "name": "small",
        "task": TASK,
        "split": "dev",
        "weak": {"name": "weak", "model": str(into / "model"), "train": {"preset": "tiny_base_full_sft"}},
        "strong": {"name": "strong", "model": str(into / "model"), "preset": "tiny_base_lora_sft"},
        "iterations": 1,
        "last_iteration": ["hybrid"],
        "baselines": ["weak_floor"],
        "stage2": {"methods": {"dpo": {"preset": "tiny_base_dpo"}}, "samples": 2, "min_confidence": 0.6},
        "generation": {"engine": "transformers", "max_tokens": 8},
        "limit": {"train_2": 8, "split": 4},
        "llamafactory": {"cpu": True},
        "seeds": [0],
    }
    (into / "experiment.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))


def _shards(into: Path, task) -> None:
    """Two shards of a generation, as `generate --shard` leaves them."""
    from w2s_factory import Generation, Model, Shard, generate

    for number in (1, 2):
        generate(Generation(task=task, questions=into / "golds.jsonl", model=Model(str(into / "model")),
                            output_dir=into / "shards", engine="echo", shard=Shard(number, 2)))  # fmt: skip


def _release(into: Path) -> None:
    """The part of a release that holds the embedded rows."""
    folder = into / "release/data/raw/gsm8k"
    folder.mkdir(parents=True)
    shutil.copy(into / "raw.jsonl", folder / "train_2.jsonl")


def make_reported(folder: Path) -> None:
    """Write the finished run that `REPORT` reports on."""
    make_run(_made(folder / "in/run/contents.json").parent, seeds=[0], questions=12, asked=12)


def contents(folder: Path) -> dict[str, bytes | str]:
    """Every file and link below a folder, by name; links and special files by what they are."""
    found: dict[str, bytes | str] = {}
    for root, folders, files in os.walk(folder):
        for name in [*files, *(one for one in folders if Path(root, one).is_symlink())]:
            path = Path(root, name)
            key = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[key] = f"link to {path.readlink()}"
            else:
                found[key] = path.read_bytes() if path.is_file() else "special"
    return found
