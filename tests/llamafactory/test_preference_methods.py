from __future__ import annotations

import pytest

from w2s_factory.experiment.stage2_section import Dpo, Methods, ReferenceFree
from w2s_factory.llamafactory.arguments import known_arguments
from w2s_factory.llamafactory.preference_methods import METHODS, STAGES, trains_on_pairs
from w2s_factory.llamafactory.presets import load_preset
from w2s_factory.llamafactory.versions import RELEASES, for_version


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_a_preset_of_its_name(name):
    assert load_preset(name).method == name


@pytest.mark.parametrize("release", RELEASES)
def test_a_method_can_be_selected_in_every_release_that_has_it(release):
    version = for_version(release)
    for name in version.methods:
        by_loss = "pref_loss" in known_arguments(version)
        assert by_loss or METHODS[name].early_stage in STAGES


def test_experiments_offer_each_method_with_its_choice_of_model():
    offered = Methods(**{name: {} for name in METHODS}).preference
    assert {name: type(method) for name, method in offered.items()} == {
        name: Dpo if method.reference else ReferenceFree for name, method in METHODS.items()
    }


@pytest.mark.parametrize(
    ("use", "pairs"),
    [
        ("sft", False),
        ("pt", False),
        ("kto", False),
        ("rm", True),
        ("dpo", True),
        ("orpo", True),
        ("simpo", True),
    ],
)
def test_which_trainings_take_pairs(use, pairs):
    assert trains_on_pairs(use) is pairs
