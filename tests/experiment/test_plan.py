from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.experiment.conftest import SMALL
from w2s_factory import headroom
from w2s_factory.errors import UserError
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.plan import plan
from w2s_factory.experiment.run import _tell_headroom

PAPER = ["llama2_7b", "gemma_2b", "mistral_7b"]
OLYMPIC = "olympic_arena_llama3_8b_instruct"


def named(planned, name):
    """The step of that name in repetition 0."""
    return next(step for step in planned.steps if step.name == f"seed0/{name}")


def words(step) -> str:
    return "\n".join(step.lines())


def datasets(planned) -> set[str]:
    return {Path(file).name for step in planned.steps for file in step.writes if "llama_factory" in file}


def sets(*stems) -> set[str]:
    return {f"{stem}.json" for stem in stems}


def iteration(stem, number) -> list[str]:
    return [f"{stem}_iter{number}_{side}" for side in ("weak", "icl", "hybrid")]


def of_the_paper(name):
    return plan(read_experiment(ROOT / f"experiments/{name}.yaml"))


@pytest.mark.parametrize("name", [*PAPER, "gemma_2b_careful"])
def test_the_papers_gsm8k_makes_the_published_datasets(name):
    stem = f"train_gsm8k_{name.removesuffix('_careful')}"
    planned = of_the_paper(f"gsm8k_{name}")
    assert datasets(planned) == sets(
        *("gsm8k_train_1", "gsm8k_train_2", f"{stem}_full_weak", f"{stem}_iter2_hybrid_paired"),
        *(f"{stem}_iter2_hybrid_chosen", *iteration(stem, 1), *iteration(stem, 2)),
    )
    # 12 trainings: weak, full weak, ceiling, 2 x 3 of Stage I, DPO, ORPO, control. Generations: 13 answers
    # to test and as many samples of it; train_2 by weak ICL, and by weak-ft and icl-ft for iteration 2; its
    # samples by M_plus, and its greedy answers for the headroom. Scores: these, the published weak answers,
    # zero-shot in any format with strict, the headroom.
    assert Counter(step.kind for step in planned.steps) == {
        "data": 10, "train": 12, "generate": 2 * 14 + 3 + 2, "score": 2 * 14 + 3 + 2 + 2, "vote": 1,
        "export": 1, "report": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_math_makes_the_published_datasets(name):
    stem = f"train_math_{name}"
    planned = of_the_paper(f"math_{name}")
    assert datasets(planned) == sets(
        *("math_train_1", "math_train_2", f"{stem}_full_weak", f"{stem}_iter1_hybrid_paired"),
        *(f"{stem}_iter1_hybrid_chosen", *iteration(stem, 1)),
    )
    assert Counter(step.kind for step in planned.steps) == {
        "data": 9, "train": 9, "generate": 2 * 11 + 1 + 2, "score": 2 * 11 + 1 + 2 + 2, "vote": 1,
        "export": 1, "report": 1,
    }  # fmt: skip


def test_the_papers_olympic_arena_makes_the_published_datasets():
    stem = "train_olympic_llama3-8b-instruct"
    planned = of_the_paper(OLYMPIC)
    assert datasets(planned) == sets(
        *(f"{stem}_full_weak", f"{stem}_iter2_hybrid_paired", f"{stem}_iter2_hybrid_chosen"),
        *(*iteration(stem, 1), *iteration(stem, 2)),
    )
    # 9 trainings: full weak, 2 x 3 of Stage I, ORPO, control; the weak model answers as it is, and there is
    # no ceiling. Generations: 12 answers to test and as many samples of it; train_2 by the weak model, by
    # weak ICL, and by weak-ft and icl-ft for iteration 2; its samples and greedy answers by M_plus.
    assert Counter(step.kind for step in planned.steps) == {
        "data": 8, "train": 9, "generate": 2 * 12 + 4 + 2, "score": 2 * 12 + 4 + 2 + 1, "vote": 1,
        "export": 1, "report": 1,
    }  # fmt: skip
    assert "--task olympic_arena" in words(named(planned, "vote"))
    dataset = "--dataset olympic_llama3_8b_instruct_iter2_hybrid "
    assert dataset in words(named(planned, "train_iter2_hybrid"))
    assert "--dataset olympic_llama3-8b-instruct_iter2_hybrid_paired" in words(named(planned, "train_orpo"))
    assert "Biology_1120,Physics_971,Math_609,Biology_16" in words(named(planned, "demonstrations"))


@pytest.mark.release
def test_the_release_has_olympic_arenas_names(release):
    tree = json.loads((release.parent / "release_facts/tree.json").read_text())
    published = {file["path"] for file in tree["files"]}
    made = {file.removeprefix("seed0/") for step in of_the_paper(OLYMPIC).steps for file in step.writes}
    ours = {file for file in made if "data/llama_factory" in file and "_chosen" not in file}
    assert len(ours) == 8
    assert ours <= published


@pytest.mark.release
@pytest.mark.parametrize("name", [*(f"gsm8k_{weak}" for weak in PAPER), *(f"math_{weak}" for weak in PAPER)])
def test_the_release_has_those_names(release, name):
    tree = json.loads((release.parent / "release_facts/tree.json").read_text())
    published = {file["path"] for file in tree["files"]}
    planned = of_the_paper(name)
    made = {file.removeprefix("seed0/") for step in planned.steps for file in step.writes}
    ours = {file for file in made if "data/llama_factory" in file and "_chosen" not in file}
    assert ours <= published
    task, _, weak = name.partition("_")
    answers = f"outputs/{task}_train_2/zero_shot/{weak}_{task}_1/zero-shot/direct/results.jsonl"
    assert answers in made & published


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("gsm8k_llama2_7b", "2619,456,102,3037"),
        ("gsm8k_mistral_7b", "2619,456,102,3037"),
        ("gsm8k_gemma_2b", "3401,173,354,6272"),
        ("gsm8k_gemma_2b_careful", "2619,102,3037,1126"),
        ("math_llama2_7b", "883,4166,1433,3722"),
        ("math_gemma_2b", "4162,5457,5178,5737"),
        ("math_mistral_7b", "4162,5457,5178,5737"),
    ],
)
def test_the_papers_demonstrations_are_the_published_rows(name, ids):
    assert f"--ids {ids}" in words(named(of_the_paper(name), "demonstrations"))


