"""`contents.json`: the models, data and jobs of a run and their files, written by `run`, read by `report`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic looks it up
from typing import Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

CONTENTS: Final = "contents.json"

CONTROL: Final = "sft_chosen"
"""The method of Stage II that is its control: supervised fine-tuning on the chosen responses."""

SELF_TRAINING: Final = "self_training"
"""The method of Stage II without pairs: supervised fine-tuning on responses with the majority answer."""

Stage: TypeAlias = Literal["baseline", "stage1", "stage2"]
"""The part of the method to which a model belongs, in the order of the report."""


class _ContentsPart(BaseModel):
    """A part of the contents. Keys of `later`, which earlier runs do not have, are only written if set."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_unset(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            key: value for key, value in write(self).items() if value is not None or key not in self.later
        }


class Evaluated(_ContentsPart):
    """A model that is evaluated in one repetition.

    Attributes:
        key: The model: `weak_floor`, `strong_zero_shot`, `full_weak_ft`, `weak_icl`,
            `iter1_weak_ft`, `iter1_icl_ft`, `iter1_hybrid_ft`, `iter2_hybrid_ft` ..., `sft_chosen` (the
            control of Stage II), `dpo`, `orpo`, `simpo`, `self_training`, `strong_ceiling`. A model that was
            trained on other pairs than the published ones has their name, too (`dpo_consistency`).
        label: Its name in the report: "Stage I, iteration 1, hybrid".
        stage: The part of the method to which it belongs.
        iteration: The iteration of Stage I, from 1; None for other models.
        seed: The seed of the repetition.
        results: Its scored answers (`results.jsonl`), one to each question, greedy by default.
        any_format: The same answers, scored by the last number in any format; None if the task has no such
            scoring.
        samples: The folder of its sampled answers (`seed0/results.jsonl` ...), for pass@k.
        averaged: The folder of its sampled answers for avg@k.
        training: The folder of its training (`trainer_log.jsonl`); None if it was not trained.
        pairs: The pairs that it was trained on, where these are not the published ones: `consistency`,
            `gold` or `random`.
        method: The method of Stage II by which it was trained, where the key has more than its name.
    """

    later = frozenset({"averaged", "pairs", "method"})

    key: str
    label: str
    stage: Stage
    iteration: int | None = None
    seed: int
    results: Path
    any_format: Path | None = None
    samples: Path | None = None
    averaged: Path | None = None
    training: Path | None = None
    pairs: str | None = None
    method: str | None = None


class Agreed(_ContentsPart):
    """The files of one iteration of Stage I: the results of both sides on `train_2`, and the hybrid set."""

    seed: int
    iteration: int
    weak: Path
    icl: Path
    hybrid: Path


class Preferred(_ContentsPart):
    """The files of Stage II: the original weak results, M_plus's samples, the majority file, the pairs.

    `headroom` is what a vote knows beyond the model's one answer, and `headroom_split` the split on which it
    was measured; None in earlier runs.
    """

    later = frozenset({"headroom", "headroom_split"})

    seed: int
    weak: Path
    samples: Path
    votes: Path
    pairs: Path
    headroom: Path | None = None
    headroom_split: str | None = None


class Job(_ContentsPart):
    """One job of the workflow.

    Attributes:
        name: Its name, unique in the run (`seed0/train_iter1_hybrid`).
        kind: The kind of step: `data`, `train`, `generate`, `score`, `vote`, `export`, `report`.
        command: The commands it ran, one string each.
        log: The file of its output.
        benchmark: The file of its duration (a TSV with one row; the column `s` holds seconds).
    """

    name: str
    kind: str
    seed: int
    command: list[str]
    log: Path
    benchmark: Path


class Contents(_ContentsPart):
    """A run: what was compared, and where the files are.

    Attributes:
        name: The experiment's name.
        task: The task's name.
        weak_name: The weak model's name in file names.
        weak_model: The weak model (a folder or hub name); None if published results are used in its place.
        strong_model: The strong model (a folder or hub name).
        split: The split on which the models are compared.
        golds: The file of that split in the test form.
        train_golds: The file of the split of both stages (`train_2`) in the test form; None if not known.
        seeds: The seeds of the repetitions.
        min_confidence: The least confidence at which a question gives pairs; None without Stage II.
        negative_confidence: The least confidence at which a weak answer counts as wrong; None without
            Stage II.
        notes: Sentences for the reader of the report, from the experiment file.
        models: The evaluated models of all repetitions.
        stage1: The iterations of Stage I of all repetitions.
        stage2: Stage II of all repetitions.
        jobs: The jobs of the workflow.
        avg_at: The number of samples of avg@k; None if it is not measured.
        answering: How models were asked and their answers read, where that is not the published way: a line
            for each setting, by its name.
        reasoning: The start and end of thinking that the experiment sets; None for those known.
    """

    later = frozenset({"avg_at", "answering", "reasoning"})

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
    avg_at: int | None = None
    answering: dict[str, str] | None = None
    reasoning: tuple[str, str] | None = None
