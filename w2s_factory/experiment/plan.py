"""The plan of an experiment: all steps that its file asks for, and the contents of the finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.experiment.headroom_steps import measured_first
from w2s_factory.experiment.run_contents import CONTENTS, Contents, Job
from w2s_factory.experiment.settings_in_words import settings_in_words
from w2s_factory.experiment.stages import plan_baselines, plan_golds, plan_stage1, plan_stage2, plan_weak
from w2s_factory.experiment.steps import OURS, Draft, Step, Tree
from w2s_factory.records import Table

if TYPE_CHECKING:
    import pandas as pd

    from w2s_factory.experiment.spec import Experiment, Repetition

REPORT = "report.html"

_SHOWN = ("name", "kind", "seed", "reads", "writes", "commands")
"""The columns of a table of steps."""


@dataclass(frozen=True)
class Plan:
    """The steps that `run` will carry out.

    Attributes:
        experiment: The experiment.
        steps: All steps, each after those it depends on; the last one writes the report.
        contents: The contents of the finished run's folder.
    """

    experiment: Experiment
    steps: tuple[Step, ...]
    contents: Contents

    def to_frame(self) -> pd.DataFrame:
        """Return the steps as a DataFrame."""
        return Table("steps", ({key: getattr(step, key) for key in _SHOWN} for step in self.steps)).to_frame()


def plan(experiment: Experiment, *, allow_other_template: bool = False) -> Plan:
    """Plan an experiment without reading or writing files; its models need not exist yet.

    The whole pipeline is planned for each seed: gold data, the weak model, baselines, Stage I, M_plus,
    Stage II, the evaluation of each model.

    Args:
        experiment: The experiment.
        allow_other_template: Train also with a template that differs from what generation will ask.

    Raises:
        UserError: The plan would be too large.
    """
    drafts: list[Draft] = []
    for seed in experiment.seeds:
        files = drafts[-1].files if drafts else 0
        drafts.append(_repetition(experiment, seed, files, allow_other_template=allow_other_template))
    steps = measured_first(drafts)
    contents = _contents(experiment, drafts, steps)
    return Plan(experiment, (*steps, _report(experiment, steps)), contents)


def _repetition(experiment: Experiment, seed: Repetition, files: int, *, allow_other_template: bool) -> Draft:
    task = experiment.the_task
    tree = Tree.of(task, seed)
    draft = Draft(experiment, task, seed, tree, files=files, allow_other_template=allow_other_template)
    plan_golds(draft)
    weak_results = plan_weak(draft)
    plan_baselines(draft, weak_results)
    m_plus = plan_stage1(draft, weak_results)
    if experiment.stage2 is not None:
        plan_stage2(draft, experiment.stage2, weak_results, m_plus)
    return draft


def _contents(experiment: Experiment, drafts: list[Draft], steps: list[Step]) -> Contents:
    first, stage2 = drafts[0].tree, experiment.stage2
    avg_at, reasoning = experiment.evaluation.avg_at, experiment.reasoning
    return Contents(
        name=experiment.name,
        task=experiment.task,
        weak_name=experiment.weak.name,
        weak_model=experiment.weak.model,
        strong_model=experiment.strong.model,
        split=experiment.split,
        golds=Path(first.golds(experiment.split)),
        train_golds=Path(first.golds("train_2")),
        seeds=experiment.seeds,
        min_confidence=stage2.min_confidence if stage2 else None,
        negative_confidence=stage2.negative_confidence if stage2 else None,
        notes=experiment.notes,
        models=[model for draft in drafts for model in draft.models],
        stage1=[iteration for draft in drafts for iteration in draft.stage1],
        stage2=[preferred for draft in drafts for preferred in draft.stage2],
        jobs=[_job(step) for step in steps],
        avg_at=avg_at.k if avg_at else None,
        answering=settings_in_words(experiment) or None,
        reasoning=(reasoning.start, reasoning.end) if reasoning else None,
    )


def _job(step: Step) -> Job:
    return Job(
        name=step.name,
        kind=step.kind,
        seed=step.seed,
        command=step.lines(),
        log=Path(step.log),
        benchmark=Path(step.benchmark),
    )


def _report(experiment: Experiment, steps: list[Step]) -> Step:
    """Return the last step, the report, which depends on all others."""
    return Step(
        name="report",
        kind="report",
        seed=experiment.seeds[0],
        reads=(CONTENTS, *(file for step in steps for file in step.writes)),
        writes=(REPORT,),
        commands=((OURS, "report", ".", "--output", REPORT, "--force"),),
        need=experiment.resources.of("report"),
    )