def test_every_step_comes_after_those_it_reads():
    planned = of_the_paper("gsm8k_llama2_7b")
    made = set()
    writers = {file for step in planned.steps for file in step.writes}
    for step in planned.steps:
        assert all(file in made for file in step.reads if file in writers)
        assert not made & set(step.writes)
        made |= set(step.writes)
    assert len({step.rule for step in planned.steps}) == len(planned.steps)


def test_the_report_comes_after_everything(planned):
    *others, report = planned().steps
    assert {file for step in others for file in step.writes} <= set(report.reads)


def test_iteration_2_reads_what_the_models_of_iteration_1_answer_and_trains_the_base(planned):
    two = planned(iterations=2)
    step = words(named(two, "stage1_iter2"))
    weak = (
        "seed0/outputs/arithmetic_train_2/zero_shot/s_arithmetic_w_iter1_weak/zero-shot/direct/results.jsonl"
    )
    assert f"--weak {weak}" in step
    assert f"--icl {weak.replace('_weak', '_icl')}" in step
    assert "--model some/strong " in words(named(two, "train_iter2_hybrid"))


def test_pairs_are_built_against_the_original_weak_answers(planned):
    pairs = words(named(planned(stage2={"min_confidence": 0.5}), "pairs"))
    weak = "seed0/outputs/arithmetic_train_2/zero_shot/w_arithmetic_1/zero-shot/direct/results.jsonl"
    assert f"--weak {weak} " in pairs
    assert "--min-confidence 0.5 --negative-confidence 0.8 --seed 42" in pairs


def test_stage_2_starts_from_merged_m_plus(planned):
    two = planned(stage2={"methods": {"dpo": {}, "orpo": {}, "sft_chosen": {}}})
    assert "--adapter seed0/models/s_arithmetic_w_iter2_hybrid" in words(named(two, "merge_m_plus"))
    for name in ("train_dpo", "train_orpo", "train_sft_chosen"):
        assert "--model seed0/models/m_plus " in words(named(two, name))
    asked = words(named(two, "generate_dpo_test"))
    assert (
        "--model seed0/models/m_plus --adapter seed0/models/s_arithmetic_w_iter2_hybrid_paired_dpo" in asked
    )


