"""Chat templates (`--chat`): found in a model's folder (none: refused), rendered as transformers does it.

Jinja runs in a sandbox. Tokens of a rendered text: `tokenizer(text, add_special_tokens=False)`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from w2s_factory.answers.thinking import DEFAULT_MARKERS, Markers
from w2s_factory.errors import UserError
from w2s_factory.records import read_object
from w2s_factory.records.reader import read_text
from w2s_factory.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from jinja2.parser import Parser

Role: TypeAlias = Literal["system", "user", "assistant"]

Thinking: TypeAlias = Literal["on", "off", "auto"]
"""Whether a model is to think; `auto` leaves this to the chat template, and to LLaMA-Factory (it does)."""

SWITCHED: Final[Mapping[Thinking, bool | None]] = {"on": True, "off": False, "auto": None}
"""The values of a template's variable that switches thinking; None leaves it to the template."""

OWN: Final = "auto"
"""The name of the chat template that belongs to a model's tokenizer, where a file may be named instead."""

THINKING_VARIABLES = ("enable_thinking", "thinking")
"""The variables by which published templates switch thinking: Qwen3's and GLM's; DeepSeek V3.1's."""

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The special tokens that every template may name; one that a tokenizer lacks is rendered as nothing."""

_ANY_ANSWER = "\N{OBJECT REPLACEMENT CHARACTER}"

_CONFIG, _LEGACY_TOKENS = "tokenizer_config.json", "special_tokens_map.json"
_TEMPLATE = "chat_template.jinja"

_BY_LLAMAFACTORY = re.compile(
    r"(\{\{ (?:(?! \}\}).)* \}\})?(\{% set system_message = '(?:(?!' %\}).)*' %\})?"
    r"\{% if messages\[0\]\['role'\] == 'system' %\}(\{% set loop_messages = messages\[1:\] %\})?"
    r"\{% set system_message = messages\[0\]\['content'\] %\}"
    r"(\{% else %\}\{% set loop_messages = messages %\})?\{% endif %\}"
    r".*\{% for message in (loop_)?messages %\}.*\{% set content = .*"
    r"\{% if message\['role'\] == 'user' %\}\{\{ .* \}\}"
    r"\{% elif message\['role'\] == 'assistant' %\}\{\{ .* \}\}\{% endif %\}\{% endfor %\}",
    re.DOTALL,
)
"""LLaMA-Factory's text where a tokenizer has no template, or its own template replaces it.

