"""The steps of each stage: gold data, the weak model, Stage I with its baselines, and Stage II."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.building.dataset_files import dataset_name
from w2s_factory.experiment.answer_steps import RESULTS, answer, evaluate, sample
from w2s_factory.experiment.run_contents import Agreed, Evaluated, Preferred
from w2s_factory.experiment.spec import FromStart
from w2s_factory.experiment.steps import Answerer
from w2s_factory.experiment.training_arguments import TrainingSection
from w2s_factory.experiment.training_steps import SEED, fit, merge
from w2s_factory.ranges import Seed, check

if TYPE_CHECKING:
    from w2s_factory.experiment.draft import Draft
    from w2s_factory.experiment.spec import Dpo, Experiment, Preference, Side, Stage2Section


def plan_golds(draft: Draft) -> None:
    """Add the splits that are asked, with their golds: what is compared on, and `train_2`."""
    for split in dict.fromkeys([draft.experiment.split, "train_2"]):
        raw, golds = raw_file(draft.experiment, split), draft.tree.golds(split)
        command = ["build-data", "--stage", "test", "--task", draft.task.name, "--input", raw]
        command += ["--split", split, "--output", golds, "--force"]
        draft.add(f"golds_{split}", "data", command, reads=[raw], writes=[golds])


def gold_set(draft: Draft, split: str) -> tuple[str, str]:
    """Add the gold solutions of a split as a dataset: its name and file."""
    stem = f"{draft.task.name}_{split}"
    raw, file = raw_file(draft.experiment, split), draft.tree.dataset(stem)
    command = ["build-data", "--stage", "gold", "--task", draft.task.name, "--input", raw]
    command += ["--layout", "release", "--output", file, "--no-config", "--force"]
    draft.add(f"gold_{split}", "data", command, reads=[raw], writes=[file])
    return dataset_name(stem, draft.task), file


def raw_file(experiment: Experiment, split: str) -> str:
    """The raw rows: the task's own, or below the release's root (by default the folder `release`)."""
    task = experiment.the_task
    root = str(task.root) if task.root else experiment.release or "release"
    return f"{root}/{task.split(split).raw}"


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


LABELS = {"dpo": "Stage II, DPO", "orpo": "Stage II, ORPO", "simpo": "Stage II, SimPO"}
CONTROL = ("sft_chosen", "Control of Stage II: fine-tuned on the chosen side")


@dataclass(frozen=True)
class _Beginnings:
    """What methods may begin with: M_plus as it was trained, merged, and the strong base."""

    m_plus: Answerer
    merged: Answerer
    base: Answerer


def plan_stage2(draft: Draft, stage2: Stage2Section, weak_results: str, m_plus: Answerer) -> None:
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


def _pairs(draft: Draft, stage2: Stage2Section, weak_results: str, m_plus: Answerer, stem: str) -> str:
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
    training = TrainingSection(preset=method.preset or name, overrides=method.overrides)
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
    draft: Draft, stage2: Stage2Section, control: Preference, m_plus: Answerer, pairs: str, stem: str
) -> None:
    """Add fine-tuning on the chosen side, for as many steps as the first preference method takes."""
    file, dataset = draft.tree.dataset(stem), dataset_name(stem)  # named by a command without a task
    convert = ["convert-pairs", pairs, "--format", "chosen", "--output", file, "--force"]
    draft.add("chosen", "data", convert, reads=[pairs], writes=[file])
    strong = draft.experiment.strong_training
    training = TrainingSection(
        preset=control.preset or strong.preset,
        overrides={**strong.overrides, **_as_many_steps(stage2), **control.overrides},
    )
    name = f"{draft.experiment.strong.name}_{dataset}"
    folder = str(Path(file).parent)  # the index beside it is the one that knows it
    who = fit(draft, CONTROL[0], name, training, m_plus, dataset, file, dataset_dir=folder)
    evaluate(draft, *CONTROL, who, stage="stage2")


def _as_many_steps(stage2: Stage2Section) -> dict[str, object]:
    for name, method in stage2.methods.preference.items():
        return TrainingSection(preset=method.preset or name, overrides=method.overrides).steps
    return {}
