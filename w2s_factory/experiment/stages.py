"""The steps of each stage: gold data, the weak model, baselines, Stage I and Stage II."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from w2s_factory.building.dataset_files import dataset_name
from w2s_factory.experiment.answer_steps import RESULTS, answer, evaluate, sample
from w2s_factory.experiment.headroom_steps import headroom_split, plan_headroom
from w2s_factory.experiment.run_contents import Agreed, Evaluated, Preferred
from w2s_factory.experiment.spec import Methods, ReferenceFree, Side
from w2s_factory.experiment.step_options import (
    asking_options,
    extract_options,
    extraction_options,
    scoring_options,
    training_data_options,
)
from w2s_factory.experiment.steps import Answerer
from w2s_factory.experiment.training_arguments import TrainingSection
from w2s_factory.experiment.training_steps import SEED, fit, merge
from w2s_factory.ranges import Seed, check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from w2s_factory.experiment.spec import Dpo, Experiment, Method, Of, Stage2Section
    from w2s_factory.experiment.steps import Draft


def plan_golds(draft: Draft) -> None:
    """Add the files of questions and golds of all splits that models answer."""
    measured = [headroom_split(draft.experiment, strong_base(draft))] if draft.experiment.stage2 else []
    for split in dict.fromkeys([draft.experiment.split, "train_2", *measured]):
        raw, golds = raw_files(draft.experiment, split), draft.tree.golds(split)
        command = ["build-data", "--stage", "test", "--task", draft.task.argument, *_input(draft, raw)]
        command += ["--split", split, "--output", golds, "--force"]
        draft.add(f"golds_{split}", "data", command, reads=raw, writes=[golds])


def gold_set(draft: Draft, split: str, of: Of) -> tuple[str, str]:
    """Add the dataset of a split's gold solutions for the weak or the strong model; return name and file."""
    stem = f"{draft.task.name}_{split}"
    raw, file = raw_files(draft.experiment, split), draft.tree.dataset(stem)
    command = ["build-data", "--stage", "gold", "--task", draft.task.argument, *_input(draft, raw)]
    command += ["--split", split] if draft.task.own_files(split) else []
    command += [*asking_options(draft.experiment, of), "--layout", "release", "--output", file]
    command += ["--no-config", "--force"]
    draft.add(f"gold_{split}", "data", command, reads=raw, writes=[file])
    return dataset_name(stem, draft.task), file


def _input(draft: Draft, raw: Sequence[str]) -> list[str]:
    """Return the option that names a split's raw rows; none for a task that reads them itself."""
    return [] if draft.task.own_files(draft.experiment.split) else ["--input", *raw]


def raw_files(experiment: Experiment, split: str) -> list[str]:
    """Return the files of a split's raw rows: those that the task itself reads, or else one.

    That one is below the task's root or the release's (default: `release`).
    """
    task = experiment.the_task
    own = task.own_files(split)
    root = str(task.root) if task.root else experiment.release or "release"
    return [*map(str, own)] or [f"{root}/{task.split(split).raw}"]


FLOOR = ("weak_floor", "Weak floor")


def plan_weak(draft: Draft) -> str:
    """Add the weak model's steps, and return the file of its results on `train_2`."""
    weak, split = draft.experiment.weak, draft.experiment.split
    who = _weak_model(draft)
    if "weak_floor" in draft.experiment.baselines:
        if weak.test_results is not None:
            _published_floor(draft, _scored(draft, weak.test_results, split))
        elif who is not None:
            evaluate(draft, *FLOOR, who, trained=weak.train is not None)
    if weak.results is None and who is not None:
        return answer(draft, who, "train_2")
    return _scored(draft, str(weak.results), "train_2")  # without a model there are results


def _weak_model(draft: Draft) -> Answerer | None:
    """Return the weak model that answers, adding its training if it has one and its answers are needed."""
    weak = draft.experiment.weak
    if weak.model is None:
        return None
    ready = Answerer(role="weak", name=_weak_name(draft), model=weak.model, adapter=weak.adapter, of="weak")
    floor_wanted = "weak_floor" in draft.experiment.baselines and weak.test_results is None
    if weak.train is None or (weak.results is not None and not floor_wanted):
        return ready
    dataset, file = gold_set(draft, "train_1", "weak")
    return fit(draft, "weak", _weak_name(draft), weak.train, ready, dataset, file)


def _weak_name(draft: Draft) -> str:
    """Return the release's name of the weak model, trained on `train_1` (`llama2_7b_gsm8k_1`) or as it is."""
    if draft.experiment.weak.train is None and "train_1" not in draft.task.splits:
        return draft.experiment.weak.name
    return f"{draft.experiment.weak.name}_{draft.task.name}_1"


