"""LLaMA-Factory's templates: the parts that each consists of, and encodings by LLaMA-Factory's own code.

Both come from the program `inside/template_encodings.py`, run by the interpreter of its environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from packaging.version import Version as Number

from w2s_factory.errors import UserError, did_you_mean
from w2s_factory.llamafactory.installation import find_installation, run_inside
from w2s_factory.model_names import on_hub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.llamafactory.installation import Installation

VANILLA: Final = "vanilla"
"""The template of the published trainings: the prompt as it is, then the answer."""

WITHOUT_CHAT: Final = (VANILLA, "empty", "fewshot")
"""Templates that add no text before or after a prompt, so that no chat template asks it."""

AUTO: Final = "auto"
"""The template of a preset that stands for the one that equals the model's own chat template."""

_SINCE: Final = "0.9.2"
"""The first release whose modules have the names that the program imports."""

_TOKENIZER: Final = ("tokenizer*", "*.model", "vocab*")
"""The files of which a tokenizer has one at least."""

Slot: TypeAlias = str | dict[str, Any]
"""A part of a format: a text, in which `{{content}}` is the message, or the text of a single token,
`{"token": text}`, or `{"special": names}`, where the names `bos_token` and `eos_token` have a meaning.
"""


@dataclass(frozen=True, kw_only=True)
class TemplateFormat:
    """The parts of a template that decide the text of a conversation without tools and images.

    Attributes:
        name: Its name.
        kind: Its class in LLaMA-Factory.
        prefix: What a conversation begins with.
        system: The system prompt.
        user: A user's turn, with what follows it up to the response.
        assistant: A response, with its end.
        default_system: The system prompt of a conversation that has none; "" for none.
        stop_words: The texts that LLaMA-Factory adds to the tokenizer as special tokens.
        efficient_eos: Whether EOS is added after the last response only.
        replace_eos: Whether the first stop word becomes the EOS token.
        thought_words: The start and the end of thinking; None for a template that ignores thinking.
        empty_thought: The thinking that a response without any gets; None likewise.
        text_only: Whether it is for text alone. The others need a model with an image or audio processor,
            also for rows of text.
    """

    name: str
    kind: str
    prefix: Sequence[Slot]
    system: Sequence[Slot]
    user: Sequence[Slot]
    assistant: Sequence[Slot]
    default_system: str
    stop_words: Sequence[str]
    efficient_eos: bool
    replace_eos: bool
    thought_words: Sequence[str] | None
    empty_thought: str | None
    text_only: bool


@dataclass(frozen=True)
class Answers:
    """The answers of the program.

    Attributes:
        formats: The templates asked for by name, in the order in which LLaMA-Factory registers them.
        jobs: The encodings of each job, as the program's description says.
    """

    formats: Mapping[str, TemplateFormat]
    jobs: Sequence[Mapping[str, Any]]


def find_llamafactory(
    python: str | Path | None = None, llamafactory_cli: str | Path | None = None
) -> Installation:
    """Return the LLaMA-Factory whose templates are meant.

    Args:
        python: The interpreter of its environment.
        llamafactory_cli: Its `llamafactory-cli`, another way to name the environment.

    Raises:
        UserError: There is none, or it is older than 0.9.2.
    """
    found = find_installation(llamafactory_cli, python)
    if found.version is not None and Number(found.version) < Number(_SINCE):
        raise UserError(
            f"the templates of LLaMA-Factory {found.version} cannot be read",
            file=found.python,
            hint=f"Name an environment with {_SINCE} or newer: --python PATH",
        )
    return found


def tokenizer_folder(model: str | Path) -> Path:
    """Return the folder of a model, if it holds a tokenizer.

    Raises:
        UserError: There is no such folder, or no tokenizer in it.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        hint = "Name the folder of a copy of it: hf download NAME" if on_hub(model) else None
        raise UserError("no such model folder", file=model, hint=hint)
    if not any(file for pattern in _TOKENIZER for file in folder.glob(pattern)):
        raise UserError("the folder holds no tokenizer", file=folder)
    return folder.absolute()


def ask_templates(
    installation: Installation, names: Sequence[str] | None, jobs: Sequence[Mapping[str, Any]] = ()
) -> Answers:
    """Return the formats of templates, and the encodings of jobs, all from one process.

    Args:
        installation: The LLaMA-Factory.
        names: The templates to describe; None for all of them.
        jobs: The encodings wanted, as the program's description says.

    Raises:
        UserError: There is no such template, or a tokenizer cannot be loaded.
        DelegateError: LLaMA-Factory cannot be imported, or fails.
    """
    asked = {"templates": names, "jobs": list(jobs)}
    answer = run_inside(installation.python, "template_encodings.py", given=asked)
    if "unknown" in answer:
        near = did_you_mean(answer["unknown"], answer["known"])
        raise UserError(f'LLaMA-Factory has no template "{answer["unknown"]}"', hint=near or None)
    for job, encodings in zip(jobs, answer["jobs"], strict=True):
        if "problem" in encodings:
            problem = f"the tokenizer cannot be loaded ({encodings['problem']})"
            raise UserError(problem, file=job["model"])
    formats = {name: TemplateFormat(name=name, **parts) for name, parts in answer["templates"].items()}
    return Answers(formats, answer["jobs"])
