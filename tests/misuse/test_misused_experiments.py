"""No experiment file surprises: it is planned, or refused in one line that names one of the keys changed."""

from __future__ import annotations

import pytest
import yaml
from experiment_files import KEYS, experiments
from hypothesis import given
from trial import Try, attempt, tries_of

LINE = ("run", "changed.yaml", "--dry-run")


def test_the_grammar_knows_the_keys():
    assert ("stage2", "min_confidence") in KEYS
    assert ("weak", "train", "overrides") in KEYS
    assert len(KEYS) > 50


@pytest.mark.usefixtures("stood_in")
def test_experiment_files(template):
    valid = yaml.safe_load((template / "in/experiment.yaml").read_text())
    valid["weak"]["model"] = valid["strong"]["model"] = "in/model"

    @tries_of(0.1, 25)
    @given(experiments(valid))
    def never_surprise(changed):
        text, named = changed
        attempt(Try(LINE, written=(("changed.yaml", text),), blamed=named), template)

    never_surprise()
