"""Estimate what the paper's experiments need: GPU hours and disk, from their plans and the assumptions below.

    python scripts/paper_estimate.py

This writes the table in `docs/reproduce.md`; docs/scaling.md explains the assumptions, and gives the estimate
for GSM8K in full. Nobody has measured any of it. A test fails while the table differs from this program.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from w2s_factory import plan, read_experiment
from w2s_factory.llamafactory.presets import load_preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.experiment.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reproduce.md"

DEVICES: Final = 8
FLOPS: Final = DEVICES * 312e12 * 0.4
"""Operations a second of all devices: bf16 on the A100, of which training and reading prompts use 40 %."""

GATHERED: Final = 200e9
"""Bytes a second at which ZeRO-3 gathers parameters within a node."""

WRITTEN: Final = 2_500
"""Tokens a second that all devices write together with the 70B model."""

START: Final = 240
"""Seconds until a training or generation with the 70B model has loaded it."""

BATCH: Final = 8
"""Rows of a batch; of pairs, a row is two texts."""

ADAPTER: Final = 1.2e9
"""Bytes of an adapter of rank 8 on the 70B model, with its last checkpoint."""


@dataclass(frozen=True)
class Counts:
    """Numbers of an experiment that its plan does not say.

    Attributes:
        experiment: The name of its file.
        weak: The parameters of the weak model.
        strong: Those of the strong model.
        questions: The questions of `train_1` and of `train_2`, which are as many.
        test: The questions of the test split.
        kept: The questions that each iteration of Stage I keeps.
        pairs: The preference pairs.
        prompt: The tokens of a prompt without demonstrations.
        response: The tokens of a response.
    """

    experiment: str
    weak: float
    strong: float
    questions: int
    test: int
    kept: tuple[int, ...]
    pairs: int
    prompt: int
    response: int

    @property
    def few_shot(self) -> int:
        """Return the tokens of a prompt with four demonstrations."""
        return self.prompt + 4 * (self.prompt + self.response)

    def rows(self, training: str) -> int:
        """Return the rows of a training, by the name of its step."""
        name = training.removeprefix("train_")
        if name.startswith("iter"):
            kept = self.kept[int(name[len("iter")]) - 1]
            return 2 * kept if name.endswith("hybrid") else kept
        return self.pairs if name in (*_PAIRS, "sft_chosen") else self.questions

    def responses(self, generation: str, samples: int) -> int:
        """Return the responses of a generation, by the name of its step."""
        asked = self.questions if "_train_2" in generation else self.test
        return asked * (samples if generation.endswith("_samples") else 1)


EXPERIMENTS: Final = (
    Counts("gsm8k_llama2_7b", 6.74e9, 69e9, 7_000, 1_319, (2_683, 4_022), 2_563, 75, 85),
    Counts("math_llama2_7b", 6.74e9, 69e9, 6_000, 500, (334,), 1_328, 70, 150),
    Counts("olympic_arena_llama3_8b_instruct", 8.03e9, 70.6e9, 6_020, 313, (746, 1_288), 1_500, 250, 330),
)
"""Rows are the release's; tokens and OlympicArena's pairs are assumptions, as docs/reproduce.md says."""

_PAIRS: Final[Mapping[str, tuple[int, int]]] = {"dpo": (4, 8), "orpo": (3, 6)}
"""By method: how many times a step gathers the parameters, and its operations per weight and token."""

_SFT: Final = (3, 6)
_FULL: Final = (3, 8)


@dataclass
class Estimate:
    """The work, time and disk space that an experiment takes."""

    trainings: int = 0
    generations: int = 0
    trained: float = 0
    written: float = 0
    read: float = 0
    seconds: float = 0
    disk: float = 0

    @property
    def gpu_hours(self) -> float:
        """Return the hours of all devices together."""
        return self.hours * DEVICES

    @property
    def hours(self) -> float:
        """Return the hours on one node, one step after the other."""
        return self.seconds / 3600


def estimate(counts: Counts) -> Estimate:
    """Return the estimate of an experiment, from the steps of its plan."""
    planned = _plan(counts.experiment)
    found = Estimate()
    for step in planned.steps:
        name = step.name.rpartition("/")[2]
        if step.kind == "train":
            _add_training(found, counts, name, planned)
        elif step.kind == "generate" and not name.startswith("generate_weak_"):  # that takes minutes
            _add_generation(found, counts, name, planned)
    trained_weak = any(step.name.endswith("/train_weak") for step in planned.steps)
    adapters = found.trainings - trained_weak
    weak = counts.weak * (2 + 2 + 14 if trained_weak else 2)  # before, after, a checkpoint with the optimizer
    found.disk = 4 * counts.strong + weak + adapters * ADAPTER + 1e9
    return found


def _plan(name: str) -> Plan:
    """Return the plan of one of the paper's experiments; the files of the release need not exist."""
    os.environ.setdefault("W2S_RELEASE", "release")
    return plan(read_experiment(ROOT / "experiments" / f"{name}.yaml"))


