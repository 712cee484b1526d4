"""A program that finds the rows that LLaMA-Factory cuts, by encoding them with LLaMA-Factory's own code.

It is run by the interpreter of LLaMA-Factory's environment (0.9.2 and later). It reads {"model": for
ModelArguments, "data": for DataArguments, "pairs": whether rows are preference pairs, "rows": [{"prompt",
"responses", "system"}]} from stdin. It writes {place of a row that is cut: [its tokens before, whether its
response is cut]}.
"""

from __future__ import annotations

import json
import sys
from copy import copy
from typing import Any

_IGNORED = -100
"""The label of a token that is not trained."""


def processor_of(asked: dict[str, Any]) -> Any:
    """Return LLaMA-Factory's processor for the rows, with the tokenizer and template that training uses."""
    from llamafactory.data.processor import PairwiseDatasetProcessor, SupervisedDatasetProcessor
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from llamafactory.model import load_tokenizer

    loaded = load_tokenizer(ModelArguments(**asked["model"]))
    data_args = DataArguments(**asked["data"])
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    kind = PairwiseDatasetProcessor if asked["pairs"] else SupervisedDatasetProcessor
    return kind(template=template, data_args=data_args, **loaded)


def encoded(processor: Any, row: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the numbers of tokens and of trained tokens of a row, or of the two sides of a pair."""
    found = processor._encode_data_example(
        prompt=[{"role": "user", "content": row["prompt"]}],
        response=[{"role": "assistant", "content": text} for text in row["responses"]],
        system=row["system"],
        tools="",
        images=[],
        videos=[],
        audios=[],
    )
    sides = (found[at : at + 2] for at in range(0, len(found), 2))  # token ids and labels take turns
    return [(len(ids), sum(label != _IGNORED for label in labels)) for ids, labels in sides]


def trained(sides: list[tuple[int, int]]) -> int:
    """Return the number of trained tokens; cutting only lowers it."""
    return sum(labels for _, labels in sides)


def main() -> None:
    asked = json.load(sys.stdin)
    cutting = processor_of(asked)
    whole = copy(cutting)
    whole.data_args = copy(cutting.data_args)
    whole.data_args.cutoff_len = 10**9
    cut: dict[int, tuple[int, bool]] = {}
    for place, row in enumerate(asked["rows"]):
        before = encoded(whole, row)
        tokens = max(length for length, _ in before)
        if tokens > cutting.data_args.cutoff_len:
            cut[place] = tokens, trained(encoded(cutting, row)) < trained(before)
    sys.stdout.write("\n" + json.dumps(cut))


main()
