"""A program that reports the Ray cluster that LLaMA-Factory would train on, as a JSON object.

It is run by the interpreter of LLaMA-Factory's environment (0.9.5 and later), and reads `ray_init_kwargs`
from stdin. It joins a running cluster for a moment and starts none: where there is none, LLaMA-Factory starts
one on this machine, which is reported as Ray would start it. Writes {"device": the resource that
LLaMA-Factory counts as a device, "running": whether a cluster runs, "nodes": [{resource: amount}] of each
machine}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def running(given: dict[str, Any]) -> list[dict[str, float]] | None:
    """Return the resources of each machine of the running cluster; None if there is none."""
    import ray

    address = given.get("address") or "auto"
    if address == "local":
        return None
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except ConnectionError:
        if address != "auto" or os.environ.get("RAY_ADDRESS"):
            raise
        return None
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    ray.shutdown()
    return nodes


def local(given: dict[str, Any], device: str) -> dict[str, float]:
    """Return the resources of the cluster that would be started here."""
    import torch

    cpus = given.get("num_cpus")
    if cpus is None:
        from ray._private.utils import get_num_cpus  # it minds the limits of containers

        cpus = get_num_cpus()
    found = {"CPU": cpus}
    if device == "GPU":
        gpus = given.get("num_gpus")
        found["GPU"] = torch.cuda.device_count() if gpus is None else gpus
    return {**found, **(given.get("resources") or {})}


def main() -> None:
    given = json.load(sys.stdin) or {}
    from llamafactory.extras.misc import get_device_name

    device = get_device_name().upper()
    found = running(given)
    nodes = [local(given, device)] if found is None else found
    sys.stdout.write("\n" + json.dumps({"device": device, "running": found is not None, "nodes": nodes}))


main()
