"""Checks of what models wrote: demonstrations, responses, results, and label noise."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from w2s_factory.release.audit.checks.questions import asked, known_golds
from w2s_factory.release.audit.corpus import pair_of, prompt_of, responses, solution_of
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.release.audit.corpus import Corpus, File, Kind, Row
    from w2s_factory.tasks import Task

OLYMPIC = (
    ("Biology_16", "Biology_1120"),
    ("Biology_16", "Physics_971"),
    ("Biology_16", "Math_609"),
    ("Biology_16", "Biology_16"),
)
"""The release's OlympicArena demonstrations: whose question, whose response."""


def of_other_questions(corpus: Corpus) -> Iterator[Found]:
    """Demonstrations files with one question several times, or a response that is another row's."""
    for file in corpus.of("demonstrations"):
        prompts = Counter(prompt_of(row) for row in file.rows)
        wrong = [f"id {row['id']}" for row in file.rows if prompts[prompt_of(row)] > 1]
        if wrong:
            text = f"{len(wrong)} of {len(file.rows)} demonstrations show one and the same question"
            yield Found(file.name, len(wrong), len(file.rows), text, few(wrong))


def published_olympic(corpus: Corpus) -> Iterator[Found]:
    """The release's OlympicArena demonstrations, with the texts where the rows are here."""
    texts: dict[object, tuple[str, str]] = {}
    for file in corpus.of("sft"):
        if file.path.parent.name == "olympicarena" and file.parts.get("side") != "icl":
            for row in file.rows:
                texts.setdefault(row["id"], (prompt_of(row), responses(file.kind, row)[0]))
    wrong = [(question, answer) for question, answer in OLYMPIC if question != answer]
    if all(name in texts for pair in wrong for name in pair):
        text = f"{len(wrong)} of {len(OLYMPIC)} demonstrations answer another question than the one they show"
        shown = (f"{question} answered as {answer}: {texts[answer][1]}" for question, answer in wrong)
        yield Found("data/llama_factory/olympicarena", len(wrong), len(OLYMPIC), text, few(shown))


NEAR_EMPTY = 10
"""Characters below which a response is near-empty: there is no room for a step before the answer."""

REPEATED_LINES = 5
"""As often a line stands in a response that repeats itself."""

_COMPRESSED, _LONG_ENOUGH = 0.15, 300
"""A response of so many characters repeats itself too if it can be compressed to this share."""

SHARED, SHARED_SHORT, SHORT = 3, 8, 40
"""To as many different questions a response is the same one; more if it has fewer than 40 characters, since
two short calculations may well be alike."""

OUTLYING = 10
"""As many times the median length an outlier has."""


def near_empty(corpus: Corpus) -> Iterator[Found]:
    """Responses of fewer than 10 characters."""
    return _each(
        corpus, lambda text: len(text.strip()) < NEAR_EMPTY, f"have fewer than {NEAR_EMPTY} characters"
    )


def repetitive(corpus: Corpus) -> Iterator[Found]:
    """Responses that say the same again and again."""
    return _each(corpus, repeats_itself, "repeat themselves")


def outlying(corpus: Corpus) -> Iterator[Found]:
    """Responses ten times as long as the median of their file."""
    for file in _files(corpus, "sft", "pairs", "results", "split"):
        lengths = [len(text) for _, text in _texts(file)]
        if lengths:
            what = f"are longer than {OUTLYING} times the median of {median(lengths):,.0f} characters"
            yield from _in_file(file, partial(_longer, OUTLYING * median(lengths)), what)


