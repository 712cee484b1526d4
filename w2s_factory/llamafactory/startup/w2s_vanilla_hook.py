"""Make LLaMA-Factory know the template `vanilla`: prompt, response, EOS; no BOS, nothing else.

It is self-contained on purpose (standard library, Python 3.8 and later), since it is put on the path of the
processes that `w2s-factory train` starts, and copied into the environment that `w2s-factory template install`
changes. `install` only adds an import finder. When LLaMA-Factory's module of templates is imported, in
whatever process, `vanilla` is registered there unless it is known already.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing `typing` takes longer than all of this
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

MODULES = ("llamafactory.data.template", "llmtuner.data.template")  # `llmtuner` up to 0.7.0


def install() -> None:
    """Add the finder, once."""
    if not installed():
        sys.meta_path.insert(0, _Finder())


def installed() -> bool:
    """Return whether a copy of this module has added its finder to this interpreter."""
    return any(getattr(finder, "registers_vanilla", False) for finder in sys.meta_path)


def register(module: Any) -> bool:
    """Register `vanilla` in LLaMA-Factory's module of templates; return whether it is known now.

    In 0.5.0 `vanilla` was a template registered with nothing but its name, and such a template gives the same
    text in all releases since. This is tested on the version in use; if it is not so there, the template is
    removed again.
    """
    templates = module.TEMPLATES if hasattr(module, "TEMPLATES") else module.templates  # up to 0.7.1
    if "vanilla" not in templates:
        named = "register_template" if hasattr(module, "register_template") else "_register_template"
        getattr(module, named)(name="vanilla")
        if not _is_vanilla(templates["vanilla"]):
            del templates["vanilla"]
    return "vanilla" in templates


class _Finder:
    """A finder of LLaMA-Factory's module of templates, which calls `register` after its import."""

    registers_vanilla = True

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in MODULES:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """A loader that runs a module with its own loader, restores that loader, and registers `vanilla`."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register_or_say(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _register_or_say(module: ModuleType) -> None:
    """Register `vanilla`; report on stderr if that is not possible."""
    try:
        problem = (
            "" if register(module) else "a bare template does not give prompt, response, EOS in this version"
        )
    except Exception as error:  # noqa: BLE001  an import of LLaMA-Factory must not fail because of us
        problem = "{}: {}".format(type(error).__name__, error)
    if problem:
        sys.stderr.write("w2s-factory: template vanilla is not registered ({})\n".format(problem))


class _Tokenizer:
    """A tokenizer with one token for each text, BOS and EOS; enough to see what a template adds."""

    bos_token_id, eos_token_id = 1, 2
    bos_token, eos_token = "<s>", "</s>"
    _IDS = {"P": 3, "R": 4}

    def encode(self, text: str, **_options: object) -> list[int]:
        return [self._IDS.get(text, 5)] if text else []

    def convert_tokens_to_ids(self, _token: str) -> int:
        return 5


def _is_vanilla(template: Any) -> bool:
    """Return whether a template gives P, then R and EOS, and adds no system text or stop words."""
    tokenizer = _Tokenizer()
    messages = [{"role": "user", "content": "P"}, {"role": "assistant", "content": "R"}]
    prompt, response = template.encode_oneturn(tokenizer, messages)
    response = list(response) + [tokenizer.eos_token_id] * bool(template.efficient_eos)
    bare = not template.default_system and not template.stop_words
    return bare and list(prompt) == [3] and response == [4, tokenizer.eos_token_id]