def _add_training(found: Estimate, counts: Counts, name: str, planned: Plan) -> None:
    weak = name == "train_weak"
    method = name.removeprefix("train_")
    texts = 2 if method in _PAIRS else 1
    rows = counts.rows(name) * _epochs(method, planned)
    weights = counts.weak if weak else counts.strong
    gathers, operations = _FULL if weak else _PAIRS.get(method, _SFT)
    tokens = rows * texts * (counts.prompt + counts.response)
    gathering = rows / BATCH * gathers * 2 * weights * (1 - 1 / DEVICES) / GATHERED
    found.trainings += 1
    found.trained += tokens
    found.seconds += gathering + tokens * operations * weights / FLOPS + (0 if weak else START)


def _epochs(method: str, planned: Plan) -> float:
    """Return the epochs of a training, as its preset has them; the control trains as long as its pairs."""
    preset = {"weak": "weak_full_sft", "dpo": "dpo", "orpo": "orpo", "sft_chosen": "dpo"}.get(method)
    entries = load_preset(preset or planned.experiment.strong.preset).entries
    return float(entries["num_train_epochs"].value)


def _add_generation(found: Estimate, counts: Counts, name: str, planned: Plan) -> None:
    responses = counts.responses(name, planned.experiment.stage2.samples)
    read = responses * (counts.few_shot if "_few_shot_" in name else counts.prompt)
    found.generations += 1
    found.written += responses * counts.response
    found.read += read
    found.seconds += START + responses * counts.response / WRITTEN + read * 2 * counts.strong / FLOPS


def table() -> str:
    """Return the table as Markdown: a row for each quantity, a column for each experiment."""
    found = [estimate(counts) for counts in EXPERIMENTS]
    rows = {
        "trainings": [f"{each.trainings}" for each in found],
        "generations with the 70B model": [f"{each.generations}" for each in found],
        "tokens trained": [f"{each.trained / 1e6:.1f} M" for each in found],
        "tokens written": [f"{each.written / 1e6:.1f} M" for each in found],
        "tokens of prompts read": [f"{each.read / 1e6:.1f} M" for each in found],
        "hours on 8 GPUs": [f"{each.hours:.1f}" for each in found],
        "GPU hours": [f"{each.gpu_hours:.0f}" for each in found],
        "disk": [f"{-(-each.disk // 5e9) * 5:.0f} GB" for each in found],
    }
    names = " | ".join(f"`{counts.experiment}`" for counts in EXPERIMENTS)
    lines = [f"| | {names} |", "|---" * (len(found) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())]) + "\n"


def with_table(page: str) -> str:
    """Return the page with its table replaced, between two comments."""
    start, end = "<!-- estimate -->\n", "<!-- end of estimate -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}{table()}{rest[rest.index(end) :]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