def _scored(draft: Draft, published: str, split: str) -> str:
    """Add the scoring of published results, and return the new file of results in the run's own tree."""
    golds = draft.tree.golds(split)
    results = f"{draft.tree.answers(split, _weak_name(draft))}/{RESULTS}"
    command = ["score", "--task", draft.task.argument, "--golds", golds, "--input", published]
    command += [*scoring_options(draft.experiment, None), "--output", results, "--force"]
    draft.add(f"score_weak_{split}", "score", command, reads=[golds, published], writes=[results])
    return results


def _published_floor(draft: Draft, results: str) -> None:
    key, label = FLOOR
    draft.models.append(
        Evaluated(key=key, label=label, stage="baseline", seed=draft.seed, results=Path(results))
    )


SIDES: tuple[Side, ...] = get_args(Side)


def strong_base(draft: Draft) -> Answerer:
    """Return the strong model before any training."""
    strong = draft.experiment.strong
    return Answerer(role="strong", name=strong.name, model=strong.model)


def fit_strong(draft: Draft, role: str, dataset: str, file: str) -> Answerer:
    """Add the fine-tuning of the strong model on a dataset, and return the trained model."""
    name = f"{draft.experiment.strong.name}_{dataset}"
    return fit(draft, role, name, draft.experiment.strong_training, strong_base(draft), dataset, file)


def plan_baselines(draft: Draft, weak_results: str) -> None:
    """Add the strong model's baselines: zero-shot, trained on all weak answers, and trained on gold."""
    wanted = draft.experiment.baselines
    if "strong_zero_shot" in wanted:
        evaluate(draft, "strong_zero_shot", "Strong model, zero-shot", strong_base(draft))
    if "full_weak" in wanted:
        trained = fit_strong(draft, "full_weak", *_full_weak(draft, weak_results))
        evaluate(draft, "full_weak_ft", "Full weak fine-tuning", trained)
    if "strong_ceiling" in wanted:
        trained = fit_strong(draft, "ceiling", *gold_set(draft, "train_2", "strong"))
        evaluate(draft, "strong_ceiling", "Strong ceiling", trained)


def plan_stage1(draft: Draft, weak_results: str) -> Answerer:
    """Add weak ICL and all iterations of Stage I, and return M_plus, the hybrid model of the last one."""
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
    """Add the sets of one iteration and a training on each; return the trained models by side."""
    stems = {side: f"{draft.weak_stem}iter{iteration}_{side}" for side in SIDES}
    files = {side: draft.tree.dataset(stem) for side, stem in stems.items()}
    command = ["build-data", "--stage", "1", "--task", draft.task.argument, *_layout(draft), "--no-config"]
    command += [*extraction_options(draft.experiment), *training_data_options(draft.experiment, "strong")]
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
    """Add the dataset of all weak answers, right or wrong, and return its name and file."""
    stem = f"{draft.weak_stem}full_weak"
    file = draft.tree.dataset(stem)
    command = ["build-data", "--stage", "full-weak", "--task", draft.task.argument]
    command += ["--input", weak_results]
    command += training_data_options(draft.experiment, "strong")
    command += ["--layout", "release", "--output", file, "--no-config", "--force"]
    draft.add("full_weak", "data", command, reads=[weak_results], writes=[file])
    return dataset_name(stem, draft.task), file


def _demonstrations(draft: Draft, weak_results: str) -> str:
    shown = draft.experiment.demonstrations
    file = f"{draft.tree.root}/data/demonstrations.json"
    command = ["demos", "--task", draft.task.argument, "--from", weak_results, "--output", file, "--force"]
    if shown.ids is not None:
        command += ["--ids", ",".join(map(str, shown.ids))]
    else:
        check(shown.seed + draft.seed, Seed, "demonstrations.seed")
        command += ["--seed", str(shown.seed + draft.seed), "--count", str(shown.count)]
        command += ["--correct-only"] if shown.correct_only else []
        command += extract_options(draft.experiment)
    draft.add("demonstrations", "data", command, reads=[weak_results], writes=[file])
    return file


def _layout(draft: Draft) -> list[str]:
    weak_name = draft.experiment.weak.name
    return ["--layout", "release", "--output-dir", draft.tree.root, "--weak-name", weak_name]


CONTROL = "sft_chosen"


@dataclass(frozen=True)
class _Starts:
    """The models from which methods may start: M_plus as it was trained, M_plus merged, the strong base."""

    m_plus: Answerer
    merged: Answerer
    base: Answerer


