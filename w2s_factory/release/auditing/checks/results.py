"""Rows of models: verdicts that do not follow from their responses, ids twice, prompts that are none."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.auditing.corpus import prompt_of
from w2s_factory.release.auditing.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.auditing.corpus import Corpus
    from w2s_factory.release.auditing.forms import Row
    from w2s_factory.tasks import Task


def wrong_verdicts(corpus: Corpus) -> Iterator[Found]:
    """Results whose `pred` is not the response's final answer, or whose `result` is not pred = gold."""
    for file in corpus.of("results"):
        task = corpus.text_task_of(file)
        scored = [row for row in file.rows if "pred" in row]
        if task is None or not scored:
            continue
        wrong = [f"id {row['id']}: {problem}" for row in scored if (problem := _problem(task, row))]
        if wrong:
            text = f"{len(wrong)} of {len(scored):,} verdicts do not follow from response and gold"
            yield Found(file.name, len(wrong), len(scored), text, few(wrong))


def _problem(task: Task, row: Row) -> str | None:
    pred = task.normalise(task.extract(row["response"]))
    if pred != row["pred"]:
        return f"pred is {row['pred']!r}, the response says {pred!r}"
    if "gold" in row and "result" in row and row["result"] != (pred == row["gold"]):
        return f"result is {row['result']}, pred {pred!r}, gold {row['gold']!r}"
    return None


def repeated_ids(corpus: Corpus) -> Iterator[Found]:
    """Files in which an id stands for two rows, where each question has one."""
    for file in corpus.of("results", "sft", "votes"):
        if file.parts.get("side") == "hybrid":
            continue
        counts = Counter(str(row.get("id")) for row in file.rows)
        twice = [f"id {name}" for name, count in counts.items() if count > 1]
        if twice:
            text = f"{len(twice)} ids stand more than once"
            yield Found(file.name, len(twice), len(file.rows), text, few(twice))


def other_responses(corpus: Corpus) -> Iterator[Found]:
    """Full weak rows that are not the responses of the results they were plainly made from."""
    results = {file.name: {row["id"]: row["response"] for row in file.rows} for file in corpus.of("results")}
    for file in corpus.of("sft"):
        if file.parts.get("kind") != "full_weak":
            continue
        responses = {row["id"]: row["output"] for row in file.rows}
        for name, texts in results.items():
            wrong = [one for one, text in responses.items() if texts.get(one) != text]
            if wrong and len(wrong) * 2 < len(responses):  # most are the same: they are one model's
                text = f"{len(wrong)} of {len(responses):,} responses are not those of {name}"
                yield Found(file.name, len(wrong), len(responses), text, few(f"id {one}" for one in wrong))


def strange_prompts(corpus: Corpus) -> Iterator[Found]:
    """Prompts that are not the zero-shot prompt of one question: demonstrations left in, another form."""
    for file in corpus.of("sft", "pairs"):
        task = corpus.text_task_of(file)
        if task is None:
            continue
        prompts = [(row["id"], prompt_of(row)) for row in file.rows if "id" in row]
        strange = [f"id {name}: {prompt}" for name, prompt in prompts if not _zero_shot(task, prompt)]
        if strange:
            text = f"{len(strange)} of {len(prompts):,} prompts are not one zero-shot question"
            yield Found(file.name, len(strange), len(prompts), text, few(strange))


def _zero_shot(task: Task, prompt: str) -> bool:
    start, _, end = task.prompt("?").partition("?")
    return prompt.startswith(start) and prompt.endswith(end) and (not end or prompt.count(end) == 1)
