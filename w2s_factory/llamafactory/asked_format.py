"""`template: auto`, `train --chat`: the training template that generation asks in; another one is refused.

What generation asks depends on the template. `vanilla` trains prompts as they are, and so they are asked.
With any other template the model is asked in a chat template: its own, or a file that is named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.chat import OWN, template_of
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.installation import installed_version
from w2s_factory.llamafactory.known_templates import (
    AUTO,
    WITHOUT_CHAT,
    find_llamafactory,
    tokenizer_folder,
)
from w2s_factory.llamafactory.settings import as_yaml
from w2s_factory.llamafactory.template_parity import check_template, find_template
from w2s_factory.llamafactory.versions import for_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from w2s_factory.chat import Thinking
    from w2s_factory.llamafactory.datasets import Dataset
    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.presets import Preset
    from w2s_factory.llamafactory.template_parity import TemplateComparison
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.versions import Version

_WITHOUT_TEMPLATE: Final = ("pt",)
"""Stages that train texts without a template."""


class NotComparedError(Exception):
    """The reason why the training template cannot be compared with what generation will ask."""


def with_found_template(
    preset: Preset,
    model: Path,
    datasets: Sequence[Dataset],
    version: Version,
    *,
    chat: str | Path | None = None,
    python: str | Path | None = None,
) -> Preset:
    """Return a preset with the name of the template that trains what generation asks, in place of `auto`.

    Args:
        preset: The preset, settings included.
        model: The model's folder.
        datasets: The datasets, of which one with a system prompt matters.
        version: The LLaMA-Factory that will read the YAML.
        chat: A Jinja file with the chat template in which generation will ask; by default the model's own.
        python: The interpreter of LLaMA-Factory's environment; by default, the current one.

    Raises:
        UserError: No template is equal, the model has no chat template, or another LLaMA-Factory than the
            installed one will read the YAML.
        DelegateError: LLaMA-Factory cannot be imported, or fails.
    """
    entry = preset.entries["template"]
    if entry.value != AUTO:
        return preset
    installed = installed_version(python)
    if installed is not None and for_installed(installed).number != version.number:
        problem = (
            f"auto is found with the installed LLaMA-Factory {installed}; the YAML is for {version.number}"
        )
        raise UserError(problem, field="template", hint="Name the template: --set template=NAME")
    values = {key: entry.value for key, entry in preset.entries.items()}
    try:
        name = find_template(
            model,
            thinking=_thinking(values),
            chat=OWN if chat is None else chat,
            system=_has_system(values, datasets),
            several_turns=False,
            python=python,
        )
    except (UserError, NotComparedError) as error:
        raise _not_found(error) from None
    found = replace(entry, text=as_yaml(name), comment="found: it trains what the chat template asks")
    return preset.with_lines([found if line is entry else line for line in preset.lines])


def _not_found(error: UserError | NotComparedError) -> UserError:
    """Return the error for `auto` where no template is found, with what a user can do."""
    hint = "Or name a template: --set template=NAME"
    if isinstance(error, NotComparedError):
        return UserError(f"auto: {error}", field="template", hint=hint)
    hint = f"{error.hint}. {hint}" if error.hint else hint.removeprefix("Or ").capitalize()
    return UserError(
        f"auto: {error.problem}", file=error.file, field="template", hint=hint, topic=error.topic
    )


def settle_template(
    config: Config,
    datasets: Sequence[Dataset],
    installation: Installation,
    say: Callable[[str], None],
    *,
    chat: str | Path | None = None,
    allow: bool = False,
) -> str | None:
    """Refuse a training whose template differs from what generation will ask, or warn of the difference.

    Where the two cannot be compared, for instance because the model has no chat template of its own, the user
    gets a note and the training goes on: nothing is known to differ.

    Args:
        config: The training configuration.
        datasets: Its datasets, of which one with a system prompt matters.
        installation: The LLaMA-Factory that will train.
        say: The function that shows a line to the user.
        chat: A Jinja file with the chat template in which generation will ask; by default the model's own.
        allow: Warn of a difference instead of refusing it.

    Returns:
        The difference, where it is allowed; None where there is none, or it is not known.

    Raises:
        UserError: The template differs, and this is not allowed; or the template or the file cannot be used.
        DelegateError: LLaMA-Factory cannot be imported, or fails.
    """
    template = config.values["template"]
    published = chat is None and template in WITHOUT_CHAT
    if published or config.values["stage"] in _WITHOUT_TEMPLATE:
        return None
    try:
        found = _compared(config, datasets, installation, chat)
    except NotComparedError as error:
        say(f"Note: whether generation asks in the template {template} is not checked: {error}")
        return None
    if found.difference is None:
        return None
    asked = "the model's own chat template" if chat is None else str(chat)
    problem = f"{template} differs from {asked}, in which generation asks: {found.difference}"
    if not allow:
        raise config.wrong(
            "template",
            problem,
            f"Write the trained format to a file (w2s-factory template jinja {template} --output FILE), and "
            "name it with --chat FILE here and in generate; or train nevertheless: --allow-other-template",
            topic="template-differs",
        )
    say(f"Warning: {problem}")
    return str(found.difference)


def _compared(
    config: Config, datasets: Sequence[Dataset], installation: Installation, chat: str | Path | None
) -> TemplateComparison:
    """Return the comparison for conversations like the rows: of one turn, with a system prompt or without.

    Raises:
        NotComparedError: The version, the model or its tokenizer cannot be compared.
        UserError: The template or the file cannot be used.
    """
    values = config.values
    thinking = _thinking(values)
    try:
        find_llamafactory(installation.python)
        folder = tokenizer_folder(values["model_name_or_path"])
        if chat is None:
            template_of(folder)
    except UserError as error:
        raise NotComparedError(error.problem) from None
    return check_template(
        values["template"],
        folder,
        thinking=thinking,
        chat=OWN if chat is None else chat,
        system=_has_system(values, datasets),
        several_turns=False,
        python=installation.python,
    )


def _has_system(values: Mapping[str, Any], datasets: Sequence[Dataset]) -> bool | None:
    """Return True if every row has a system prompt, False if none has, and None if rows may have one."""
    if values.get("default_system"):
        return True
    return None if any("system" in dataset.columns for dataset in datasets) else False


def _thinking(values: Mapping[str, Any]) -> Thinking:
    """Return the setting of thinking that trains as `enable_thinking` does.

    Raises:
        NotComparedError: It is null, with which each row decides for itself.
    """
    if "enable_thinking" not in values:
        return "auto"
    chosen = values["enable_thinking"]
    if not isinstance(chosen, bool):
        raise NotComparedError("without true or false for enable_thinking, the format depends on the row")
    return "on" if chosen else "off"
