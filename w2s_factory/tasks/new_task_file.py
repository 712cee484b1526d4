"""A new task file, with a comment on each key (`init --task ./mytask.yaml`)."""

from __future__ import annotations

import re
from pathlib import Path

from w2s_factory.errors import UserError
from w2s_factory.records import Outputs

TEMPLATE = Path(__file__).with_name("new_task_file.yaml")

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def write_task_file(output: str | Path, *, force: bool = False) -> None:
    """Write a task file to start from, with a comment on each key.

    Args:
        output: The YAML file.
        force: Overwrite an existing file.

    Raises:
        UserError: The file does not end in `.yaml`, or exists and holds something else.
    """
    path = Path(output)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError("expected a name that ends in .yaml", file=path)
    text = TEMPLATE.read_text("utf-8").replace("$name", _NOT_IN_NAMES.sub("_", path.stem))
    with Outputs(reads=[TEMPLATE], force=force) as outputs:
        outputs.text(path, text)
