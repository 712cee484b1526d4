"""A module that Python runs at the start of the processes of `w2s-factory train`: it is on their path.

It installs four hooks: one makes `vanilla` known, one keeps the lines of the log that say how the training
runs, one changes Ray's reservation of CPUs, one lets several machines resume from the same checkpoint. Then
it runs, under its own name, the `sitecustomize` that Python would have run otherwise.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

import w2s_log_hook  # in this folder, which is on the path
import w2s_ray_hook
import w2s_resume_hook
import w2s_vanilla_hook


def _behind_this_folder() -> list[str]:
    """Return the part of the path after this folder; all of it if the folder is not on it."""
    here = os.path.realpath(os.path.dirname(__file__))
    folders = [os.path.realpath(folder) for folder in sys.path]
    return sys.path[folders.index(here) + 1 :] if here in folders else []


def _run_the_next() -> None:
    """Run the next `sitecustomize` on the path, if there is one."""
    spec = PathFinder.find_spec("sitecustomize", _behind_this_folder())
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


w2s_vanilla_hook.install()
w2s_log_hook.install()
w2s_ray_hook.install()
w2s_resume_hook.install()
_run_the_next()
