"""What every engine is: something that completes requests, with the settings that decide its texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from w2s_factory.errors import UserError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from w2s_factory.generating.requests import Completion, Request, Sampling

Bos = Literal["auto", "add", "none"]


@dataclass(frozen=True)
class Model:
    """The model that is asked.

    Attributes:
        name: Its folder or hub name; for an engine that asks a server, the name it has there.
        adapter: The folder or hub name of an adapter on top of it.
        bos: The beginning-of-sequence token: `auto`, as the tokenizer does when given text (the published
            way, although LLaMA-Factory's vanilla template trains without); `add`, always; `none`, never.
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
    """Completes requests with a model. Made as `factory(model, **options)`; loads nothing large until asked.

    Attributes:
        packages: Distributions whose versions belong in the manifest.
    """

    packages: Sequence[str]

    def settings(self) -> Mapping[str, Any]:
        """What decides the texts besides prompts and sampling, as plain values: the model's content, say.

        A run is continued only under the same settings.
        """
        ...

    def tokens(self, prompt: str) -> list[tuple[int, str]] | None:
        """What the model sees of a prompt, as token ids and texts; None where only a server knows."""
        ...

    def batches(self, requests: Sequence[Request]) -> Sequence[Sequence[Request]]:
        """The requests of a run in indivisible parts, the same ones each time.

        A part of which only some requests are finished is given to `complete` again as a whole. An engine
        whose texts don't depend on what is computed together makes each request a part.
        """
        ...

    def complete(self, batches: Sequence[Sequence[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Complete all requests of these parts, giving each as soon as it is finished, in any order."""
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...