def plan_stage2(draft: Draft, stage2: Stage2Section, weak_results: str, m_plus: Answerer) -> None:
    """Add Stage II, from M_plus's samples to the evaluation of each method's model."""
    stem = f"{draft.weak_stem}iter{draft.experiment.iterations}_hybrid"
    pairs = _pairs(draft, stage2, weak_results, m_plus, f"{stem}_paired")
    waits_for = plan_headroom(draft, stage2, m_plus, pairs)
    methods = stage2.methods
    if not methods.preference and methods.sft_chosen is None:
        return
    starts = _Starts(m_plus, merge(draft, "m_plus", m_plus), strong_base(draft))
    for name, method in methods.preference.items():
        _train_method(
            draft, name, method, starts, [pairs, *waits_for], dataset_name(f"{stem}_paired", draft.task)
        )
    if methods.sft_chosen is not None:
        _control(draft, methods.sft_chosen, starts.merged, pairs, f"{stem}_chosen", waits_for)


def _pairs(draft: Draft, stage2: Stage2Section, weak_results: str, m_plus: Answerer, stem: str) -> str:
    """Add M_plus's samples, their votes, and the pairs with the weak results; return the pairs' file."""
    folder, sampled = sample(draft, m_plus, "train_2", stage2.samples, stage2.temperature)
    votes, pairs = f"{folder}/majority_voting_results.jsonl", draft.tree.dataset(stem)
    vote = ["vote", "--task", draft.task.argument, "--input", folder]
    vote += [*extraction_options(draft.experiment), "--output", votes, "--force"]
    draft.add("vote", "vote", vote, reads=sampled, writes=[votes])
    build = ["build-data", "--stage", "2", "--task", draft.task.argument, "--weak", weak_results]
    build += [*extraction_options(draft.experiment), *training_data_options(draft.experiment, "strong")]
    build += ["--votes", votes, "--samples", folder]
    for rule, value in stage2.pair_rules.items():
        build += [f"--{rule.replace('_', '-')}", str(value)]
    build += ["--seed", str(SEED + draft.seed), "--layout", "release", "--output", pairs, "--force"]
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


def _train_method(
    draft: Draft,
    name: str,
    method: Dpo | ReferenceFree,
    starts: _Starts,
    files: Sequence[str],
    dataset: str,
) -> None:
    """Add a preference training and the evaluation of its model.

    M_plus is merged first: if training continued its adapter, the reference model would be the strong base.
    """
    start, options = _start(method, starts)
    trained_as = f"{draft.experiment.strong.name}_{dataset}_{name}"
    training = draft.experiment.method_training(name, method)
    goes_on = bool(options)
    who = fit(draft, name, trained_as, training, start, dataset, *files, options=options, goes_on=goes_on)
    evaluate(draft, name, Methods.label(name), who, stage="stage2")


def _start(method: Dpo | ReferenceFree, starts: _Starts) -> tuple[Answerer, list[str]]:
    """Return the model that a method trains, and the options of `make-config` that this takes."""
    if isinstance(method, ReferenceFree):
        return (starts.base if method.start == "base" else starts.merged), []
    if method.reference == "base":
        return starts.m_plus, ["--reference", "base"]
    return starts.merged, []


def _control(
    draft: Draft, control: Method, m_plus: Answerer, pairs: str, stem: str, waits_for: Sequence[str]
) -> None:
    """Add fine-tuning on the chosen responses, for as many steps as the first preference method takes."""
    file, dataset = draft.tree.dataset(stem), dataset_name(stem)  # convert-pairs names it without a task
    convert = ["convert-pairs", pairs, "--format", "chosen", "--output", file, "--force"]
    draft.add("chosen", "data", convert, reads=[pairs], writes=[file])
    strong = draft.experiment.strong_training
    training = TrainingSection(
        preset=control.preset or strong.preset,
        overrides={**strong.overrides, **_as_many_steps(draft.experiment), **control.overrides},
    )
    name = f"{draft.experiment.strong.name}_{dataset}"
    folder = str(Path(file).parent)  # convert-pairs adds it to the index in this folder
    who = fit(draft, CONTROL, name, training, m_plus, dataset, file, *waits_for, dataset_dir=folder)
    evaluate(draft, CONTROL, Methods.label(CONTROL), who, stage="stage2")


def _as_many_steps(experiment: Experiment) -> dict[str, object]:
    """Return the arguments that decide how many steps the first preference method takes; none without one."""
    for name, method in experiment.stage2.methods.preference.items() if experiment.stage2 else ():
        return experiment.method_training(name, method).steps
    return {}
