"""Adapters that a running vLLM server loads for the engine `openai`, and unloads at its end."""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import TYPE_CHECKING

import openai

from w2s_factory.errors import UserError
from w2s_factory.generating.engines.model_folders import adapter_folder, content
from w2s_factory.generating.engines.vllm_arguments import rank_served
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from pathlib import Path

_LOADED = "has already been"
"""Part of vLLM's message (0.28) for an adapter that it has under this name."""

_UNLOADING = 10
"""Seconds to wait for a server that is asked to unload an adapter."""


class ServedAdapter:
    """A LoRA in a folder that the server can read, too, under a name that its path and content decide.

    Runs that use the same adapter at the same time share the name. The one that ends first unloads it; the
    others load it again when the server no longer knows it.

    Args:
        adapter: The folder or hub name of the adapter.
        client: The client of the server.

    Attributes:
        folder: The adapter's folder, absolute.
        content: The hash of the adapter's content, as the settings of a run hold it.
        name: The adapter's name on the server.

    Raises:
        UserError: There is no such adapter, or it is of a kind that vLLM cannot serve.
    """

    def __init__(self, adapter: str, client: openai.OpenAI) -> None:
        self.folder: Path = adapter_folder(adapter).resolve()
        rank = rank_served(self.folder)
        if rank is None:
            raise UserError("vLLM can't serve an adapter of this kind", file=self.folder, hint="Merge it")
        self._rank, self._client, self._lock, self._asked_for = rank, client, Lock(), False
        self.content = content(self.folder)
        self.name = _name(self.folder, self.content)

    def load(self) -> None:
        """Ask the server to load the adapter; nothing happens if it has it under this name.

        Raises:
            UserError: The server loads no adapters, or not this one.
        """
        with self._lock:
            self._asked_for = True
            asked = {"lora_name": self.name, "lora_path": str(self.folder)}
            try:
                self._client.with_options(max_retries=0).post("/load_lora_adapter", cast_to=str, body=asked)
            except openai.APIStatusError as error:
                if error.status_code in (401, 403):
                    raise
                if _LOADED not in error.message:
                    raise self._not_loaded(error) from None

    def unload(self) -> None:
        """Ask the server to unload the adapter if it was loaded; a server that no longer answers is left."""
        if not self._asked_for:
            return
        client = self._client.with_options(max_retries=0, timeout=_UNLOADING)
        try:
            client.post("/unload_lora_adapter", cast_to=str, body={"lora_name": self.name})
        except openai.APIError:
            return

    def _not_loaded(self, error: openai.APIStatusError) -> UserError:
        problem = f"the server does not load the adapter ({first_line(error.message)})"
        hint = (
            "Start vLLM's server with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment and with "
            f"--enable-lora --max-lora-rank {self._rank}, where it can read this folder"
        )
        return UserError(problem, file=self.folder, field="--adapter", hint=hint)


def _name(folder: Path, content_hash: str) -> str:
    """Return an adapter's name on the server: the folder's, and twelve digits for its path and content."""
    digest = hashlib.sha256(f"{folder}\n{content_hash}".encode()).hexdigest()
    return f"{folder.name}-{digest[:12]}"
