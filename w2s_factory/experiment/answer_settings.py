"""Sections of an experiment file: how models answer (chat, sampling); how answers are read and measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from annotated_types import Ge
from pydantic import (
    AfterValidator,
    BeforeValidator,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from w2s_factory.answers.comparison import Mode
from w2s_factory.answers.extraction import PUBLISHED, parse_extraction
from w2s_factory.answers.thinking import Markers
from w2s_factory.chat import Thinking
from w2s_factory.errors import UserError
from w2s_factory.experiment.section import Section, off, switch
from w2s_factory.generating.engines.base import Bos, Model
from w2s_factory.generating.generation_files import Shards
from w2s_factory.quantities import (
    PUBLISHED_SAMPLES,
    PUBLISHED_TEMPERATURE,
    MaxTokens,
    MinP,
    PresencePenalty,
    RepetitionPenalty,
    SampledTemperature,
    Samples,
    Temperature,
    TopK,
    TopP,
)
from w2s_factory.ranges import Share
from w2s_factory.records.yaml_models import StopText, parsed

CHAT: tuple[str, ...] = ("auto", "on", "off")
"""The values of `chat` that are not files."""


class SamplingSection(Section):
    """Sampling settings of every model's answers; None leaves a value to the defaults.

    Attributes:
        defaults: `published` (greedy, all of the probability mass) or `model`: the values of the model's own
            `generation_config.json`.
        temperature: The temperature of all answers but those of `stage2` and `pass_at`; 0 is greedy.
        top_p: The share of the probability mass from which tokens are drawn.
        top_k: The number of tokens from which one is drawn.
        min_p: The least probability of a token, as a share of the most likely one's.
        presence_penalty: The amount by which tokens that occurred become less likely.
        repetition_penalty: The factor by which tokens that occurred become less likely.
    """

    defaults: Literal["published", "model"] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    presence_penalty: PresencePenalty | None = None
    repetition_penalty: RepetitionPenalty | None = None

    def over(self, other: SamplingSection) -> SamplingSection:
        """Return this section laid over another, key by key."""
        return other.model_copy(update=self.model_dump(exclude_none=True))


def _by_name(value: Any) -> Any:
    """Return the section for `sampling: model`, which is short for its defaults."""
    return {"defaults": value} if isinstance(value, str) else value


def _template_file(chat: str, info: ValidationInfo) -> str:
    """Return the value itself, or the absolute path of a Jinja file (relative to the experiment file)."""
    if chat in CHAT or not info.context:
        return chat
    path: str = os.path.normpath(info.context["folder"] / Path(chat).expanduser())
    if not Path(path).is_file():
        raise ValueError(f'expected auto, on, off or a Jinja file, got "{chat}", which is not a file')
    return path


Chat: TypeAlias = Annotated[str, BeforeValidator(switch), AfterValidator(_template_file)]
"""The chat template that makes a prompt of a question: `auto`, `on`, the path of a Jinja file, or `off`."""


def _prompt_or_none(system: str) -> str:
    if system and not system.strip():
        raise ValueError('expected a system prompt, or "" for none, got a blank text')
    return system


class ModelGeneration(Section):
    """The settings with which a model answers; None leaves a setting to `generation:`, or to its default.

    Attributes:
        engine: `transformers`, `vllm` or `openai`; if None, vLLM where there is a GPU, else transformers.
        options: The engine's own options.
        max_tokens: The most tokens of a response; the task's limit if None.
        bos: The BOS token before a prompt: `auto` (as the tokenizer does), `add` or `none`.
        chat: `auto`, `on`, `off` or a Jinja file. None follows the training template: off with `vanilla`,
            `empty` and `fewshot`, else `auto`.
        system: The system prompt of a chat; "" for none, also where the task has one.
        thinking: Whether the chat template asks the model to think: `on`, `off`, or `auto`, as it does by
            default.
        demonstrations: The form of demonstrations in a chat: `turns` of the conversation, or one `text`.
        sampling: How tokens are chosen.
        stop: Texts that end an answer, instead of the task's.
        no_stop: Whether no text ends an answer.
        max_failures: The largest share of requests that an engine may refuse.
    """

    engine: str | None = None
    options: dict[str, Any] | None = None
    max_tokens: MaxTokens | None = None
    bos: Bos | None = None
    chat: Chat | None = None
    system: Annotated[str, AfterValidator(_prompt_or_none)] | None = None
    thinking: Annotated[Thinking | None, BeforeValidator(switch)] = None
    demonstrations: Literal["turns", "text"] | None = None
    sampling: Annotated[SamplingSection | None, BeforeValidator(_by_name)] = None
    stop: list[StopText] | None = None
    no_stop: bool | None = None
    max_failures: Share | None = None

    @model_validator(mode="after")
    def _stops_or_not(self) -> Self:
        if self.stop and self.no_stop:
            raise ValueError("expected either stop or no_stop, got both")
        return self

    @property
    def chat_keys(self) -> list[str]:
        """Return the keys that are set and read only in a chat."""
        return [key for key in ("system", "thinking", "demonstrations") if getattr(self, key) is not None]


class GenerationSection(ModelGeneration):
    """The settings with which every model answers, unless `weak.generation` or `strong.generation` differ.

    Attributes:
        shards: The number of jobs among which the questions are divided.
        samples_per_job: Sampling seeds of one job; all if None.
    """

    options: dict[str, Any] = {}
    shards: Shards = 1
    samples_per_job: Samples | None = None
    bos: Bos = Model.bos

    @model_serializer(mode="wrap")
    def _jobs_first(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the keys in the order in which experiment files have been written so far."""
        values: dict[str, Any] = write(self)
        first = [key for key in ("engine", "options", "shards", "samples_per_job") if key in values]
        return {key: values[key] for key in (*first, *(key for key in values if key not in first))}

    def changed(self, own: ModelGeneration | None) -> GenerationSection:
        """Return these settings with those of one model laid over them, key by key."""
        if own is None:
            return self
        update = {key: value for key, value in own if value is not None}
        if own.sampling is not None and self.sampling is not None:
            update["sampling"] = own.sampling.over(self.sampling)
        if own.stop is not None or own.no_stop is not None:
            update |= {"stop": own.stop, "no_stop": own.no_stop}
        return self.model_copy(update=update)


