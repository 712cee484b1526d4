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


@pytest.mark.parametrize(
    ("margins", "chosen", "reference", "finding"),
    [
        ((0.001, 0.009), (-0.40, -0.41), True, HARDLY),  # the embedded task's DPO at 1e-4
        ((0.001, 0.09), (-0.40, -0.60), True, ""),  # at 1e-3
        ((0.001, 0.68), (-0.4, -3.1), True, DISPLACED),  # three epochs of it
        ((0.009,), (-0.4,), True, HARDLY),
        ((0.001, -0.09), (-0.4, -0.4), True, ""),  # it moved, the wrong way
        ((2.0, 2.001), (-0.4, -0.4), True, ""),  # another reference than the first policy
        ((0.001, 0.009), (-0.4, -0.4), False, ""),  # without a reference the margin does not begin at 0
        ((-0.5, 0.3), (-0.4, -3.1), False, DISPLACED),
        ((0.0, 0.5), (-50.0, -53.0), True, ""),  # little for a long response
        ((0.0, 0.5), (-0.1, -0.9), True, ""),  # less than a nat
        ((0.0, 0.5), (-3.1, -0.4), True, ""),  # more likely
    ],
)
def test_what_is_named(margins, chosen, reference, finding):
    found = movement(curves(margins, chosen), reference=reference)
    assert found.finding.partition(":")[0] == finding
    assert "loss 0.692 to 0.689" in found.values


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-100, 0), st.floats(-100, 0))
def test_the_thresholds_decide(first, last, chosen, later):
    found = movement(curves((first, last), (chosen, later)), reference=True)
    assert found.hardly_moved == (abs(last) < HARDLY_MOVED and abs(last - first) < HARDLY_MOVED)
    assert found.displaced == (chosen - later >= DISPLACED_NATS and later <= DISPLACED_FACTOR * chosen)
    assert found.ends["rewards/margins"] == (first, last)
    assert bool(found.finding) == (found.hardly_moved or found.displaced)


def test_other_trainings_have_no_movement():
    assert movement({"loss": [(1, 0.5)]}, reference=True) is None
    assert movement({}, reference=True) is None


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
    assert found.reference == reference
    assert found.hardly_moved == reference
    assert found.ends["loss"] == (0.692, 0.689)


def test_an_sft_or_a_broken_log_has_none(trained):
    assert movement_in(trained, {"stage": "sft"}) is None
    (trained / "trainer_state.json").write_text("{")
    assert movement_in(trained, {"stage": "dpo"}) is None
    (trained / "trainer_state.json").unlink()
    assert logged_curves(trained) == {}
    assert movement_in(trained, {"stage": "dpo"}) is None