def headroom_of(planned, **changes):
    """The command of the step that measures the headroom, and the steps that come first."""
    small = planned(**{"stage2": {}, **changes})
    [command] = named(small, "headroom").commands
    greedy, samples = command[2], command[4]
    made = {file for step in small.steps for file in step.writes}
    assert greedy in made
    assert f"{samples}/seed0/results.jsonl" in made
    first = [step.name.removeprefix("seed0/") for step in small.steps if step.first]
    assert len({step.name for step in small.steps}) == len(small.steps)
    return greedy, samples, first


M_PLUS = "zero_shot/s_arithmetic_w_iter2_hybrid/zero-shot/direct"


@pytest.mark.parametrize(
    ("changes", "greedy", "samples", "further"),
    [
        ({}, f"arithmetic_dev/{M_PLUS}", f"arithmetic_dev/{M_PLUS}/t1.0", ["dev_samples", "dev"]),
        ({"split": "dev"}, f"arithmetic_dev/{M_PLUS}", f"arithmetic_dev/{M_PLUS}/t1.0", ["dev_samples"]),
        (
            {"split": "dev", "evaluation": {"pass_at": {"k": 10}}},
            f"arithmetic_dev/{M_PLUS}", f"arithmetic_dev/{M_PLUS}/t1.0", [],
        ),
        (
            {"split": "dev", "evaluation": {"pass_at": {"k": 4}}},
            f"arithmetic_dev/{M_PLUS}", f"arithmetic_dev/{M_PLUS}/headroom/t1.0", ["dev_headroom_samples"],
        ),
        (
            {"split": "dev", "evaluation": {"pass_at": {"k": 4, "temperature": 0.7}}},
            f"arithmetic_dev/{M_PLUS}", f"arithmetic_dev/{M_PLUS}/t1.0", ["dev_headroom_samples"],
        ),
        (
            {"generation": {"sampling": {"temperature": 0.5}}},
            f"arithmetic_dev/{M_PLUS}/t0.5/seed0", f"arithmetic_dev/{M_PLUS}/t1.0", ["dev_samples", "dev"],
        ),
        (
            {"generation": {"sampling": {"temperature": 1.0}}},
            f"arithmetic_dev/{M_PLUS}/t1.0/seed0", f"arithmetic_dev/{M_PLUS}/t1.0", ["dev_samples"],
        ),
        (
            {"split": "dev", "generation": {"sampling": {"temperature": 1.0}}},
            f"arithmetic_train_2/{M_PLUS}/t1.0/seed0", f"arithmetic_train_2/{M_PLUS}/t1.0", [],
        ),
    ],
)  # fmt: skip
def test_the_headroom_is_that_of_m_plus_on_dev(planned, changes, greedy, samples, further):
    measured = headroom_of(planned, **changes)
    assert measured[:2] == (f"seed0/outputs/{greedy}/results.jsonl", f"seed0/outputs/{samples}")
    steps = [f"{kind}_iter2_hybrid_{name}" for name in further for kind in ("generate", "score")]
    assert measured[2] == [*steps, "headroom"]


@pytest.mark.parametrize(("drawn", "option"), [(3, False), (10, False), (20, True)])
def test_the_headroom_is_that_of_as_many_samples_as_stage_2_draws(planned, drawn, option):
    found = planned(split="dev", evaluation={"pass_at": {"k": drawn}}, stage2={}, seeds=[2])
    [step] = [each for each in found.steps if each.name == "seed2/headroom"]
    assert ("--samples 10" in words(step)) == option
    samples = [file for file in step.reads if "/t1.0/" in file]
    assert len(samples) == max(10, drawn)
    [m_plus] = [model for model in found.contents.models if model.key == "iter2_hybrid_ft"]
    ours = [file for each in found.steps for file in each.writes if file.startswith(f"{m_plus.samples}/seed")]
    assert len([file for file in ours if file.endswith("results.jsonl")]) == drawn  # what pass@k counts


def test_a_run_says_what_evaluate_says_of_the_headroom(planned, tmp_path):
    small = planned(stage2={})
    step = named(small, "headroom")
    file = tmp_path / step.writes[0]
    file.parent.mkdir(parents=True)
    rows = [{"id": 0, "prompt": "", "response": "1", "pred": "1", "gold": "1", "result": True}]
    row = headroom(rows, [rows] * 10).as_json()
    row |= {"pairs": 3, "chosen_right": 0.5, "rejected_right": None, "chosen_known": 2, "rejected_known": 0}
    file.write_text(json.dumps(row))
    said = []
    _tell_headroom(small, tmp_path, said.append, step.rule)
    _tell_headroom(small, tmp_path, said.append, named(small, "vote").rule)
    assert said[0] == f"seed0/headroom: {row['sentence']}"
    assert [line.split()[0] for line in said[1:5]] == ["greedy", "avg@10", "maj@10", "pass@10"]
    assert said[5:] == ["  3 pairs: chosen right 50.0% of 2, rejected right unknown"]