class ScoringSection(Section):
    """Settings by which answers are found and compared, in scoring, votes and pairs alike.

    Attributes:
        mode: The way of comparing an answer with the gold answer.
        extract: The way of finding the final answer: `published`, `auto`, `boxed`, `number`, `regex:PATTERN`;
            the task's own if None.
    """

    mode: Mode = PUBLISHED
    extract: Annotated[str, parsed(parse_extraction)] | None = None


class ReasoningSection(Section):
    """The texts around a model's thinking, where they are not those of its chat template."""

    start: str
    end: str

    @model_validator(mode="after")
    def _are_markers(self) -> Self:
        try:
            Markers(self.start, self.end)
        except UserError as error:
            raise ValueError(error.problem) from None
        return self


class PassAt(Section):
    """Sampled answers to the split, for pass@k, of the models with these keys in the report; all if None."""

    k: Samples = PUBLISHED_SAMPLES
    temperature: SampledTemperature = PUBLISHED_TEMPERATURE
    models: list[str] | None = None


MeanSamples: TypeAlias = Annotated[Samples, Ge(2)]
"""The number of samples whose accuracies are averaged, at least two."""


class AvgAt(Section):
    """Sampled answers to the split, for the mean accuracy over k samples (avg@k).

    Attributes:
        k: The number of samples.
        temperature: Their temperature; that of `generation.sampling` if None.
        models: The keys in the report of the models that are sampled; all if None.
    """

    k: MeanSamples = PUBLISHED_SAMPLES
    temperature: SampledTemperature | None = None
    models: list[str] | None = None


class EvaluationSection(Section):
    """Measurements besides the accuracy of one answer to each question."""

    pass_at: Annotated[PassAt | None, BeforeValidator(off)] = None
    avg_at: Annotated[AvgAt | None, BeforeValidator(off)] = None
