"""Faults in training and test data, found from the data alone: in the release or in a user's folder."""

from __future__ import annotations

from w2s_factory.release.audit.finding import Finding
from w2s_factory.release.audit.run_checks import CHECKS, Audit, audit
from w2s_factory.release.audit.set_statistics import SetStatistics

__all__ = ["CHECKS", "Audit", "Finding", "SetStatistics", "audit"]
