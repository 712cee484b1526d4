"""The options that an experiment's settings give to its commands; a setting at its default gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from w2s_factory.experiment.answer_settings import CHAT
from w2s_factory.experiment.spec import Of
from w2s_factory.generating.engines.base import Model
from w2s_factory.llamafactory.settings import as_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.experiment.answer_settings import GenerationSection, SamplingSection
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.steps import Answerer


def generate_options(experiment: Experiment, who: Answerer, split: str, *, demonstrated: bool) -> list[str]:
    """Return the options of `generate` by which a model answers a split, but for seeds and temperature."""
    settings, limit = experiment.answering(who.of), experiment.limited(split)
    return [
        *_named({"engine": settings.engine, "max-tokens": settings.max_tokens, "limit": limit}),
        *(["--bos", settings.bos] if settings.bos != Model.bos else []),
        *[word for name, value in settings.options.items()
          for word in ("--engine-option", f"{name}={as_yaml(value)}")],
        *_chat(experiment, who, settings, demonstrated=demonstrated),
        *(_drawing(settings.sampling) if settings.sampling else []),
        *_stops(settings),
    ]  # fmt: skip


def temperature_of(experiment: Experiment, who: Answerer) -> float:
    """Return the temperature at which a model gives its one answer to each question; 0 is greedy."""
    sampling = experiment.answering(who.of).sampling
    return (sampling.temperature if sampling else None) or 0.0


def extraction_options(experiment: Experiment) -> list[str]:
    """Return the options of `score`, `vote` and `build-data` by which they find and compare answers alike."""
    return [*mode_options(experiment), *extract_options(experiment)]


def extract_options(experiment: Experiment) -> list[str]:
    """Return the option of the same commands and of `demos` that names the way to find answers."""
    return _named({"extract": experiment.scoring.extract})


def scoring_options(experiment: Experiment, who: Answerer | None) -> list[str]:
    """Return the options of `score` for a model's responses; None stands for published results.

    The texts around thinking are needed here alone: the later commands read them from the manifest. Only the
    responses of a model that is asked to think, and was not trained on other responses, must have them.
    """
    options = [*extraction_options(experiment), *_reasoning(experiment)]
    if experiment.reasoning is None or (who is not None and _must_think(experiment, who)):
        return options
    return [*options, "--reasoning-optional"]


def _must_think(experiment: Experiment, who: Answerer) -> bool:
    asked = experiment.chat(who.of) != "off" and thinking_of(experiment, who.of, trained=False) == "on"
    return asked and not who.made


def _reasoning(experiment: Experiment) -> list[str]:
    """Return the options of `generate` and `score` that name the texts around thinking."""
    reasoning = experiment.reasoning
    return _named({"reasoning-start": reasoning.start, "reasoning-end": reasoning.end}) if reasoning else []


def mode_options(experiment: Experiment) -> list[str]:
    """Return the option of the same commands that names the way of comparing."""
    mode = experiment.scoring.mode
    return [] if mode == "published" else ["--mode", mode]


def training_data_options(experiment: Experiment, of: Of) -> list[str]:
    """Return the options of `build-data` by which a model learns the part it should, asked as it will be."""
    train_on = [] if experiment.train_on == "whole" else ["--train-on", experiment.train_on]
    return [*train_on, *asking_options(experiment, of)]


def asking_options(experiment: Experiment, of: Of) -> list[str]:
    """Return the options of `build-data` for prompts as the model to train will be asked.

    They are needed once a model is asked in a chat: the other one's rows may have another form.
    """
    if experiment.chat(of) != "off":
        return ["--chat", "on", *_named({"system": experiment.system(of)})]
    return [] if all(experiment.chat(other) == "off" for other in get_args(Of)) else ["--chat", "off"]


def thinking_of(experiment: Experiment, of: Of, *, trained: bool) -> Literal["on", "off", "auto"] | None:
    """Return whether a model is asked to think: `on`, `off`, or None as its chat template has it by default.

    A model that is trained on answers alone is asked, and trained, not to think.
    """
    if experiment.train_on == "answer" and trained:
        return "off"
    return experiment.answering(of).thinking


def training_options(experiment: Experiment, of: Of) -> list[str]:
    """Return the options of `make-config` by which a model is trained as it will be asked."""
    thinking = thinking_of(experiment, of, trained=True)
    return ["--thinking", thinking] if experiment.chat(of) != "off" and thinking in {"on", "off"} else []


def template_options(experiment: Experiment, of: Of) -> list[str]:
    """Return the option of `train` that names the file by which the trained model will be asked."""
    chat = experiment.chat(of)
    return [] if chat in CHAT else ["--chat", chat]


def _chat(
    experiment: Experiment, who: Answerer, settings: GenerationSection, *, demonstrated: bool
) -> list[str]:
    """Return the options of a chat."""
    chat = experiment.chat(who.of)
    if chat == "off":
        return []
    thinking = thinking_of(experiment, who.of, trained=bool(who.made))
    shown = settings.demonstrations if demonstrated else None
    named = {"chat": chat, "system": experiment.system(who.of), "thinking": thinking, "demonstrations": shown}
    return [*_named(named), *_reasoning(experiment)]


def _drawing(sampling: SamplingSection) -> list[str]:
    """Return the options by which tokens are drawn, but for the temperature."""
    return _named(sampling.model_dump(exclude={"defaults", "temperature"}))


def _stops(settings: GenerationSection) -> list[str]:
    stops = [word for text in settings.stop or () for word in ("--stop", text)]
    return [*stops, *(["--no-stop"] if settings.no_stop else []),
            *_named({"max-failures": settings.max_failures})]  # fmt: skip


def _named(values: Mapping[str, object]) -> list[str]:
    """Return options by name, without those whose value is None."""
    return [
        word
        for name, value in values.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
