"""Keep the lines of a training's log that say how it runs, for `w2s-factory train` to check.

It is self-contained on purpose (standard library, Python 3.8 and later), since every process of a training
runs it at its start. The log itself stays as it is: these lines are also appended, as JSON, to a file of the
process in the folder that an environment variable names. Without that variable nothing happens.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing `typing` takes longer than all of this
if TYPE_CHECKING:
    from typing import Any

FOLDER = "W2S_FACTORY_TRAINING_LOG"
"""The environment variable with the folder."""

LIBRARIES = ("llamafactory", "llmtuner", "transformers")  # `llmtuner` up to 0.7.0

KEPT = (
    "Process rank:",
    "ray.remote mode",
    "Total train batch size (w. parallel, distributed & accumulation)",
)
"""Texts by which a line is known: two of LLaMA-Factory, the last of transformers."""


def install() -> None:
    """Add a handler to the loggers of LLaMA-Factory and transformers if the variable is set."""
    if not os.environ.get(FOLDER):
        return
    import logging

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                message = record.getMessage()
                if any(text in message for text in KEPT):
                    keep(message)
            except OSError:
                pass  # a worker of Ray on another machine does not have the folder
            except Exception:  # noqa: BLE001  a training must not fail because of us
                self.handleError(record)

    for library in LIBRARIES:
        logging.getLogger(library).addHandler(Keeper())


def keep(message: str) -> None:
    """Append a line of the log, with what accelerate and Ray know at that moment."""
    import json

    ray = sys.modules.get("ray")
    kept = {"message": message, "accelerate": accelerate(), "ray": bool(ray and ray.is_initialized())}
    with open(
        os.path.join(os.environ[FOLDER], "{}.jsonl".format(os.getpid())), "a", encoding="utf-8"
    ) as file:
        file.write(json.dumps(kept) + "\n")


def accelerate() -> dict[str, Any] | None:
    """Return how accelerate distributes the training of this process; None before it has decided.

    transformers' Trainer leaves all of that to accelerate, and its log names DeepSpeed only for ZeRO-3.
    """
    module = sys.modules.get("accelerate.state")
    if module is None or not module.AcceleratorState._shared_state:
        return None
    state = module.AcceleratorState()
    kind = state.distributed_type
    plugin = getattr(state, "deepspeed_plugin", None)
    return {"type": str(getattr(kind, "value", kind)), "zero_stage": getattr(plugin, "zero_stage", None)}
