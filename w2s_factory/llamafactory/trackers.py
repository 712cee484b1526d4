"""Trackers of trainings (`report_to`): which transformers knows, and the packages that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import nearest_or_all, short
from w2s_factory.llamafactory.installation import look

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPORT_TO: Final = "report_to"
"""The training argument that names them, and the key of an experiment."""

RUN_NAME: Final = "run_name"
"""The training argument with the name of the run that they show."""

NONE: Final = "none"
"""The value with which nothing is reported; it cannot be one of several."""

_ALL: Final = "all"
"""The value that stands for all trackers that are installed, likewise."""

PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "tensorboard": ("tensorboard", "tensorboardX", "tb-nightly"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "azure_ml": ("azureml-core",),
    "clearml": ("clearml",),
    "codecarbon": ("codecarbon",),
    "comet_ml": ("comet-ml",),
    "dagshub": ("dagshub",),
    "dvclive": ("dvclive",),
    "flyte": ("flytekit",),
    "kubeflow": (),
    "neptune": ("neptune", "neptune-client"),
    "swanlab": ("swanlab",),
    "trackio": ("trackio",),
}
"""The trackers of transformers (4.37 to 5.6), each with the distributions of which it needs one.

The first of them is the one to install. Kubeflow is reached through variables of its own jobs.
"""


def trackers_problem(value: Any) -> str | None:
    """Return the problem with a value of `report_to`, a tracker or a list of them; None if there is none."""
    names = value if isinstance(value, list) else [value]
    known = list(PACKAGES)
    if value is None or (len(names) == 1 and names[0] in (NONE, _ALL)):
        return None
    for name in names:
        if name in (NONE, _ALL):
            return f'expected "{name}" alone, got it together with others'
        if not isinstance(name, str):
            return f"expected the name of a tracker or a list of names, got {short(name)}"
        if name not in known:
            return f'no tracker "{name}". {nearest_or_all(name, known)}'
    return None


def trackers(value: Any) -> list[str]:
    """Return the trackers that a value of `report_to` names, without `none` and `all`."""
    names = value if isinstance(value, list) else [value]
    return [name for name in names if name in PACKAGES]


def missing_tracker(names: list[str], python: str | Path) -> tuple[str, str] | None:
    """Return the first tracker that an environment lacks and the package to install; None if it has all.

    Args:
        names: The trackers.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        UserError: The interpreter cannot be run.
    """
    needed = {name: PACKAGES[name] for name in names if PACKAGES[name]}
    if not needed:
        return None
    versions = look(python, *(package for packages in needed.values() for package in packages)).versions
    for name, packages in needed.items():
        if not any(versions[package] for package in packages):
            return name, packages[0]
    return None
