"""The steps of the strong model up to M_plus: its baselines, and the iterations of Stage I."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building.placing import dataset_name
from w2s_factory.experiment.answering import answer
from w2s_factory.experiment.contents import Agreed
from w2s_factory.experiment.evaluation import evaluate
from w2s_factory.experiment.fitting import fit
from w2s_factory.experiment.golds import gold_set
from w2s_factory.experiment.steps import Answerer
from w2s_factory.ranges import Seed, check

if TYPE_CHECKING:
    from w2s_factory.experiment.draft import Draft
    from w2s_factory.experiment.spec import Side

SIDES: tuple[Side, ...] = ("weak", "icl", "hybrid")


def strong_base(draft: Draft) -> Answerer:
    """The strong model as it comes."""
    strong = draft.experiment.strong
    return Answerer(role="strong", name=strong.name, model=strong.model)


def fit_strong(draft: Draft, role: str, dataset: str, file: str) -> Answerer:
    """Add the fine-tuning of the strong base on a dataset."""
    name = f"{draft.experiment.strong.name}_{dataset}"
    return fit(draft, role, name, draft.experiment.strong_training, strong_base(draft), dataset, file)


def plan_baselines(draft: Draft, weak_results: str) -> None:
    """Add what the strong model can without weak supervision, with all of it, and with gold."""
    wanted = draft.experiment.baselines
    if "strong_zero_shot" in wanted:
        evaluate(draft, "strong_zero_shot", "Strong model, zero-shot", strong_base(draft))
    if "full_weak" in wanted:
        trained = fit_strong(draft, "full_weak", *_full_weak(draft, weak_results))
        evaluate(draft, "full_weak_ft", "Full weak fine-tuning", trained)
    if "strong_ceiling" in wanted:
        trained = fit_strong(draft, "ceiling", *gold_set(draft, "train_2"))
        evaluate(draft, "strong_ceiling", "Strong ceiling", trained)


def plan_stage1(draft: Draft, weak_results: str) -> Answerer:
    """Add weak ICL and every iteration; the last hybrid model, M_plus."""
    demos = _demonstrations(draft, weak_results)
    base = strong_base(draft)
    sides = {"weak": weak_results, "icl": answer(draft, base, "train_2", demos=demos)}
    if "weak_icl" in draft.experiment.baselines:
        evaluate(draft, "weak_icl", "Weak ICL", base, demos=demos)
    for iteration in range(1, draft.experiment.iterations + 1):
        trained = _iteration(draft, iteration, sides)
        if iteration < draft.experiment.iterations:
            sides = {side: answer(draft, trained[side], "train_2") for side in ("weak", "icl")}
    return trained["hybrid"]


def _iteration(draft: Draft, iteration: int, sides: dict[str, str]) -> dict[Side, Answerer]:
    """Add one iteration: the sets on which both sides agree, and the strong base trained on each."""
    stems = {side: f"{draft.weak_stem}iter{iteration}_{side}" for side in SIDES}
    files = {side: draft.tree.dataset(stem) for side, stem in stems.items()}
    command = ["build-data", "--stage", "1", "--task", draft.task.name, *_layout(draft), "--no-config"]
    command += ["--weak", sides["weak"], "--icl", sides["icl"], "--iteration", str(iteration), "--force"]
    draft.add(f"stage1_iter{iteration}", "data", command, reads=sides.values(), writes=files.values())
    paths = {name: Path(file) for name, file in (*sides.items(), ("hybrid", files["hybrid"]))}
    draft.stage1.append(Agreed(seed=draft.seed, iteration=iteration, **paths))
    last = iteration == draft.experiment.iterations
    trained = {}
    for side in draft.experiment.last_iteration if last else SIDES:
        who = fit_strong(draft, f"iter{iteration}_{side}", dataset_name(stems[side], draft.task), files[side])
        label = f"Stage I, iteration {iteration}, {side}"
        evaluate(draft, f"iter{iteration}_{side}_ft", label, who, stage="stage1", iteration=iteration)
        trained[side] = who
    return trained


def _full_weak(draft: Draft, weak_results: str) -> tuple[str, str]:
    """Add the dataset of every weak answer, right or wrong: its name and file."""
    stem = f"{draft.weak_stem}full_weak"
    file = draft.tree.dataset(stem)
    command = ["build-data", "--stage", "full-weak", "--task", draft.task.name, "--input", weak_results]
    command += ["--layout", "release", "--output", file, "--no-config", "--force"]
    draft.add("full_weak", "data", command, reads=[weak_results], writes=[file])
    return dataset_name(stem, draft.task), file


def _demonstrations(draft: Draft, weak_results: str) -> str:
    shown = draft.experiment.demonstrations
    file = f"{draft.tree.root}/data/demonstrations.json"
    command = ["demos", "--task", draft.task.name, "--from", weak_results, "--output", file, "--force"]
    if shown.ids is not None:
        command += ["--ids", ",".join(map(str, shown.ids))]
    else:
        check(shown.seed + draft.seed, Seed, "demonstrations.seed")
        command += ["--seed", str(shown.seed + draft.seed), "--count", str(shown.count)]
        command += ["--correct-only"] if shown.correct_only else []
    draft.add("demonstrations", "data", command, reads=[weak_results], writes=[file])
    return file


def _layout(draft: Draft) -> list[str]:
    weak_name = draft.experiment.weak.name
    return ["--layout", "release", "--output-dir", draft.tree.root, "--weak-name", weak_name]
