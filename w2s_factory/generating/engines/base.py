"""The interface of engines, which complete requests, and the model that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from w2s_factory.errors import UserError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.generating.chat_settings import Chat, ChatSettings
    from w2s_factory.generating.requests import Completion, Request, Sampling

Bos = Literal["auto", "add", "none"]


@dataclass(frozen=True)
class Model:
    """The model that completes requests.

    Attributes:
        name: The folder or hub name of the model; for an engine that uses a server, its name on the server.
        adapter: The folder or hub name of an adapter for it.
        bos: The handling of the beginning-of-sequence token: `auto`, as the tokenizer does by default (the
            published way, although LLaMA-Factory's vanilla template trains without it); `add`, always;
            `none`, never.
    """

    name: str
    adapter: str | None = None
    bos: Bos = "auto"

    if TYPE_CHECKING:  # paths may be given

        def __init__(
            self, name: str | Path, adapter: str | Path | None = None, bos: Bos = "auto"
        ) -> None: ...

    def __post_init__(self) -> None:
        for field, words, fits in (
            ("name", "a folder or a name", _is_name(self.name)),
            ("adapter", "a folder, a name or None", self.adapter is None or _is_name(self.adapter)),
            ("bos", "auto, add or none", self.bos in get_args(Bos)),
        ):
            if not fits:
                raise UserError(f"expected {words}, got {shown(getattr(self, field))}", field=field)
        object.__setattr__(self, "name", str(self.name))  # the class is frozen
        object.__setattr__(self, "adapter", None if self.adapter is None else str(self.adapter))


def _is_name(value: Any) -> bool:
    return isinstance(value, (str, Path)) and value != ""


class Engine(Protocol):
    """An engine, which completes requests with a model.

    It is created by `factory(model, **options)`. Weights are not loaded before `complete` or `unanswerable`
    is called. An engine may lack `unanswerable`, which is not declared here for this reason:
    `unanswerable(requests) -> Sequence[Completion]` is called before `complete`, and returns a
    `Completion.refused` for each request that can't be answered, such as a prompt that fills the context.

    Attributes:
        packages: The distributions whose versions belong in the manifest.
    """

    packages: Sequence[str]

    def settings(self) -> Mapping[str, Any]:
        """Return what decides the texts besides prompts and sampling, such as a hash of the model.

        The values are plain, as JSON has them. A run is continued only with the same settings.
        """
        ...

    def tokens(self, prompt: str) -> list[tuple[int, str]] | None:
        """Return the tokens of a prompt as ids and texts; None if only a server knows them."""
        ...

    def batches(self, requests: Sequence[Request]) -> Sequence[Sequence[Request]]:
        """Divide the requests of a run into batches, in the same way each time.

        A batch of which only some requests are finished is given to `complete` again as a whole. An engine
        whose texts do not depend on which requests are computed together returns batches of one.
        """
        ...

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete all requests of some batches; yield each completion when it is finished, in any order.

        A request that the engine refuses is a `Completion.refused`; every other failure is raised.
        """
        ...

    def close(self) -> None:
        """Free the engine's resources."""
        ...


class ChatEngine(Engine, Protocol):
    """An engine that also answers conversations. An engine without this method only completes prompts."""

    def start_chat(self, settings: ChatSettings) -> Chat:
        """Prepare to answer conversations, and return the chat as the model takes it.

        It is called once, before all methods but `packages`. Then every request has `turns`, and its prompt
        is the rendered conversation; an engine that tokenises it adds no special tokens, as the template
        writes them. `Chat.of` makes the chat of a model whose template is known. The texts of completions
        keep the markers of thinking.

        Raises:
            UserError: The model has no chat template, or the settings cannot be followed.
        """
        ...
