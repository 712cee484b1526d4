"""Steps that measure the headroom of Stage II before its trainings, and stop there if it is too small.

It is measured on `dev` where the task has that split, else on `train_2`, with the samples of Stage II; M_plus
was trained on a part of those questions. It is always that of as many samples as Stage II draws.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from w2s_factory.experiment.answer_steps import RESULTS, answer, sample
from w2s_factory.experiment.step_options import temperature_of
from w2s_factory.experiment.steps import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.stage2_section import Stage2Section
    from w2s_factory.experiment.steps import Answerer, Draft, Step

HEADROOM: Final = "headroom"
REQUIRED: Final = "headroom_required"
"""The names of both steps, and of the files they write."""

_DEV: Final = "dev"


def headroom_split(experiment: Experiment, m_plus: Answerer) -> str:
    """Return the split on which the headroom is measured.

    `dev` is not taken where models are compared on it by one sample, of the temperature at which Stage II
    draws: that sample would be drawn twice.
    """
    stage2 = experiment.stage2
    if _DEV not in experiment.the_task.splits or stage2 is None:
        return "train_2"
    drawn_once = experiment.split == _DEV and temperature_of(experiment, m_plus) == stage2.temperature
    return "train_2" if drawn_once else _DEV


def plan_headroom(draft: Draft, stage2: Stage2Section, m_plus: Answerer, pairs: str) -> list[str]:
    """Add the steps that measure the headroom, and note its file in the contents.

    They come first among the steps that could start. The trainings wait for them only where the experiment
    requires a headroom: as a further input, they would repeat the trainings of runs that began without them.

    Returns:
        The files for which the trainings wait: those of all repetitions, so that none is trained before the
        headroom of each is measured.
    """
    before = len(draft.steps)
    split = headroom_split(draft.experiment, m_plus)
    single, samples = _answers(draft, stage2, m_plus, split)
    folder = str(Path(samples[0]).parent.parent)
    command = ["evaluate", single, "--headroom", folder, "--task", draft.task.argument, "--pairs", pairs]
    command += ["--samples", str(stage2.samples)] if len(samples) > stage2.samples else []
    reads = dict.fromkeys([single, *samples, pairs])
    file, required = f"{draft.tree.root}/{HEADROOM}.json", _required(draft.tree)
    draft.add(HEADROOM, "score", [*command, "--output", file, "--force"], reads=reads, writes=[file])
    draft.stage2[-1] = draft.stage2[-1].model_copy(update={"headroom": Path(file), "headroom_split": split})
    waits = stage2.require_headroom is not None
    if waits:
        command += ["--require-headroom", f"{stage2.require_headroom:.12g}", "--output", required, "--force"]
        draft.add(REQUIRED, "score", command, reads=[*reads, file], writes=[required])
    draft.steps[before:] = [replace(step, first=True) for step in draft.steps[before:]]
    trees = [Tree.of(draft.task, seed) for seed in draft.experiment.seeds]
    return [_required(tree) for tree in trees] if waits else []


def _required(tree: Tree) -> str:
    """Return the file that exists once a repetition is known to have the required headroom."""
    return f"{tree.root}/{REQUIRED}.json"


def measured_first(drafts: Sequence[Draft]) -> list[Step]:
    """Return the steps of all repetitions, each after those it depends on.

    Where a headroom is required, the steps after its measurement come last, since the trainings among them
    wait for the measurements of all repetitions.
    """
    ends = [_measured(draft) for draft in drafts]
    before = [step for draft, end in zip(drafts, ends, strict=True) for step in draft.steps[:end]]
    return before + [step for draft, end in zip(drafts, ends, strict=True) for step in draft.steps[end:]]


def _measured(draft: Draft) -> int:
    """Return the number of a repetition's steps up to the one that requires a headroom; all without one."""
    steps = enumerate(draft.steps, 1)
    return next((end for end, step in steps if _required(draft.tree) in step.writes), len(draft.steps))


def _answers(draft: Draft, stage2: Stage2Section, m_plus: Answerer, split: str) -> tuple[str, list[str]]:
    """Return M_plus's results on a split, of one answer to each question and of its samples.

    Steps are added for those that are not planned yet. Fewer samples than those of Stage II, which an
    evaluation draws, stay as they are, since it counts all in their folder: the others have one of their own.
    """
    answers = draft.tree.answers(split, m_plus.name)
    folder = f"{answers}/t{float(stage2.temperature)}"
    planned = [file for step in draft.steps for file in step.writes]
    samples = [file for file in planned if file.startswith(f"{folder}/seed") and file.endswith(f"/{RESULTS}")]
    count, temperature = stage2.samples, stage2.temperature
    if not samples:
        # An evaluation by samples of another temperature has the usual name already.
        name = (
            f"{HEADROOM}_samples" if any(file.startswith(f"{answers}/t") for file in planned) else "samples"
        )
        _, samples = sample(draft, m_plus, split, count, temperature, name=name)
    elif len(samples) < count:
        name, apart = f"{HEADROOM}_samples", f"{answers}/{HEADROOM}"
        _, samples = sample(draft, m_plus, split, count, temperature, name=name, folder=apart)
    if split == draft.experiment.split:
        key = f"iter{draft.experiment.iterations}_hybrid_ft"
        return next(str(model.results) for model in draft.models if model.key == key), samples
    if temperature_of(draft.experiment, m_plus) == stage2.temperature:
        return samples[0], samples
    return answer(draft, m_plus, split), samples
