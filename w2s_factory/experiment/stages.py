"""The steps of each stage: gold data, the weak model, baselines, Stage I and Stage II."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from w2s_factory.building.dataset_files import dataset_name
from w2s_factory.experiment.answer_steps import RESULTS, answer, evaluate, sample
from w2s_factory.experiment.headroom_steps import headroom_split, plan_headroom
from w2s_factory.experiment.run_contents import CONTROL, SELF_TRAINING, Agreed, Evaluated, Preferred
from w2s_factory.experiment.spec import Side
from w2s_factory.experiment.stage2_section import Methods, ReferenceFree
from w2s_factory.experiment.step_options import (
    asking_options,
    extract_options,
    extraction_options,
    scoring_options,
    training_data_options,
)
from w2s_factory.experiment.steps import Answerer
from w2s_factory.experiment.training_steps import SEED, fit, merge
from w2s_factory.ranges import Seed, check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.experiment.spec import Experiment, Of
    from w2s_factory.experiment.stage2_section import Dpo, PairMethod, SelfTrainingMethod, Stage2Section
    from w2s_factory.experiment.steps import Draft
    from w2s_factory.quantities import PairSet


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


_PAIR_OPTIONS: Mapping[PairSet, Sequence[str]] = {
    "weak": (),
    "consistency": ("--pairs", "consistency"),
    "gold": ("--control", "gold"),
    "random": ("--control", "random"),
}
"""The options of `build-data` by which it builds each set of pairs."""


@dataclass(frozen=True)
class _Starts:
    """The models from which methods may start: M_plus as it was trained, M_plus merged, the strong base.

    Attributes:
        waits_for: Files that must be there before any of them is trained.
    """

    m_plus: Answerer
    merged: Answerer
    base: Answerer
    waits_for: Sequence[str]


@dataclass(frozen=True)
class _VotedFiles:
    """The files from which datasets of Stage II are built.

    Attributes:
        stem: The start of the datasets' names.
        weak: The weak model's results.
        samples: The folder of M_plus's samples.
        results: The results of each sample.
        votes: The votes over them.
    """

    stem: str
    weak: str
    samples: str
    results: Sequence[str]
    votes: str


def plan_stage2(draft: Draft, stage2: Stage2Section, weak_results: str, m_plus: Answerer) -> None:
    """Add Stage II, from M_plus's samples to the evaluation of each method's model."""
    stem = f"{draft.weak_stem}iter{draft.experiment.iterations}_hybrid"
    sampled = _sampled(draft, stage2, weak_results, m_plus, stem)
    methods = stage2.methods
    pairs = {name: _pairs(draft, stage2, sampled, name) for name in _sets(methods)}
    waits_for = plan_headroom(draft, stage2, m_plus, pairs["weak"].file)
    if not methods.preference and methods.sft_chosen is None and methods.self_training is None:
        return
    starts = _Starts(m_plus, merge(draft, "m_plus", m_plus), strong_base(draft), waits_for)
    for name, method in methods.preference.items():
        for pair_set in method.pairs:
            _train_method(draft, name, method, starts, pairs[pair_set])
    if control := methods.sft_chosen:
        for pair_set in control.pairs:
            _control(draft, control, starts, pairs[pair_set], stem)
    if methods.self_training is not None:
        _self_train(draft, stage2, methods.self_training, starts, sampled)


def _sets(methods: Methods) -> list[PairSet]:
    """Return the sets of pairs to build: the published one always, since the report is about it."""
    return ["weak", *(name for name in methods.pair_sets if name != "weak")]


def _keyed(name: str, pair_set: PairSet) -> str:
    """Return the name of a step or model, with that of its pairs if these are not the published ones."""
    return name if pair_set == "weak" else f"{name}_{pair_set}"


def _sampled(
    draft: Draft, stage2: Stage2Section, weak_results: str, m_plus: Answerer, stem: str
) -> _VotedFiles:
    """Add M_plus's samples and their votes."""
    folder, sampled = sample(draft, m_plus, "train_2", stage2.samples, stage2.temperature)
    votes = f"{folder}/majority_voting_results.jsonl"
    vote = ["vote", "--task", draft.task.argument, "--input", folder]
    vote += [*extraction_options(draft.experiment), "--output", votes, "--force"]
    draft.add("vote", "vote", vote, reads=sampled, writes=[votes])
    return _VotedFiles(stem, weak_results, folder, sampled, votes)


@dataclass(frozen=True)
class _Pairs:
    """A set of pairs that was planned: its name, its file, and the name of its dataset."""

    name: PairSet
    file: str
    dataset: str


