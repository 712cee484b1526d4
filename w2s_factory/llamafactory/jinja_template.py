"""`template jinja`: the format that a template of LLaMA-Factory trains, as a chat template to ask in.

It is built from the template's slots. LLaMA-Factory has a conversion of its own, and writes its result into
folders that it trained; docs/templates.md says where that is wrong.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from w2s_factory import records
from w2s_factory.chat import special_tokens
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.known_templates import ask_templates, find_llamafactory, tokenizer_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.llamafactory.known_templates import Slot, TemplateFormat

_SYSTEM_IN_USER: Final = "Llama2Template"
_THINKING: Final = ("ReasoningTemplate", "Glm47ReasoningTemplate")
_KINDS: Final = ("Template", _SYSTEM_IN_USER, *_THINKING)
"""The classes whose encoding is known: a system turn, a system prompt in the first question, thinking."""

_CONTENT: Final = "{{content}}"
_EMPTY: Final = '""'
_PLACEHOLDER: Final = re.compile(r"\{\{\w+\}\}")

_EOS_ADDED: Final = "<|endoftext|>"
"""The EOS token that LLaMA-Factory adds to a tokenizer that has none."""

_HEAD: Final = """\
{#- The format in which LLaMA-Factory trains with its template %(name)s, written by w2s-factory. -#}
{%%- set ns = namespace(system=%(default_system)s, first=true) -%%}
{%%- if messages and messages[0]["role"] == "system" -%%}
  {%%- set ns.system = messages[0]["content"] or ns.system -%%}
{%%- endif -%%}
"""

_WITHOUT_THINKING: Final = """\
{%%- macro without_thinking(text) -%%}
  {%%- set found = namespace(kept="", open=none) -%%}
  {%%- for part in text.split(%(start)s) -%%}
    {%%- set opened = part if found.open is none else found.open ~ %(start)s ~ part -%%}
    {%%- if loop.first -%%}
      {%%- set found.kept = part -%%}
    {%%- elif %(end)s in opened -%%}
      {%%- set found.kept = found.kept ~ opened.split(%(end)s, 1)[1] -%%}
      {%%- set found.open = none -%%}
    {%%- else -%%}
      {%%- set found.open = opened -%%}
    {%%- endif -%%}
  {%%- endfor -%%}
  {{- (found.kept if found.open is none else found.kept ~ %(start)s ~ found.open).lstrip("\\n") -}}
{%%- endmacro -%%}
{%%- set thinks = enable_thinking is not defined or enable_thinking is none or enable_thinking -%%}
"""

_MESSAGES: Final = """\
{%%- for message in messages -%%}
  {%%- set content = message["content"] -%%}
  {%%- if message["role"] == "user" -%%}
    {%%- if ns.first -%%}
      {%%- set ns.first = false -%%}
%(prefix)s      {%%- if ns.system -%%}
        %(system)s
      {%%- endif -%%}
    {%%- endif -%%}
    {{- %(user)s -}}
  {%%- elif message["role"] == "assistant" -%%}
%(thought)s    {{- %(assistant)s -}}
%(last)s  {%%- elif message["role"] != "system" or not loop.first -%%}
    {{- raise_exception("unexpected role: " ~ message["role"]) -}}
  {%%- endif -%%}
{%%- endfor -%%}
"""

_THOUGHT: Final = """\
    {%%- if not loop.last or not thinks -%%}
      {%%- set content = without_thinking(content) -%%}
    {%%- endif -%%}
    {%%- if loop.last and %(start_mark)s not in content and %(end_mark)s not in content -%%}
      {{- %(empty)s -}}
    {%%- endif -%%}
"""

_LAST: Final = """\
    {%%- if loop.last -%%}
      {{- %(eos_token)s -}}
    {%%- endif -%%}
"""

_THINKING_OFF: Final = """\
{%%- if add_generation_prompt and not thinks -%%}
  {{- %(empty)s -}}
{%%- endif -%%}
"""


def template_jinja(
    name: str,
    *,
    model: str | Path | None = None,
    python: str | Path | None = None,
    llamafactory_cli: str | Path | None = None,
) -> str:
    """Return the format of one of LLaMA-Factory's templates as a Jinja chat template.

    It renders a conversation to the text that LLaMA-Factory trains: up to the response with
    `add_generation_prompt`, and else with the last response and its end. `enable_thinking` has the meaning of
    LLaMA-Factory's argument, whose default is true. The history of a conversation is that of preference
    training and of LLaMA-Factory's own chat, which drop the thinking of earlier responses.

    Args:
        name: The template.
        model: The model whose BOS and EOS tokens are written into it; without one they are the variables
            `bos_token` and `eos_token`.
        python: The interpreter of LLaMA-Factory's environment; by default, the current one.
        llamafactory_cli: Its `llamafactory-cli`, another way to name the environment.

    Raises:
        UserError: There is no such template or LLaMA-Factory, the template is of a kind that is not known
            here, or the tokenizer cannot be loaded.
        DelegateError: LLaMA-Factory cannot be imported.
    """
    special = None if model is None else special_tokens(tokenizer_folder(model))
    answers = ask_templates(find_llamafactory(python, llamafactory_cli), [name])
    return jinja_of(answers.formats[name], special)


def write_template_jinja(
    name: str,
    output: str | Path,
    *,
    model: str | Path | None = None,
    force: bool = False,
    python: str | Path | None = None,
    llamafactory_cli: str | Path | None = None,
) -> Path:
    """Write the format of one of LLaMA-Factory's templates to a file, as a Jinja chat template.

    Args:
        name: The template.
        output: The file.
        model: As for `template_jinja`.
        force: Overwrite a file that has other content.
        python: As for `template_jinja`.
        llamafactory_cli: As for `template_jinja`.

    Returns:
        The file.

    Raises:
        UserError: As for `template_jinja`, or the file exists with other content.
        DelegateError: LLaMA-Factory cannot be imported.
    """
    text = template_jinja(name, model=model, python=python, llamafactory_cli=llamafactory_cli)
    with records.Outputs(force=force) as outputs:
        outputs.text(Path(output), text)
    return Path(output)


def jinja_of(template: TemplateFormat, special: Mapping[str, str] | None = None) -> str:
    """Return a format as a Jinja chat template.

    Args:
        template: The format.
        special: The tokenizer's special tokens by name, to be written into it; by default `bos_token` and
            `eos_token` are variables.

    Raises:
        UserError: The format has a class or a placeholder that is not known here.
    """
    if template.kind not in _KINDS:
        raise UserError(
            f"the template {template.name} has the class {template.kind}, which is not known here"
        )
    tokens = _tokens(template, special)
    start, end = template.thought_words or ("", "")
    values = {
        "name": template.name,
        "default_system": _quoted(template.default_system),
        "prefix": _written(_expression(template.prefix, tokens), 6),
        "system": _system(template, tokens),
        "user": _expression(template.user, tokens),
        "assistant": _expression(template.assistant, tokens),
        "last": _LAST % tokens if template.efficient_eos else "",
        "start": _quoted(start),
        "end": _quoted(end),
        "start_mark": _quoted(start.strip()),
        "end_mark": _quoted(end.strip()),
        "empty": _quoted(template.empty_thought or ""),
    }
    thinks = template.kind in _THINKING
    values["thought"] = _THOUGHT % values if thinks else ""
    parts = [_HEAD, _WITHOUT_THINKING, _MESSAGES, _THINKING_OFF] if thinks else [_HEAD, _MESSAGES]
    return "".join(part % values for part in parts)


def _tokens(template: TemplateFormat, special: Mapping[str, str] | None) -> dict[str, str]:
    """Return the expressions of BOS and EOS.

    LLaMA-Factory leaves out a BOS that a tokenizer does not have, and gives it an EOS (`fix_special_tokens`).
    """
    bos, eos = "bos_token", f"(eos_token or {_quoted(_EOS_ADDED)})"
    if special is not None:
        bos, eos = _quoted(special.get("bos_token", "")), _quoted(special.get("eos_token", _EOS_ADDED))
    return {"bos_token": bos, "eos_token": _quoted(template.stop_words[0]) if template.replace_eos else eos}


def _system(template: TemplateFormat, tokens: Mapping[str, str]) -> str:
    """Return the statement that writes the system prompt, or puts it before the first question."""
    if template.kind != _SYSTEM_IN_USER:
        return f"{{{{- {_expression(template.system, tokens, 'ns.system')} -}}}}"
    first = _expression(template.system[:1], tokens, "ns.system")  # as LLaMA-Factory, which takes only this
    return f"{{%- set content = {first} ~ content -%}}"


def _expression(slots: Sequence[Slot], tokens: Mapping[str, str], content: str = "content") -> str:
    """Return the expression of the text of slots, with the message in the place of `{{content}}`.

    Raises:
        UserError: A slot has another placeholder.
    """
    terms: list[str] = []
    for slot in slots:
        if isinstance(slot, str):
            before, placeholder, after = slot.partition(_CONTENT)
            if _PLACEHOLDER.search(before + after):
                raise UserError(f"the slot {slot!r} has a placeholder that is not known here")
            terms += [_quoted(before), content if placeholder else "", _quoted(after)]
        elif "token" in slot:
            terms.append(_quoted(slot["token"]))
        else:  # of several names LLaMA-Factory takes BOS, and it passes over others
            name = next((name for name in ("bos_token", "eos_token") if name in slot["special"]), None)
            terms.append(tokens[name] if name else "")
    return " ~ ".join(term for term in terms if term not in ("", _EMPTY)) or _EMPTY


def _written(expression: str, indent: int) -> str:
    """Return the line that writes an expression; none for an empty text."""
    return "" if expression == _EMPTY else f"{' ' * indent}{{{{- {expression} -}}}}\n"


def _quoted(text: str) -> str:
    """Return a text as a string of Jinja, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
