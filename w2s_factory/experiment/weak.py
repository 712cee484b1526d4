"""The steps of the weak model: trained on gold, answering `train_2`; or its published results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.experiment.answering import RESULTS, answer
from w2s_factory.experiment.contents import Evaluated
from w2s_factory.experiment.evaluation import evaluate
from w2s_factory.experiment.fitting import fit
from w2s_factory.experiment.golds import gold_set
from w2s_factory.experiment.steps import Answerer

if TYPE_CHECKING:
    from w2s_factory.experiment.draft import Draft

FLOOR = ("weak_floor", "Weak floor")


def plan_weak(draft: Draft) -> str:
    """Add the weak model's steps; its results on `train_2`."""
    weak, split = draft.experiment.weak, draft.experiment.split
    who = _weak_model(draft)
    if "weak_floor" in draft.experiment.baselines:
        if weak.test_results is not None:
            _published_floor(draft, _scored(draft, weak.test_results, split))
        elif who is not None:
            evaluate(draft, *FLOOR, who, trained=weak.train is not None)
    if weak.results is None and who is not None:
        return answer(draft, who, "train_2")
    return _scored(draft, str(weak.results), "train_2")  # what has no model has results


def _weak_model(draft: Draft) -> Answerer | None:
    """The model that answers, trained first where the file says so and its answers are wanted."""
    weak = draft.experiment.weak
    if weak.model is None:
        return None
    ready = Answerer(role="weak", name=_name(draft), model=weak.model, adapter=weak.adapter)
    floor_wanted = "weak_floor" in draft.experiment.baselines and weak.test_results is None
    if weak.train is None or (weak.results is not None and not floor_wanted):
        return ready
    dataset, file = gold_set(draft, "train_1")
    return fit(draft, "weak", _name(draft), weak.train, ready, dataset, file)


def _name(draft: Draft) -> str:
    """The release's: the weak model, trained on the task's first part (`llama2_7b_gsm8k_1`), or as it is."""
    if draft.experiment.weak.train is None and "train_1" not in draft.task.splits:
        return draft.experiment.weak.name
    return f"{draft.experiment.weak.name}_{draft.task.name}_1"


def _scored(draft: Draft, published: str, split: str) -> str:
    """Published results, scored again into the run's own tree."""
    golds = draft.tree.golds(split)
    results = f"{draft.tree.answers(split, _name(draft))}/{RESULTS}"
    command = ["score", "--task", draft.task.name, "--golds", golds, "--input", published]
    command += ["--output", results, "--force"]
    draft.add(f"score_weak_{split}", "score", command, reads=[golds, published], writes=[results])
    return results


def _published_floor(draft: Draft, results: str) -> None:
    key, label = FLOOR
    draft.models.append(
        Evaluated(key=key, label=label, stage="baseline", seed=draft.seed, results=Path(results))
    )
