"""The prompt by which the model to train will be asked: its zero-shot form, and the system prompt (`--chat`).

The weak model may be asked in another form than the strong one: a base model by the task's text, a chat model
by the user turn. Rows that train the strong model hold the strong model's form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.known_templates import WITHOUT_CHAT
from w2s_factory.llamafactory.presets import load_preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.building.dataset_files import Recipe
    from w2s_factory.tasks import Task


@dataclass(frozen=True, kw_only=True)
class PromptForm:
    """The form of the prompts of the model to train, if it differs from that of the responses.

    Attributes:
        chat: Whether in a chat, so that rows hold the user turn, and `system` alone is their system prompt;
            False: by the task's prompt, without a system prompt; None: as the rows are.
        system: The system prompt of the chat; None for the task's, if it has one; "" for none.

    Raises:
        UserError: There is a system prompt, and `chat` is not true.
    """

    chat: bool | None = None
    system: str | None = None

    def __post_init__(self) -> None:
        if self.system is not None and not self.chat:
            raise UserError("is the system prompt of a chat", field="--system", hint="Add --chat on")

    def of(self, task: Task) -> PromptForm:
        """Return the same with the task's system prompt, if a chat has none of its own."""
        if not self.chat:
            return self
        return replace(self, system=(task.system if self.system is None else self.system) or None)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the manifest's facts about it; none where rows are as they were."""
        if self.chat is None:
            return {}
        return {"chat": self.chat} | ({} if self.system is None else {"system": self.system})

    def applied(self, task: Task, row: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return a training row with its prompt and system prompt as the model will be asked.

        Args:
            task: The task.
            row: The row, whose prompt is zero-shot.
            key: The key of its prompt.

        Raises:
            UserError: The row is in another form, and its question cannot be found in the prompt.
        """
        if self.chat is None:
            return {**row}
        from w2s_factory.prompts import reworded  # noqa: PLC0415  loads Jinja, which base models do not need

        was_chat = True if "system" in row else None
        prompt = reworded(task, row[key], in_chat=self.chat, was_in_chat=was_chat)
        if prompt is None:
            problem = f"the task {task.name} words prompts so that the question cannot be found in this one"
            hint = "Leave out --chat and --system, and let responses be asked as the model to train will be"
            raise UserError(problem, field=key, hint=hint).at(name=row.get("id"))
        kept = {name: value for name, value in row.items() if name != "system"} | {key: prompt}
        return kept if self.system is None else {**kept, "system": self.system}

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe, if its config trains on rows of a chat in a chat template.

        Raises:
            UserError: Its template trains prompts as they are.
        """
        if recipe.model is not None and self.chat:
            preset = load_preset(recipe.preset).entries.get("template")
            template = recipe.settings.get("template", preset and preset.value)
            if template in WITHOUT_CHAT:
                problem = f"the template {template} trains the user's turn alone, not as a chat asks it"
                hint = "Set a chat template (--set template=NAME), choose another preset, or add --no-config"
                raise UserError(problem, field="--chat", hint=hint)
        return recipe

    def has_system(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row has a system prompt when the model is asked so."""
        return "system" in row if self.chat is None else self.system is not None


def zero_shot(task: Task, prompt: str, asked: str) -> str | None:
    """Return the zero-shot prompt with which another prompt ends; None if that asks another question.

    The other prompt may be in the other form: the task's text, or the user turn of a chat.

    Args:
        task: The task that writes prompts.
        prompt: A zero-shot prompt of the question.
        asked: The other prompt, zero-shot or with demonstrations before the question.
    """
    if not prompt:
        return None
    if asked == prompt:
        return prompt
    from w2s_factory.prompts import reworded  # noqa: PLC0415  as above

    forms = (prompt, *(reworded(task, prompt, in_chat=chat) for chat in (False, True)))
    return max((form for form in forms if form and asked.endswith(form)), key=len, default=None)
