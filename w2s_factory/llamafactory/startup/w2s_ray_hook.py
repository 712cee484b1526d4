"""Make LLaMA-Factory reserve fewer CPUs of Ray for each device, for `w2s-factory train --ray-cpus`.

LLaMA-Factory 0.9.5 reserves ten, and has no option for the number. It is self-contained on purpose (standard
library, Python 3.8 and later), since every process of a training runs it at its start.
"""

from __future__ import annotations

import os
import sys

from w2s_after_import import after_import  # in this folder, which is on the path

TYPE_CHECKING = False  # importing `typing` takes longer than all of this
if TYPE_CHECKING:
    from typing import Any

CPUS = "W2S_FACTORY_RAY_CPUS"
"""The environment variable with the number of CPUs."""

MODULE = "llamafactory.train.tuner"


def install() -> None:
    """Change the reservation after the module's import, if the variable is set."""
    cpus = os.environ.get(CPUS)
    if cpus:
        after_import(MODULE, lambda tuner: reserve(tuner, int(cpus)))


def reserve(tuner: Any, cpus: int) -> None:
    """Replace the number of CPUs in the placement group of a training, and in the options of its workers."""
    placing = sys.modules[tuner.get_placement_group.__module__]
    place, options = placing.placement_group, tuner.get_ray_remote_config_for_worker

    def placement_group(bundles: list[dict[str, float]], *args: Any, **kwargs: Any) -> Any:
        for bundle in bundles:
            bundle["CPU"] = cpus
        return place(bundles, *args, **kwargs)

    def get_ray_remote_config_for_worker(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**options(*args, **kwargs), "num_cpus": cpus}

    placing.placement_group = placement_group  # type: ignore[attr-defined]
    tuner.get_ray_remote_config_for_worker = get_ray_remote_config_for_worker
