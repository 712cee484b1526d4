"""A folder with questions and models, and an engine that answers them, for chains of commands."""

from __future__ import annotations

import pytest
from chained import set_up


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder of a chain."""
    set_up(tmp_path, monkeypatch)
    return tmp_path