def shared(corpus: Corpus) -> Iterator[Found]:
    """One response to three or more different questions (a short one: to eight)."""
    for file in _files(corpus, "sft", "results"):
        questions: dict[str, set[str]] = defaultdict(set)
        for row in file.rows:
            for text in responses(file.kind, row):
                questions[text.strip()].add(prompt_of(row))
        many = {text: len(asked) for text, asked in questions.items() if len(asked) >= _allowed(text)}
        if many:
            rows = sum(many.values())
            texts = "one text" if len(many) == 1 else f"one of {len(many)} texts"
            text = f"{rows} of {len(file.rows):,} responses are {texts}, whatever is asked"
            top = (f"{count} times: {text}" for text, count in Counter(many).most_common())
            yield Found(file.name, rows, len(file.rows), text, few(top))


def _allowed(text: str) -> int:
    return SHARED if len(text) >= SHORT else SHARED_SHORT


def repeats_itself(text: str) -> bool:
    """Whether a line stands five times in a text, or it is long and hardly more than one phrase."""
    lines = Counter(line.strip() for line in text.splitlines() if line.strip())
    if any(count >= REPEATED_LINES for count in lines.values()):
        return True
    raw = text.encode("utf-8", "surrogatepass")
    return len(text) >= _LONG_ENOUGH and len(zlib.compress(raw)) < _COMPRESSED * len(raw)


def _each(corpus: Corpus, wrong: Callable[[str], bool], what: str) -> Iterator[Found]:
    for file in _files(corpus, "sft", "pairs", "results", "split"):
        yield from _in_file(file, wrong, what)


def _longer(limit: float, text: str) -> bool:
    return len(text) > limit


def _files(corpus: Corpus, *kinds: Kind) -> Iterator[File]:
    """The files of these kinds, without hybrid sets whose rows are looked at in the weak and the icl set."""
    sides = {(file.stage1, file.parts["side"]) for file in corpus.of("sft") if file.stage1}
    for file in corpus.of(*kinds):
        apart = file.stage1 and {(file.stage1, "weak"), (file.stage1, "icl")} <= sides
        if not (apart and file.parts["side"] == "hybrid"):
            yield file


def _in_file(file: File, wrong: Callable[[str], bool], what: str) -> Iterator[Found]:
    texts = list(_texts(file))
    found = [f"id {name}: {text}" for name, text in texts if wrong(text)]
    if found:
        text = f"{len(found)} of {len(texts):,} responses {what}"
        yield Found(file.name, len(found), len(texts), text, few(found))


def _texts(file: File) -> Iterator[tuple[object, str]]:
    """The responses of a file, or gold solutions, with the id of their row (without one: its place)."""
    for place, row in zip(file.places, file.rows, strict=True):
        for text in [solution_of(row)] if file.kind == "split" else responses(file.kind, row):
            yield row.get("id", place), text


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


def wrong_responses(corpus: Corpus) -> Iterator[Found]:
    """How many responses of a weak or icl set are wrong."""
    golds = known_golds(corpus)
    for file in corpus.of("sft"):
        task = corpus.text_task_of(file)
        if task is None or not file.parts:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
        wrong = sum(task.normalise(task.extract(row["output"])) != gold for row, gold in known)
        if known:
            text = f"{wrong:,} of {len(known):,} responses are wrong ({wrong / len(known):.1%})"
            yield Found(file.name, wrong, len(known), text)


def wrong_preferences(corpus: Corpus) -> Iterator[Found]:
    """How many pairs prefer a wrong response to a right one."""
    golds = known_golds(corpus)
    for file in corpus.of("pairs"):
        task = corpus.text_task_of(file)
        if task is None:
            continue
        known = [(row, gold) for row in file.rows if (gold := golds.get(asked(row)))]
        verdicts = [
            [task.normalise(task.extract(text)) == gold for text in pair_of(row)] for row, gold in known
        ]
        if known:
            inverted = verdicts.count([False, True])
            right = verdicts.count([True, False])
            text = (
                f"{inverted:,} of {len(known):,} pairs prefer a wrong response to a right one, "
                f"{right:,} a right to a wrong one; in {verdicts.count([False, False]):,} both are wrong"
            )
            yield Found(file.name, inverted, len(known), text)
