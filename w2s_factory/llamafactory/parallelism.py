"""The parallelism of a training: the processes and engine it asks for, and those its log reports.

What the configuration needs is set in the environment of LLaMA-Factory's processes; a contradiction is
refused before the start. After the end, the lines of the log that `startup/w2s_log_hook.py` has kept are
compared with what was asked for.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.preflight import is_on, under_ray, visible_devices
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.training_config import Config

LOG: Final = "W2S_FACTORY_TRAINING_LOG"
"""The environment variable with the folder for the kept lines."""

RAY_CPUS: Final = "W2S_FACTORY_RAY_CPUS"
"""The environment variable with the number of CPUs that Ray reserves for each device."""

_ROWS, _STEPS = 8, 1
"""Defaults of transformers for `per_device_train_batch_size` and `gradient_accumulation_steps`."""

_TO_MEET: Final = {
    "NODE_RANK": "NODE_RANK=0 on the first machine, NODE_RANK=1 on the second",
    "MASTER_ADDR": "MASTER_ADDR=ADDRESS, the address of the first machine, on all",
    "MASTER_PORT": "MASTER_PORT=29500, a free port of the first machine, on all",
}
"""The variables by which several machines find one another, each with the line to add."""

_OTHER_BATCH: Final = ("auto_find_batch_size", "tp_size")
"""Arguments with which the batch is not the product of the three numbers."""


@dataclass(frozen=True)
class Asked:
    """The parallelism that a configuration and the environment ask for; None for what they leave open.

    Attributes:
        variables: The environment variables to add, so that LLaMA-Factory trains in that way.
        engine: The engine (`DeepSpeed ZeRO-3`).
        ray: Whether Ray is to place the processes.
        ranks: The number of processes.
        rows: The number of rows of a process in each step of the optimiser.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None
    ray: bool = False
    ranks: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Parallelism:
    """The parallelism of a training by its own log; None for what the log does not say.

    Attributes:
        engine: `one process`, `DataParallel`, `DDP`, `DeepSpeed ZeRO-3`, or another one by accelerate's name
            for it.
        ray: Whether Ray placed the processes.
        ranks: The number of processes.
        batch: The number of rows in a step of the optimiser, over all processes.
        device: The kind of device (`cpu`, `cuda`).
        copies: The number of devices among which each process divides its rows. It is more than one only
            with torch's `DataParallel`, as LLaMA-Factory up to 0.7.1 trains where it sees several GPUs.
    """

    engine: str | None = None
    ray: bool = False
    ranks: int | None = None
    batch: int | None = None
    device: str | None = None
    copies: int = 1

    @property
    def spread(self) -> dict[str, Any]:
        """Return what a manifest records of a training in more than one plain process."""
        if self.engine in (None, "one process"):
            return {}
        facts = {"engine": self.engine, "ray": self.ray, "ranks": self.ranks, "batch": self.batch}
        if self.copies > 1:
            facts["copies"] = self.copies
        return {name: fact for name, fact in facts.items() if fact}

    def __str__(self) -> str:
        """Return a text for the user; what the log does not say is named as not reported."""
        if self == Parallelism():
            return "not reported by LLaMA-Factory's log"
        engine = (self.engine or "not reported") + (" under Ray" if self.ray else "")
        engine += f" over {self.copies} devices" if self.copies > 1 else ""
        ranks = "number of ranks not reported" if self.ranks is None else f"ranks {self.ranks}"
        device = "" if self.device is None else f" ({self.device})"
        batch = "not reported" if self.batch is None else f"{self.batch:,}"
        return f"{engine}, {ranks}{device}, total batch size {batch}"


