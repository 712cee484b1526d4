"""The report's rows of models on other pairs: compared with their own control; controls claim nothing."""

from __future__ import annotations

import dataclasses

from tests.experiment.test_report_summary import FLOOR, HYBRID, model
from w2s_factory.experiment.report.comparisons import comparisons
from w2s_factory.experiment.report.figures import training
from w2s_factory.experiment.report.figures.training import movement_figure
from w2s_factory.experiment.report.models import control_of
from w2s_factory.experiment.report.summary import answer
from w2s_factory.experiment.report.training_curves import TrainingCurves
from w2s_factory.experiment.run_contents import Evaluated
from w2s_factory.llamafactory.preference_methods import METHODS
from w2s_factory.quantities import PAIR_SETS


def of_stage2(key, share, pairs=None):
    method = key.removesuffix(f"_{pairs}")
    return dataclasses.replace(model(key, share), stage="stage2", pairs=pairs, method=method)


DPO, CONTROL = of_stage2("dpo", 0.9), of_stage2("sft_chosen", 0.85)
CONSISTENCY = of_stage2("dpo_consistency", 0.95, "consistency")
CONSISTENCY_CONTROL = of_stage2("sft_chosen_consistency", 0.95, "consistency")
GOLD, RANDOM = of_stage2("dpo_gold", 0.97, "gold"), of_stage2("dpo_random", 0.5, "random")
SELF = of_stage2("self_training", 0.9)
BEFORE = [model(*FLOOR), model(*HYBRID)]
ALL = [*BEFORE, DPO, CONSISTENCY, GOLD, RANDOM, CONTROL, CONSISTENCY_CONTROL, SELF]


def test_each_model_has_the_control_on_its_own_pairs():
    found = {each.key: control_of(ALL, each) for each in ALL if each.stage == "stage2"}
    assert {key: control and control.key for key, control in found.items()} == {
        "dpo": "sft_chosen",
        "dpo_consistency": "sft_chosen_consistency",
        "dpo_gold": None,
        "dpo_random": None,
        "sft_chosen": None,
        "sft_chosen_consistency": None,
        "self_training": None,
    }


def test_the_controls_are_compared_with_m_plus_and_claim_nothing_in_the_sentence():
    compared = {(one.model.key, one.against.key) for one in comparisons(ALL)}
    assert {(each.key, "iter1_hybrid_ft") for each in ALL if each.stage == "stage2"} <= compared
    assert ("dpo_consistency", "sft_chosen_consistency") in compared
    assert ("dpo_consistency", "sft_chosen") not in compared
    sentence = answer(ALL)
    for key in ("dpo_gold", "dpo_random", "sft_chosen_consistency"):
        assert key not in sentence
    assert "dpo_consistency added 15.0 points" in sentence
    assert "but no gain here over SFT on the chosen responses (0.0 points" in sentence
    after = sentence.partition("self_training added 10.0 points")[2]
    assert after
    assert "control" not in after


def test_a_control_is_known_by_its_method_and_not_by_its_key():
    renamed = dataclasses.replace(CONTROL, key="sft")
    assert renamed.is_control
    assert control_of([renamed], DPO) is renamed
    other = dataclasses.replace(DPO, key="sft_chosen_by_length", method="sft_chosen_by_length")
    assert not other.is_control
    assert control_of([CONTROL], other) is CONTROL


def test_each_method_on_each_set_has_a_line_of_its_own_even_without_colours(monkeypatch):
    values = {name: [(1, 0.0), (2, 0.5)] for name in ("rewards/chosen", "rewards/margins")}
    trained = [
        TrainingCurves(f"{name}_{pairs}", f"{name} {pairs}", 0, values, {}, name, pairs)
        for name in METHODS
        for pairs in PAIR_SETS
    ]
    drawn = []
    monkeypatch.setattr(training, "drawn", lambda figure, *_: drawn.append(figure))
    movement_figure(trained)
    [axes] = drawn[0].axes
    looks = [(line.get_linestyle(), line.get_marker(), line.get_color()) for line in axes.get_lines()]
    assert len({look[:2] for look in looks}) == len(looks) == len(trained)
    assert len({look[2] for look in looks}) == len(METHODS)
    assert len(drawn[0].legends[0].get_texts()) == len(trained)


def test_contents_name_pairs_only_where_they_are_not_the_published_ones():
    plain = Evaluated(key="dpo", label="DPO", stage="stage2", seed=0, results="results.jsonl")
    assert "pairs" not in plain.model_dump()
    assert plain.model_copy(update={"pairs": "gold"}).model_dump()["pairs"] == "gold"
    assert Evaluated.model_validate(plain.model_dump()) == plain