def test_without_dev_the_headroom_is_that_of_the_samples_of_stage_2():
    planned = of_the_paper("gsm8k_llama2_7b")
    measured, drawn = named(planned, "headroom"), named(planned, "vote")
    assert measured.commands[0][4] == drawn.commands[0][drawn.commands[0].index("--input") + 1]
    assert measured.commands[0][2] == f"{Path(measured.commands[0][4]).parent}/results.jsonl"
    assert planned.contents.stage2[0].headroom_split == "train_2"
    assert named(planned, "generate_iter2_hybrid_train_2").first


@pytest.mark.parametrize("require", [None, 5, -2.5])
def test_trainings_wait_for_the_headroom_only_where_one_is_required(planned, require):
    stage2 = {"methods": {"dpo": {}, "orpo": {}, "sft_chosen": {}}}
    required = planned(stage2=stage2 | ({} if require is None else {"require_headroom": require}))
    without = {step.name: step for step in planned(stage2=stage2).steps}
    changed = {step.name.removeprefix("seed0/") for step in required.steps if step != without.get(step.name)}
    assert "headroom" not in changed  # nor any other step that another number should not repeat
    if require is None:
        assert changed == set()
        readers = [step.name for step in required.steps if "seed0/headroom.json" in step.reads]
        assert readers == ["report"]
        return
    assert changed == {"headroom_required", "train_dpo", "train_orpo", "train_sft_chosen", "report"}
    assert words(named(required, "headroom_required")).count(f"--require-headroom {require:g} ") == 1
    for name in ("train_dpo", "train_orpo", "train_sft_chosen"):
        step = named(required, name)
        assert set(step.reads) - set(without[step.name].reads) == {"seed0/headroom_required.json"}
        assert step.compared == without[step.name].compared


def test_nothing_is_trained_before_the_headroom_of_every_seed_is_measured(planned):
    methods = {"dpo": {}, "simpo": {}, "sft_chosen": {}, "self_training": {}}
    found = planned(seeds=[0, 3], stage2={"require_headroom": 5, "methods": methods})
    trained = [f"seed{seed}/train_{name}" for seed in (0, 3) for name in methods]
    steps = {step.name: step for step in found.steps}
    for name in trained:
        assert {"seed0/headroom_required.json", "seed3/headroom_required.json"} <= {*steps[name].reads}
    written = set()
    for step in found.steps:  # each after those it depends on
        assert {file for file in step.reads if file.startswith("seed")} <= written
        written |= {*step.writes}
    other = planned(seeds=[0, 3], stage2={"methods": methods})
    assert [step.seed for step in other.steps] == [*sorted(step.seed for step in other.steps[:-1]), 0]
    assert {*steps} - {step.name for step in other.steps} == {
        "seed0/headroom_required", "seed3/headroom_required",
    }  # fmt: skip


def test_the_base_can_be_dpos_reference_and_orpos_start(planned):
    methods = {"dpo": {"reference": "base"}, "orpo": {"start": "base"}}
    two = planned(stage2={"methods": methods})
    dpo = words(named(two, "train_dpo"))
    assert "--model some/strong --adapter seed0/models/s_arithmetic_w_iter2_hybrid " in dpo
    assert "--reference base" in dpo
    assert "--model some/strong --dataset" in words(named(two, "train_orpo"))


def test_m_plus_with_all_parameters_needs_no_merging(planned):
    strong = {"name": "s", "model": "some/strong", "preset": "weak_full_sft"}
    two = planned(strong=strong, stage2={"methods": {"dpo": {}}})
    assert "export" not in {step.kind for step in two.steps}
    assert "--model seed0/models/s_arithmetic_w_iter2_hybrid " in words(named(two, "train_dpo"))


