"""The published release: fetching, verification of what this code reproduces, and audit of faults."""

from __future__ import annotations

from w2s_factory.release.audit import Audit, Finding, SetStatistics, audit
from w2s_factory.release.fetch import SOURCES, Fetched, fetch
from w2s_factory.release.verification_page import write_page
from w2s_factory.release.verify import CLASSES, Checked, Verification, lacks_tiktoken, verify_release

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
    "lacks_tiktoken",
    "verify_release",
    "write_page",
]
