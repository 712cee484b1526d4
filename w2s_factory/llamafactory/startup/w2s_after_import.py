"""Change a module of a training's process right after its import, for the other hooks of this folder.

It is self-contained on purpose (standard library, Python 3.8 and later), since every process of a training
runs it at its start.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

TYPE_CHECKING = False  # importing `typing` takes longer than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def after_import(name: str, change: Callable[[Any], None]) -> None:
    """Add a finder that calls a function with a module after the module's import."""
    sys.meta_path.insert(0, _Finder(name, change))


class _Finder:
    """A finder of one module, which is changed once."""

    def __init__(self, name: str, change: Callable[[Any], None]) -> None:
        self._name, self._change = name, change

    def find_spec(self, name: str, *_places: Any) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                self._change(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
