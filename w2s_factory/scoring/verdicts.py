"""Verdicts read from results: of one response to each question, or of samples (pass@k, maj@k, avg@k)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from w2s_factory.errors import UserError
from w2s_factory.folders import results_in
from w2s_factory.quantities import Samples
from w2s_factory.ranges import check
from w2s_factory.records import ANSWERED, Id, Table, read, read_placed
from w2s_factory.scoring.answer_classes import AnswerClasses, classes_as_scored
from w2s_factory.scoring.metrics import pass_at_k, wilson_interval
from w2s_factory.scoring.noted_way import noted_way
from w2s_factory.scoring.seeds import other_gold, read_together, seed_sources
from w2s_factory.scoring.vote import majority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.records import Result, RowSource
    from w2s_factory.scoring.seeds import SamplesLike
    from w2s_factory.tasks import Task


def read_verdicts(path: str | RowSource) -> dict[Id, bool]:
    """Return the verdict on each question whose gold is known, in the order of the rows.

    Args:
        path: Results, or a folder with `results.jsonl`.

    Raises:
        UserError: The file cannot be read as results, is empty, has a duplicate id, or no gold is known; or
            it was scored from responses that were generated again after that.
    """
    return read_known(path)[0]


def read_known(path: str | RowSource) -> tuple[dict[Id, bool], int]:
    """Return the same as `read_verdicts`, and the number of questions whose gold is not known.

    Raises:
        UserError: As `read_verdicts`.
    """
    file = path if isinstance(path, Table) else results_in(Path(path))
    noted_way(file)  # refuses results of other responses
    verdicts: dict[Id, bool | None] = {}
    for place, row in read_placed(file, ANSWERED):
        if row["id"] in verdicts:
            raise place.error(f"duplicate id {row['id']!r}", field="id")
        verdicts[row["id"]] = row.get("result")
    if not verdicts:
        raise UserError("holds no rows", file=file)
    unknown = [name for name, verdict in verdicts.items() if verdict is None]
    for name in unknown:
        del verdicts[name]
    if not verdicts:
        raise no_gold(file)
    return cast("dict[Id, bool]", verdicts), len(unknown)


def differing_gold(first: str | RowSource, second: str | RowSource) -> UserError | None:
    """Return the error that two results have different gold answers of one id; None if they do not.

    They are then those of different questions, or were scored with different golds.

    Raises:
        UserError: A file cannot be read as results.
    """
    files = [path if isinstance(path, Table) else results_in(Path(path)) for path in (first, second)]
    golds = {row["id"]: row.get("gold") for row in read(files[0], ANSWERED)}
    for place, row in read_placed(files[1], ANSWERED):
        if error := other_gold(place, row, golds.get(row["id"]), files[0]):
            return error
    return None


def no_gold(file: str | RowSource) -> UserError:
    """Return the error that no row of a file has a verdict, to be raised."""
    hint = "Scoring without gold answers is enough for Stages I and II, not for accuracy"
    return UserError("no gold answer is known: no row has a result", file=file, hint=hint)


def left_out(name: str | RowSource, unknown: int) -> list[str]:
    """Return a note on the questions that are left out, in a list; an empty list if there are none."""
    return [f"{name}: {unknown:,} questions whose gold is not known are left out"] if unknown else []


def sampled(samples: SamplesLike, k: Samples, task: Task | None = None) -> dict[str, Any]:
    """Return the row of `Evaluation.results` for the samples of one model; see `sampled_known`."""
    return sampled_known(seed_sources(samples), k, task, str(samples))[0]


def sampled_known(
    seeds: Mapping[int, RowSource], k: Samples, task: Task | None, name: str
) -> tuple[dict[str, Any], int]:
    """Return the row of `Evaluation.results` for samples, and the number of questions without known gold.

    These questions are left out. Memory does not grow with the number of questions.

    Args:
        seeds: The results of each seed.
        k: The k of pass@k and maj@k.
        task: The task that says which answers are equal, for maj@k; None if only the same text is.
        name: The name of the samples, for the row and for messages.

    Raises:
        UserError: There are fewer than k seeds, their results cannot be read or differ in their questions, or
            no gold is known.
    """
    check(k, Samples, "pass_at")
    total = passed = agreed = 0
    unbiased = 0.0
    seen: Counter[bool] = Counter()
    for total, question in enumerate(sampled_questions(seeds, k, task, name, seen), 1):  # noqa: B007  used below
        passed += any(question.verdicts[:k])
        agreed += question.majority
        unbiased += pass_at_k(len(question.verdicts), sum(question.verdicts), k)
    if not total:
        raise no_gold(name)
    row = {"results": name, "questions": total, "samples": len(seeds), "k": k}
    for measure, right in (("pass", passed), ("maj", agreed)):
        low, high = wilson_interval(right, total)
        row |= {f"{measure}_at_k": right / total, f"{measure}_low": low, f"{measure}_high": high}
    return row | {"pass_at_k_unbiased": unbiased / total}, seen[False]


class SampledQuestion(NamedTuple):
    """The verdicts on the samples of one question.

    Attributes:
        id: The question's id.
        verdicts: The verdict on each sample, in the order of the seeds.
        majority: Whether the majority answer of the first k samples is right.
    """

    id: Id
    verdicts: list[bool]
    majority: bool


def sampled_questions(
    seeds: Mapping[int, RowSource], k: Samples, task: Task | None, name: str, seen: Counter[bool]
) -> Iterator[SampledQuestion]:
    """Yield the verdicts on each question whose gold is known. Memory does not grow with their number.

    Args:
        seeds: The results of each seed.
        k: The number of samples that vote.
        task: The task that says which answers are equal; None if only the same text is.
        name: The name of the samples, for messages.
        seen: Counts the questions, by whether their gold is known.

    Raises:
        UserError: There are fewer than k seeds, or their results cannot be read, are empty or differ in their
            questions.
    """
    files = list(seeds.values())
    if k > len(files):
        raise UserError(f"pass@{k} needs {k} seeds, got {len(files)}", file=name)
    for results, answers in _classes(task, files).classify(_known(files, seen)):
        verdicts = [result["result"] for result in results]
        voting = [answer for answer in answers[:k] if answer is not None]
        majority_right = bool(voting) and verdicts[answers.index(majority(voting))]
        yield SampledQuestion(results[0]["id"], verdicts, majority_right)
    if not seen:
        raise UserError("holds no rows", file=files[0])


def shares_right(seeds: Mapping[int, RowSource], k: Samples, name: str) -> tuple[dict[Id, float], int]:
    """Return the share of right ones among the first k samples of each question, for avg@k.

    Args:
        seeds: The results of each seed.
        k: The number of samples.
        name: The name of the samples, for messages.

    Returns:
        The share by question, and the number of questions that are left out, since no gold is known.

    Raises:
        UserError: There are fewer than k seeds, their results cannot be read or differ in their questions, or
            no gold is known.
    """
    check(k, Samples, "avg_at")
    files = list(seeds.values())
    if k > len(files):
        raise UserError(f"avg@{k} needs {k} seeds, got {len(files)}", file=name)
    seen: Counter[bool] = Counter()
    shares = {
        results[0]["id"]: sum(result["result"] for result in results) / k
        for results in _known(files[:k], seen)
    }
    if not seen:
        raise UserError("holds no rows", file=files[0])
    if not shares:
        raise no_gold(name)
    return shares, seen[False]


def _classes(task: Task | None, files: Sequence[RowSource]) -> AnswerClasses:
    """Return the classes of answers, as scored if all files were scored in the same way."""
    ways = [noted_way(file) for file in files]
    same = all(way.finds_as(ways[0], same_key=True) for way in ways)
    return classes_as_scored(task, files, ways[0]) if same else AnswerClasses(task)


def _known(files: Sequence[RowSource], seen: Counter[bool]) -> Iterator[tuple[Result, ...]]:
    """Yield the results of each question whose gold is known, one from each file.

    `seen` counts the questions, by whether their gold is known.
    """
    for results in read_together(files, ANSWERED):
        known = all("result" in result for result in results)
        seen[known] += 1
        if known:
            yield results
