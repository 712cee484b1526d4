"""The wording that errors share: near names."""

from __future__ import annotations

import tomllib

import pytest

from tests.conftest import ROOT
from w2s_factory import errors
from w2s_factory.errors import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "hint"), [("modl", 'Did you mean "model"?'), ("MODEL", ""), ("poetry", ""), ("", "")]
)
def test_a_near_name_is_offered(name, hint):
    assert did_you_mean(name, ["module", "model", "split"]) == hint


def test_how_near_a_name_must_be_can_be_chosen():
    assert nearest("equals", {"equal"}, closeness=0.9) == "equal"
    assert nearest("is_equal", {"equal"}, closeness=0.9) is None


def test_the_page_of_topics_is_one_that_exists(tmp_path):
    """A wheel has its own copy; in a clone the page is in docs/."""
    assert errors.troubleshooting(tmp_path) == "docs/troubleshooting.md"
    page = tmp_path / "docs/troubleshooting.md"
    page.parent.mkdir()
    page.touch()
    assert errors.troubleshooting(tmp_path) == str(page)
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert shipped["force-include"]["docs/troubleshooting.md"] == "w2s_factory/docs/troubleshooting.md"