def asked_parallelism(
    config: Config, installation: Installation, environ: Mapping[str, str], ray_cpus: int | None = None
) -> Asked:
    """Return the parallelism that a training asks for.

    Args:
        config: The training configuration.
        installation: The LLaMA-Factory.
        environ: The environment variables of the user.
        ray_cpus: The number of CPUs that Ray is to reserve for each device.

    Raises:
        UserError: The variables contradict the configuration or one another, so that LLaMA-Factory would
            train in another way or wait for ever; the hint is the line to add.
        DelegateError: torch cannot be imported where its devices have to be counted.
    """
    rows, engine = _rows(config.values), _deepspeed(config)
    if under_ray(config.values, environ):
        _check_ray_alone(config, environ)
        variables = {"USE_RAY": "1"} | ({} if ray_cpus is None else {RAY_CPUS: str(ray_cpus)})
        workers = config.values.get("ray_num_workers", 1)
        return Asked(variables, engine, True, workers if isinstance(workers, int) else None, rows)
    if ray_cpus is not None:
        raise UserError("Ray does not train this configuration", field="--ray-cpus", hint="Leave it out")
    if installation.traits is not None and not installation.traits.torchrun:
        return Asked(engine=engine, rows=rows)
    nodes = _nodes(environ)
    several = environ.get("NPROC_PER_NODE", "1") != "1"  # otherwise ignored where there is one device
    if engine is None and nodes == 1 and not several and not is_on(environ, "FORCE_TORCHRUN"):
        return Asked(rows=rows)
    variables, processes = _torchrun(environ, installation.python, deepspeed=engine is not None)
    elastic = all(name in environ for name in ("RDZV_ID", "MIN_NNODES", "MAX_NNODES"))
    ranks = None if processes is None or elastic else nodes * processes
    return Asked(variables, engine, ranks=ranks, rows=rows)


def device_count(asked: Asked, environ: Mapping[str, str], python: Path) -> int:
    """Return the number of devices among which a training divides its rows.

    Where the configuration and the variables do not say it, torch is asked for the devices of this machine,
    and the other machines count as this one.

    Args:
        asked: The parallelism that the training asks for.
        environ: The environment variables of the user.
        python: The interpreter of LLaMA-Factory's environment.

    Raises:
        DelegateError: torch cannot be imported there.
    """
    if asked.ranks is not None:
        return asked.ranks
    given = environ.get("NPROC_PER_NODE", "")
    if given.isdecimal():
        return _nodes(environ) * int(given)
    gpus = 0 if given == "cpu" else len(visible_devices(python))
    by_cores = given in ("auto", "cpu")  # as torchrun reads them
    return _nodes(environ) * (gpus or (os.cpu_count() if by_cores else 1) or 1)


def reported_parallelism(folder: Path) -> Parallelism:
    """Return the parallelism of a training by the lines of its log that the hook kept in a folder."""
    kept = [line for file in sorted(folder.glob("*.jsonl")) for line in _kept(file)]
    log = "\n".join(line["message"] for line in kept)
    spread = re.search(r"distributed training: (True|False)", log)
    engines = [line["accelerate"] for line in kept if line["accelerate"] and "batch size" in line["message"]]
    alone = "one process" if spread and spread[1] == "False" else None
    copies = _largest(re.findall(r"n_gpu: (\d+)", log)) or 1
    if copies > 1:  # 0.5.0 calls this "distributed training: True", though one process trains
        alone, engines = "DataParallel", []
    device = re.search(r"device: ([a-z]+)", log)
    return Parallelism(
        engine=_engine(engines[0]) if engines else alone,
        ray="ray.remote mode" in log or any(line["ray"] for line in kept),
        ranks=_largest(re.findall(r"world size: (\d+)", log)) or (1 if alone else None),
        batch=_largest(re.findall(r"Total train batch size .*= ([\d,]+)", log)),
        device=device[1] if device else None,
        copies=copies,
    )


