"""Ray's cluster before a training: its devices, the CPUs that LLaMA-Factory reserves, and the way to reserve fewer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import ray_cluster
from w2s_factory.llamafactory.installation import Installation
from w2s_factory.llamafactory.parallelism import RAY_CPUS
from w2s_factory.llamafactory.ray_cluster import Cluster, check_ray
from w2s_factory.llamafactory.template import STARTUP
from w2s_factory.llamafactory.training_config import Config

CONFIG = Config(Path("train.yaml"), (), {"ray_num_workers": 2})
NEWEST = Installation(("llamafactory-cli",), Path("/env/bin/python"), "0.9.5")
GPUS_8 = {"CPU": 32.0, "GPU": 8.0}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch):
    """Say which resources Ray has; a cluster of this machine's is started by LLaMA-Factory if not running."""

    def has(device: str, *nodes: dict[str, float], running: bool = True, packages: str | None = "1") -> None:
        versions = {"ray": "2.60.0", "aiohttp-cors": packages}
        monkeypatch.setattr(ray_cluster, "look", lambda *_: SimpleNamespace(versions=versions))
        found = {"device": device, "running": running, "nodes": list(nodes)}
        monkeypatch.setattr(ray_cluster, "run_inside", lambda *_, **__: found)

    return has


@pytest.mark.parametrize(
    ("device", "nodes", "cpus", "places"),
    [
        ("GPU", [GPUS_8], 10, 3),
        ("GPU", [GPUS_8], 4, 8),
        ("GPU", [GPUS_8, {"CPU": 80.0, "GPU": 8.0}], 10, 11),
        ("GPU", [{"CPU": 9.0, "GPU": 1.0}, {"CPU": 9.0}], 10, 0),  # a reservation is on one machine
        ("GPU", [{"CPU": 64.0}], 10, 0),
        ("CPU", [{"CPU": 16.0}], 10, 1),
        ("CPU", [{"CPU": 2.0}], 1, 2),
    ],
)
def test_reservations_are_counted_by_machine(
    device: str, nodes: list[dict[str, float]], cpus: int, places: int
) -> None:
    assert Cluster(device, True, nodes).places(cpus) == places


ENOUGH = [("GPU", {"CPU": 80.0, "GPU": 8.0}, None), ("GPU", GPUS_8, 4), ("CPU", {"CPU": 2.0}, 1)]


@pytest.mark.parametrize(("device", "node", "ray_cpus"), ENOUGH)
def test_a_cluster_with_room_passes(
    device: str, node: dict[str, float], ray_cpus: int | None, cluster
) -> None:
    cluster(device, node)
    check_ray(CONFIG, NEWEST, ray_cpus)


REFUSED = [
    (
        "GPU",
        GPUS_8,
        True,
        ("reserves 10 CPUs of Ray for each of 8 devices (GPU); Ray has 32", "ray start --num-cpus"),
    ),
    ("GPU", GPUS_8, False, ("Ray has 32 CPUs", "ray_init_kwargs.num_cpus=80")),
    ("CPU", {"CPU": 2.0}, False, ("for each of 2 devices (CPU)", "--ray-cpus 1")),
    ("GPU", {"CPU": 80.0, "GPU": 1.0}, True, ("is 2, but Ray has 1 devices (GPU)",)),
    ("CPU", GPUS_8, True, ("Ray has 8 GPUs, but torch sees none", "that has a GPU")),
]


@pytest.mark.parametrize(("device", "node", "running", "texts"), REFUSED)
def test_a_cluster_that_is_too_small_is_refused_with_the_way_on(
    device: str, node: dict[str, float], running: bool, texts: tuple[str, ...], cluster
) -> None:
    cluster(device, node, running=running)
    with pytest.raises(UserError) as refused:
        check_ray(CONFIG, NEWEST)
    assert refused.value.field == "ray_num_workers"
    assert all(text in str(refused.value) for text in texts), str(refused.value)


def test_ray_without_its_dashboard_is_refused(cluster) -> None:
    cluster("GPU", GPUS_8, packages=None)
    with pytest.raises(UserError, match=r"needs Ray with its dashboard.* pip install 'ray\[default\]'"):
        check_ray(CONFIG, NEWEST)


def test_an_earlier_version_reserves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "look", None)
    earlier = Installation(("llamafactory-cli",), Path("python"), "0.9.4")
    check_ray(CONFIG, earlier)
    with pytest.raises(UserError, match=r"0\.9\.4 reserves no CPUs of Ray"):
        check_ray(CONFIG, earlier, 1)


def test_a_version_without_ray_is_refused() -> None:
    earlier = Installation(("llamafactory-cli",), Path("python"), "0.9.1")
    with pytest.raises(UserError, match=r"0\.9\.1 does not train under Ray"):
        check_ray(CONFIG, earlier)


@pytest.mark.parametrize("cpus", [0, -1, 1.5, True])
def test_the_number_has_a_range(cpus: Any, cluster) -> None:
    cluster("GPU", GPUS_8)
    with pytest.raises(UserError, match="ray_cpus"):
        check_ray(CONFIG, NEWEST, cpus)


# LLaMA-Factory 0.9.5 in miniature: the functions that place Ray's workers, by their names and call.
PLACING = """
placed = []
def placement_group(bundles, strategy):
    placed.append([dict(bundle) for bundle in bundles])
def get_placement_group(number):
    bundle = {"CPU": 10, "GPU": 1}
    return placement_group([bundle for _ in range(number)], strategy="PACK"), bundle
def get_ray_remote_config_for_worker(rank):
    return {"num_cpus": 10, "rank": rank}
"""
USING = """
from .trainer_utils import get_placement_group, get_ray_remote_config_for_worker
def train():
    _, bundle = get_placement_group(2)
    return bundle, get_ray_remote_config_for_worker(rank=1)
"""
SHOWING = """
from llamafactory.train import trainer_utils
from llamafactory.train.tuner import train
print(train(), trainer_utils.placed)
"""


@pytest.mark.parametrize(("variables", "cpus"), [({}, 10), ({RAY_CPUS: "3"}, 3)])
def test_fewer_cpus_are_reserved_in_llamafactorys_process(
    variables: dict[str, str], cpus: int, tmp_path: Path
) -> None:
    package = tmp_path / "llamafactory" / "train"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    for file, text in (("__init__", ""), ("trainer_utils", PLACING), ("tuner", USING)):
        (package / f"{file}.py").write_text(text)
    shown = subprocess.check_output(
        [sys.executable, "-c", SHOWING], env={"PYTHONPATH": f"{STARTUP}:{tmp_path}", **variables}, text=True
    )
    bundle = {"CPU": cpus, "GPU": 1}
    assert shown.strip() == f"({bundle}, {{'num_cpus': {cpus}, 'rank': 1}}) {[[bundle, bundle]]}"
