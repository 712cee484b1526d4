"""Responses of a base model that go on with questions of its own, as no stop text ended them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from w2s_factory.prompts import zero_shot_prompt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from w2s_factory.prompts import Question
    from w2s_factory.tasks import Task

_FREQUENT = 0.2
"""The share of the responses from which on new questions are no accident."""

_READ = 100
"""The questions by which it is known how prompts begin."""

_SHORTEST = 3
"""The fewest characters of a text that is looked for: shorter ones are part of many answers."""


def new_questions(
    task: Task, questions: Sequence[Question], responses: Collection[str], stop: Sequence[str] = ()
) -> str | None:
    """Return a line about responses that go on with a new question; None if few or none do.

    Args:
        task: The task, which words the prompts.
        questions: The questions that were asked.
        responses: The texts that the model wrote.
        stop: The texts that ended responses in this run, which the advice keeps.
    """
    opening = _opening(task, questions[:_READ])
    if len(opening) < _SHORTEST:
        return None
    count = sum(opening in response.lstrip().partition("\n")[2] for response in responses)
    if count < max(1, _FREQUENT * len(responses)):
        return None
    stops = [*stop, opening]
    setting = f"Set {' '.join(f'--stop {json.dumps(text, ensure_ascii=False)}' for text in stops)}"
    if task.file is not None and task.file.suffix != ".py":
        setting = f"Set stop: {json.dumps(stops, ensure_ascii=False)} in the task file (or --stop)"
    return (
        f'{count:,} of {len(responses):,} responses go on with a new "{opening}". {setting}, then --restart'
    )


def _opening(task: Task, questions: Sequence[Question]) -> str:
    """Return the text with which all prompts begin, up to the question: its last line.

    Where a prompt is worded from a whole row, as the question in a file of it already is, no prompt shows
    where its question begins: then the text up to the last colon that all of them have.
    """
    prompts = {zero_shot_prompt(task, question): question.text for question in questions}
    before = {prompt.rpartition(question)[0] for prompt, question in prompts.items()}
    common = before.pop() if len(before) == 1 else ""
    if not common and len(prompts) > 1:
        least, greatest = min(prompts), max(prompts)  # all others begin with what these have in common
        pairs = enumerate(zip(least, greatest, strict=False))
        whole = least[: next((place for place, (one, other) in pairs if one != other), len(least))]
        common = whole[: whole.rfind(":") + 1]
    return common.strip().rpartition("\n")[2].strip()