def _pairs(draft: Draft, stage2: Stage2Section, sampled: _VotedFiles, pair_set: PairSet) -> _Pairs:
    """Add the pairs of a set."""
    stem = f"{sampled.stem}_paired" if pair_set == "weak" else f"{sampled.stem}_{pair_set}_pairs"
    file, reads = draft.tree.dataset(stem), [sampled.votes, *sampled.results]
    build = ["build-data", "--stage", "2", "--task", draft.task.argument, *_PAIR_OPTIONS[pair_set]]
    if pair_set in ("weak", "random"):
        build += ["--weak", sampled.weak]
        reads = [sampled.weak, *reads]
    build += extraction_options(draft.experiment) if pair_set != "gold" else []
    build += training_data_options(draft.experiment, "strong")
    build += ["--votes", sampled.votes, "--samples", sampled.samples]
    for rule, value in stage2.rules_of(pair_set).items():
        build += [f"--{rule.replace('_', '-')}", str(value)]
    build += ["--seed", str(SEED + draft.seed), "--layout", "release", "--output", file, "--force"]
    version = draft.experiment.llamafactory.version
    build += ["--llamafactory-version", version] if version else []
    draft.add(_keyed("pairs", pair_set), "data", build, reads=reads, writes=[file])
    if pair_set == "weak":
        weak, samples, votes = Path(sampled.weak), Path(sampled.samples), Path(sampled.votes)
        found = Preferred(seed=draft.seed, weak=weak, samples=samples, votes=votes, pairs=Path(file))
        draft.stage2.append(found)
    return _Pairs(pair_set, file, dataset_name(stem, draft.task))


def _train_method(
    draft: Draft, name: str, method: Dpo | ReferenceFree, starts: _Starts, pairs: _Pairs
) -> None:
    """Add a preference training and the evaluation of its model.

    M_plus is merged first: if training continued its adapter, the reference model would be the strong base.
    """
    start, options = _start(method, starts)
    trained_as = f"{draft.experiment.strong.name}_{pairs.dataset}_{name}"
    training = draft.experiment.method_training(name, method)
    key, inputs = _keyed(name, pairs.name), [pairs.file, *starts.waits_for]
    who = fit(
        draft,
        key,
        trained_as,
        training,
        start,
        pairs.dataset,
        *inputs,
        options=options,
        goes_on=bool(options),
    )
    _evaluate(draft, name, who, pairs.name)


def _evaluate(draft: Draft, method: str, who: Answerer, pair_set: PairSet = "weak") -> None:
    """Add the evaluation of the model that a method of Stage II trained on a set of pairs."""
    key, label = _keyed(method, pair_set), Methods.label(method, pair_set)
    if pair_set == "weak":
        evaluate(draft, key, label, who, stage="stage2")
    else:
        evaluate(draft, key, label, who, stage="stage2", pairs=pair_set, method=method)


def _start(method: Dpo | ReferenceFree, starts: _Starts) -> tuple[Answerer, list[str]]:
    """Return the model that a method trains, and the options of `make-config` that this takes."""
    if isinstance(method, ReferenceFree):
        return (starts.base if method.start == "base" else starts.merged), []
    if method.reference == "base":
        return starts.m_plus, ["--reference", "base"]
    return starts.merged, []


def _control(draft: Draft, control: PairMethod, starts: _Starts, pairs: _Pairs, stem: str) -> None:
    """Add fine-tuning on the chosen responses, for as many steps as a preference method on these pairs takes.

    That is the first method on them, or the first of all if none is.
    """
    stem = _keyed(f"{stem}_chosen", pairs.name)
    file, dataset = draft.tree.dataset(stem), dataset_name(stem)  # convert-pairs names it without a task
    convert = ["convert-pairs", pairs.file, "--format", "chosen", "--output", file, "--force"]
    draft.add(_keyed("chosen", pairs.name), "data", convert, reads=[pairs.file], writes=[file])
    steps = _as_many_steps(draft.experiment, control, pairs.name)
    training = draft.experiment.tuning(control, steps)
    name = f"{draft.experiment.strong.name}_{dataset}"
    folder = str(Path(file).parent)  # convert-pairs adds it to the index in this folder
    key, inputs = _keyed(CONTROL, pairs.name), [file, *starts.waits_for]
    who = fit(draft, key, name, training, starts.merged, dataset, *inputs, dataset_dir=folder)
    _evaluate(draft, CONTROL, who, pairs.name)


def _as_many_steps(experiment: Experiment, control: PairMethod, pair_set: PairSet) -> dict[str, object]:
    """Return the arguments by which the control takes as many steps as a preference method."""
    methods = experiment.stage2.methods.preference if experiment.stage2 else {}
    found = sorted(methods.items(), key=lambda item: pair_set not in item[1].pairs)
    for name, method in found:
        training = experiment.method_training(name, method)
        return training.steps | experiment.tuning(control).rows_as(training)
    return {}


def _self_train(
    draft: Draft, stage2: Stage2Section, method: SelfTrainingMethod, starts: _Starts, sampled: _VotedFiles
) -> None:
    """Add fine-tuning on responses with the majority answer, and the evaluation of the model."""
    stem = f"{sampled.stem}_self"
    file = draft.tree.dataset(stem)
    build = ["build-data", "--stage", "self", "--task", draft.task.argument, "--votes", sampled.votes]
    build += training_data_options(draft.experiment, "strong")
    build += ["--min-confidence", str(stage2.min_confidence), "--seed", str(SEED + draft.seed)]
    build += ["--layout", "release", "--output", file, "--no-config", "--force"]
    draft.add("self", "data", build, reads=[sampled.votes], writes=[file])
    start = starts.base if method.start == "base" else starts.merged
    dataset = dataset_name(stem, draft.task)
    name = f"{draft.experiment.strong.name}_{dataset}"
    training, inputs = draft.experiment.tuning(method), [file, *starts.waits_for]
    who = fit(draft, SELF_TRAINING, name, training, start, dataset, *inputs)
    _evaluate(draft, SELF_TRAINING, who)
