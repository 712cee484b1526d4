"""The wheel and the light environment, which all tests of the installation share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.install.environments import built, light_environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def light(wheel, tmp_path_factory) -> Path:
    """The interpreter of a fresh environment with the wheel alone."""
    return light_environment(wheel, tmp_path_factory.mktemp("light") / "venv")
