"""A program that encodes conversations with LLaMA-Factory's own code, and texts with a model's tokenizer.

It is run by the interpreter of LLaMA-Factory's environment (0.9.2 and later). It reads an object from stdin:

    {"templates": names of templates, or null for all of them,
     "jobs": [{"model": a folder with a tokenizer, "templates": names, or null for all of them,
               "thinking": true or false, "nearest": whether to encode only the nearest templates,
               "conversations": [{"system": text, "messages": [{"role": ..., "content": ...}, ...]}, ...],
               "asked": [{"prompt": text, "labels": text}, ...]}, ...]}

and writes {"templates": the description of each by its name, "jobs": the encodings of each job}, or
{"unknown": name, "known": names}. A conversation ends with a response. If it has one turn, its tokens are
those of supervised training; otherwise those of preference training, which trains the last response only, as
supervised training does with `mask_history`.
"""

from __future__ import annotations

import json
import os
import sys
from copy import copy
from dataclasses import fields
from typing import Any

LOADING = {"use_fast": True, "split_special_tokens": False, "padding_side": "right"}
"""The options with which LLaMA-Factory loads a tokenizer, by default."""

NOT_CUT = 10**9
"""A `cutoff_len` longer than any row."""


class Pieces:
    """A tokenizer whose token ids are the texts it is given, by which the text of an encoding is known."""

    def __init__(self, bos_token: str | None, eos_token: str | None) -> None:
        self.bos_token_id, self.eos_token_id = bos_token, eos_token

    def encode(self, text: str, **_options: Any) -> list[str]:
        return [text]

    def convert_tokens_to_ids(self, token: str) -> str:
        return token


class Tokenizers:
    """The tokenizer of a model, and the ones that templates make of it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.own = self.loaded()
        self.fixed: dict[tuple[Any, ...], Any] = {}

    def loaded(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False, **LOADING)

    def of(self, template: Any) -> Any:
        """Return a tokenizer for a template, which adds its stop words to it and may replace its EOS."""
        key = (template.replace_eos, *template.stop_words)
        if key not in self.fixed:
            self.fixed[key] = self.loaded()
        return self.fixed[key]


def know_vanilla() -> None:
    """Add the hook that makes `vanilla` known, as `w2s-factory train` does."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(os.path.dirname(here), "startup"))
    import w2s_vanilla_hook

    w2s_vanilla_hook.install()


def templates() -> dict[str, Any]:
    from llamafactory.data.template import TEMPLATES

    known: dict[str, Any] = TEMPLATES
    return known


def is_reasoning(template: Any) -> bool:
    from llamafactory.data.template import ReasoningTemplate

    return isinstance(template, ReasoningTemplate)


def described(template: Any) -> dict[str, Any]:
    """Return all that decides the text of a conversation without tools and images."""
    reasoning = is_reasoning(template)
    return {
        "kind": type(template).__name__,
        "prefix": slots(template.format_prefix),
        "system": slots(template.format_system),
        "user": slots(template.format_user),
        "assistant": slots(template.format_assistant),
        "default_system": template.default_system,
        "stop_words": list(template.stop_words),
        "efficient_eos": template.efficient_eos,
        "replace_eos": template.replace_eos,
        "thought_words": list(template.thought_words) if reasoning else None,
        "empty_thought": template.add_thought() if reasoning else None,
        "text_only": type(template.mm_plugin).__name__ == "BasePlugin",
    }


def slots(formatter: Any) -> list[Any]:
    """Return slots as JSON; a set of names of special tokens becomes {"special": names}."""
    return [{"special": sorted(slot)} if isinstance(slot, set) else slot for slot in formatter.slots]


def encodings(job: dict[str, Any]) -> dict[str, Any]:
    """Return the encodings of a job, or its problem if the tokenizer cannot be loaded.

    They are those of the texts asked; and by template the text of each conversation, its tokens, and the chat
    template that LLaMA-Factory itself converts it to.
    """
    try:
        tokenizers = Tokenizers(job["model"])
    except Exception as error:  # noqa: BLE001  broken files make the library raise anything
        return {"problem": "{}: {}".format(type(error).__name__, error)}
    names = list(templates()) if job["templates"] is None else job["templates"]
    texts = {name: text_of(templates()[name], tokenizers.own, job) for name in names}
    chosen = nearest(texts, job["asked"]) if job["nearest"] else names
    return {
        "asked": [{part: tokens(tokenizers.own, text) for part, text in one.items()} for one in job["asked"]],
        "texts": {name: texts[name] for name in chosen},
        "trained": {name: trained(name, tokenizers, job) for name in chosen},
        "own_conversion": {name: own_conversion(templates()[name], tokenizers) for name in chosen},
    }


