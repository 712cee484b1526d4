"""An engine whose models mostly answer 12, now and then 7: both sides of Stage I agree on most questions."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from w2s_factory.generating import Completion


class Undecided:
    """Answers follow from the model's name or adapter, the prompt and the seed; each takes `pause` seconds."""

    packages = ()

    def __init__(self, model, *, pause=0.0):
        weights = model.adapter and Path(model.adapter, "adapter_model.safetensors").read_bytes()[-32:].hex()
        self._knows, self._pause = weights or model.name, pause

    def settings(self):
        return {"model": self._knows}

    def tokens(self, prompt):
        return None

    def batches(self, requests):
        return [requests[start : start + 4] for start in range(0, len(requests), 4)]

    def complete(self, batches, sampling):
        for request in (request for batch in batches for request in batch):
            if self._pause:  # under a faked clock, sleeping for no time is an error
                time.sleep(self._pause)
            unsure = Random(f"{self._knows} {request.seed} {request.prompt}").random() < 0.3
            answer = 7 if unsure else 12
            yield Completion(request, f"{answer - 5} + 5 = {answer}.\n#### {answer}", "stop", 9)

    def close(self):
        pass