def test_the_control_takes_as_many_steps_as_the_first_method(planned):
    overrides = {"per_device_train_batch_size": 4, "num_train_epochs": 2.0}
    methods = {"orpo": {"overrides": overrides}, "sft_chosen": {"overrides": {"learning_rate": 1e-3}}}
    step = words(named(planned(stage2={"methods": methods}), "train_sft_chosen"))
    assert "--preset tiny_lora_sft" in step
    for setting in ("per_device_train_batch_size=4", "gradient_accumulation_steps=8", "num_train_epochs=2.0"):
        assert f"--set {setting}" in step
    assert "--set max_steps=-1" in step
    assert "--set learning_rate=0.001" in step


def test_the_embedded_control_keeps_no_steps_of_the_strong_models_preset():
    for preset in (None, "smoke", "three_seeds"):
        planned = plan(read_experiment(ROOT / "experiments/arithmetic.yaml", preset))
        control = words(named(planned, "train_sft_chosen"))
        for setting in ("max_steps=-1", "num_train_epochs=1.0", "per_device_train_batch_size=16"):
            assert f"--set {setting} " in control
        assert control.count("max_steps") == 1


def test_only_what_was_asked_for_is_planned(planned):
    small = planned(baselines=[], last_iteration=["hybrid"], iterations=1)
    assert [model.key for model in small.contents.models] == ["iter1_hybrid_ft"]
    assert Counter(step.kind for step in small.steps)["train"] == 2  # weak, hybrid
    assert small.contents.stage2 == []


def test_each_baseline_has_its_evaluation(planned):
    keys = {model.key for model in planned(iterations=1).contents.models}
    expected = {"weak_floor", "strong_zero_shot", "full_weak_ft", "weak_icl", "strong_ceiling"}
    assert keys == expected | {"iter1_weak_ft", "iter1_icl_ft", "iter1_hybrid_ft"}


def test_zero_shot_is_scored_strictly_and_in_any_format(planned):
    step = named(planned(), "score_strong_test")
    assert [Path(file).name for file in step.writes] == ["results_any.jsonl", "results.jsonl"]
    assert step.lines()[-1].endswith("results.jsonl --force")  # metrics.json beside them is the strict one
    assert "results_any.jsonl" not in words(named(of_the_paper("math_gemma_2b"), "score_strong_test"))


def test_published_results_take_the_weak_models_place(planned):
    small = planned(weak={"name": "w", "results": "/p/results.jsonl"})
    assert "weak_floor" not in {model.key for model in small.contents.models}
    assert named(small, "score_weak_train_2").reads[1] == "/p/results.jsonl"
    assert not [step for step in small.steps if step.name.endswith(("generate_weak_train_2", "train_weak"))]


def test_published_results_on_the_split_are_the_floor(planned):
    weak = {"name": "w", "results": "/p/r.jsonl", "test_results": "/p/t.jsonl"}
    floor = planned(weak=weak).contents.models[0]
    assert (floor.key, floor.training) == ("weak_floor", None)


def test_a_ready_weak_model_is_not_trained(planned):
    small = planned(weak={"name": "w", "model": "a/b", "adapter": "/adapters/w"})
    assert "--model a/b --adapter /adapters/w" in words(named(small, "generate_weak_test"))
    assert "train_weak" not in {step.name for step in small.steps}


def test_every_seed_has_a_pipeline_of_its_own(planned):
    both = planned(seeds=[0, 3], stage2={"samples": 10})
    ends = [
        {s.name.partition("/")[2] for s in both.steps if s.seed == n and s.name != "report"} for n in (0, 3)
    ]
    assert ends[0] == ends[1]
    third = {step.name: words(step) for step in both.steps}
    assert "--set seed=45" in third["seed3/train_iter1_hybrid"]
    assert "--seed 45" in third["seed3/demonstrations"]
    assert "--seed 45" in third["seed3/pairs"]
    assert "--first-seed 30" in third["seed3/generate_iter2_hybrid_train_2_samples"]
    assert "seed0/" not in "\n".join(text for name, text in third.items() if name.startswith("seed3/"))


def test_generation_is_spread_over_shards_and_joined(planned):
    spread = planned(generation={"shards": 3})
    parts = [step for step in spread.steps if step.name.startswith("seed0/generate_weak_test_shard")]
    assert [words(step).split("--shard ")[1][:3] for step in parts] == ["1/3", "2/3", "3/3"]
    merge = named(spread, "merge_weak_test")
    assert set(merge.reads) == {step.writes[0] for step in parts}
    assert named(spread, "score_weak_test").reads[1] == merge.writes[0]


