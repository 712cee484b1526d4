"""Words of a report about how an experiment's models are asked and how their answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from w2s_factory.experiment.spec import Of
from w2s_factory.generating.requests import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from w2s_factory.experiment.spec import Experiment

_CHAT: Final = {
    "off": "none, the task's own prompt",
    "on": "the model's own chat template",
}


def settings_in_words(experiment: Experiment) -> dict[str, str]:
    """Return what differs from the published way of asking models and reading their answers, by its name."""
    return dict(_settings(experiment))


def _settings(experiment: Experiment) -> Iterator[tuple[str, str]]:
    for of in get_args(Of):
        settings = experiment.answering(of)
        if (chat := experiment.chat(of)) != "off":
            named = [f"{key} {getattr(settings, key)}" for key in settings.chat_keys]
            yield f"Chat, {of} model", "; ".join([_CHAT.get(chat, chat), *named])
        given = (
            settings.sampling.model_dump(exclude_none=True, exclude={"defaults"}) if settings.sampling else {}
        )
        if changed := Sampling(**given).changed(*given):
            yield f"Sampling, {of} model", ", ".join(f"{key} {value}" for key, value in changed.items())
    extract = experiment.scoring.extract or getattr(experiment.the_task, "extraction", "published")
    if extract != "published":
        yield "Final answers", f"extracted by {extract}"
    if experiment.scoring.mode != "published":
        yield "Comparison", experiment.scoring.mode
    if experiment.reasoning is not None:
        yield "Thinking", f"between {experiment.reasoning.start} and {experiment.reasoning.end}"
    if experiment.train_on != "whole":
        yield "Trained on", f"the {experiment.train_on} alone, without thinking"
