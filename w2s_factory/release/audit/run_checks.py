"""An audit: all checks run over a folder, with the statistics of its training sets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.processes import with_progress
from w2s_factory.records import Table
from w2s_factory.release.audit.checks import (
    data_files,
    demonstration_rows,
    indexes,
    label_noise,
    questions,
    responses,
    result_rows,
    training_sets,
)
from w2s_factory.release.audit.corpus import Corpus
from w2s_factory.release.audit.finding import Check, Finding
from w2s_factory.release.audit.set_statistics import SetStatistics, statistics
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from w2s_factory.tasks import Task

_MODULES = (
    data_files,
    questions,
    result_rows,
    training_sets,
    responses,
    indexes,
    demonstration_rows,
    label_noise,
)
"""The modules of checks, in the order in which their findings are reported."""

_DECLARED = [value for module in _MODULES for value in vars(module).values() if isinstance(value, Check)]

CHECKS = tuple(check for check in _DECLARED if not check.release_only)
"""The checks of any folder."""

RELEASE_CHECKS = tuple(check for check in _DECLARED if check.release_only)
"""The checks of the published release alone."""


@dataclass(frozen=True)
class Audit:
    """The findings in a folder.

    Attributes:
        root: The folder.
        files: The number of files of rows that were checked.
        findings: Faults and measurements, in the order of the checks.
        statistics: The size and the label accuracy of each training set of the pipeline.
        notes: Sentences about what was not checked, and why.
    """

    root: Path
    files: int
    findings: list[Finding]
    statistics: list[SetStatistics]
    notes: list[str]

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.fault]

    @property
    def clean(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a DataFrame."""
        return Table("findings", map(asdict, self.findings)).to_frame()

    def as_json(self) -> dict[str, Any]:
        """Return the audit as values that `json` can write."""
        return {
            "root": str(self.root),
            "clean": self.clean,
            "files": self.files,
            "findings": [asdict(finding) for finding in self.findings],
            "statistics": [asdict(statistic) for statistic in self.statistics],
            "notes": self.notes,
        }


def audit(root: str | Path, *, task: Task | str | None = None, published: bool = False) -> Audit:
    """Return the faults in training and test data, found from the data alone.

    Kinds of files are recognised by the keys of their rows; names as in the release say more (weak model,
    iteration, side).

    Args:
        root: A folder with splits, results, datasets, in any of the release's forms.
        task: The task of all files; by default recognised from names, tags and answer keys.
        published: Whether the folder is a copy of the release, to which further checks apply.

    Raises:
        UserError: It is not a folder, or none of its files holds data of a known form.
    """
    corpus = Corpus(Path(root), None if task is None else get_task(task))
    if not (corpus.files or corpus.indexes or corpus.broken):
        raise UserError("holds no data in a known form", file=root, hint="See docs/formats.md")
    checks = [*CHECKS, *(RELEASE_CHECKS if published else ())]
    shown = with_progress(checks, "checks", "check")
    findings = [finding for check in shown for finding in check.findings(corpus)]
    return Audit(Path(root), len(corpus.files), findings, statistics(corpus), list(_notes(corpus)))


def _notes(corpus: Corpus) -> Iterator[str]:
    """Yield a note on the files whose final answers were not checked, if there are any."""
    unknown = [file.name for file in corpus.files if corpus.text_task_of(file) is None]
    if unknown:
        yield (
            f"final answers were not checked in {len(unknown)} files, whose task is unknown or does not "
            f"compare them as text: {', '.join(unknown)}"
        )
