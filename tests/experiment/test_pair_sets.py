"""Methods on other pairs than the published ones, the controls by gold and by chance, and self-training."""

from __future__ import annotations

import pytest

from tests.experiment.test_plan import named, words
from w2s_factory.errors import UserError
from w2s_factory.experiment.checked_plan import trainings_of
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.plan import plan
from w2s_factory.experiment.spec import Experiment

ALL = ["weak", "consistency", "gold", "random"]


def steps_of(planned) -> list[str]:
    return [step.name.removeprefix("seed0/") for step in planned.steps]


def test_published_pairs_named_or_not_are_the_same_plan(planned):
    methods = {"dpo": {}, "orpo": {}, "sft_chosen": {}}
    same = {name: {"pairs": "weak"} for name in methods}
    plain, spelled = (planned(stage2={"methods": each}) for each in (methods, same))
    assert plain.steps == spelled.steps
    assert plain.contents == spelled.contents
    written = plain.contents.model_dump()["models"]
    assert all("pairs" not in model and "method" not in model for model in written)
    assert [name for name in steps_of(plain) if "pairs" in name] == ["pairs"]


BUILT = {
    "pairs_consistency": "--pairs consistency --votes {votes} --samples {samples} --min-confidence 0.5 --seed 45",
    "pairs_gold": "--control gold --votes {votes} --samples {samples} --seed 45",
    "pairs_random": "--control random --weak {weak} --votes {votes} --samples {samples} --min-confidence 0.5 "
    "--negative-confidence 0.8 --seed 45",
    "self": "--votes {votes} --min-confidence 0.5 --seed 45",
}


@pytest.mark.parametrize("step", BUILT)
def test_each_set_is_built_with_what_it_reads_alone(planned, step):
    methods = {"dpo": {"pairs": ALL}, "self_training": {}}
    third = planned(seeds=[3], stage2={"min_confidence": 0.5, "methods": methods})
    found = next(each for each in third.steps if each.name == f"seed3/{step}")
    tree = "seed3/outputs/arithmetic_train_2"
    samples = f"{tree}/zero_shot/s_arithmetic_w_iter2_hybrid/zero-shot/direct/t1.0"
    files = {
        "samples": samples,
        "votes": f"{samples}/majority_voting_results.jsonl",
        "weak": f"{tree}/zero_shot/w_arithmetic_1/zero-shot/direct/results.jsonl",
    }
    assert f"--task arithmetic {BUILT[step].format(**files)} --layout release" in words(found)
    assert (files["weak"] in found.reads) == ("--weak" in BUILT[step])
    assert files["votes"] in found.reads
    assert len(found.writes) == 1


def test_each_method_is_trained_once_on_each_of_its_sets(planned):
    methods = {
        "dpo": {"pairs": ["consistency", "gold"]},
        "orpo": {},
        "sft_chosen": {"pairs": ["weak", "gold"]},
    }
    found = planned(stage2={"methods": methods})
    keys = ["dpo_consistency", "dpo_gold", "orpo", "sft_chosen", "sft_chosen_gold"]
    models = [model for model in found.contents.models if model.stage == "stage2"]
    assert [model.key for model in models] == keys
    assert [model.pairs for model in models] == ["consistency", "gold", None, None, "gold"]
    assert [model.method for model in models] == ["dpo", "dpo", None, None, "sft_chosen"]
    assert models[1].label == "Stage II, DPO, gold pairs (control)"
    assert {f"train_{key}" for key in keys} <= {*steps_of(found)}
    assert "pairs_random" not in steps_of(found)
    step = named(found, "train_dpo_consistency")
    dataset = "arithmetic_w_iter2_hybrid_consistency_pairs"
    assert f"--dataset {dataset} " in words(step)
    assert f"--output-dir seed0/models/s_{dataset}_dpo " in words(step)
    assert "--model seed0/models/m_plus " in words(step)
    [converted] = named(found, "chosen_gold").commands
    assert converted[2].endswith("_iter2_hybrid_gold_pairs.json")
    assert len({file for each in found.steps for file in each.writes}) == sum(
        len(each.writes) for each in found.steps
    )


def test_the_reports_part_on_stage_2_is_about_the_published_pairs(planned):
    found = planned(stage2={"methods": {"dpo": {"pairs": ["consistency"]}}})
    assert "pairs" in steps_of(found)
    [of] = found.contents.stage2
    assert of.pairs.name == "train_arithmetic_w_iter2_hybrid_paired.json"


