"""Engines by name, each imported when it is used; and whether `--chat auto` asks a model in a chat.

Only the engines here import vllm or the OpenAI client.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.chat import NoChatTemplateError, template_of
from w2s_factory.errors import RAISED, UserError, W2SError, did_you_mean, shown
from w2s_factory.generating.chat_settings import ChatSettings
from w2s_factory.generating.engines.base import Bos, ChatEngine, Engine, Model
from w2s_factory.generating.engines.model_folders import check_local, model_folder
from w2s_factory.packages import missing_extra
from w2s_factory.ranges import check_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from w2s_factory.packages import Extra

GROUP = "w2s_factory.engines"
"""The entry-point group in which a package offers engines: `NAME = "module:factory"`, see `Engine`."""

_BUILT_IN = {"transformers": "Transformers", "vllm": "Vllm", "openai": "OpenAI"}
_EXTRAS: Final[Mapping[str, tuple[Extra, str]]] = {
    "transformers": ("train", "torch"),
    "vllm": ("vllm", "vllm"),
    "openai": ("openai", "openai"),
}
"""The extra that each built-in engine needs, and the package of it that is looked for."""

_LOCAL = ("transformers", "vllm")
"""Engines that read the model's folder; other engines may give its name any meaning."""

_GPU_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/kfd"))


def engine_names() -> list[str]:
    """Return the names of all engines, the built-in ones first."""
    others = {entry.name for entry in metadata.entry_points(group=GROUP)} - set(_BUILT_IN)
    return [*_BUILT_IN, *sorted(others)]


def default_engine() -> str:
    """Return `vllm` if it is installed and there is a GPU, else `transformers`; no GPU is initialised."""
    has_gpu = any(device.exists() for device in _GPU_DEVICES)
    return "vllm" if has_gpu and importlib.util.find_spec("vllm") else "transformers"


def check_installed(name: str) -> None:
    """Check that the package of a built-in engine is installed, without importing it.

    Raises:
        UserError: It is not; names the extra, with the command that installs it.
    """
    if name in _EXTRAS and importlib.util.find_spec(_EXTRAS[name][1]) is None:
        raise missing_extra(*_EXTRAS[name], needed_by=f"engine {name}")


def make_engine(name: str, model: Model, options: Mapping[str, Any]) -> Engine:
    """Return the engine of that name for a model.

    Raises:
        UserError: There is no such engine, its package is not installed, it has no such option, or the
            model's folder does not exist.
    """
    if name in _LOCAL:
        check_local(model)  # before torch is imported, which takes seconds
    factory = _factory(name)
    _check_options(name, factory, options)
    if name in _BUILT_IN:
        check_arguments(factory, options)
    try:
        return factory(model, **options)
    except W2SError:
        raise
    except RAISED as error:  # the factory of another package may raise any error
        problem = f"engine {name} cannot be created ({type(error).__name__}: {error})"
        raise UserError(problem) from error


def _factory(name: str) -> Callable[..., Engine]:
    if name in _BUILT_IN:
        return _built_in(name)
    for entry in metadata.entry_points(group=GROUP, name=name):
        try:
            factory: Callable[..., Engine] = entry.load()
        except RAISED as error:  # the module of another package may raise any error
            problem = f'engine "{name}" cannot be loaded from {entry.value} ({type(error).__name__}: {error})'
            raise UserError(problem) from error
        if not callable(factory):
            problem = f'engine "{name}": expected a class or function at {entry.value}, got {shown(factory)}'
            raise UserError(problem)
        return factory
    raise UserError(f'no engine "{name}"', hint=f"Known engines: {', '.join(engine_names())}")


def _built_in(name: str) -> Callable[..., Engine]:
    try:
        module = importlib.import_module(f"w2s_factory.generating.engines.{name}")
    except ModuleNotFoundError as error:
        raise missing_extra(_EXTRAS[name][0], str(error.name), needed_by=f"engine {name}") from None
    factory: Callable[..., Engine] = getattr(module, _BUILT_IN[name])
    return factory


def _check_options(name: str, factory: Callable[..., Engine], options: Mapping[str, Any]) -> None:
    """Check that an engine has these options: its options are the parameters of its factory.

    Raises:
        UserError: It lacks one.
    """
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [parameter for parameter in parameters if parameter != "model"]
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known) or f"It has {', '.join(known) or 'none'}"
            raise UserError(f'engine {name} has no option "{option}"', hint=hint)


def chosen_chat(
    settings: ChatSettings, model: Model, engine: str, *, tell: Callable[[str], None]
) -> ChatSettings | None:
    """Return the settings for `--chat auto`: None where the model has no chat template of its own.

    Args:
        settings: The settings for a model that has one.
        model: The model.
        engine: The name of the engine; a server's template is not known.
        tell: Called with a line that says why there is no chat.

    Raises:
        UserError: There is no such model, its template does not compile, or there is none although the
            settings can only be followed in a chat.
    """
    if engine not in _LOCAL:
        return settings
    try:
        template_of(model_folder(model.name))
    except NoChatTemplateError as error:
        if settings != ChatSettings():
            raise
        tell(f"{error.problem}: it is asked without a chat, in the task's own format ({error.file})")
        return None
    return settings


__all__ = [
    "GROUP",
    "Bos",
    "ChatEngine",
    "Engine",
    "Model",
    "check_installed",
    "chosen_chat",
    "default_engine",
    "engine_names",
    "make_engine",
]
