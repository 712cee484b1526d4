"""`template check` and `template: auto`: whether a model is asked in the format that it was trained in.

Conversations are encoded by LLaMA-Factory's own code with one of its templates, and in the way of `generate`:
rendered by a chat template, and given to the tokenizer as one text. Contents with spaces or line breaks at
their ends are not compared; some chat templates remove these, and no training template does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from w2s_factory.chat import OWN, SWITCHED, NoChatTemplateError, Turn, read_template, template_of
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.known_templates import ask_templates, find_llamafactory, tokenizer_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from w2s_factory.chat import ChatTemplate, Thinking

Part: TypeAlias = Literal["prompt", "labels"]
"""The tokens up to a response, or those that are trained: the response and its end."""

_PARTS: Final[tuple[Part, ...]] = ("prompt", "labels")
_SHOWN: Final = 30
"""Characters of the text before a difference that are shown."""

_SYSTEM: Final = "You are a careful tutor."
_TURNS: Final = (
    ("What is 17 + 5?", "The sum of 17 and 5 is 22.\nThe answer is 22"),
    ("And 6 times 7?", "Six times seven is 42.\n\nThe answer is 42"),
    ("How many days have 3 weeks?", "A week has 7 days, and 3 * 7 = 21.\nThe answer is 21"),
)


class SampleConversation(NamedTuple):
    """A conversation to compare: its name for messages, its system prompt or "", and its turns."""

    name: str
    system: str
    turns: tuple[Turn, ...]


def _conversation(name: str, system: str, count: int) -> SampleConversation:
    pairs = ((Turn("user", question), Turn("assistant", answer)) for question, answer in _TURNS[:count])
    turns = [turn for pair in pairs for turn in pair]
    return SampleConversation(name, system, tuple(turns))


CONVERSATIONS: Final = (
    _conversation("one turn", "", 1),
    _conversation("one turn with a system prompt", _SYSTEM, 1),
    _conversation("three turns", "", 3),
    _conversation("three turns with a system prompt", _SYSTEM, 3),
)
"""The conversations that are compared, all of which end with a response."""


@dataclass(frozen=True)
class TemplateDifference:
    """The first token in which training and generation differ.

    Attributes:
        conversation: The name of the conversation.
        part: The part of its tokens.
        position: The token's place in that part, counted from 1.
        trained: Its id and its text in training; None where training has no more tokens.
        asked: Its id and its text in generation; None likewise.
        before: The end of the text before it, which is the same in both.
        same_text: Whether the text of the part is the same, and only split into other tokens.
    """

    conversation: str
    part: Part
    position: int
    trained: tuple[int | None, str | None] | None
    asked: tuple[int | None, str | None] | None
    before: str
    same_text: bool

    def __str__(self) -> str:
        """Return the difference in one sentence."""
        after = f", after {self.before!r}" if self.before else ""
        split = " (the same text, split into other tokens)" if self.same_text else ""
        return (
            f"{self.conversation}: token {self.position} of the {self.part} is {_token(self.trained)} in "
            f"training and {_token(self.asked)} in generation{after}{split}"
        )


@dataclass(frozen=True)
class TemplateComparison:
    """The comparison of a training template with a chat template.

    Attributes:
        template: LLaMA-Factory's template.
        chat: The file of the chat template.
        thinking: The setting of thinking in both.
        compared: The names of the conversations that were compared.
        refused: The reason why the chat template refuses a conversation, by the conversation's name.
        difference: The first difference; None if there is none.
    """

    template: str
    chat: Path
    thinking: Thinking
    compared: tuple[str, ...]
    refused: Mapping[str, str]
    difference: TemplateDifference | None

    @property
    def equal(self) -> bool:
        """Return whether all tokens are the same."""
        return self.difference is None


def check_template(
    template: str,
    model: str | Path,
    *,
    thinking: Thinking = "auto",
    chat: str | Path = OWN,
    system: bool | None = None,
    several_turns: bool | None = None,
    python: str | Path | None = None,
    llamafactory_cli: str | Path | None = None,
) -> TemplateComparison:
    """Return whether a training with a template and a generation with a chat template use the same tokens.

    Args:
        template: LLaMA-Factory's template.
        model: The folder of the model, of which the tokenizer is used.
        thinking: Whether the model is to think, in training (`enable_thinking`) as in generation.
        chat: `auto` for the tokenizer's own chat template, or a file with one in Jinja.
        system: True to compare only conversations with a system prompt, False only those without.
        several_turns: True to compare only conversations of several turns, False only those of one.
        python: The interpreter of LLaMA-Factory's environment; by default, the current one.
        llamafactory_cli: Its `llamafactory-cli`, another way to name the environment.

    Raises:
        UserError: There is no such template, model or LLaMA-Factory, the model has no tokenizer or no chat
            template of its own, or the chat template refuses every conversation.
        DelegateError: LLaMA-Factory cannot be imported, or fails.
    """
    try:
        asked = asked_texts(model, thinking, chat, _wanted(system, several_turns))
    except NoChatTemplateError as error:
        hint = "Name a file with one: --chat FILE (w2s-factory template jinja NAME --output FILE writes it)"
        raise UserError(error.problem, file=error.file, hint=hint) from None
    job = asked.job([template], nearest=False)
    answers = ask_templates(find_llamafactory(python, llamafactory_cli), [template], [job])
    return asked.comparison(template, answers.jobs[0])


def find_template(
    model: str | Path,
    *,
    thinking: Thinking = "auto",
    chat: str | Path = OWN,
    system: bool | None = None,
    several_turns: bool | None = None,
    python: str | Path | None = None,
    llamafactory_cli: str | Path | None = None,
) -> str:
    """Return the name of the LLaMA-Factory template that trains what a model's chat template asks.

    Of several equal ones it is the first in LLaMA-Factory's own order, those for text alone before those for
    images and sound, with which a model needs a processor.

    Args:
        model: As for `check_template`, as are all others.
        thinking: Whether the model is to think.
        chat: The chat template.
        system: Whether conversations have a system prompt.
        several_turns: Whether conversations have several turns.
        python: The interpreter of LLaMA-Factory's environment.
        llamafactory_cli: Its `llamafactory-cli`.

    Raises:
        UserError: As for `check_template`, or no template is equal; names the first difference of the
            nearest one.
        DelegateError: LLaMA-Factory cannot be imported, or fails.
    """
    try:
        asked = asked_texts(model, thinking, chat, _wanted(system, several_turns))
    except NoChatTemplateError as error:
        hint = "A base model is trained and asked with the template vanilla"
        raise UserError(error.problem, file=error.file, hint=hint) from None
    installation = find_llamafactory(python, llamafactory_cli)
    answers = ask_templates(installation, None, [asked.job(None, nearest=True)])
    names = sorted(answers.jobs[0]["trained"], key=lambda name: not answers.formats[name].text_only)
    compared = [asked.comparison(name, answers.jobs[0]) for name in names]
    found = next((comparison.template for comparison in compared if comparison.equal), None)
    if found is None:
        nearest = compared[0]
        raise UserError(
            f"no template of LLaMA-Factory is equal to this chat template (thinking {thinking}); "
            f"the nearest is {nearest.template}: {nearest.difference}",
            file=nearest.chat,
            hint=f"Train with {nearest.template} and ask in its format: w2s-factory template jinja "
            f"{nearest.template} --output FILE, then generate --chat FILE",
            topic="no-equal-template",
        )
    return found


@dataclass(frozen=True)
class AskedTexts:
    """The texts with which generation asks: the conversations that a chat template accepts, rendered by it.

    Attributes:
        folder: The model's folder.
        chat: The chat template.
        thinking: The setting of thinking.
        conversations: The conversations that it accepts.
        texts: The texts of their parts, see `rendered`.
        refused: The reason why it refuses a conversation, by the conversation's name.
    """

    folder: Path
    chat: ChatTemplate
    thinking: Thinking
    conversations: tuple[SampleConversation, ...]
    texts: tuple[dict[Part, str], ...]
    refused: Mapping[str, str]

    def job(self, templates: Sequence[str] | None, *, nearest: bool) -> dict[str, Any]:
        """Return the job for the program that encodes."""
        return {
            "model": str(self.folder),
            "templates": templates,
            "thinking": self.thinking != "off",
            "nearest": nearest,
            "conversations": [
                {
                    "system": conversation.system,
                    "messages": [{"role": turn.role, "content": turn.content} for turn in conversation.turns],
                }
                for conversation in self.conversations
            ],
            "asked": list(self.texts),
        }

    def comparison(self, template: str, encodings: Mapping[str, Any]) -> TemplateComparison:
        """Return the comparison with one template.

        Args:
            template: The template's name.
            encodings: The encodings of the job, by the program.
        """
        trained, texts = encodings["trained"][template], encodings["texts"][template]
        encoded = zip(self.conversations, trained, encodings["asked"], texts, self.texts, strict=True)
        differences = (
            _difference(
                conversation.name, part, trained[part], asked[part], same_text=text[part] == ours[part]
            )
            for conversation, trained, asked, text, ours in encoded
            for part in _PARTS
        )
        return TemplateComparison(
            template=template,
            chat=self.chat.source or self.folder,
            thinking=self.thinking,
            compared=tuple(conversation.name for conversation in self.conversations),
            refused=self.refused,
            difference=next(filter(None, differences), None),
        )


def asked_texts(
    model: str | Path,
    thinking: Thinking = "auto",
    chat: str | Path = OWN,
    conversations: Iterable[SampleConversation] = CONVERSATIONS,
) -> AskedTexts:
    """Return the texts with which generation asks, to be compared with several templates at once.

    Args:
        model: As for `check_template`, as are thinking and chat.
        thinking: Whether the model is to think.
        chat: The chat template.
        conversations: The conversations.

    Raises:
        UserError: As for `check_template`.
    """
    folder = tokenizer_folder(model)
    template = template_of(folder) if chat == OWN else read_template(Path(chat), folder)
    accepted: list[tuple[SampleConversation, dict[Part, str]]] = []
    refused: dict[str, UserError] = {}
    for conversation in conversations:
        try:
            accepted.append((conversation, rendered(template, conversation, SWITCHED[thinking])))
        except UserError as error:
            refused[conversation.name] = error
    if not accepted:
        raise next(iter(refused.values()))
    kept, texts = zip(*accepted, strict=True)
    reasons = {name: error.problem for name, error in refused.items()}
    return AskedTexts(folder, template, thinking, kept, texts, reasons)


def _wanted(system: bool | None, several_turns: bool | None) -> Iterable[SampleConversation]:
    """Return the conversations with or without a system prompt, of one or several turns."""
    for conversation in CONVERSATIONS:
        has_system, is_long = bool(conversation.system), len(conversation.turns) > 2
        if system in (None, has_system) and several_turns in (None, is_long):
            yield conversation


def rendered(
    template: ChatTemplate, conversation: SampleConversation, thinking: bool | None
) -> dict[Part, str]:
    """Return the text of a conversation up to its last response, and the text of this response with its end.

    The second is what a chat template writes after the text that both renderings have in common from the last
    question on. What precedes that question may differ, as in Mistral's templates, which write the system
    prompt with the last question only; and a template may leave out thinking that its prompt opens.

    Raises:
        UserError: The template refuses the conversation.
    """
    system = [Turn("system", conversation.system)] if conversation.system else []
    turns = [*system, *conversation.turns]
    prompt = template.render(turns[:-1], thinking=thinking)
    whole = template.render(turns, add_generation_prompt=False, thinking=thinking)
    ends = [text[max(0, text.rfind(turns[-2].content)) :] for text in (prompt, whole)]
    return {"prompt": prompt, "labels": ends[1][_in_common(*ends) :]}


def _difference(
    conversation: str, part: Part, trained: list[Any], asked: list[Any], *, same_text: bool
) -> TemplateDifference | None:
    """Return the first difference between the tokens of a part; None if there is none."""
    place = _in_common([token for token, _ in trained], [token for token, _ in asked])
    if place == len(trained) == len(asked):
        return None
    before = "".join(text or "" for _, text in trained[:place])
    return TemplateDifference(
        conversation=conversation,
        part=part,
        position=place + 1,
        trained=tuple(trained[place]) if place < len(trained) else None,
        asked=tuple(asked[place]) if place < len(asked) else None,
        before=before[-_SHOWN:],
        same_text=same_text,
    )


def _in_common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return the number of elements with which both begin."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _token(token: tuple[int | None, str | None] | None) -> str:
    """Return a token for a message: its text and its id."""
    if token is None:
        return "missing"
    return f"{token[1]!r} ({'not in the vocabulary' if token[0] is None else token[0]})"
