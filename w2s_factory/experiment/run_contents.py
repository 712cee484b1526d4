"""Contents of a run's folder once its steps are done."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic looks it up
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

CONTENTS: Final = "contents.json"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evaluated(_Entry):
    """A model whose answers to the test split are there.

    Attributes:
        key: Which one it is: `weak_floor`, `strong_zero_shot`, `full_weak_ft`, `weak_icl`,
            `iter1_weak_ft`, `iter1_icl_ft`, `iter1_hybrid_ft`, `iter2_hybrid_ft` ..., `sft_chosen` (the
            control of Stage II), `dpo`, `orpo`, `simpo`, `strong_ceiling`.
        label: What a reader calls it: "Stage I, iteration 1, hybrid".
        stage: What it belongs to.
        iteration: Of Stage I, from 1.
        seed: Of the repetition of the experiment.
        results: Its greedy answers, scored (`results.jsonl`).
        any_format: The same answers, the last number counting in whatever format; where the task has that.
        samples: The folder of its sampled answers (`seed0/results.jsonl` ...), for pass@k.
        training: Where LLaMA-Factory trained it (`trainer_log.jsonl`); None for what was not trained.
    """

    key: str
    label: str
    stage: Literal["baseline", "stage1", "stage2"]
    iteration: int | None = None
    seed: int
    results: Path
    any_format: Path | None = None
    samples: Path | None = None
    training: Path | None = None


class Agreed(_Entry):
    """One iteration of Stage I: the results of both sides on `train_2`, and the hybrid set they gave."""

    seed: int
    iteration: int
    weak: Path
    icl: Path
    hybrid: Path


class Preferred(_Entry):
    """Stage II: the original weak results, M_plus's samples, the majority file, and the pairs they gave."""

    seed: int
    weak: Path
    samples: Path
    votes: Path
    pairs: Path


class Job(_Entry):
    """One job of the workflow.

    Attributes:
        name: Its name, unique in the run (`seed0/train_iter1_hybrid`).
        kind: What sort of step it is: `data`, `train`, `generate`, `score`, `vote`, `export`, `report`.
        command: The commands it ran, one string each.
        log: Where its output lies.
        benchmark: Snakemake's benchmark of it (a TSV with one row; column `s`: seconds).
    """

    name: str
    kind: str
    seed: int
    command: list[str]
    log: Path
    benchmark: Path


class Contents(_Entry):
    """A run, as its report needs it.

    Attributes:
        name: The experiment's name.
        task: The task's name.
        weak_name: The weak model, as file names have it.
        weak_model: What it is (a folder or hub name), or None where published results stand for it.
        strong_model: The strong model (a folder or hub name).
        split: The split the models are compared on.
        golds: That split in the test form.
        train_golds: The split of both stages (`train_2`) in the test form, where known.
        seeds: Of the repetitions.
        min_confidence: Stage II: the least confidence that counts at all.
        negative_confidence: Stage II: the least that calls a weak answer wrong.
        notes: What a reader of the figures must know, from the experiment file (how many settings were
            tried, say), in plain sentences.
    """

    name: str
    task: str
    weak_name: str
    weak_model: str | None
    strong_model: str
    split: str
    golds: Path
    train_golds: Path | None
    seeds: list[int]
    min_confidence: float | None
    negative_confidence: float | None
    notes: list[str]
    models: list[Evaluated]
    stage1: list[Agreed]
    stage2: list[Preferred]
    jobs: list[Job]
