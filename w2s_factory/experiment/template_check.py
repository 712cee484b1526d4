"""The check before a run: whether each model is trained in the format in which it will be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2s_factory.chat import OWN
from w2s_factory.errors import UserError
from w2s_factory.experiment.step_options import thinking_of
from w2s_factory.llamafactory.known_templates import (
    AUTO,
    WITHOUT_CHAT,
    find_llamafactory,
    tokenizer_folder,
)
from w2s_factory.llamafactory.template_parity import check_template, find_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from w2s_factory.experiment.spec import Experiment, Of
    from w2s_factory.experiment.training_arguments import TrainingSection


@dataclass(frozen=True)
class _TrainedFormat:
    """A training template, and how the model will be asked; the first training with both names the field.

    Attributes:
        field: The section of the training in the experiment file.
        of: The model that is trained.
        template: The training template; None if the preset leaves it to LLaMA-Factory.
        preset: The preset that sets the template; None if an override does.
        chat: The chat template: `off`, `auto`, or a file.
        fits: Whether nothing has to be compared, since both are the published prompt.
    """

    field: str
    of: Of
    template: str | None
    preset: str | None
    chat: str

    @property
    def fits(self) -> bool:
        return not self.trains_chat and self.chat == "off"

    @property
    def trains_chat(self) -> bool:
        return self.template not in (None, *WITHOUT_CHAT)

    @property
    def contradiction(self) -> str | None:
        """Return the difference where training and asking need no comparison; None if they do."""
        if self.chat == "off":
            return (
                f"the {self.of} model is trained in the chat template {self.template}{self._setter}, "
                "but asked without it"
            )
        if not self.trains_chat:
            trained = f"{self.template or 'no template'}{self._setter}"
            return f"the {self.of} model is asked in a chat, but trained with {trained}"
        if self.template == AUTO and self.chat != OWN:
            return f"the {self.of} model is asked in {self.chat}, but auto trains its own chat template"
        return None

    @property
    def _setter(self) -> str:
        return "" if self.preset is None else f", which the preset {self.preset} sets"

    @property
    def key(self) -> str:
        """The key of the experiment file that decides the template."""
        return f"{self.field}.overrides.template" if self.preset is None else f"{self.field}.preset"

    def hint(self, written: str | None) -> str:
        """Return the remedy.

        Args:
            written: The value of the key `chat` in the experiment file; None if it is not there.
        """
        if written is None or self.contradiction is None or (self.trains_chat and self.chat != "off"):
            return _HINT
        train = "the template vanilla" if self.trains_chat else "a chat preset such as chat_lora_sft"
        return f"Remove chat: {written}, or train with {train}; or run nevertheless: --force"


def check_templates(
    experiment: Experiment,
    trainings: Iterator[tuple[str, TrainingSection, str]],
    *,
    force: bool,
    ahead: bool,
    tell: Callable[[str], None],
) -> None:
    """Check that no model is asked in another format than the one it is trained in.

    Args:
        experiment: The experiment.
        trainings: Its trainings, each with its section before it and its stage after it.
        force: Warn of a difference instead of refusing it.
        ahead: Accept that a model is not in a folder yet, so that its tokenizer cannot be read.
        tell: The function that gets warnings and notes.

    Raises:
        UserError: A format differs, and `force` is not given; or no template of LLaMA-Factory fits.
        DelegateError: LLaMA-Factory cannot be imported.
    """
    found = {
        (each.of, each.template, each.chat): each for each in reversed(list(_trained(experiment, trainings)))
    }
    for each in reversed(list(found.values())):
        if each.fits:
            continue
        difference = each.contradiction or _difference(experiment, each, ahead=ahead, tell=tell)
        if difference is None:
            continue
        if not force:
            hint = each.hint(experiment.answering(each.of).chat)
            raise UserError(difference, field=each.key, hint=hint, topic="template-differs")
        tell(f"Warning: {each.field}: {difference}")


_HINT = (
    "Write the trained format to a file (w2s-factory template jinja NAME --output FILE) and ask in it: "
    "generation: {chat: FILE}; or run nevertheless: --force"
)


def _trained(
    experiment: Experiment, trainings: Iterator[tuple[str, TrainingSection, str]]
) -> Iterator[_TrainedFormat]:
    for section, training, _ in trainings:
        of: Of = "weak" if section.startswith("weak") else "strong"
        chat = experiment.chat(of)
        preset = None if "template" in training.overrides else training.preset
        template = training.value("template")
        yield _TrainedFormat(section, of, template, preset, OWN if chat == "on" else chat)


def _difference(
    experiment: Experiment, each: _TrainedFormat, *, ahead: bool, tell: Callable[[str], None]
) -> str | None:
    """Return the first difference between training and asking, in one sentence; None if there is none."""
    model = (experiment.weak if each.of == "weak" else experiment.strong).model
    python = experiment.environments.train
    try:
        find_llamafactory(python)
        folder = tokenizer_folder(str(model))
    except UserError as error:
        if each.template == AUTO and not ahead:
            problem = f"auto: {error.problem}: {model}"
            raise UserError(problem, field=each.field, hint=error.hint, topic=error.topic) from None
        problem = f"{model}: {error.problem}"
        tell(f"Note: whether the {each.of} model is asked as it is trained is not checked: {problem}")
        return None
    thinking = thinking_of(experiment, each.of, trained=True) or "auto"
    system = bool(experiment.system(each.of))
    if each.template == AUTO:
        find_template(
            folder, thinking=thinking, chat=each.chat, system=system, several_turns=False, python=python
        )
        return None
    found = check_template(
        str(each.template),
        folder,
        thinking=thinking,
        chat=each.chat,
        system=system,
        several_turns=False,
        python=python,
    )
    if found.equal:
        return None
    return f"{each.template} differs from what the {each.of} model is asked: {found.difference}"