def _kept(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that the hook kept, without one that a process was killed in the middle of writing."""
    for line in file.read_text("utf-8", errors="replace").splitlines():
        try:
            kept = json.loads(line)
        except ValueError:
            continue
        if isinstance(kept, dict) and kept.keys() >= {"message", "accelerate", "ray"}:
            yield kept


def check_parallelism(asked: Asked, found: Parallelism, output_dir: Path) -> None:
    """Report a training that was done in another way than asked for; what the log does not say passes.

    Raises:
        DelegateError: The engine, Ray, the number of ranks or the total batch size differs.
    """
    batch = None if asked.rows is None or found.ranks is None else asked.rows * found.ranks * found.copies
    pairs = [
        ("engine", asked.engine, found.engine),
        ("Ray", *(("used", "not used") if asked.ray and not found.ray and found.ranks else (None, None))),
        ("ranks", asked.ranks, found.ranks),
        ("total batch size", batch, found.batch),
    ]
    wrong = [
        f"{name}: expected {expected}, got {got}"
        for name, expected, got in pairs
        if expected is not None and got is not None and expected != got
    ]
    if wrong:
        raise DelegateError(
            f"LLaMA-Factory trained in another way than the configuration says: {'; '.join(wrong)}",
            hint=f"What it wrote into {output_dir} is from that training",
        )


def _engine(accelerate: Mapping[str, Any]) -> str:
    """Return the engine's name, by what accelerate knew when the training began."""
    kind = accelerate["type"]
    if kind == "DEEPSPEED":
        return f"DeepSpeed ZeRO-{accelerate['zero_stage']}"
    if kind == "NO":
        return "one process"
    return "DDP" if kind.startswith("MULTI_") else str(kind)


def _largest(numbers: Iterable[str]) -> int | None:
    """Return the largest of the numbers, as the log writes them; None if there are none."""
    return max((int(number.replace(",", "")) for number in numbers), default=None)


def _rows(values: Mapping[str, Any]) -> int | None:
    """Return the rows of a process in a step of the optimiser; None if that is not said."""
    rows = values.get("per_device_train_batch_size", _ROWS)
    steps = values.get("gradient_accumulation_steps", _STEPS)
    known = isinstance(rows, int) and isinstance(steps, int) and not any(map(values.get, _OTHER_BATCH))
    return rows * steps if known else None


def _deepspeed(config: Config) -> str | None:
    """Return the engine that the argument `deepspeed` asks for; None if it is not set.

    Raises:
        UserError: Its file is not a JSON object.
    """
    value = config.values.get("deepspeed")
    if not value:
        return None
    zero = (value if isinstance(value, dict) else read_object(Path(value))).get("zero_optimization")
    return f"DeepSpeed ZeRO-{zero.get('stage', 0) if isinstance(zero, dict) else 0}"


def _torchrun(
    environ: Mapping[str, str], python: Path, *, deepspeed: bool
) -> tuple[dict[str, str], int | None]:
    """Return the variables for torchrun, and its processes on this machine; None if torchrun counts them.

    LLaMA-Factory lets torchrun start a process for each GPU, and so none at all where there is no GPU.
    """
    variables = {"FORCE_TORCHRUN": "1"}
    given = environ.get("NPROC_PER_NODE")
    devices = len(visible_devices(python)) if given is None or deepspeed else None
    if deepspeed and devices == 0 and "DS_ACCELERATOR" not in environ:
        variables["DS_ACCELERATOR"] = "cpu"
    if given is not None:
        return variables, int(given) if given.isdecimal() else None
    if devices == 0:
        return variables | {"NPROC_PER_NODE": "1"}, 1
    return variables, devices


def _nodes(environ: Mapping[str, str]) -> int:
    """Return the number of machines, by the variables of LLaMA-Factory.

    Raises:
        UserError: They do not say which machine this is, or where the first one is.
    """
    text, rank = environ.get("NNODES", "1"), environ.get("NODE_RANK")
    if not text.isdecimal() or text == "0":
        raise UserError(f"expected a number of machines, got {text!r}", field="NNODES")
    nodes = int(text)
    elastic = "RDZV_ID" in environ  # torchrun numbers the machines when they meet
    if rank is not None and not elastic and not (rank.isdecimal() and int(rank) < nodes):
        if nodes == 1:
            problem = f"is {rank!r}, but NNODES is {text!r}, so that each machine would train alone"
            raise UserError(problem, field="NODE_RANK", hint="Add NNODES=2, the number of machines")
        raise UserError(f"expected a number from 0 to {nodes - 1}, got {rank!r}", field="NODE_RANK")
    for name, line in _TO_MEET.items() if nodes > 1 else ():
        if not environ.get(name) and not (elastic and name == "NODE_RANK"):
            problem = f"is not set, and {nodes} machines cannot find one another without it"
            raise UserError(problem, field=name, hint=f"Add {line}")
    return nodes


def _check_ray_alone(config: Config, environ: Mapping[str, str]) -> None:
    """Refuse variables of torchrun for a training under Ray, and Ray's variable if it switches Ray off."""
    if "USE_RAY" in environ and not is_on(environ, "USE_RAY"):
        raise UserError(
            f"is {environ['USE_RAY']!r}, but {config.path} sets arguments of Ray, which would have no effect",
            field="USE_RAY",
            hint="Set USE_RAY=1, or remove these arguments",
        )
    others = {
        "FORCE_TORCHRUN": is_on(environ, "FORCE_TORCHRUN"),
        "NNODES": environ.get("NNODES", "1") != "1",
        "NODE_RANK": environ.get("NODE_RANK", "0") != "0",
    }
    for name, contradicts in others.items():
        if contradicts:
            raise UserError(
                f"is {environ[name]!r}, but Ray places the processes of this training",
                field=name,
                hint=f"Start it with: env -u {name} w2s-factory train {config.path}",
            )
