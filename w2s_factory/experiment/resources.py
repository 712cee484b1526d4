"""Sections of an experiment file on where jobs run: interpreters, LLaMA-Factory, resources by kind."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Le
from pydantic import AfterValidator

from w2s_factory.experiment.section import Section

Kind: TypeAlias = Literal["data", "train", "export", "generate", "score", "vote", "report"]
"""The kind of a step, which decides its resources and its interpreter."""


def _amount(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})? ?[A-Za-z]{1,12}", text):
        raise ValueError(f'expected a number and its unit (64GB, 12h), got "{text}"')
    return text


Gpus: TypeAlias = Annotated[int, Ge(0), Le(1_024)]
"""Whole GPUs of a job."""


Amount: TypeAlias = Annotated[str, AfterValidator(_amount)]
"""Memory or time of a job: a number and its unit."""

Threads: TypeAlias = Annotated[int, Ge(1), Le(4_096)]
"""Processor cores of a job."""

SaveSteps: TypeAlias = Annotated[int, Ge(1), Le(1_000_000)]
"""Training steps from one checkpoint to the next."""

Retries: TypeAlias = Annotated[int, Ge(0), Le(100)]
"""The number of times that a job is put back in the queue of a cluster."""


class LlamaFactory(Section):
    """The settings of LLaMA-Factory.

    Attributes:
        version: The version for which configs and pairs are written; the installed one if None.
        cpu: Train on a machine without a GPU, without the presets' bf16, which needs one.
    """

    version: str | None = None
    cpu: bool = False


class Environments(Section):
    """The Python interpreters of other environments; None is the one that runs `run`.

    Attributes:
        train: The interpreter of the environment with LLaMA-Factory.
        generate: The interpreter of the environment with the engine and `w2s-factory`.
    """

    train: str | None = None
    generate: str | None = None


class Need(Section):
    """The resources of each job of a kind.

    Attributes:
        gpus: Whole GPUs.
        threads: Processor cores.
        mem: Memory, as Snakemake reads it ("64GB").
        runtime: Time, as Snakemake reads it ("12h").
        more: Further resources of Snakemake's executors (`slurm_partition` ...).
    """

    gpus: Gpus = 0
    threads: Threads = 1
    mem: Amount | None = None
    runtime: Amount | None = None
    more: dict[str, str | int] = {}


class Resources(Section):
    """The resources of jobs by kind.

    Attributes:
        train: Those of trainings.
        export: Those of steps that merge an adapter into its model.
        generate: Those of steps that generate.
        data: Those of all other steps.
        retries: How often Slurm may start a job again that was preempted or whose node failed; None leaves it
            to the cluster.
    """

    train: Need = Need()
    export: Need = Need()
    generate: Need = Need()
    data: Need = Need()
    retries: Retries | None = None

    def of(self, kind: Kind) -> Need:
        """Return the resources of a kind of step."""
        own = {"train": self.train, "export": self.export, "generate": self.generate}
        return own.get(kind, self.data)
