"""The settings of a chat (`--chat`), and one model's chat: its template, its markers, thinking switched."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from w2s_factory.answers.thinking import DEFAULT_MARKERS, Markers
from w2s_factory.chat import (
    OWN,
    SWITCHED,
    ChatTemplate,
    Thinking,
    Turn,
    opens_thinking,
    read_template,
    template_of,
    thinking_markers,
)
from w2s_factory.errors import UserError, shown
from w2s_factory.generating.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from w2s_factory.prompts import Conversation
    from w2s_factory.ranges import Seed
    from w2s_factory.records import Id

DemonstrationForm: TypeAlias = Literal["turns", "text"]
"""Demonstrations as turns of the conversation, or as one text with the question, as published."""


@dataclass(frozen=True, kw_only=True)
class ChatSettings:
    """The settings by which questions are asked in a chat, in the format of a chat template.

    Attributes:
        template: "auto" for the template of the model's tokenizer, or the path of a Jinja file.
        system: The system prompt; None for the task's, if it has one; "" for none, which leaves a default to
            the template.
        thinking: Whether the template is asked to switch thinking on or off.
        demonstrations: Demonstrations as turns, or as one text with the question.
        markers: The markers of thinking, where they are not those that the model is known for.
        date: The date that prompts have where the template writes it; None for the one with which a run
            began, or today's.
    """

    template: str | Path = OWN
    system: str | None = None
    thinking: Thinking = "auto"
    demonstrations: DemonstrationForm = "turns"
    markers: Markers | None = None
    date: datetime.date | None = None

    def __post_init__(self) -> None:
        for name, words, fits in (
            ("template", '"auto" or the path of a Jinja file', _is_path(self.template)),
            ("system", "text or None", isinstance(self.system, (str, NoneType))),
            ("thinking", "on, off or auto", self.thinking in get_args(Thinking)),
            ("demonstrations", "turns or text", self.demonstrations in get_args(DemonstrationForm)),
            ("markers", "Markers or None", isinstance(self.markers, (Markers, NoneType))),
            ("date", "a date or None", isinstance(self.date, (datetime.date, NoneType))),
        ):
            if not fits:
                raise UserError(f"expected {words}, got {shown(getattr(self, name))}", field=name)
        if self.system and not self.system.strip():
            raise UserError('expected a system prompt, or "" for none, got a blank text', field="system")

    @property
    def file(self) -> Path | None:
        """The Jinja file of the template; None for the tokenizer's own."""
        return None if self.template == OWN else Path(self.template)

    @property
    def switch(self) -> bool | None:
        """Thinking as a template's variable has it; None to leave it to the template."""
        return SWITCHED[self.thinking]

    def template_for(self, folder: Path) -> ChatTemplate:
        """Return the template for the model in a folder.

        Raises:
            UserError: The model has none, the file cannot be read, or the template does not compile.
        """
        return template_of(folder) if self.file is None else read_template(self.file, folder)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, Path)) and value != ""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A chat as one model takes it; an engine makes it for its model.

    Attributes:
        settings: The settings of the run.
        template: The template by which prompts are rendered; None if a server applies its own.
        markers: The markers between which the model thinks; None if it is not known to mark its thinking.

    Raises:
        UserError: Thinking is to be switched, and this template has no such switch; or the template leaves
            out what it is to ask.
    """

    settings: ChatSettings
    template: ChatTemplate | None
    markers: Markers | None
    _rendered: dict[tuple[Turn, ...], str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.template is not None:
            _check_written(self.template, self.settings)
            _check_thinking(self.template, self.markers, self.settings)

    @classmethod
    def of(cls, settings: ChatSettings, template: ChatTemplate, vocabulary: Iterable[str] = ()) -> Chat:
        """Return the chat of a model with this template and these tokens added to its vocabulary.

        Raises:
            UserError: The template has no switch that is asked for, or leaves out what it is to ask.
        """
        markers = settings.markers or thinking_markers(template, vocabulary)
        return cls(settings=settings, template=template, markers=markers)

    @property
    def known_markers(self) -> tuple[Markers, ...]:
        """The markers that responses may have: the model's, and those of known models."""
        return (*([] if self.markers is None else [self.markers]), *DEFAULT_MARKERS)

    def request(self, name: Id, seed: Seed, conversation: Conversation) -> Request:
        """Return the request that asks a question in this chat.

        Raises:
            UserError: The template refuses the conversation or cannot be rendered.
        """
        prompt = self.prompt(conversation.turns)
        return Request(
            id=name,
            seed=seed,
            prompt=prompt,
            turns=conversation.turns,
            user_turn=conversation.user_turn,
            opens_thinking=self.template is not None and opens_thinking(prompt, self.markers),
        )

    def prompt(self, turns: tuple[Turn, ...]) -> str:
        """Return the text that the model is given; of a server's template, the turns for a reader."""
        if self.template is None:
            return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)
        if turns not in self._rendered:  # the same for each seed
            self._rendered[turns] = self.template.render(
                turns, thinking=self.settings.switch, day=self.settings.date
            )
        return self._rendered[turns]

    def recorded(self) -> dict[str, Any]:
        """Return what decides the responses, besides the conversations, as plain values."""
        template, settings = self.template, self.settings
        facts: dict[str, Any] = {
            "template": "the server's" if template is None else _hash(template.text),
            "system": settings.system or None,
            "thinking": settings.thinking,
            "demonstrations": settings.demonstrations,
        }
        if settings.markers is not None:
            facts["markers"] = [settings.markers.start, settings.markers.end]
        if template is not None and template.names_the_date:
            facts["date"] = (settings.date or datetime.date.today()).isoformat()
        return facts


_SYSTEM, _QUESTION = "Any system prompt", "Any question"


def _check_written(template: ChatTemplate, settings: ChatSettings) -> None:
    """Check that a template writes the question, and the system prompt if there is one.

    Some templates of models for images take a message only in parts, and pass over one that is text.

    Raises:
        UserError: The template leaves one of them out.
    """
    system = [Turn("system", _SYSTEM)] if settings.system else []
    try:
        text = template.render([*system, Turn("user", _QUESTION)], thinking=settings.switch)
    except UserError:
        return  # the same is raised for the first conversation, which names what was refused
    for name, probe in (("question", _QUESTION), *([("system prompt", _SYSTEM)] if system else [])):
        if probe not in text:
            hint = "Write a copy of the template that writes messages as text, and name it with --chat FILE"
            raise UserError(f"the chat template leaves out the {name}", file=template.source, hint=hint)


def _check_thinking(template: ChatTemplate, markers: Markers | None, settings: ChatSettings) -> None:
    """Check that thinking can be switched as the settings ask for it.

    Raises:
        UserError: The template renders the same text with thinking on and off, although a model that marks
            its thinking is to leave it out, or one that marks none is to think.
    """
    if settings.switch is None:
        return
    asked = [*([Turn("system", settings.system)] if settings.system else []), Turn("user", "?")]
    on, off = (template.render(asked, thinking=switch) for switch in (True, False))
    if on != off or (markers is not None) is settings.switch:
        return
    problem = (
        "the model has no thinking to switch on: its chat template has no such switch and no markers"
        if settings.switch
        else "thinking cannot be switched off: the chat template has no such switch"
    )
    raise UserError(problem, file=template.source, field="thinking", hint="Use --thinking auto")


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
