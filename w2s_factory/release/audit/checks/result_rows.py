"""Checks of results and of training rows taken from them: verdicts, golds, responses, ids and prompts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.audit.corpus import prompt_of
from w2s_factory.release.audit.finding import Occurrence, check, few
from w2s_factory.release.audit.known_golds import final_answer, known_golds, rows_with_golds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, Row
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
        scored = [row for row in file.rows if "pred" in row]
        if task is None or not scored:
            continue
        wrong = [f"id {row['id']}: {problem}" for row in scored if (problem := _verdict_problem(task, row))]
        if wrong:
            text = f"{len(wrong)} of {len(scored):,} verdicts do not follow from response and gold"
            yield Occurrence(file.name, len(wrong), len(scored), text, few(wrong))


def _verdict_problem(task: Task, row: Row) -> str | None:
    """Return what is wrong with a row's `pred` or `result`; None if nothing is."""
    pred = final_answer(task, row["response"])
    if pred != row["pred"]:
        return f"pred is {row['pred']!r}, the response says {pred!r}"
    if "gold" in row and "result" in row and row["result"] != (pred == row["gold"]):
        return f"result is {row['result']}, pred {pred!r}, gold {row['gold']!r}"
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
        known = [(row, gold) for row, gold in rows_with_golds(file, golds) if "gold" in row]
        wrong = [f"id {row['id']}: {row['gold']} for {gold}" for row, gold in known if row["gold"] != gold]
        if wrong:
            text = f"{len(wrong)} of {len(known):,} golds are not those of the split"
            yield Occurrence(file.name, len(wrong), len(known), text, few(wrong))


@check(
    "other-responses",
    title="Full weak rows that are not the responses in the same model's results",
    consequence="The responses trained on are not those that were scored.",
    instead="Full weak is built from the results themselves.",
)
def other_responses(corpus: Corpus) -> Iterator[Occurrence]:
    """Find full weak rows that differ from the results that most rows of their file are taken from."""
    results = {file.name: {row["id"]: row["response"] for row in file.rows} for file in corpus.of("results")}
    for file in corpus.of("sft"):
        if file.parts.get("kind") != "full_weak":
            continue
        responses = {row["id"]: row["output"] for row in file.rows}
        for name, texts in results.items():
            wrong = [row_id for row_id, text in responses.items() if texts.get(row_id) != text]
            if wrong and len(wrong) * 2 < len(responses):  # most are the same: they are one model's
                text = f"{len(wrong)} of {len(responses):,} responses are not those of {name}"
                shown = few(f"id {row_id}" for row_id in wrong)
                yield Occurrence(file.name, len(wrong), len(responses), text, shown)


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
        repeated = [f"id {name}" for name, count in counts.items() if count > 1]
        if repeated:
            text = f"{len(repeated)} ids occur more than once"
            yield Occurrence(file.name, len(repeated), len(file.rows), text, few(repeated))


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
        prompts = [(row["id"], prompt_of(row)) for row in file.rows if "id" in row]
        strange = [f"id {name}: {prompt}" for name, prompt in prompts if not _is_zero_shot(task, prompt)]
        if strange:
            text = f"{len(strange)} of {len(prompts):,} prompts are not one zero-shot question"
            yield Occurrence(file.name, len(strange), len(prompts), text, few(strange))


def _is_zero_shot(task: Task, prompt: str) -> bool:
    start, _, end = task.prompt("?").partition("?")
    return prompt.startswith(start) and prompt.endswith(end) and (not end or prompt.count(end) == 1)
