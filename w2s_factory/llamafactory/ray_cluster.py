"""The Ray cluster of a training: whether it has the devices and the CPUs that LLaMA-Factory will reserve.

LLaMA-Factory 0.9.5 reserves ten CPUs for each device of the whole cluster, also for devices that no worker
uses, and waits for them without a word. Earlier versions train through Ray Train, which reserves none.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.arguments import known_arguments
from w2s_factory.llamafactory.installation import look, run_inside
from w2s_factory.quantities import RayCpus
from w2s_factory.ranges import check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.training_config import Config

_PACKAGES: Final = ("ray", "aiohttp-cors")
"""Ray, and a package of its dashboard, which tells LLaMA-Factory the address of the head machine."""

_DEFAULT_WORKERS: Final = 1
"""LLaMA-Factory's default for `ray_num_workers`."""


@dataclass(frozen=True)
class Cluster:
    """The machines on which Ray would place a training.

    Attributes:
        device: The resource that LLaMA-Factory counts as a device: `GPU`, or `CPU` where torch sees no GPU.
        running: Whether it runs already; if not, LLaMA-Factory starts it on this machine.
        nodes: The resources of each machine.
    """

    device: str
    running: bool
    nodes: Sequence[Mapping[str, float]]

    @property
    def devices(self) -> int:
        """Return the number of devices of all machines."""
        return self.count(self.device)

    @property
    def named_devices(self) -> str:
        """Return the number of devices with their kind."""
        return f"{self.devices} devices ({self.device})"

    def count(self, resource: str) -> int:
        """Return the amount of a resource that all machines have together."""
        return int(sum(node.get(resource, 0) for node in self.nodes))

    def places(self, cpus: int) -> int:
        """Return the number of reservations that fit, each of some CPUs and a device of one machine."""
        return sum(self._places(node, cpus) for node in self.nodes)

    def _places(self, node: Mapping[str, float], cpus: int) -> int:
        with_cpus = int(node.get("CPU", 0) // cpus)
        return with_cpus if self.device == "CPU" else min(with_cpus, int(node.get(self.device, 0)))


def check_ray(config: Config, installation: Installation, ray_cpus: int | None = None) -> None:
    """Refuse a training for whose start Ray would wait for ever.

    Args:
        config: A configuration that Ray is to train.
        installation: The LLaMA-Factory; one of another version than 0.9.5 or newer is not checked.
        ray_cpus: The number of CPUs to reserve for each device, in place of LLaMA-Factory's.

    Raises:
        UserError: The version does not know Ray, Ray is not installed with its dashboard, or the cluster is
            too small; the hint is the way on.
        DelegateError: Ray cannot be asked.
    """
    if ray_cpus is not None:
        check(ray_cpus, RayCpus, "ray_cpus")
    version = installation.traits
    if version is not None and "ray_num_workers" not in known_arguments(version):
        raise config.wrong(_field(config), f"LLaMA-Factory {installation.version} does not train under Ray")
    reserved = version.ray_cpus if version else None
    if reserved is None:
        if ray_cpus is None:
            return
        raise UserError(
            f"LLaMA-Factory {installation.version} reserves no CPUs of Ray",
            field="--ray-cpus",
            hint="Leave it out",
        )
    _check_installed(config, installation.python)
    given = config.values.get("ray_init_kwargs")
    cluster = _cluster(installation.python, given if isinstance(given, dict) else {})
    _check_devices(config, cluster)
    cpus = reserved if ray_cpus is None else ray_cpus
    if cluster.places(cpus) < cluster.devices:
        raise config.wrong(
            _field(config),
            f"LLaMA-Factory reserves {cpus} CPUs of Ray for each of {cluster.named_devices}; Ray has "
            f"{cluster.count('CPU')} CPUs, so that it would wait for ever",
            _more_cpus(cluster, cpus),
        )


def _check_installed(config: Config, python: Path) -> None:
    """Refuse to train under Ray where Ray or its dashboard is missing."""
    versions = look(python, *_PACKAGES).versions
    if not all(versions[name] for name in _PACKAGES):
        raise config.wrong(
            _field(config),
            f"needs Ray with its dashboard, which is not installed for {python}",
            shlex.join([str(python), "-m", "pip", "install", "ray[default]"]),
        )


def _cluster(python: Path, given: Mapping[str, Any]) -> Cluster:
    """Return the cluster that LLaMA-Factory would train on."""
    try:
        found = run_inside(python, "ray_resources.py", given=dict(given))
    except DelegateError as error:
        raise DelegateError(f"Ray cannot be asked for its resources ({error.problem})") from None
    return Cluster(found["device"], found["running"], found["nodes"])


def _check_devices(config: Config, cluster: Cluster) -> None:
    """Refuse more workers than devices, and a start on a machine that sees no GPU of a cluster with GPUs."""
    gpus = cluster.count("GPU")
    if cluster.device == "CPU" and gpus:
        raise config.wrong(
            _field(config),
            f"Ray has {gpus} GPUs, but torch sees none on this machine, so LLaMA-Factory would train on CPUs",
            "Start the training on a machine of the cluster that has a GPU",
        )
    workers = config.values.get("ray_num_workers", _DEFAULT_WORKERS)
    if isinstance(workers, int) and workers > cluster.devices:
        raise config.wrong("ray_num_workers", f"is {workers}, but Ray has {cluster.named_devices}")


def _more_cpus(cluster: Cluster, cpus: int) -> str:
    """Return what to change so that the reservations fit.

    Ray counts the CPUs it was started with, whatever the machine has; it binds no process to them.
    """
    fewer = "Reserve fewer: w2s-factory train --ray-cpus 1"
    if cluster.device == "CPU":  # here a CPU is a device, so that each one more needs ten more
        return fewer
    if cluster.running:
        return f"Start Ray with {cpus} CPUs for each GPU of a machine (ray start --num-cpus N). {fewer}"
    return f"Count more for this training: ray_init_kwargs.num_cpus={cpus * cluster.devices}. {fewer}"


def _field(config: Config) -> str:
    """Return the argument by which a configuration asks for Ray; the variable if only that does."""
    return "ray_num_workers" if "ray_num_workers" in config.values else "USE_RAY"
