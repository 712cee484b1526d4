"""The template `vanilla`: registered in the processes we start, or installed into an environment."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.environment import look
from w2s_factory.llamafactory.installation import named_interpreter
from w2s_factory.llamafactory.installed import DISTRIBUTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.environment import Environment

STARTUP = Path(__file__).with_name("startup")
MODULE = "w2s_vanilla_hook.py"
PTH = "w2s_vanilla_hook.pth"
_PTH_TEXT = "import w2s_vanilla_hook; w2s_vanilla_hook.install()\n"  # run by `site` at each start of Python


@dataclass(frozen=True)
class TemplateStatus:
    """Whether an environment's LLaMA-Factory knows `vanilla`.

    Attributes:
        python: The environment's interpreter.
        site_packages: Where it would be, or is, installed.
        llamafactory: The version of LLaMA-Factory; None without one.
        built_in: This LLaMA-Factory registers `vanilla` itself.
        installed: Our two files are there.
        active: The interpreter starts with the hook, from these files or from elsewhere.
        current: The installed module is that of this w2s-factory.
    """

    python: Path
    site_packages: Path
    llamafactory: str | None
    built_in: bool
    installed: bool
    active: bool
    current: bool

    @property
    def known(self) -> bool:
        """Whether plain `llamafactory-cli train` takes `template: vanilla`."""
        return self.llamafactory is not None and (self.built_in or self.active)


def template_status(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> TemplateStatus:
    """Say whether an environment knows `vanilla`, from its files; LLaMA-Factory is not imported.

    Args:
        python: The environment's interpreter; without it, the one we run in.
        llamafactory_cli: Its `llamafactory-cli`, another way to name the environment.

    Raises:
        UserError: The interpreter can't be told or can't be run.
    """
    environment = look(named_interpreter(python, llamafactory_cli), DISTRIBUTIONS)
    site, ours = environment.site_packages, _files(environment)
    return TemplateStatus(
        python=environment.python,
        site_packages=site,
        llamafactory=next((version for version in environment.versions.values() if version), None),
        built_in=environment.vanilla_built_in,
        installed=all(path.is_file() for path in ours),
        active=environment.vanilla_hook,
        current=all(path.is_file() and path.read_text("utf-8") == text for path, text in ours.items()),
    )


def install_command(python: Path) -> str:
    """The command that installs `vanilla` into the environment of an interpreter."""
    other = "" if python == Path(sys.executable) else f" --python {shlex.quote(str(python))}"
    return f"w2s-factory template install{other}"


def install_template(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> TemplateStatus:
    """Make `vanilla` known to plain `llamafactory-cli`: two files in the environment's site-packages.

    Doing it again changes nothing; a module of another w2s-factory version is replaced.

    Args:
        python: As for `template_status`.
        llamafactory_cli: As for `template_status`.

    Raises:
        UserError: The site-packages can't be written, or the interpreter does not run what is in them.
    """
    environment = look(named_interpreter(python, llamafactory_cli), DISTRIBUTIONS)
    with records.Outputs() as outputs:
        for path, text in _files(environment).items():
            outputs.text(path, text, replace=True)
    status = template_status(environment.python)
    if not status.active:
        uninstall_template(environment.python)
        raise UserError("does not run the .pth files of its site-packages", file=environment.python)
    return status


def uninstall_template(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> tuple[Path, ...]:
    """Remove what `install_template` put there, and Python's compiled copies of it.

    Args:
        python: As for `template_status`.
        llamafactory_cli: As for `template_status`.

    Returns:
        The files removed; none if it was not installed.

    Raises:
        UserError: The site-packages can't be written.
    """
    environment = look(named_interpreter(python, llamafactory_cli), DISTRIBUTIONS)
    removed = [
        path for path in reversed(_files(environment)) if path.is_file()
    ]  # .pth first: no start without
    compiled = (environment.site_packages / "__pycache__").glob(f"{Path(MODULE).stem}.*.pyc")
    for path in [*removed, *compiled]:
        try:
            path.unlink()
        except OSError as error:
            raise UserError(f"cannot be removed ({error.strerror})", file=path) from None
    return tuple(removed)


def with_vanilla(environ: Mapping[str, str], python: Path) -> dict[str, str]:
    """The variables under which LLaMA-Factory's processes know `vanilla`.

    The interpreter's folder comes first on the `PATH`, for LLaMA-Factory starts `torchrun` by name.
    """
    first = {"PYTHONPATH": str(STARTUP), "PATH": str(python.parent.absolute())}
    return {**environ} | {
        name: os.pathsep.join([folder, *filter(None, [environ.get(name)])]) for name, folder in first.items()
    }


def _files(environment: Environment) -> dict[Path, str]:
    """The two files: the module before the `.pth` that needs it."""
    module = (STARTUP / MODULE).read_text("utf-8")
    return {environment.site_packages / MODULE: module, environment.site_packages / PTH: _PTH_TEXT}