@pytest.mark.parametrize(("start", "model"), [("m-plus", "seed0/models/m_plus"), ("base", "some/strong")])
def test_self_training_is_the_strong_models_fine_tuning(planned, start, model):
    strong = {"name": "s", "model": "some/strong", "preset": "tiny_lora_sft", "overrides": {"max_steps": 7}}
    method = {"start": start, "overrides": {"learning_rate": 1e-3}}
    found = planned(strong=strong, stage2={"methods": {"self_training": method}})
    step = words(named(found, "train_self_training"))
    assert f"--preset tiny_lora_sft --model {model} --dataset arithmetic_w_iter2_hybrid_self " in step
    assert "--set max_steps=7 --set learning_rate=0.001" in step
    assert "--stage self" in words(named(found, "self"))
    assert found.contents.models[-1].key == "self_training"


STEPS = [
    ({"num_train_epochs": 2.0}, {}, ["num_train_epochs=2.0"], ["max_samples", "val_size", "packing"]),
    ({"max_samples": 50}, {}, ["max_samples=50"], ["val_size", "packing"]),
    ({}, {"max_samples": 50, "val_size": 0.1}, ["max_samples=null", "val_size=0.0"], ["packing"]),
    ({}, {"packing": True, "neat_packing": True}, ["packing=false", "neat_packing=false"], ["max_samples"]),
    ({"val_size": 0.1}, {"val_size": 0.1}, ["val_size=0.1"], ["max_samples", "packing"]),
]


@pytest.mark.parametrize(("method", "strong", "there", "absent"), STEPS)
def test_the_control_takes_as_many_steps_as_the_method_on_its_pairs(planned, method, strong, there, absent):
    values = {"name": "s", "model": "some/strong", "preset": "tiny_lora_sft", "overrides": strong}
    methods = {
        "dpo": {"overrides": {"num_train_epochs": 9.0}},
        "orpo": {"pairs": "gold", "overrides": method},
        "sft_chosen": {"pairs": ["gold", "weak"]},
    }
    found = planned(strong=values, stage2={"methods": methods})
    step = words(named(found, "train_sft_chosen_gold"))
    assert all(f"--set {setting}" in step for setting in there)
    assert not [argument for argument in absent if f" {argument}" in step]
    assert "num_train_epochs=9.0" in words(named(found, "train_sft_chosen"))
    assert "num_train_epochs=9.0" not in step


def test_the_trainings_are_checked_before_a_run(written):
    values = {"dpo": {"pairs": ["gold"]}, "sft_chosen": {}, "self_training": {}}
    found = [section for section, _, _ in trainings_of(read_experiment(written(stage2={"methods": values})))]
    assert found[-3:] == [f"stage2.methods.{name}" for name in values]


WRONG = [
    ({"dpo": {"pairs": "strong"}}, "stage2.methods.dpo.pairs"),
    ({"dpo": {"pairs": []}}, "stage2.methods.dpo.pairs"),
    ({"dpo": {"pairs": ["gold", "gold"]}}, "got a duplicate"),
    ({"dpo": {"pairs": 3}}, "stage2.methods.dpo.pairs"),
    ({"self_training": {"pairs": "weak"}}, "stage2.methods.self_training.pairs"),
    ({"self_training": {"start": "gold"}}, "stage2.methods.self_training.start"),
]


@pytest.mark.parametrize(("methods", "problem"), WRONG)
def test_mistakes_name_the_key(written, methods, problem):
    with pytest.raises(UserError, match=problem):
        read_experiment(written(stage2={"methods": methods}))


def test_all_names_of_steps_and_models_differ(planned):
    every = {name: {"pairs": ALL} for name in ("dpo", "orpo", "simpo", "sft_chosen")}
    found = planned(seeds=[0, 1], stage2={"methods": {**every, "self_training": {}}})
    names = [step.name for step in found.steps]
    rules = [step.rule for step in found.steps]
    assert len({*names}) == len({*rules}) == len(names)
    folders = [model.training for model in found.contents.models if model.training]
    assert len({*folders}) == len(folders)
    assert isinstance(found.experiment, Experiment)
    assert plan(found.experiment).steps == found.steps
