"""The published release: fetching it, what of it this code reproduces, and what is wrong in it."""

from __future__ import annotations

from w2s_factory.release.fetching import SOURCES, Fetched, fetch

__all__ = ["SOURCES", "Fetched", "fetch"]
