"""Write the tables of docs/templates.md: every template of LLaMA-Factory, and six families of chat templates.

    python scripts/template_table.py

Needs LLaMA-Factory 0.9.5. Each template is encoded on a tokenizer with the special tokens that it names, and
so is the chat template that `template jinja` makes of it. A test fails while the tables differ from the page.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import template_tokenizers

from w2s_factory.chat import ChatTemplate, Turn
from w2s_factory.llamafactory.jinja_template import jinja_of
from w2s_factory.llamafactory.known_templates import ask_templates, find_llamafactory
from w2s_factory.llamafactory.template_parity import (
    CONVERSATIONS,
    SampleConversation,
    asked_texts,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.llamafactory.known_templates import TemplateFormat
    from w2s_factory.llamafactory.template_parity import AskedTexts, TemplateComparison, Thinking

PAGE = Path(__file__).resolve().parent.parent / "docs" / "templates.md"
CHAT_TEMPLATES = Path(__file__).with_name("chat_templates")
WITH_THINKING = "three turns with thinking"


class Family(NamedTuple):
    """A family of models: its chat template, written after the published one, and its special tokens."""

    name: str
    file: str
    bos: str | None
    eos: str
    special: tuple[str, ...]
    templates: tuple[str, ...]
    thinking: tuple[Thinking, ...] = ("auto",)


_CHATML = ("<|im_start|>", "<|im_end|>")
_LLAMA_3 = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>")
_GEMMA = ("<start_of_turn>", "<end_of_turn>")
_HARMONY = ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>", "<|constrain|>", "<|call|>")

FAMILIES = (
    Family("ChatML", "chatml", None, "<|im_end|>", _CHATML, ("chatml",)),
    Family(
        "Qwen3", "qwen3", None, "<|im_end|>", (*_CHATML, "<think>", "</think>"), ("qwen3", "qwen3_nothink"),
        ("on", "off"),
    ),
    Family("Llama 3", "llama3", "<|begin_of_text|>", "<|eot_id|>", _LLAMA_3, ("llama3",)),
    Family("Llama 3.1", "llama3_1", "<|begin_of_text|>", "<|eot_id|>", _LLAMA_3, ("llama3",)),
    Family("Gemma 2", "gemma2", "<bos>", "<eos>", _GEMMA, ("gemma", "gemma2")),
    Family("Gemma 3", "gemma3", "<bos>", "<eos>", _GEMMA, ("gemma3",)),
    Family("Mistral 7B v0.3", "mistral", "<s>", "</s>", ("[INST]", "[/INST]"), ("mistral",)),
    Family("gpt-oss", "gpt_oss", "<|startoftext|>", "<|return|>", _HARMONY, ("gpt_oss",)),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A template: how its Jinja form and LLaMA-Factory's own compare with what it trains.

    Attributes:
        template: Its format.
        comparisons: The comparison of our Jinja form with each setting of thinking.
        own: What is wrong with LLaMA-Factory's own Jinja form; "" for nothing.
        families: The families whose chat templates it equals.
    """

    template: TemplateFormat
    comparisons: tuple[TemplateComparison, ...]
    own: str
    families: tuple[str, ...]


class Tables(NamedTuple):
    """The rows of templates, and the comparisons of a family, a template and a setting of thinking."""

    rows: tuple[Row, ...]
    families: Mapping[tuple[str, str, Thinking], TemplateComparison]


def measured(names: Sequence[str] | None = None) -> Tables:
    """Return the comparisons of templates, by two processes of LLaMA-Factory.

    Args:
        names: The templates; None for all of them.
    """
    llamafactory = find_llamafactory()
    formats = ask_templates(llamafactory, names).formats
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            (template.name, thinking): _asked_in_own_form(template, thinking, Path(folder))
            for template in formats.values()
            for thinking in settings(template)
        }
        published = {
            (family.name, thinking): _asked_in_published_form(family, thinking, Path(folder))
            for family in FAMILIES
            for thinking in family.thinking
        }
        jobs = [one.job([name], nearest=False) for (name, _), one in asked.items()]
        jobs += [one.job(list(formats), nearest=False) for one in published.values()]
        encodings = iter(ask_templates(llamafactory, [], jobs).jobs)
        by_template = {key: next(encodings) for key in asked}
        by_family = {key: next(encodings) for key in published}
        families = {
            (family, name, thinking): one.comparison(name, by_family[family, thinking])
            for (family, thinking), one in published.items()
            for name in formats
        }
        rows = [
            Row(
                template,
                tuple(asked[key].comparison(key[0], by_template[key]) for key in _keys(template)),
                own_faults(template, {key[1]: (asked[key], by_template[key]) for key in _keys(template)}),
                tuple(_families_equal_to(template.name, families)),
            )
            for template in formats.values()
        ]
    return Tables(tuple(rows), families)


def settings(template: TemplateFormat) -> tuple[Thinking, ...]:
    """Return the settings of thinking that make a difference to a template."""
    return ("on", "off") if template.thought_words else ("auto",)


def _keys(template: TemplateFormat) -> list[tuple[str, Thinking]]:
    return [(template.name, thinking) for thinking in settings(template)]


def conversations(template: TemplateFormat) -> tuple[SampleConversation, ...]:
    """Return the conversations for a template: for one that thinks, also one with thinking in it."""
    if not template.thought_words:
        return CONVERSATIONS
    start, end = template.thought_words
    turns = tuple(
        Turn(turn.role, f"{start}Let me see.{end}{turn.content}") if turn.role == "assistant" else turn
        for turn in CONVERSATIONS[2].turns
    )
    return (*CONVERSATIONS, SampleConversation(WITH_THINKING, "", turns))


