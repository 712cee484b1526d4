"""The published release: fetching it, what of it this code reproduces, and what is wrong in it."""

from __future__ import annotations

from w2s_factory.release.checking import CLASSES, Checked
from w2s_factory.release.fetching import SOURCES, Fetched, fetch
from w2s_factory.release.verifying import Verification, verify_release

__all__ = ["CLASSES", "SOURCES", "Checked", "Fetched", "Verification", "fetch", "verify_release"]
