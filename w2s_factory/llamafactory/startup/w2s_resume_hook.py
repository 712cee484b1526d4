"""Let all processes resume from the checkpoint of the first one, for `w2s-factory train --resume`.

Of several machines the first one alone chooses the checkpoint, and the others start before it has chosen.
Their processes meet when all are running: there the first one says its choice. It is self-contained on
purpose (standard library, Python 3.8 and later), since every process of a training runs it at its start.
"""

from __future__ import annotations

import os
import sys

from w2s_after_import import after_import  # in this folder, which is on the path

TYPE_CHECKING = False  # importing `typing` takes longer than all of this
if TYPE_CHECKING:
    from typing import Any

TOGETHER = "W2S_FACTORY_ONE_CHECKPOINT"
"""The environment variable that asks for it."""

MODULE = "transformers.trainer"


def install() -> None:
    """Change the trainer after its import, if the variable is set."""
    if os.environ.get(TOGETHER):
        after_import(MODULE, resume_together)


def resume_together(trainer: Any) -> None:
    """Replace the checkpoint that a process asks its trainer to resume from by that of the first process."""
    train = trainer.Trainer.train

    def train_together(self: Any, resume_from_checkpoint: Any = None, *args: Any, **kwargs: Any) -> Any:
        return train(self, of_the_first(resume_from_checkpoint), *args, **kwargs)

    trainer.Trainer.train = train_together


def of_the_first(choice: Any) -> Any:
    """Return the choice of the first process; our own where there are no others."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not (distributed.is_available() and distributed.is_initialized()):
        return choice
    choices = [choice]
    distributed.broadcast_object_list(choices, src=0)
    return choices[0]
