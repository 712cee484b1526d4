"""Whether a preference training moved the policy, by first and last logged values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.llamafactory.policy_movement import (
    DISPLACED_FACTOR,
    DISPLACED_NATS,
    HARDLY_MOVED,
    logged_curves,
    movement,
    movement_in,
)

HARDLY = "the policy hardly moved"
DISPLACED = "chosen responses became much less likely"


def curves(margins, chosen=(-0.4, -0.4), loss=(0.692, 0.689)):
    return {
        name: [(10 * step, value) for step, value in enumerate(values, 1)]
        for name, values in {
            "loss": loss,
            "rewards/chosen": (0.0, 0.01),
            "rewards/margins": margins,
            "rewards/accuracies": (0.5, 0.6),
            "logps/chosen": chosen,
            "logps/rejected": (-8.7, -8.8),
        }.items()
    }


DPO, ORPO = {"stage": "dpo", "pref_beta": 0.1}, {"stage": "dpo", "pref_loss": "orpo", "pref_beta": 0.1}


@pytest.mark.parametrize(
    ("margins", "chosen", "config", "finding"),
    [
        ((0.001, 0.009), (-0.40, -0.41), DPO, HARDLY),  # the embedded task's DPO at 1e-4
        ((0.001, 0.09), (-0.40, -0.60), DPO, ""),  # at 1e-3
        ((0.001, 0.68), (-0.4, -3.1), DPO, DISPLACED),  # three epochs of it
        ((0.009,), (-0.4,), DPO, HARDLY),
        ((0.001, -0.09), (-0.4, -0.4), DPO, ""),  # it moved, the wrong way
        ((2.0, 2.001), (-0.4, -0.4), DPO, ""),  # another reference than the first policy
        ((0.001, 0.009), (-0.4, -0.4), ORPO, ""),  # without a reference the margin does not begin at 0
        ((-0.5, 0.3), (-0.4, -3.1), ORPO, DISPLACED),
        ((0.0, 0.5), (-50.0, -53.0), DPO, ""),  # little for a long response
        ((0.0, 0.5), (-0.1, -0.9), DPO, ""),  # less than a nat
        ((0.0, 0.5), (-3.1, -0.4), DPO, ""),  # more likely
        # the same log-ratios have other margins at other betas
        ((0.01, 0.09), (-0.4, -0.4), {"stage": "dpo", "pref_beta": 1.0}, HARDLY),
        ((0.0001, 0.0045), (-0.4, -0.4), {"stage": "dpo", "pref_beta": 0.01}, ""),
        ((0.01, 0.09), (-0.4, -0.4), {"stage": "dpo", "dpo_beta": 1.0}, HARDLY),  # an earlier release's name
        ((0.001, 0.009), (-0.4, -0.4), {"stage": "dpo"}, HARDLY),  # LLaMA-Factory's default, 0.1
        ((0.001, 0.009), (-0.4, -0.4), {"stage": "dpo", "dpo_loss": "orpo"}, ""),
        ((0.001, 0.009), (-0.4, -0.4), {"stage": "dpo", "pref_beta": None}, HARDLY),  # as without it
        ((0.001, 0.009), (-0.4, -0.4), None, ""),  # not known whether it has a reference
    ],
)
def test_what_is_named(margins, chosen, config, finding):
    found = movement(curves(margins, chosen), config)
    assert found.finding.partition(":")[0] == finding
    assert "loss 0.692 to 0.689" in found.values


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-100, 0), st.floats(-100, 0), st.floats(0.01, 5))
def test_the_thresholds_decide(first, last, chosen, later, beta):
    found = movement(curves((first, last), (chosen, later)), {"stage": "dpo", "pref_beta": beta})
    assert found.hardly_moved == (abs(last) / beta < HARDLY_MOVED and abs(last - first) / beta < HARDLY_MOVED)
    assert found.displaced == (chosen - later >= DISPLACED_NATS and later <= DISPLACED_FACTOR * chosen)
    assert found.ends["rewards/margins"] == (first, last)
    assert bool(found.finding) == (found.hardly_moved or found.displaced)


def test_the_finding_says_the_margin_in_nats():
    found = movement(curves((0.01, 0.09)), {"stage": "dpo", "pref_beta": 0.5})
    assert found.finding == f"{HARDLY}: reward margin 0.090 at the end (0.18 nats at beta 0.5)"


def test_other_trainings_have_no_movement():
    assert movement({"loss": [(1, 0.5)]}, DPO) is None
    assert movement({}, DPO) is None


@pytest.fixture
def trained(tmp_path):
    """The folder of a training with the log of its state."""
    rows = [
        {"step": step, **{name: values[place][1] for name, values in curves((0.001, 0.009)).items()}}
        for place, step in enumerate((10, 20))
    ]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": [*rows, {"step": 20}]}))
    return tmp_path


@pytest.mark.parametrize(
    ("config", "reference"),
    [
        ({"stage": "dpo"}, True),
        ({"stage": "dpo", "pref_loss": "sigmoid"}, True),
        ({"stage": "dpo", "pref_loss": "ipo"}, True),
        ({"stage": "dpo", "pref_loss": "simpo"}, False),
        ({"stage": "dpo", "pref_loss": "orpo"}, False),
        ({"stage": "orpo"}, False),
    ],
)
def test_the_configuration_says_whether_there_is_a_reference(trained, config, reference):
    found = movement_in(trained, config)
    assert (found.beta is not None) == reference
    assert found.hardly_moved == reference
    assert found.ends["loss"] == (0.692, 0.689)


def test_an_sft_or_a_broken_log_has_none(trained):
    assert movement_in(trained, {"stage": "sft"}) is None
    (trained / "trainer_state.json").write_text("{")
    assert movement_in(trained, {"stage": "dpo"}) is None
    (trained / "trainer_state.json").unlink()
    assert logged_curves(trained) == {}
    assert movement_in(trained, {"stage": "dpo"}) is None
