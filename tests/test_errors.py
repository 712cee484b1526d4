"""The wording that errors share: near names."""

from __future__ import annotations

import pytest

from w2s_factory.errors import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "hint"), [("modl", 'Did you mean "model"?'), ("MODEL", ""), ("poetry", ""), ("", "")]
)
def test_a_near_name_is_offered(name, hint):
    assert did_you_mean(name, ["module", "model", "split"]) == hint


def test_how_near_a_name_must_be_can_be_chosen():
    assert nearest("equals", {"equal"}, closeness=0.9) == "equal"
    assert nearest("is_equal", {"equal"}, closeness=0.9) is None
