"""Checks of results and of training rows taken from them: verdicts, golds, responses, ids and prompts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.records import text_digest
from w2s_factory.release.audit.corpus import prompt_of
from w2s_factory.release.audit.finding import Occurrence, check
from w2s_factory.release.audit.known_golds import final_answer, known_golds, rows_with_golds
from w2s_factory.release.audit.tally import tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.records import Id
    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.release.audit.tally import Tally
    from w2s_factory.tasks import Task


@check(
    "wrong-verdicts",
    title="Verdicts that do not follow from response and gold",
    consequence="Accuracies, consistent questions and pairs are built on wrong verdicts.",
    instead="`score` computes verdicts from the responses and records its mode.",
)
def wrong_verdicts(corpus: Corpus) -> Iterator[Occurrence]:
    """Find results whose `pred` is not the response's final answer, or whose `result` is not pred = gold."""
    for file in corpus.of("results"):
        task = corpus.text_task_of(file)
        if task is None:
            continue
        scored, wrong, shown = tally(_verdict_problem(task, row) for row in file.rows if "pred" in row)
        if wrong:
            text = f"{wrong} of {scored:,} verdicts do not follow from response and gold"
            yield Occurrence(file.name, wrong, scored, text, shown)


def _verdict_problem(task: Task, row: Row) -> str | None:
    """Return what is wrong with a row's `pred` or `result`; None if nothing is."""
    pred = final_answer(task, row["response"])
    if pred != row["pred"]:
        return f"id {row['id']}: pred is {row['pred']!r}, the response says {pred!r}"
    if "gold" in row and "result" in row and row["result"] != (pred == row["gold"]):
        return f"id {row['id']}: result is {row['result']}, pred {pred!r}, gold {row['gold']!r}"
    return None


@check(
    "other-golds",
    title="Results scored against golds that are not the split's",
    consequence="Accuracies are not comparable.",
    instead="`score` joins golds by id and refuses golds that do not match the responses.",
)
def other_golds(corpus: Corpus) -> Iterator[Occurrence]:
    """Find results scored against a gold other than the one the split has."""
    golds = known_golds(corpus)
    for file in corpus.of("results"):
        known, wrong, shown = tally(
            None if row["gold"] == gold else f"id {row['id']}: {row['gold']} for {gold}"
            for row, gold in rows_with_golds(file, golds)
            if "gold" in row
        )
        if wrong:
            text = f"{wrong} of {known:,} golds are not those of the split"
            yield Occurrence(file.name, wrong, known, text, shown)


@check(
    "other-responses",
    title="Full weak rows that are not the responses in the same model's results",
    consequence="The responses trained on are not those that were scored.",
    instead="Full weak is built from the results themselves.",
)
def other_responses(corpus: Corpus) -> Iterator[Occurrence]:
    """Find full weak rows that differ from the results that most rows of their file are taken from."""
    for file in corpus.of("sft"):
        if file.parts.get("kind") != "full_weak":
            continue
        digests = {row["id"]: text_digest(row["output"]) for row in file.rows}
        for results in corpus.of("results"):
            total, wrong, shown = _not_those_of(results, digests)
            if wrong and wrong * 2 < total:  # most are the same: they are one model's
                text = f"{wrong} of {total:,} responses are not those of {results.name}"
                yield Occurrence(file.name, wrong, total, text, shown)


def _not_those_of(results: File, digests: Mapping[Id, bytes]) -> Tally:
    """Return the responses, given by id, that are not those of results."""
    same: set[Id] = set()
    for row in results.rows:
        if digests.get(row["id"]) == text_digest(row["response"]):
            same.add(row["id"])
        else:
            same.discard(row["id"])  # of several rows with one id the last counts
    return tally(None if name in same else f"id {name}" for name in digests)


@check(
    "repeated-ids",
    title="Duplicate ids in a file",
    consequence="Joined by id, one of the rows is lost or counted twice.",
    instead="Every command refuses such a file and names the row.",
)
def repeated_ids(corpus: Corpus) -> Iterator[Occurrence]:
    """Find files in which two rows have one id although each question has one row."""
    for file in corpus.of("results", "sft", "votes"):
        if file.parts.get("side") == "hybrid":
            continue
        counts = Counter(str(row.get("id")) for row in file.rows)
        _, repeated, shown = tally(f"id {name}" if count > 1 else None for name, count in counts.items())
        if repeated:
            text = f"{repeated} ids occur more than once"
            yield Occurrence(file.name, repeated, len(file.rows), text, shown)


@check(
    "strange-prompts",
    title="Prompts that are not one zero-shot question",
    consequence="The model is trained on a prompt other than the one it is evaluated with.",
    instead="Stage I writes the zero-shot prompt for icl responses too.",
)
def strange_prompts(corpus: Corpus) -> Iterator[Occurrence]:
    """Find prompts that hold demonstrations, several questions, or another form than the zero-shot prompt."""
    for file in corpus.of("sft", "pairs"):
        task = corpus.text_task_of(file)
        if task is None:
            continue
        prompts = ((row["id"], prompt_of(row)) for row in file.rows if "id" in row)
        total, strange, shown = tally(
            None if _is_zero_shot(task, prompt) else f"id {name}: {prompt}" for name, prompt in prompts
        )
        if strange:
            text = f"{strange} of {total:,} prompts are not one zero-shot question"
            yield Occurrence(file.name, strange, total, text, shown)


def _is_zero_shot(task: Task, prompt: str) -> bool:
    start, _, end = task.prompt("?").partition("?")
    return prompt.startswith(start) and prompt.endswith(end) and (not end or prompt.count(end) == 1)
