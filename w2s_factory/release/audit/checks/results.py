"""Results: verdicts that do not follow from their responses, and files of one model that contradict."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.audit.checks.splits import bare, normal, question_of
from w2s_factory.release.audit.corpus import prompt_of
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Row
    from w2s_factory.tasks import Task


def wrong_verdicts(corpus: Corpus) -> Iterator[Found]:
    """Results whose `pred` is not the response's final answer, or whose `result` is not pred = gold."""
    for file in corpus.of("results"):
        task = corpus.task_of(file)
        if task is None or task.compares_responses or task.slow_comparison:
            continue
        scored = [row for row in file.rows if "pred" in row]
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


def other_golds(corpus: Corpus) -> Iterator[Found]:
    """Results scored against another gold than the split has."""
    golds = known_golds(corpus)
    for file in corpus.of("results"):
        known = [(row, gold) for row in file.rows if "gold" in row and (gold := golds.get(_asked(row)))]
        wrong = [f"id {row['id']}: {row['gold']} for {gold}" for row, gold in known if row["gold"] != gold]
        if wrong:
            text = f"{len(wrong)} of {len(known):,} golds are not those of the split"
            yield Found(file.name, len(wrong), len(known), text, few(wrong))


def wrong_gold_solutions(corpus: Corpus) -> Iterator[Found]:
    """Gold training rows whose solution ends in another answer than the gold."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.task_of(file)
        if task is None or "kind" in file.parts or "train_" not in file.path.stem:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(_asked(row)))]
        answers = ((row, task.normalise(task.extract(row["output"])), gold) for row, gold in known)
        wrong = [f"id {row['id']}: {pred} for {gold}" for row, pred, gold in answers if pred != gold]
        if wrong:
            text = f"{len(wrong)} of {len(known):,} solutions end in another answer than the gold"
            yield Found(file.name, len(wrong), len(known), text, few(wrong))


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


def strange_prompts(corpus: Corpus) -> Iterator[Found]:
    """Prompts that are not the zero-shot prompt of one question: demonstrations left in, other questions."""
    for file in corpus.of("sft", "pairs"):
        task = corpus.task_of(file)
        if task is None or task.prompt("?") != "Question: ?\nAnswer:":
            continue
        prompts = [(row["id"], prompt_of(row)) for row in file.rows if "id" in row]
        strange = [f"id {name}: {prompt}" for name, prompt in prompts if not _zero_shot(prompt)]
        if strange:
            text = f"{len(strange)} of {len(prompts):,} prompts are not one zero-shot question"
            yield Found(file.name, len(strange), len(prompts), text, few(strange))


def _zero_shot(prompt: str) -> bool:
    whole = prompt.startswith("Question: ") and prompt.endswith("\nAnswer:")
    return whole and prompt.count("\nAnswer:") == 1


def known_golds(corpus: Corpus) -> dict[str, str]:
    """The normalised gold of each question the splits hold, by the question in normal form."""
    golds: dict[str, str] = {}
    for file in corpus.of("split"):
        task = corpus.task_of(file)
        if task:
            golds.update(
                {normal(question_of(row)): gold for row in file.rows if (gold := _gold(task, file, row))}
            )
    return golds


def _gold(task: Task, file: File, row: Row) -> str:
    answer = row["answer"]
    if "solution" not in row:
        answer = task.extract(answer) if task.answer_key in answer else ""
    return task.normalise(answer)


def _asked(row: Row) -> str:
    return normal(bare(prompt_of(row)))