def _asked_in_own_form(template: TemplateFormat, thinking: Thinking, folder: Path) -> AskedTexts:
    """Return the texts of a template's own Jinja form, on a tokenizer with the special tokens it names."""
    model = folder / "templates" / template.name
    template_tokenizers.write_tokenizer(model, template_tokenizers.special_tokens(template))
    chat = model / "format.jinja"
    chat.write_text(jinja_of(template), "utf-8")
    return asked_texts(model, thinking, chat, conversations(template))


def _asked_in_published_form(family: Family, thinking: Thinking, folder: Path) -> AskedTexts:
    """Return the texts of a family's chat template, on its tokenizer."""
    return asked_texts(family_tokenizer(family, folder / "families" / family.file), thinking)


def family_tokenizer(family: Family, folder: Path) -> Path:
    """Write the tokenizer of a family with its chat template, and return the folder."""
    text = (CHAT_TEMPLATES / f"{family.file}.jinja").read_text("utf-8")
    return template_tokenizers.write_tokenizer(
        folder, family.special, bos=family.bos, eos=family.eos, chat_template=text
    )


def _families_equal_to(
    name: str, families: Mapping[tuple[str, str, Thinking], TemplateComparison]
) -> list[str]:
    """Return the families whose chat templates a template equals with every setting of thinking."""
    return [
        family.name
        for family in FAMILIES
        if all(families[family.name, name, thinking].equal for thinking in family.thinking)
    ]


def own_faults(
    template: TemplateFormat, encodings: Mapping[Thinking, tuple[AskedTexts, Mapping[str, Any]]]
) -> str:
    """Return what is wrong with LLaMA-Factory's own Jinja form of a template, by the text it renders."""
    faults: list[str] = []
    for asked, encoded in encodings.values():
        text = encoded["own_conversion"][template.name]
        if text is None:
            return "none: single tokens are not supported"
        chat = ChatTemplate(text, asked.chat.variables)
        thinking = {"on": True, "off": False, "auto": None}[asked.thinking]
        for conversation, trained in zip(asked.conversations, encoded["texts"][template.name], strict=True):
            own = rendered(chat, conversation, thinking)
            faults += [
                _fault(template, trained[part], own[part]) for part in own if own[part] != trained[part]
            ]
    return "; ".join(dict.fromkeys(faults))


def _fault(template: TemplateFormat, trained: str, own: str) -> str:
    """Return the reason why a text by LLaMA-Factory's own Jinja form differs."""
    words = template.thought_words or ()
    mark = words and any(text.count(word.strip()) for text in (trained, own) for word in words)
    if mark and any(trained.count(word.strip()) != own.count(word.strip()) for word in words):
        return "ignores thinking"
    if template.efficient_eos and trained.startswith(own):
        return "no EOS after the last response"
    return f"differs: {own[:20]!r} for {trained[:20]!r}"


def table_of_templates(rows: Sequence[Row]) -> str:
    """Return the table of all templates as Markdown."""
    lines = [
        "| template | thinks | `template jinja` | LLaMA-Factory's own conversion | equal to |",
        "|---" * 5 + "|",
    ]
    for row in rows:
        thinks = "yes" if row.template.thought_words else ""
        families = ", ".join(row.families)
        lines.append(
            f"| `{row.template.name}` | {thinks} | {_result(row)} | {row.own or 'equal'} | {families} |"
        )
    return "\n".join(lines) + "\n"


def _result(row: Row) -> str:
    """Return the result of the self-test of a template."""
    differences = [found.difference for found in row.comparisons if found.difference is not None]
    if not differences:
        return "equal"
    if all(found.conversation.startswith("three turns") and found.same_text for found in differences):
        return "equal; several turns: same text, other tokens"
    return f"different: {differences[0]}"


def table_of_families(families: Mapping[tuple[str, str, Thinking], TemplateComparison]) -> str:
    """Return the table of families as Markdown: each with LLaMA-Factory's templates for it."""
    lines = ["| chat template | thinking | template | result |", "|---" * 4 + "|"]
    for family in FAMILIES:
        for name in family.templates:
            for thinking in family.thinking:
                found = families[family.name, name, thinking]
                lines.append(f"| {family.name} | {thinking} | `{name}` | {_found(found)} |")
    return "\n".join(lines) + "\n"


def _found(found: TemplateComparison) -> str:
    """Return a comparison for the table, without the ids of the tokenizer that was made for it."""
    refused = "; the chat template refuses system prompts" if found.refused else ""
    if found.difference is None:
        return f"equal{refused}"
    text = re.sub(r" \((?:\d+|not in the vocabulary)\)", "", str(found.difference))
    return f"different: {text}{refused}".replace("|", "\\|")


def with_tables(page: str, tables: Tables) -> str:
    """Return the page with its two tables replaced, each between two comments."""
    written = {"families": table_of_families(tables.families), "templates": table_of_templates(tables.rows)}
    for name, table in written.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = page.partition(start)
        if not found or end not in rest:
            raise SystemExit(f"{PAGE}: no comments {start.strip()} and {end}")
        page = f"{before}{start}{table}{rest[rest.index(end) :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), measured()), "utf-8")
