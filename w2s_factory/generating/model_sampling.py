"""The sampling that a model's authors recommend: the defaults in its `generation_config.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.generating.engines.model_folders import model_folder
from w2s_factory.generating.requests import Sampling
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from pathlib import Path

FILE = "generation_config.json"

_TAKEN = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "repetition_penalty")
_SAMPLED = 1.0
"""The temperature of transformers where a config asks for draws (`do_sample`) and names none."""


def model_sampling(model: str | Path, *, engine: str = "transformers") -> dict[str, Any]:
    """Return the sampling settings in a model's `generation_config.json`, by their names in `Sampling`.

    `do_sample: false` means greedy. The largest number of tokens and the ends of a response are not taken.

    Args:
        model: The model's folder, or its name on the hub.
        engine: The name of the engine that will run the model.

    Raises:
        UserError: The model's folder is not known (engine `openai`), it has no such file, the file names no
            sampling settings, or one of them is out of its range.
    """
    if engine == "openai":
        hint = "Give the values: --temperature, --top-p, --top-k ..."
        raise UserError(
            "expected an engine that reads the model's folder, got openai", field="--sampling", hint=hint
        )
    file = model_folder(str(model)) / FILE
    if not file.is_file():
        raise UserError("no such file; --sampling model takes its values", file=file, hint=_GIVE)
    config = read_object(file)
    found = {name: config[name] for name in _TAKEN if config.get(name) is not None}
    if config.get("do_sample") is False:
        found["temperature"] = 0.0
    elif config.get("do_sample") is True:
        found.setdefault("temperature", _SAMPLED)
    if not found:
        raise UserError("names no sampling settings, which --sampling model takes", file=file, hint=_GIVE)
    try:
        Sampling(**found)
    except UserError as error:
        raise error.at(file=file) from None
    return found


_GIVE = "Leave --sampling out, or give the values: --temperature, --top-p, --top-k ..."
