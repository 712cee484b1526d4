"""What an environment has for training, whether it fits together, and the command that mends it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from packaging.version import Version as Number

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.environment import look, run_inside
from w2s_factory.llamafactory.installation import named_interpreter
from w2s_factory.llamafactory.installed import DISTRIBUTIONS
from w2s_factory.llamafactory.template import install_command
from w2s_factory.llamafactory.versions import RELEASES, for_version
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.environment import Environment

TORCH = ("torch", "torchvision", "torchaudio")

State: TypeAlias = Literal["fine", "missing", "broken"]


@dataclass(frozen=True)
class Diagnosis:
    """One thing looked at.

    Attributes:
        subject: What was looked at.
        state: `fine`; `missing`, where work goes on without it; `broken`, where training can't.
        detail: What was found.
        mend: The command that mends it; None where there is nothing to mend.
    """

    subject: str
    state: State
    detail: str
    mend: str | None = None


def diagnose(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> list[Diagnosis]:
    """Look at an environment: Python, torch, LLaMA-Factory, vanilla, vLLM, GPU.

    torch and LLaMA-Factory are really imported, each in a process of its own, which takes seconds.

    Args:
        python: Its interpreter; without it, the one we run in.
        llamafactory_cli: Its `llamafactory-cli`, another way to name it.

    Raises:
        UserError: The interpreter can't be told or can't be run.
    """
    interpreter = named_interpreter(python, llamafactory_cli)
    environment = look(interpreter, (*TORCH, *DISTRIBUTIONS, "vllm"))
    torch, seen = _torch(environment)
    factory, vanilla = _llamafactory(environment, torch)
    devices = seen.get("devices", [])
    return [
        Diagnosis("Python", "fine", f"{environment.python_version} ({environment.python})"),
        torch,
        factory,
        vanilla,
        _vllm(environment, devices),
        _gpu(torch, devices),
    ]


def _torch(environment: Environment) -> tuple[Diagnosis, dict[str, Any]]:
    found = {name: environment.versions[name] for name in TORCH if environment.versions[name]}
    detail = ", ".join(f"{name} {version}" for name, version in found.items())
    mend = _pip(environment, *TORCH)
    if "torch" not in found:
        return Diagnosis("torch", "broken", "not installed", mend), {}
    try:
        seen = run_inside(environment.python, "imports_work.py", arguments=list(found))
    except DelegateError as error:
        return Diagnosis("torch", "broken", f"{detail}: {_misfit(found)}{error.problem}", mend), {}
    return Diagnosis("torch", "fine", detail), seen


def _misfit(found: dict[str, str | None]) -> str:
    """Which of torch's companions is for another torch, by their numbers; empty if none is.

    torchaudio has torch's number; torchvision's second one is 15 ahead (2.11 and 0.26).
    """
    versions = {name: Number(version or "0") for name, version in found.items()}
    torch = versions["torch"]
    made_for = {"torchaudio": (torch.major, torch.minor), "torchvision": (0, torch.minor + 15)}
    wrong = [
        f"{name} {found[name]} is for another torch than {found['torch']}"
        for name, expected in made_for.items()
        if name in versions and versions[name].release[:2] != expected
    ]
    return f"{' and '.join(wrong)}; " if wrong else ""


def _llamafactory(environment: Environment, torch: Diagnosis) -> tuple[Diagnosis, Diagnosis]:
    package = next((name for name in DISTRIBUTIONS if environment.versions[name]), None)
    unknown = Diagnosis("vanilla", "missing", "LLaMA-Factory can't be asked")
    if package is None or environment.templates is None:
        mend = _pip(environment, "llamafactory", *TORCH)
        return Diagnosis("LLaMA-Factory", "broken", "not installed", mend), unknown
    version = str(environment.versions[package])
    try:
        asked = run_inside(environment.python, "imports_work.py", arguments=[f"{package}.train.tuner"])
    except DelegateError as error:
        mend = torch.mend or _pip(environment, "llamafactory", *TORCH)
        return Diagnosis(
            "LLaMA-Factory", "broken", f"{version}, can't be imported: {error.problem}", mend
        ), unknown
    supported = (
        "" if _is_known(version) else f", not among those known here ({RELEASES[0]} to {RELEASES[-1]})"
    )
    return Diagnosis("LLaMA-Factory", "fine", f"{version}{supported}"), _vanilla(
        environment, bool(asked["vanilla"])
    )


def _vanilla(environment: Environment, known: bool) -> Diagnosis:
    if known:
        how = "built in" if environment.vanilla_built_in else "installed"
        return Diagnosis("vanilla", "fine", f"known to llamafactory-cli ({how})")
    detail = "known to w2s-factory train, not to plain llamafactory-cli"
    return Diagnosis("vanilla", "missing", detail, install_command(environment.python))


def _vllm(environment: Environment, devices: list[str]) -> Diagnosis:
    version = environment.versions["vllm"]
    if version:
        return Diagnosis("vLLM", "fine", version)
    mend = _pip(environment, "vllm") if devices else None
    return Diagnosis("vLLM", "missing", "not installed; generation uses transformers", mend)


def _gpu(torch: Diagnosis, devices: list[str]) -> Diagnosis:
    if devices:
        return Diagnosis("GPU", "fine", ", ".join(devices))
    if torch.state == "broken":
        return Diagnosis("GPU", "missing", "torch can't be asked")
    return Diagnosis("GPU", "missing", "none seen by torch; training runs on the CPU")


def _is_known(version: str) -> bool:
    try:
        for_version(version)
    except UserError:
        return False
    return True


def _pip(environment: Environment, *distributions: str) -> str:
    """The command that installs the versions tried together."""
    constraints = shipped("constraints.txt")
    return shlex.join(
        [str(environment.python), "-m", "pip", "install", "-c", str(constraints), *distributions]
    )