def text_of(template: Any, tokenizer: Any, job: dict[str, Any]) -> list[dict[str, str]]:
    """Return the text of each conversation: that of its prompt and that of its labels."""
    if is_reasoning(template):
        template.enable_thinking = job["thinking"]
    eos = template.stop_words[0] if template.replace_eos else tokenizer.eos_token
    pieces = Pieces(tokenizer.bos_token, eos)
    arguments = data_arguments(None, job)
    encoded = [encode(template, pieces, arguments, conversation) for conversation in job["conversations"]]
    return [{"prompt": "".join(prompt), "labels": "".join(labels)} for prompt, labels in encoded]


def nearest(texts: dict[str, list[dict[str, str]]], asked: list[dict[str, str]]) -> list[str]:
    """Return the templates whose texts are nearest to those asked: most parts equal, then most in common."""

    def nearness(name: str) -> tuple[int, int]:
        both = zip(texts[name], asked)  # noqa: B905  Python 3.8 has no `strict`
        pairs = [(ours[part], one[part]) for ours, one in both for part in ("prompt", "labels")]
        return sum(a == b for a, b in pairs), sum(in_common(*pair) for pair in pairs)

    best = max(map(nearness, texts))
    return [name for name in texts if nearness(name) == best]


def in_common(one: str, other: str) -> int:
    """Return the number of characters with which both texts begin."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def trained(name: str, tokenizers: Tokenizers, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tokens of each conversation as a training with a template has them."""
    from llamafactory.data.template import get_template_and_fix_tokenizer

    tokenizer, arguments = tokenizers.of(templates()[name]), data_arguments(name, job)
    template = get_template_and_fix_tokenizer(tokenizer, arguments)
    encoded = [encode(template, tokenizer, arguments, conversation) for conversation in job["conversations"]]
    return [
        {"prompt": shown(tokenizer, prompt), "labels": shown(tokenizer, labels)} for prompt, labels in encoded
    ]


def data_arguments(name: str | None, job: dict[str, Any]) -> Any:
    from llamafactory.hparams import DataArguments

    wanted = {"template": name, "cutoff_len": NOT_CUT, "enable_thinking": job["thinking"]}
    known = {field.name for field in fields(DataArguments)}
    return DataArguments(**{key: value for key, value in wanted.items() if key in known})


def encode(
    template: Any, tokenizer: Any, arguments: Any, conversation: dict[str, Any]
) -> tuple[list[Any], list[Any]]:
    """Return the tokens of a conversation before those that are trained, and the trained ones."""
    from llamafactory.data.mm_plugin import get_mm_plugin
    from llamafactory.data.processor import PairwiseDatasetProcessor, SupervisedDatasetProcessor

    template = copy(template)
    template.mm_plugin = get_mm_plugin("base")  # the others leave text as it is, but need an image processor
    prompt, response = conversation["messages"][:-1], conversation["messages"][-1:]
    others: tuple[Any, ...] = (conversation["system"], "", [], [], [])
    if len(prompt) == 1:
        supervised = SupervisedDatasetProcessor(template, tokenizer, None, arguments)
        ids, labels = supervised._encode_data_example(prompt, response, *others)
    else:
        pairwise = PairwiseDatasetProcessor(template, tokenizer, None, arguments)
        ids, labels, _, _ = pairwise._encode_data_example(prompt, response * 2, *others)
    start = next(place for place, label in enumerate(labels) if label != -100)
    return list(ids[:start]), list(labels[start:])


def tokens(tokenizer: Any, text: str) -> list[Any]:
    """Return the tokens of a text, as the engines of `generate` make them of a conversation."""
    return shown(tokenizer, tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def shown(tokenizer: Any, ids: list[Any]) -> list[Any]:
    """Return token ids, each with its text."""
    return [[one, None if one is None else tokenizer.decode([one])] for one in ids]


def own_conversion(template: Any, tokenizers: Tokenizers) -> str | None:
    """Return the chat template that LLaMA-Factory converts a template to; None where it cannot."""
    try:
        text: str = template._get_jinja_template(tokenizers.of(template))
    except ValueError:
        return None
    return text


def main() -> None:
    given = json.load(sys.stdin)
    know_vanilla()
    known = templates()
    wanted = list(known) if given["templates"] is None else given["templates"]
    asked_for = [*wanted, *(name for job in given["jobs"] for name in job["templates"] or ())]
    unknown = [name for name in asked_for if name not in known]
    if unknown:
        answer: dict[str, Any] = {"unknown": unknown[0], "known": list(known)}
    else:
        descriptions = {name: described(known[name]) for name in wanted}  # before `fix_special_tokens`
        answer = {"templates": descriptions, "jobs": [encodings(job) for job in given["jobs"]]}
    sys.stdout.write("\n" + json.dumps(answer))


main()
