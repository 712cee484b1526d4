"""Preference pairs: whose responses they hold, and pairs that prefer nothing or stand twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from w2s_factory.release.audit.corpus import pair_of, prompt_of, responses
from w2s_factory.release.audit.finding import Found, few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.release.audit.corpus import Corpus, File

    Responses = dict[object, str]


def not_of_weak(corpus: Corpus) -> Iterator[Found]:
    """Pairs without a response of the weak model their file is named for."""
    models = _weak_responses(corpus)
    for file in corpus.of("pairs"):
        if file.weak_model in models:
            source, own = models[file.weak_model]
            asked = [row for row in file.rows if row["id"] in own]
            without = [row for row in asked if own[row["id"]] not in pair_of(row)]
            if without:
                task, weak = file.weak_model
                text = f"{len(without):,} of {len(asked):,} pairs hold no response of {weak} ({source})"
                text += "".join(_others(file, models, task, weak))
                yield Found(
                    file.name, len(without), len(asked), text, few(f"id {row['id']}" for row in without)
                )


def _others(
    file: File, models: dict[tuple[str, str], tuple[str, Responses]], task: str, weak: str
) -> list[str]:
    """How many pairs hold a response of each other weak model; and of the same in its Stage I set."""
    told = []
    for (other_task, other), (_, texts) in models.items():
        if other_task == task and other != weak:
            count = sum(texts.get(row["id"]) in pair_of(row) for row in file.rows)
            told.append(f"; {count:,} of {len(file.rows):,} hold one of {other}")
    return told


def _weak_responses(corpus: Corpus) -> dict[tuple[str, str], tuple[str, Responses]]:
    """The responses of each weak model, by id: from full weak, else from the weak set of iteration 1."""
    found: dict[tuple[str, str], tuple[str, Responses]] = {}
    for wanted in ("full_weak", "iter1_weak"):
        for file in corpus.of("sft"):
            if file.weak_model and file.parts["kind"] == wanted and file.weak_model not in found:
                found[file.weak_model] = file.name, {row["id"]: row["output"] for row in file.rows}
    return found


def preferring_nothing(corpus: Corpus) -> Iterator[Found]:
    """Pairs whose chosen and rejected response are the same."""
    for file in corpus.of("pairs"):
        same = [f"id {row['id']}" for row in file.rows if len({text.strip() for text in pair_of(row)}) < 2]
        if same:
            text = f"in {len(same)} of {len(file.rows):,} pairs chosen and rejected are the same"
            yield Found(file.name, len(same), len(file.rows), text, few(same))


def duplicates(corpus: Corpus) -> Iterator[Found]:
    """Rows of pairs, or of questions with a response, that stand more than once."""
    for file in corpus.of("pairs", "sft", "results"):
        texts = pair_of if file.kind == "pairs" else lambda row, kind=file.kind: responses(kind, row)
        sides = file.parts.get("side") == "hybrid"
        rows = Counter((str(row["id"]), prompt_of(row), *texts(row)) for row in file.rows if "id" in row)
        extra = {key: count - 1 for key, count in rows.items() if count > 1}
        if extra and not sides:  # weak and icl may well write the same
            what = "pairs" if file.kind == "pairs" else "rows"
            count = sum(extra.values())
            text = f"{count} of {len(file.rows):,} {what} repeat another {what[:-1]}"
            yield Found(file.name, count, len(file.rows), text, few(f"id {key[0]}" for key in extra))
