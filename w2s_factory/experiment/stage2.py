"""The steps of Stage II: samples of M_plus, votes, pairs, what learns from them, and the control."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building.placing import dataset_name
from w2s_factory.experiment.answering import sample
from w2s_factory.experiment.contents import Preferred
from w2s_factory.experiment.evaluation import evaluate
from w2s_factory.experiment.fitting import SEED, fit, merge
from w2s_factory.experiment.methods import FromStart
from w2s_factory.experiment.stage1 import strong_base
from w2s_factory.experiment.training import Training

if TYPE_CHECKING:
    from w2s_factory.experiment.draft import Draft
    from w2s_factory.experiment.methods import Dpo, Preference, Stage2
    from w2s_factory.experiment.steps import Answerer

LABELS = {"dpo": "Stage II, DPO", "orpo": "Stage II, ORPO", "simpo": "Stage II, SimPO"}
CONTROL = ("sft_chosen", "Control of Stage II: fine-tuned on the chosen side")


@dataclass(frozen=True)
class _Beginnings:
    """What methods may begin with: M_plus as it was trained, merged, and the strong base."""

    m_plus: Answerer
    merged: Answerer
    base: Answerer


def plan_stage2(draft: Draft, stage2: Stage2, weak_results: str, m_plus: Answerer) -> None:
    """Add Stage II, from M_plus's samples to each method's evaluation."""
    stem = f"{draft.weak_stem}iter{draft.experiment.iterations}_hybrid"
    pairs = _pairs(draft, stage2, weak_results, m_plus, f"{stem}_paired")
    methods = stage2.methods
    if not methods.preference and methods.sft_chosen is None:
        return
    begin = _Beginnings(m_plus, merge(draft, "m_plus", m_plus), strong_base(draft))
    for name, method in methods.preference.items():
        _learn(draft, name, method, begin, pairs, dataset_name(f"{stem}_paired", draft.task))
    if methods.sft_chosen is not None:
        _control(draft, stage2, methods.sft_chosen, begin.merged, pairs, f"{stem}_chosen")


def _pairs(draft: Draft, stage2: Stage2, weak_results: str, m_plus: Answerer, stem: str) -> str:
    """Add samples, votes, and pairs against the original weak results."""
    folder, sampled = sample(draft, m_plus, "train_2", stage2.samples, stage2.temperature)
    votes, pairs = f"{folder}/majority_voting_results.jsonl", draft.tree.dataset(stem)
    vote = ["vote", "--task", draft.task.name, "--input", folder, "--output", votes, "--force"]
    draft.add("vote", "vote", vote, reads=sampled, writes=[votes])
    build = [
        "build-data",
        "--stage",
        "2",
        "--task",
        draft.task.name,
        "--weak",
        weak_results,
        "--votes",
        votes,
    ]
    build += ["--samples", folder, "--min-confidence", str(stage2.min_confidence)]
    build += ["--negative-confidence", str(stage2.negative_confidence), "--seed", str(SEED + draft.seed)]
    build += ["--layout", "release", "--output", pairs, "--force"]
    version = draft.experiment.llamafactory.version
    build += ["--llamafactory-version", version] if version else []
    draft.add("pairs", "data", build, reads=[weak_results, votes, *sampled], writes=[pairs])
    draft.stage2.append(
        Preferred(
            seed=draft.seed,
            weak=Path(weak_results),
            samples=Path(folder),
            votes=Path(votes),
            pairs=Path(pairs),
        )
    )
    return pairs


def _learn(
    draft: Draft, name: str, method: Dpo | FromStart, begin: _Beginnings, pairs: str, dataset: str
) -> None:
    """Add a preference training and the model's evaluation.

    M_plus is merged before, since its own adapter, trained on, would make the base the reference.
    """
    start, options = _start(method, begin)
    trained_as = f"{draft.experiment.strong.name}_{dataset}_{name}"
    training = Training(preset=method.preset or name, overrides=method.overrides)
    goes_on = bool(options)
    who = fit(draft, name, trained_as, training, start, dataset, pairs, options=options, goes_on=goes_on)
    evaluate(draft, name, LABELS[name], who, stage="stage2")


def _start(method: Dpo | FromStart, begin: _Beginnings) -> tuple[Answerer, list[str]]:
    """What a method trains, and how `make-config` is told."""
    if isinstance(method, FromStart):
        return (begin.base if method.start == "base" else begin.merged), []
    if method.reference == "base":
        return begin.m_plus, ["--reference", "base"]
    return begin.merged, []


def _control(
    draft: Draft, stage2: Stage2, control: Preference, m_plus: Answerer, pairs: str, stem: str
) -> None:
    """Add fine-tuning on the chosen side, for as many steps as the first preference method takes."""
    file, dataset = draft.tree.dataset(stem), dataset_name(stem)  # named by a command without a task
    convert = ["convert-pairs", pairs, "--format", "chosen", "--output", file, "--force"]
    draft.add("chosen", "data", convert, reads=[pairs], writes=[file])
    strong = draft.experiment.strong_training
    training = Training(
        preset=control.preset or strong.preset,
        overrides={**strong.overrides, **_as_many_steps(stage2), **control.overrides},
    )
    name = f"{draft.experiment.strong.name}_{dataset}"
    folder = str(Path(file).parent)  # the index beside it is the one that knows it
    who = fit(draft, CONTROL[0], name, training, m_plus, dataset, file, dataset_dir=folder)
    evaluate(draft, *CONTROL, who, stage="stage2")


def _as_many_steps(stage2: Stage2) -> dict[str, object]:
    for name, method in stage2.methods.preference.items():
        return Training(preset=method.preset or name, overrides=method.overrides).steps
    return {}
