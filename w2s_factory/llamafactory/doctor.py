"""Diagnosis of a training environment: what is installed, whether it fits together, and how to fix it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from packaging.version import Version as Number

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.installation import look, named_interpreter, run_inside
from w2s_factory.llamafactory.preflight import BITSANDBYTES
from w2s_factory.llamafactory.template import install_command
from w2s_factory.llamafactory.versions import NEWEST, RELEASES, for_version
from w2s_factory.packages import constrained_install

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.installation import Environment

TORCH = ("torch", "torchvision", "torchaudio")

Health: TypeAlias = Literal["fine", "missing", "broken"]
"""A part's state: `missing` where work goes on without it, `broken` where training cannot."""


@dataclass(frozen=True)
class Diagnosis:
    """The diagnosis of one part of an environment.

    Attributes:
        subject: The part (`torch`).
        state: `fine`; `missing`, where work goes on without it; `broken`, where training cannot.
        detail: The versions found, or the problem.
        fix: The command that fixes it; None where there is nothing to fix.
    """

    subject: str
    state: Health
    detail: str
    fix: str | None = None

    @property
    def mend(self) -> str | None:
        """Return `fix`, under the name that it had before."""
        text = "Diagnosis.mend is now Diagnosis.fix; the old name will be removed"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return self.fix


def diagnose(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> list[Diagnosis]:
    """Return the diagnosis of an environment: Python, torch, LLaMA-Factory, vanilla, vLLM, bitsandbytes, GPU.

    torch and LLaMA-Factory are imported, each in a process of its own, which takes seconds.

    Args:
        python: Its interpreter; by default, the current one.
        llamafactory_cli: Its `llamafactory-cli`, another way to name the environment.

    Raises:
        UserError: The interpreter cannot be determined or cannot be run.
    """
    environment = look(named_interpreter(python, llamafactory_cli), *TORCH, "vllm", BITSANDBYTES)
    torch, seen = _torch(environment)
    factory, vanilla = _llamafactory(environment, torch)
    devices = seen.get("devices", [])
    return [
        Diagnosis("Python", "fine", f"{environment.python_version} ({environment.python})"),
        torch,
        factory,
        vanilla,
        _vllm(environment, devices),
        _bitsandbytes(environment, devices),
        _gpu(torch, devices),
    ]


def _torch(environment: Environment) -> tuple[Diagnosis, dict[str, Any]]:
    """Return the diagnosis of torch and its companions, and the report of `imports_work.py` on them."""
    found = {name: environment.versions[name] for name in TORCH if environment.versions[name]}
    detail = ", ".join(f"{name} {version}" for name, version in found.items())
    fix = _pip(environment, *TORCH)
    if "torch" not in found:
        return Diagnosis("torch", "broken", "not installed", fix), {}
    try:
        seen = run_inside(environment.python, "imports_work.py", arguments=list(found))
    except DelegateError as error:
        return Diagnosis("torch", "broken", f"{detail}: {_misfit(found)}{error.problem}", fix), {}
    return Diagnosis("torch", "fine", detail), seen


def _misfit(found: dict[str, str | None]) -> str:
    """Return a text on which of torch's companions is for another torch, by their versions; empty if none is.

    torchaudio has the version of its torch; torchvision's minor version is 15 ahead (2.11 and 0.26).
    """
    versions = {name: Number(version or "0") for name, version in found.items()}
    torch = versions["torch"]
    made_for = {"torchaudio": (torch.major, torch.minor), "torchvision": (0, torch.minor + 15)}
    wrong = [
        f"{name} {found[name]} needs another version of torch than {found['torch']}"
        for name, expected in made_for.items()
        if name in versions and versions[name].release[:2] != expected
    ]
    return f"{' and '.join(wrong)}; " if wrong else ""


def _llamafactory(environment: Environment, torch: Diagnosis) -> tuple[Diagnosis, Diagnosis]:
    """Return the diagnoses of LLaMA-Factory and of its template `vanilla`."""
    package = environment.distribution
    unknown = Diagnosis("vanilla", "missing", "not known, since LLaMA-Factory cannot be imported")
    if package is None or environment.templates is None:
        fix = _pip(environment, "llamafactory", *TORCH)
        return Diagnosis("LLaMA-Factory", "broken", "not installed", fix), unknown
    version = str(environment.llamafactory)
    try:
        asked = run_inside(environment.python, "imports_work.py", arguments=[f"{package}.train.tuner"])
    except DelegateError as error:
        fix = torch.fix or _pip(environment, "llamafactory", *TORCH)
        problem = f"{version}, cannot be imported: {error.problem}"
        return Diagnosis("LLaMA-Factory", "broken", problem, fix), unknown
    known = f", not among the known versions ({RELEASES[0]} to {NEWEST})"
    found = Diagnosis("LLaMA-Factory", "fine", version + ("" if _is_known(version) else known))
    return found, _vanilla(environment, bool(asked["vanilla"]))


def _vanilla(environment: Environment, known: bool) -> Diagnosis:
    """Return the diagnosis of the template `vanilla`."""
    if known:
        how = "built in" if environment.vanilla_built_in else "installed"
        return Diagnosis("vanilla", "fine", f"known to llamafactory-cli ({how})")
    detail = "known to w2s-factory train, but not to plain llamafactory-cli"
    return Diagnosis("vanilla", "missing", detail, install_command(environment.python))


def _vllm(environment: Environment, devices: list[str]) -> Diagnosis:
    """Return the diagnosis of vLLM, which is recommended only where there is a GPU."""
    version = environment.versions["vllm"]
    if version:
        return Diagnosis("vLLM", "fine", version)
    fix = _pip(environment, "vllm") if devices else None
    return Diagnosis("vLLM", "missing", "not installed; generation uses transformers", fix)


def _bitsandbytes(environment: Environment, devices: list[str]) -> Diagnosis:
    """Return the diagnosis of bitsandbytes, which is recommended only where there is a GPU."""
    version = environment.versions[BITSANDBYTES]
    if version:
        return Diagnosis(BITSANDBYTES, "fine", version)
    fix = _pip(environment, BITSANDBYTES) if devices else None
    return Diagnosis(BITSANDBYTES, "missing", "not installed; only quantised training (QLoRA) needs it", fix)


def _gpu(torch: Diagnosis, devices: list[str]) -> Diagnosis:
    """Return the diagnosis of the GPUs that torch sees."""
    if devices:
        return Diagnosis("GPU", "fine", ", ".join(devices))
    if torch.state == "broken":
        return Diagnosis("GPU", "missing", "not known, since torch cannot be imported")
    return Diagnosis("GPU", "missing", "none seen by torch; training runs on the CPU")


def _is_known(version: str) -> bool:
    """Return whether an installed version is a known one."""
    try:
        for_version(version)
    except UserError:
        return False
    return True


def _pip(environment: Environment, *distributions: str) -> str:
    """Return the command that installs distributions in the versions that were tried together."""
    return constrained_install(environment.python, *distributions)
