"""The engine `transformers`: batches through `generate`; a prompt that fills the context is refused.

Each row of a batch has its own random generator and ends by itself.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import torch
from annotated_types import Ge, Le
from transformers import (
    AutoConfig,
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from w2s_factory.errors import UserError
from w2s_factory.generating.engines.model_folders import adapter_folder, content, model_folder
from w2s_factory.generating.engines.token_choice import processors
from w2s_factory.generating.engines.tokens import Tokens, without_room
from w2s_factory.generating.engines.weights import default_dtype, learns_prompts, load
from w2s_factory.generating.requests import Completion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.generating.chat_settings import Chat, ChatSettings
    from w2s_factory.generating.engines.base import Model
    from w2s_factory.generating.requests import Finish, Request, Sampling


class RowsDone(StoppingCriteria):
    """A stopping criterion that ends each row at an end token, a stop text, or the row's own token limit.

    Args:
        tokens: The tokenizer that decodes the rows.
        ends: The ids of tokens that end a response.
        stop: Texts that end a response.
        limits: The largest number of new tokens for each row.
        width: The number of columns that the padded prompts have.

    Attributes:
        ended: For each row the number of its new tokens and why it ended; None while it is running.
    """

    def __init__(
        self, tokens: Tokens, ends: set[int], stop: Sequence[str], limits: Sequence[int], width: int
    ) -> None:
        self.ended: list[tuple[int, Finish] | None] = [None] * len(limits)
        self._tokens, self._ends, self._stop, self._limits, self._width = tokens, ends, stop, limits, width
        # A stop text that was just completed is within this many tokens, as each holds a byte of it or more.
        self._window = max((len(text.encode()) for text in stop), default=0) + 8

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:  # noqa: ARG002  as above
        """Return for each row whether it is done."""
        count = input_ids.shape[1] - self._width
        running = [row for row, ended in enumerate(self.ended) if ended is None]
        tails = input_ids[:, -min(count, self._window) :].tolist()
        texts = self._tokens.tails([tails[row] for row in running]) if self._stop else [""] * len(running)
        for row, text in zip(running, texts, strict=True):
            if tails[row][-1] in self._ends or any(stop in text for stop in self._stop):
                self.ended[row] = (count, "stop")
            elif count >= self._limits[row]:
                self.ended[row] = (count, "length")
        return torch.tensor([ended is not None for ended in self.ended], device=input_ids.device)


BatchSize: TypeAlias = Annotated[int, Ge(1), Le(65_536)]
"""A number of prompts that are computed together."""

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class Transformers:
    """An engine of left-padded batches of prompts of similar length; the default where there is no GPU.

    The prompts that are computed together can change the last bits of a score, and so a greedy choice.
    Therefore batches are formed from all requests of a run, and an interrupted batch is repeated as a whole.

    Args:
        model: The folder or hub name of a base or merged model, and perhaps an adapter.
        batch_size: The number of prompts computed together.
        dtype: bfloat16, float16 or float32; `auto` is bfloat16 on a GPU that computes in it, else float32.
        device: A device as torch names it; `auto` is all GPUs, or the CPU where there are none.

    Raises:
        UserError: A folder is missing, or an option has a value that it cannot have.
    """

    packages = ("torch", "transformers", "peft")

    def __init__(
        self, model: Model, *, batch_size: BatchSize = 16, dtype: str = "auto", device: str = "auto"
    ) -> None:
        if dtype not in ("auto", *DTYPES):
            raise UserError(f"expected auto or one of {', '.join(DTYPES)}", field="dtype")
        if type(device) is not str:
            raise UserError("expected a device as torch names it (cpu, cuda:0)", field="device")
        self._model, self._device = model, device
        self._folder = model_folder(model.name)
        self._adapter = adapter_folder(model.adapter) if model.adapter else None
        alone = self._adapter is not None and learns_prompts(self._adapter)
        self._batch_size = 1 if alone else batch_size  # peft counts positions wrongly in padded rows
        self._dtype = default_dtype(device) if dtype == "auto" else DTYPES[dtype]

    def start_chat(self, settings: ChatSettings) -> Chat:
        """Return the chat in the template of the model's folder, or of the file that the settings name."""
        return self._tokens.start_chat(settings)

    def settings(self) -> dict[str, Any]:
        """Return the hashes of model and adapter, BOS handling, and dtype."""
        return {
            "model": content(self._folder),
            "adapter": content(self._adapter) if self._adapter else None,
            "bos": self._model.bos,
            "dtype": str(self._dtype).removeprefix("torch."),
        }

    def tokens(self, prompt: str) -> list[tuple[int, str]]:
        """Return the tokens of a prompt with their names."""
        return self._tokens.shown(prompt)

    def batches(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Return batches of similar length, the longest first, so that too large ones fail early."""
        lengths = {id(request): len(self._tokens.encode(request.prompt)) for request in requests}
        ordered = sorted(requests, key=lambda request: -lengths[id(request)])
        return [ordered[i : i + self._batch_size] for i in range(0, len(ordered), self._batch_size)]

    def unanswerable(self, requests: Sequence[Request]) -> list[Completion]:
        """Return the failures of prompts that leave no room for an answer in the model's context."""
        return without_room(requests, self._tokens, self._context)

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete one batch after another; yield a batch's completions when all of it is finished."""
        for batch in batches:
            refused = {completion.request: completion for completion in self.unanswerable(batch)}
            yield from refused.values()
            try:
                yield from self._complete([each for each in batch if each not in refused], sampling)
            except torch.OutOfMemoryError:
                hint = f"Use smaller batches: --engine-option batch_size={max(1, self._batch_size // 2)}"
                raise UserError("a batch does not fit in the GPU's memory", hint=hint) from None

    def close(self) -> None:
        """Free the weights."""
        self.__dict__.pop("_weights", None)

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self._folder, self._model.bos)

    @cached_property
    def _weights(self) -> Any:
        return load(self._folder, self._adapter, self._dtype, self._place)

    @cached_property
    def _context(self) -> int | None:
        """The number of tokens of prompt and response together; None if the config has no limit."""
        config = AutoConfig.from_pretrained(self._folder, trust_remote_code=False)
        return getattr(config.get_text_config(), "max_position_embeddings", None)

    @property
    def _place(self) -> str:
        if self._device != "auto":
            return self._device
        return "auto" if torch.cuda.is_available() else "cpu"

    @cached_property
    def _ends(self) -> set[int]:
        """Return the tokens that end a sequence: by tokenizer, generation config, or chat template."""
        configured = self._weights.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        own = (self._tokens.tokenizer.eos_token_id, *self._tokens.turn_ends)
        return {token for token in (*listed, *own) if token is not None}

    def _complete(self, batch: Sequence[Request], sampling: Sampling) -> list[Completion]:
        if not batch:
            return []
        prompts = [self._tokens.encode(request.prompt) for request in batch]
        limits = [self._room(prompt, sampling) for prompt in prompts]
        width = max(map(len, prompts))
        ends = self._ends | set(self._tokens.special(sampling.stop))
        done = RowsDone(self._tokens, ends, sampling.stop, limits, width)
        choice = processors([request.draw_seed for request in batch], prompts, sampling)
        written = self._generate(prompts, max(limits), done, choice)
        return [
            self._completion(request, prompt, row, ended, sampling)
            for request, prompt, row, ended in zip(batch, prompts, written, done.ended, strict=True)
        ]

    def _generate(
        self, prompts: list[list[int]], limit: int, done: RowsDone, choice: LogitsProcessorList
    ) -> list[list[int]]:
        """Return the new tokens of each row, also those after the row's own end."""
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        config = GenerationConfig(max_new_tokens=limit, do_sample=False, pad_token_id=0)  # type: ignore[no-untyped-call]
        self._weights.generation_config = config  # else the model's own config sets what is not named
        with torch.inference_mode():
            rows = self._weights.generate(
                input_ids=ids.to(self._weights.device),
                attention_mask=mask.to(self._weights.device),
                generation_config=config,
                stopping_criteria=StoppingCriteriaList([done]),
                logits_processor=choice,
            )
        written: list[list[int]] = rows[:, width:].tolist()
        return written

    def _completion(
        self, request: Request, prompt: list[int], row: list[int], ended: Any, sampling: Sampling
    ) -> Completion:
        length, finish = ended
        kept = row[: length - 1] if row[length - 1] in self._ends else row[:length]
        text = self._tokens.continuation(prompt, kept)
        cuts = [place for stop in sampling.stop if (place := text.find(stop)) >= 0]
        return Completion(request, text[: min(cuts, default=len(text))], finish, length)

    def _room(self, prompt: list[int], sampling: Sampling) -> int:
        """Return how many tokens the model may write: the limit, or what the prompt leaves of its context."""
        left = sampling.max_tokens if self._context is None else self._context - len(prompt)
        return min(sampling.max_tokens, left)
