"""The sections of an experiment file that say where and how jobs run."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field

from w2s_factory.experiment.sections import Section

Kind: TypeAlias = Literal["data", "train", "export", "generate", "score", "vote", "report"]
"""What sort of step it is, which decides its resources and interpreter."""


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
    shards: int = Field(default=1, ge=1)
    samples_per_job: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    bos: Literal["auto", "add", "none"] = "auto"


class LlamaFactory(Section):
    """The LLaMA-Factory whose YAMLs and pairs are written; the installed one if None."""

    version: str | None = None


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

    gpus: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)
    mem: str | None = None
    runtime: str | None = None
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
