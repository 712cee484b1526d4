"""What is wrong in training data, found from the data alone: in the release, or in a folder of one's own."""

from __future__ import annotations

from w2s_factory.release.audit.run_checks import Audit, Finding, SetStatistics, audit
from w2s_factory.release.audit.table import CHECKS

__all__ = ["CHECKS", "Audit", "Finding", "SetStatistics", "audit"]
