"""The sections of an experiment file that say where and how jobs run."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Le
from pydantic import AfterValidator

from w2s_factory.experiment.sections import Section
from w2s_factory.generating.layout import Shards
from w2s_factory.quantities import MaxTokens, Samples

Kind: TypeAlias = Literal["data", "train", "export", "generate", "score", "vote", "report"]
"""What sort of step it is, which decides its resources and interpreter."""


def _amount(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})? ?[A-Za-z]{1,12}", text):
        raise ValueError(f'expected a number and its unit (64GB, 12h), got "{text}"')
    return text


Gpus: TypeAlias = Annotated[int, Ge(0), Le(1_024)]
"""Whole devices of a job."""


Amount: TypeAlias = Annotated[str, AfterValidator(_amount)]
"""Memory or time of a job: a number and its unit."""

Threads: TypeAlias = Annotated[int, Ge(1), Le(4_096)]
"""Processor cores of a job."""


class Generation(Section):
    """How every model answers.

    Attributes:
        engine: `transformers`, `vllm`, `openai`; chosen on the machine if None.
        options: The engine's own options.
        shards: Jobs into which the questions of a run are spread.
        samples_per_job: Sampling seeds a job; all if None.
        max_tokens: The longest response; the task's if None.
        bos: The BOS token before a prompt: `auto`, `add`, `none`.
    """

    engine: str | None = None
    options: dict[str, Any] = {}
    shards: Shards = 1
    samples_per_job: Samples | None = None
    max_tokens: MaxTokens | None = None
    bos: Literal["auto", "add", "none"] = "auto"


class LlamaFactory(Section):
    """How LLaMA-Factory is used.

    Attributes:
        version: The one whose YAMLs and pairs are written; the installed one if None.
        cpu: Train on a machine without a GPU: the presets' bf16 needs one.
    """

    version: str | None = None
    cpu: bool = False


class Environments(Section):
    """The interpreters of other environments; None is the one `run` runs in.

    Attributes:
        train: Of the LLaMA-Factory to start.
        generate: Where the engine and `w2s-factory` are installed.
    """

    train: str | None = None
    generate: str | None = None


class Need(Section):
    """What a job of a kind needs.

    Attributes:
        gpus: Whole devices.
        threads: Processor cores.
        mem: Memory, as Snakemake reads it ("64GB").
        runtime: Time, likewise ("12h").
        more: Further Snakemake resources, as an executor knows them (slurm_partition ...).
    """

    gpus: Gpus = 0
    threads: Threads = 1
    mem: Amount | None = None
    runtime: Amount | None = None
    more: dict[str, str | int] = {}


class Resources(Section):
    """What jobs need by kind: `data` stands for all that neither train, merge nor generate."""

    train: Need = Need()
    export: Need = Need()
    generate: Need = Need()
    data: Need = Need()

    def of(self, kind: Kind) -> Need:
        """The need of a step's kind."""
        own = {"train": self.train, "export": self.export, "generate": self.generate}
        return own.get(kind, self.data)
