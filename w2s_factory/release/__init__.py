"""The published release: fetching it, what of it this code reproduces, and what is wrong in it."""

from __future__ import annotations

from w2s_factory.release.audit import Audit, Finding, SetStatistics, audit
from w2s_factory.release.fetch import SOURCES, Fetched, fetch
from w2s_factory.release.html_page import write_page
from w2s_factory.release.verify import CLASSES, Checked, Verification, verify_release

__all__ = [
    "CLASSES",
    "SOURCES",
    "Audit",
    "Checked",
    "Fetched",
    "Finding",
    "SetStatistics",
    "Verification",
    "audit",
    "fetch",
    "verify_release",
    "write_page",
]
