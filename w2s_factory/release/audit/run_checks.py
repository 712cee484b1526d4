"""An audit: the checks run over a folder, and the numbers of the paper's data tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.records import Table
from w2s_factory.release.audit.checks.questions import asked, known_golds
from w2s_factory.release.audit.corpus import Corpus, pair_of
from w2s_factory.release.audit.table import CHECKS, PUBLISHED_CHECKS
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from w2s_factory.release.audit.corpus import File
    from w2s_factory.release.audit.finding import Check
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class SetStatistics:
    """A training set of the pipeline, named as in the release.

    Attributes:
        task: As the file's name has it.
        weak: The weak model.
        kind: `full_weak`, `iter1`, `iter1_wo_aug` (before padding), `iter2_hybrid_paired`.
        questions: Different ids in it: for Stage I, the questions kept.
        rows: Responses of a side, or pairs.
        accuracy: The share of right responses, 0 to 1, among those with a known gold, by side: `weak` and
            `icl`; of pairs `chosen` and `rejected`. A side that is not here, or has no golds, is missing.
    """

    task: str
    weak: str
    kind: str
    questions: int
    rows: int
    accuracy: dict[str, float]


def statistics(corpus: Corpus) -> list[SetStatistics]:
    """The statistics of each full weak, Stage I and pair set, in the order of their names."""
    grouped: dict[tuple[str, str, str], dict[str, File]] = defaultdict(dict)
    for file in corpus.of("sft", "pairs"):
        side = file.parts.get("side", "")
        if file.weak_model and side != "hybrid":
            kind = file.parts["kind"].replace(f"_{side}", "") if side else file.parts["kind"]
            grouped[*file.weak_model, kind][side or "weak"] = file
    golds = known_golds(corpus)
    return [_of_set(corpus, *key, files, golds) for key, files in grouped.items()]


def _of_set(
    corpus: Corpus, task: str, weak: str, kind: str, files: Mapping[str, File], golds: Mapping[str, str]
) -> SetStatistics:
    first = next(iter(files.values()))
    accuracy: dict[str, float] = {}
    for side, file in files.items():
        how = corpus.text_task_of(file)
        if how:
            accuracy |= dict(_accuracies(how, side, file, golds))
    return SetStatistics(task, weak, kind, len({row["id"] for row in first.rows}), len(first.rows), accuracy)


def _accuracies(task: Task, side: str, file: File, golds: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """The accuracy of each side of a file, as far as golds are known."""
    known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
    if not known:
        return
    if file.kind == "pairs":
        for place, name in enumerate(("chosen", "rejected")):
            yield name, _share(task, [(pair_of(row)[place], gold) for row, gold in known])
    else:
        yield side, _share(task, [(row["output"], gold) for row, gold in known])


def _share(task: Task, answered: list[tuple[str, str]]) -> float:
    return sum(task.normalise(task.extract(text)) == gold for text, gold in answered) / len(answered)


@dataclass(frozen=True)
class Finding:
    """Something found, with what it means.

    Attributes:
        check: The name of the check.
        fault: Whether it is a fault; else a measurement.
        title: What the check looks for.
        where: The file, or files.
        count: How many rows it concerns.
        total: Of how many.
        text: What was found, as a sentence.
        examples: A few of the rows.
        consequence: What it does to a training or a measurement.
        instead: What this toolkit does about it.
    """

    check: str
    fault: bool
    title: str
    where: str
    count: int
    total: int | None
    text: str
    examples: tuple[str, ...]
    consequence: str
    instead: str


@dataclass(frozen=True)
class Audit:
    """What was found in a folder.

    Attributes:
        root: The folder.
        files: How many files of rows were looked at.
        findings: Faults and measurements, in the order of the checks.
        statistics: How much each set of the pipeline keeps, and how right it is.
        notes: What was not looked at, and why.
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
        """All of it in plain values."""
        return {
            "root": str(self.root),
            "clean": self.clean,
            "files": self.files,
            "findings": [asdict(finding) for finding in self.findings],
            "statistics": [asdict(one) for one in self.statistics],
            "notes": self.notes,
        }


def audit(root: str | Path, *, task: Task | str | None = None, published: bool = False) -> Audit:
    """Look for faults in training and test data, from the data alone.

    Files are told by the keys of their rows; names as in the release say more (weak model, iteration, side).

    Args:
        root: A folder with splits, results, datasets, in any of the release's forms.
        task: The task all of it belongs to; by default told from names, tags and answer keys.
        published: Whether this is a copy of the release, of which more is known than its files hold.

    Raises:
        UserError: It is not a folder, or nothing in it is data of a known form.
    """
    from tqdm import tqdm  # noqa: PLC0415  only long work shows progress

    corpus = Corpus(Path(root), None if task is None else get_task(task))
    if not (corpus.files or corpus.indexes or corpus.broken):
        raise UserError("holds no data in any form known here", file=root, hint="See docs/formats.md")
    checks = [*CHECKS, *(PUBLISHED_CHECKS if published else ())]
    shown = tqdm(checks, "checks", unit="check", leave=False, disable=None)
    findings = [finding for check in shown for finding in _run(check, corpus)]
    notes = list(_notes(corpus))
    return Audit(Path(root), len(corpus.files), findings, statistics(corpus), notes)


def _notes(corpus: Corpus) -> Iterator[str]:
    """The files whose final answers nobody looked at."""
    unknown = [file.name for file in corpus.files if corpus.text_task_of(file) is None]
    if unknown:
        yield (
            f"final answers were not looked at in {len(unknown)} files, whose task is not known here or does "
            f"not compare them as text: {', '.join(unknown)}"
        )


def _run(check: Check, corpus: Corpus) -> Iterator[Finding]:
    for found in check.look(corpus):
        yield Finding(
            check=check.name,
            fault=check.fault,
            title=check.title,
            where=found.where,
            count=found.count,
            total=found.total,
            text=found.text,
            examples=found.examples,
            consequence=check.consequence,
            instead=check.instead,
        )
