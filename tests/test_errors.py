"""The wording that errors share: near names and missing packages."""

from __future__ import annotations

import pytest

from w2s_factory.errors import did_you_mean, missing_package, nearest


@pytest.mark.parametrize(
    ("name", "hint"), [("modl", 'Did you mean "model"?'), ("MODEL", ""), ("poetry", ""), ("", "")]
)
def test_a_near_name_is_offered(name, hint):
    assert did_you_mean(name, ["module", "model", "split"]) == hint


def test_how_near_a_name_must_be_can_be_chosen():
    assert nearest("equals", {"equal"}, closeness=0.9) == "equal"
    assert nearest("is_equal", {"equal"}, closeness=0.9) is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (missing_package("sympy"), "the package sympy is not installed. Install it: pip install sympy"),
        (
            missing_package("datasets", "w2s-factory[hub]", file="a.parquet"),
            "a.parquet: the package datasets is not installed. Install it: pip install 'w2s-factory[hub]'",
        ),
        (
            missing_package("openai", needed_by="engine openai"),
            "engine openai needs the package openai, which is not installed. Install it: pip install openai",
        ),
    ],
)
def test_a_missing_package_is_reported_with_the_command_that_installs_it(error, text):
    assert str(error) == text
    assert error.exit_code == 2