def test_sampling_seeds_are_spread_over_jobs(planned):
    spread = planned(generation={"samples_per_job": 4}, stage2={"samples": 10})
    jobs = [
        words(step) for step in spread.steps if "train_2_samples_" in step.name and step.kind == "generate"
    ]
    assert [text.split("--samples ")[1].split(" --temp")[0] for text in jobs] == [
        "4 --first-seed 0", "4 --first-seed 4", "2 --first-seed 8",
    ]  # fmt: skip
    assert len(named(spread, "score_iter2_hybrid_train_2_samples").writes) == 10


def test_pass_at_k_samples_the_models_named(planned):
    pass_at = {"k": 5, "models": ["weak_icl"]}
    small = planned(evaluation={"pass_at": pass_at})
    sampled = {model.key: model.samples for model in small.contents.models if model.samples}
    assert sampled == {"weak_icl": Path("seed0/outputs/arithmetic/few_shot/s/few-shot/direct/t1.0")}
    assert "--demos" in words(named(small, "generate_strong_few_shot_test_samples"))


def test_a_limit_asks_the_first_questions_only(planned):
    small = planned(limit={"train_2": 7})
    assert "--limit 7" in words(named(small, "generate_weak_train_2"))
    assert "--partial" in words(named(small, "score_weak_train_2"))
    assert "--limit" not in words(named(small, "generate_weak_test"))


def test_the_settings_of_engines_reach_generate(planned):
    generation = {"engine": "vllm", "options": {"enforce_eager": True, "dtype": "float32"}, "bos": "none"}
    step = words(named(planned(generation={**generation, "max_tokens": 9}), "generate_weak_test"))
    for option in ("--engine vllm", "--engine-option enforce_eager=true", "--bos none", "--max-tokens 9"):
        assert option in step


def test_versions_and_interpreters_reach_training(planned):
    small = planned(llamafactory={"version": "0.6.2"}, environments={"train": "/env/bin/python"}, stage2={})
    train = words(named(small, "train_weak"))
    assert "--llamafactory-version 0.6.2" in train
    assert "--python /env/bin/python" in train
    assert "--llamafactory-version 0.6.2" in words(named(small, "pairs"))


def test_editing_a_confidence_changes_the_pairs_alone(planned):
    methods = {"methods": {"dpo": {}, "sft_chosen": {}}}
    before, after = (
        {step.name: step for step in planned(stage2={"min_confidence": least, **methods}).steps}
        for least in (0.6, 0.7)
    )
    assert [name for name, step in before.items() if step != after[name]] == ["seed0/pairs"]


def test_the_contents_name_files_that_steps_write(planned):
    small = planned(stage2={"methods": {"dpo": {}}}, evaluation={"pass_at": {"k": 2}})
    written = {file for step in small.steps for file in step.writes}
    contents = small.contents
    for model in contents.models:
        assert str(model.results) in written
        assert model.any_format is None or str(model.any_format) in written
        assert f"{model.samples}/seed0/results.jsonl" in written
        assert model.training is None or f"{model.training}/manifest.jsonl" in written
    for path in (contents.golds, contents.train_golds):
        assert str(path) in written
    for one in contents.stage1:
        assert {str(one.weak), str(one.icl), str(one.hybrid)} <= written
    [two] = contents.stage2
    assert {str(two.weak), str(two.votes), str(two.pairs)} <= written
    assert [job.name for job in contents.jobs] == [step.name for step in small.steps[:-1]]


def test_a_plan_that_would_never_end_is_refused(planned):
    with pytest.raises(
        UserError, match=r"expected a plan of at most 20,000 files, got a larger one. Lower seeds"
    ):
        planned(generation={"shards": 10_000, "samples_per_job": 1}, stage2={"samples": 10_000})


def test_seeds_stay_within_what_a_generator_takes(planned):
    with pytest.raises(
        UserError, match=r"demonstrations.seed.*expected a whole number from 0 to 4,294,967,295"
    ):
        planned(demonstrations={"seed": 2**32 - 1}, seeds=[0, 1])


def test_trainings_are_resumed_only_where_the_experiment_asks_for_it(planned):
    def trainings(**changes):
        return {step.name: step.commands for step in planned(**changes).steps if step.kind == "train"}

    plain, resumed = trainings(), trainings(resume_training=50)
    assert plain.keys() == resumed.keys()
    for name, (make, train) in resumed.items():
        assert train == (*plain[name][1], "--resume")
        assert [word for word in make if word not in plain[name][0]] == [
            "save_strategy=steps",
            "save_steps=50",
        ]
    own = trainings(resume_training=50, strong={**SMALL["strong"], "overrides": {"save_steps": 7}})
    assert "save_steps=7" in next(make for name, (make, _) in own.items() if "iter1" in name)


