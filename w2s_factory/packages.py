"""Packages that are not installed: the error that names one, and the exact command that installs it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from w2s_factory.errors import UserError
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    import os

Extra: TypeAlias = Literal["train", "vllm", "openai", "hub", "tokens", "math-verify", "slurm"]
"""An extra of this package: what some commands need, and the light installation does not have."""

EXTRAS: Final[tuple[Extra, ...]] = get_args(Extra)

DISTRIBUTION: Final = "w2s-factory"


def missing_extra(
    extra: Extra, package: str, *, needed_by: str | None = None, file: object = None
) -> UserError:
    """Return the error that a package of an extra is not installed, to be raised.

    Args:
        extra: The extra that contains it.
        package: The package that cannot be imported.
        needed_by: The part of this package that needs it, such as `engine openai`.
        file: The file that cannot be read without it.
    """
    hint = f"Install the extra {extra}: {extra_command(extra)}"
    return UserError(_missing(package, needed_by), file=file, hint=hint)


def missing_package(package: str, requirement: str | None = None) -> UserError:
    """Return the error that a package which every installation has is missing, to be raised.

    Args:
        package: The package that cannot be imported.
        requirement: The requirement that pip is to install; by default the package.
    """
    return UserError(_missing(package, None), hint=pip_install(requirement or package))


def _missing(package: str, needed_by: str | None) -> str:
    if needed_by is None:
        return f"the package {package} is not installed"
    return f"{needed_by} needs the package {package}, which is not installed"


def pip_install(requirement: str) -> str:
    """Return the hint to install a requirement, with the exact command."""
    return f"Install it: pip install {shlex.quote(requirement)}"


def extra_command(extra: Extra) -> str:
    """Return the command that installs an extra into the running environment.

    The constraints are those that come with the package. A package that is installed is named to pip by its
    name; a clone is installed from its folder, editable as `make setup-light` does it.
    """
    constraints = shipped("constraints.txt")
    source = [f"{DISTRIBUTION}[{extra}]"]
    if constraints.with_name("pyproject.toml").is_file():
        source = ["-e", f"{_named(constraints.parent)}[{extra}]"]
    return shlex.join([_named(sys.executable), "-m", "pip", "install", "-c", _named(constraints), *source])


def constrained_install(python: str | Path, *requirements: str) -> str:
    """Return the command that installs packages in the versions that were tried together.

    Args:
        python: The interpreter of the environment into which they are installed.
        requirements: The packages.
    """
    constraints = str(shipped("constraints.txt"))
    return shlex.join([str(python), "-m", "pip", "install", "-c", constraints, *requirements])


def _named(path: str | os.PathLike[str]) -> str:
    """Return a path as it is typed: relative to the current folder if it is in it, otherwise absolute."""
    here = Path.cwd()
    if here == here.parent or not Path(path).is_relative_to(here):
        return str(path)
    relative = str(Path(path).relative_to(here))
    return relative if "/" in relative or relative in (".", "constraints.txt") else f"./{relative}"
