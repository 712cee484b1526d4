"""An engine that answers the embedded task from its golds with planned mistakes, in place of a model."""

from __future__ import annotations

import re
from pathlib import Path

from w2s_factory import Chat, Completion, get_task, records

TASK = get_task("arithmetic")
ANSWERS = {
    row["question"]: row["answer"]
    for split in TASK.splits.values()
    for row in records.read(TASK.path(split.test), records.TEST)
}
"""The answer to each question."""


class Answering:
    """An engine whose weak model errs on every third question, and one sample in ten of any other model."""

    packages = ()

    def __init__(self, model, **options):
        self._name, self._adapter = Path(model.name).name, model.adapter

    def start_chat(self, settings):
        """A chat whose template is not known, like that of a server."""
        return Chat(settings=settings, template=None, markers=settings.markers)

    def settings(self):
        return {"model": self._name, "adapter": self._adapter and Path(self._adapter).name}

    def tokens(self, prompt):
        return None

    def batches(self, requests):
        return [requests]

    def complete(self, batches, sampling):
        for request in (request for batch in batches for request in batch):
            asked = request.user_turn or request.prompt
            question = asked.rpartition("Question: ")[2].removesuffix("\nAnswer:").strip()
            answer = int(ANSWERS[question]) + 7 * self._errs(request, sampled=sampling.temperature > 0)
            yield Completion(request, f"It is \\boxed{{{answer}}}.\n#### {answer}", "stop", 5)

    def _errs(self, request, *, sampled):
        row = int(re.findall(r"\d+", str(request.id))[-1])
        if self._name == "arithmetic_weak":
            return row % 3 == 0
        return sampled and request.seed % 10 == row % 10

    def close(self):
        pass