@pytest.mark.parametrize(
    ("report_to", "words"),
    [
        ("wandb", ["report_to=wandb", "run_name={name}"]),
        (["wandb"], ["report_to=wandb", "run_name={name}"]),
        (["tensorboard", "mlflow"], ["report_to=[tensorboard, mlflow]", "run_name={name}"]),
        ("none", ["report_to=none"]),
        (None, []),
    ],
)
def test_every_training_reports_under_the_name_of_its_step(planned, report_to, words):
    def trainings(**changes):
        methods = {"dpo": {}, "sft_chosen": {}}
        steps = planned(stage2={"methods": methods}, seeds=[0, 3], **changes).steps
        return {step.name: step for step in steps if step.kind == "train"}

    plain, tracked = trainings(), trainings(report_to=report_to)
    assert {name.partition("/")[0] for name in tracked} == {"seed0", "seed3"}
    assert {"seed0/train_weak", "seed0/train_dpo", "seed3/train_sft_chosen"} <= tracked.keys()
    for name, step in tracked.items():
        make, *others = step.commands
        added = [word for word in make if word not in plain[name].commands[0]]
        assert added == [word.format(name=name) for word in words]
        assert tuple(others) == plain[name].commands[1:]
        assert step.compared == plain[name].compared  # to name a tracker repeats no training
    assert all(step.compared == "\n".join(step.lines()) for step in plain.values())


def test_a_training_of_its_own_trackers_keeps_them(planned):
    strong = {**SMALL["strong"], "overrides": {"report_to": "none", "run_name": "mine"}}
    step = next(s for s in planned(report_to="wandb", strong=strong).steps if s.name.endswith("iter1_hybrid"))
    assert tracking_of(step) == ["report_to=none", "run_name=mine"]
    assert "report_to=none" in step.compared


def tracking_of(step) -> list[str]:
    return [word for word in step.commands[0] if word.startswith(("report_to", "run_name"))]


NAMED = "run_name=seed0/train_iter1_hybrid"


@pytest.mark.parametrize(
    ("own", "in_preset", "words"),
    [
        ({"report_to": "wandb"}, "", ["report_to=wandb", NAMED]),
        ({"report_to": "all"}, "", ["report_to=all", NAMED]),
        ({}, "report_to: wandb", [NAMED]),
        ({}, "report_to: wandb\nrun_name: mine", []),
        ({"run_name": "mine"}, "report_to: wandb", ["run_name=mine"]),
        ({"report_to": "none"}, "report_to: wandb", ["report_to=none"]),
        ({"report_to": []}, "", ["report_to=[]"]),
        ({"report_to": None}, "report_to: wandb", ["report_to=null"]),
        ({}, "report_to: none", []),
        ({}, "", []),
    ],
)
def test_a_tracker_that_the_training_names_itself_shows_the_step_too(
    planned, tmp_path, own, in_preset, words
):
    preset = tmp_path / "mine.yaml"
    needed = "stage: sft\ndo_train: true\nfinetuning_type: lora\ntemplate: vanilla\n"
    preset.write_text(needed + in_preset + "\n")
    steps = planned(strong={**SMALL["strong"], "preset": str(preset), "overrides": own}).steps
    step = next(step for step in steps if step.name == "seed0/train_iter1_hybrid")
    assert tracking_of(step) == words
    assert NAMED not in step.compared


def test_a_tracker_named_twice_counts_once(written):
    path = written(report_to=["wandb", "mlflow", "wandb"])
    assert read_experiment(path, models_there=False).report_to == ["wandb", "mlflow"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tensorbord", 'no tracker "tensorbord"'),
        (["mlflow", "none"], 'expected "none" alone, got it together with others'),
        (["all", "mlflow"], 'expected "all" alone, got it together with others'),
        (3, "expected the name"),
        ({"wandb": True}, "expected the name"),
    ],
)
def test_an_unknown_tracker_is_named_with_its_line(written, value, problem):
    with pytest.raises(UserError, match=rf'experiment.yaml:\d+: field "report_to": {problem}'):
        read_experiment(written(report_to=value), models_there=False)