`_get_jinja_template` in `data/template.py`, the same frame from 0.6 to 0.9.5. It is the conversion of a
training template, and it lacks what Jinja cannot express there, such as thinking.
"""


_CLOCK = re.compile(r"""strftime_now\(\s*(["'])([^"'\n]*)\1\s*\)""")
"""A call of the function by which templates write the date."""


class Turn(NamedTuple):
    """A turn of a conversation: who speaks, and the text."""

    role: Role
    content: str


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template in Jinja, with the variables that it is given besides the conversation.

    Attributes:
        text: The Jinja text.
        variables: The tokenizer's special tokens by name (`bos_token`), and other variables.
        source: The file it comes from, for messages.

    Raises:
        UserError: The text does not compile.
    """

    text: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None

    def __post_init__(self) -> None:
        try:
            _compiled(self.text)
        except jinja2.TemplateSyntaxError as error:
            problem = f"the chat template does not compile ({error.message})"
            raise UserError(problem, file=self.source, line=error.lineno) from None
        except (jinja2.TemplateError, RecursionError) as error:
            raise UserError(f"the chat template does not compile ({error})", file=self.source) from None

    def render(
        self,
        turns: Sequence[Turn],
        *,
        add_generation_prompt: bool = True,
        thinking: bool | None = None,
        day: date | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a conversation as the text that a model is given.

        Args:
            turns: The conversation.
            add_generation_prompt: Whether the text ends with the beginning of the assistant's turn.
            thinking: True or False to switch thinking, where the template has such a switch; None to leave
                it as the template has it by default.
            day: The date that the template writes, where it writes one (its time of day is then midnight);
                None for now.
            variables: More variables, which take precedence over the template's own.

        Raises:
            UserError: The template refuses the conversation, needs a variable that it is not given, or fails.
        """
        clock = {} if day is None else {"strftime_now": datetime.combine(day, time.min).strftime}
        given = {**self.variables, **self.thinking_variables(thinking), **clock, **(variables or {})}
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            return _compiled(self.text).render(
                messages=messages,
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **given,
            )
        except jinja2.UndefinedError as error:
            problem = f"the chat template needs something that it is not given: {error.message}"
            hint = "Write a copy of the template that needs no more, and name it with --chat FILE"
            raise UserError(problem, file=self.source, hint=hint) from None
        except jinja2.TemplateError as error:  # also what the template raises by raise_exception
            problem = f"the chat template refuses this conversation ({shortened(str(error))})"
            raise UserError(problem, file=self.source) from None
        except Exception as error:  # expressions in a template can raise anything
            problem = f"the chat template fails ({shortened(f'{type(error).__name__}: {error}')})"
            raise UserError(problem, file=self.source) from error

    @cached_property
    def turn_end(self) -> str:
        """The text that ends the assistant's turn, such as `<|im_end|>`; "" if the template has none."""
        try:
            turns = [Turn("user", "?"), Turn("assistant", _ANY_ANSWER)]
            return self.render(turns, add_generation_prompt=False).partition(_ANY_ANSWER)[2].strip()
        except UserError:
            return ""

    def thinking_variables(self, thinking: bool | None) -> dict[str, bool]:
        """Return the variables that switch thinking in this template; none for `thinking=None`."""
        if thinking is None:
            return {}
        return {name: thinking for name in THINKING_VARIABLES if name in self.wanted}

    @cached_property
    def wanted(self) -> frozenset[str]:
        """The names of the variables that the template reads and does not set first."""
        return frozenset(jinja2.meta.find_undeclared_variables(_parsed(self.text)))

    @property
    def names_the_date(self) -> bool:
        """Whether the rendered text can depend on the day."""
        return "strftime_now" in self.text

    def dated(self, day: date) -> str:
        """Return the Jinja text with a date in it, for a server that would write its own.

        The date takes the place of each call of `strftime_now` with a literal, as templates have it.
        """
        return _CLOCK.sub(lambda call: json.dumps(day.strftime(call[2]), ensure_ascii=False), self.text)


class NoChatTemplateError(UserError):
    """The error that a model has no chat template of its own."""


def template_of(folder: Path) -> ChatTemplate:
    """Return the chat template of a model's folder, with the tokenizer's special tokens as its variables.

    As in transformers, `chat_template.jinja` takes precedence over `tokenizer_config.json`, and of several
    named templates it is the one named "default". A template that LLaMA-Factory wrote does not count: it
    converts a training template, and not all of it.

    Raises:
        NoChatTemplateError: The folder holds no template, none named "default", or only one by LLaMA-Factory.
        UserError: The template does not compile, or a file cannot be read.
    """
    file, templates = _templates(folder)
    if not templates:
        raise NoChatTemplateError("the model has no chat template", file=folder, hint=_NAME_ONE)
    if "default" not in templates:
        names = ", ".join(sorted(templates))
        problem = f'the model has several chat templates ({names}), none of which is named "default"'
        raise NoChatTemplateError(problem, file=folder, hint=_NAME_ONE)
    text = templates["default"]
    if is_by_llamafactory(text):
        problem = "the model has no chat template of its own, only one that LLaMA-Factory wrote in training"
        raise NoChatTemplateError(problem, file=file, hint=_NAME_ONE)
    return ChatTemplate(text, special_tokens(folder), file)


_NAME_ONE = "Name a Jinja file with --chat FILE, or use --chat off"


def read_template(file: Path, folder: Path | None = None) -> ChatTemplate:
    """Return the chat template in a Jinja file, with the special tokens of a model's folder if one is given.

    Raises:
        UserError: The file cannot be read, is blank, or does not compile.
    """
    text = read_text(file)
    if not text.strip():
        raise UserError("expected a chat template in Jinja, got an empty file", file=file)
    return ChatTemplate(text, {} if folder is None else special_tokens(folder), file)


def is_by_llamafactory(text: str) -> bool:
    """Return whether LLaMA-Factory wrote a chat template, as the conversion of a training template."""
    return _BY_LLAMAFACTORY.fullmatch(text.strip()) is not None


def special_tokens(folder: Path) -> dict[str, str]:
    """Return the special tokens of a model's tokenizer by name, as transformers passes them to templates.

    Raises:
        UserError: A file of the tokenizer cannot be read.
    """
    config, legacy = folder / _CONFIG, folder / _LEGACY_TOKENS
    named = read_object(config) if config.is_file() else {}
    extra = named.get("extra_special_tokens")
    others = {name: token for name, token in named.items() if name.endswith("_token")}
    found = {**others, **(extra if isinstance(extra, dict) else {})}
    if legacy.is_file() and "added_tokens_decoder" not in named:  # older versions kept them there
        found |= {name: token for name, token in read_object(legacy).items() if name in SPECIAL_TOKENS}
    texts = {name: token["content"] if _is_token(token) else token for name, token in found.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def thinking_markers(
    template: ChatTemplate, vocabulary: Iterable[str] = (), known: Sequence[Markers] = DEFAULT_MARKERS
) -> Markers | None:
    """Return the markers between which a model thinks; None if it does not mark its thinking.

    Args:
        template: The model's chat template, which names the markers in most cases.
        vocabulary: Tokens added to the tokenizer, among which both markers may be.
        known: The markers to look for.
    """
    for markers in known:
        if markers.start.strip() in template.text or markers.end.strip() in template.text:
            return markers
    tokens = set(vocabulary)
    return next((markers for markers in known if {markers.start, markers.end} <= tokens), None)


def opens_thinking(rendered: str, markers: Markers | None) -> bool:
    """Return whether a rendered prompt ends with the start of thinking, so that a response lacks it."""
    return markers is not None and rendered.rstrip().endswith(markers.start.strip())


def _templates(folder: Path) -> tuple[Path, dict[str, str]]:
    """Return the templates of a model's folder by name, and the file they are in."""
    file, config = folder / _TEMPLATE, folder / _CONFIG
    if file.is_file():
        return file, {"default": read_text(file)}
    written = read_object(config).get("chat_template") if config.is_file() else None
    if isinstance(written, list):
        written = {item.get("name"): item.get("template") for item in written if isinstance(item, dict)}
    listed = written if isinstance(written, dict) else {"default": written}
    return config, {str(name): text for name, text in listed.items() if isinstance(text, str)}


def _is_token(value: Any) -> bool:
    """Return whether a value in a tokenizer's files is a token with its properties."""
    return isinstance(value, dict) and isinstance(value.get("content"), str)


class _GenerationTag(jinja2.ext.Extension):
    """The tag `{% generation %}`, which marks the assistant's text for training; it changes no text."""

    tags = {"generation"}  # noqa: RUF012  as jinja2 declares it

    def parse(self, parser: Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


@lru_cache(maxsize=64)
def _compiled(text: str) -> jinja2.Template:
    """Return a template, compiled with the functions and filters that transformers offers."""
    return _environment(_needed(text)).from_string(text)


def _parsed(text: str) -> jinja2.nodes.Template:
    return _environment(frozenset()).parse(text)


def _environment(needed: frozenset[str]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationTag, jinja2.ext.loopcontrols],
        undefined=_undefined(needed),
    )
    environment.filters["tojson"] = _as_json
    environment.globals.update(raise_exception=_refuse, strftime_now=_now)
    return environment


def _needed(text: str) -> frozenset[str]:
    """Return the variables that only a caller can set: the template itself does so nowhere."""
    tree = _parsed(text)
    own = {name.name for name in tree.find_all(jinja2.nodes.Name) if name.ctx != "load"}
    return frozenset(jinja2.meta.find_undeclared_variables(tree)) - own - set(SPECIAL_TOKENS)


def _undefined(needed: frozenset[str]) -> type[jinja2.Undefined]:
    """Return the class of undefined values, which may be tested, but not written where they are needed.

    Jinja would write them as nothing, and a prompt would lack what its template needs.
    """

    class UndefinedVariable(jinja2.Undefined):
        """An undefined value of one template."""

        def __str__(self) -> str:
            if self._undefined_obj is missing and self._undefined_name in needed:
                self._fail_with_undefined_error()
            return ""

    return UndefinedVariable


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def _now(layout: str) -> str:
    return datetime.now().strftime(layout)


def _as_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return a value as JSON; Jinja's own filter would escape the signs that HTML reserves."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
