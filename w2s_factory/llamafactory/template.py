"""The template `vanilla`: registered in the processes that `train` starts, or installed in an environment."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.installation import look, named_interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.installation import Environment

STARTUP = Path(__file__).with_name("startup")
MODULE = "w2s_vanilla_hook.py"
PTH = "w2s_vanilla_hook.pth"
_PTH_TEXT = "import w2s_vanilla_hook; w2s_vanilla_hook.install()\n"  # run by `site` at each start of Python


@dataclass(frozen=True)
class TemplateStatus:
    """The state of `vanilla` in an environment.

    Attributes:
        python: The environment's interpreter.
        site_packages: The folder that the template is, or would be, installed in.
        llamafactory: The version of LLaMA-Factory; None if it is not installed.
        built_in: Whether this LLaMA-Factory registers `vanilla` itself.
        installed: Whether our two files are in `site_packages`.
        active: Whether the interpreter starts with the hook, from these files or from elsewhere.
        current: Whether the installed files are those of this version of w2s-factory.
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
        """Return whether plain `llamafactory-cli train` accepts `template: vanilla`."""
        return self.llamafactory is not None and (self.built_in or self.active)


def template_status(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> TemplateStatus:
    """Return whether an environment knows `vanilla`, judged by its files without importing LLaMA-Factory.

    Args:
        python: The environment's interpreter; by default, the current one.
        llamafactory_cli: Its `llamafactory-cli`, another way to name the environment.

    Raises:
        UserError: The interpreter cannot be determined or cannot be run.
    """
    environment = look(named_interpreter(python, llamafactory_cli))
    site, ours = environment.site_packages, _files(environment)
    return TemplateStatus(
        python=environment.python,
        site_packages=site,
        llamafactory=environment.llamafactory,
        built_in=environment.vanilla_built_in,
        installed=all(path.is_file() for path in ours),
        active=environment.vanilla_hook,
        current=all(path.is_file() and path.read_text("utf-8") == text for path, text in ours.items()),
    )


def install_command(python: Path) -> str:
    """Return the command that installs `vanilla` in the environment of an interpreter."""
    other = "" if python == Path(sys.executable) else f" --python {shlex.quote(str(python))}"
    return f"w2s-factory template install{other}"


def install_template(
    python: str | Path | None = None, *, llamafactory_cli: str | Path | None = None
) -> TemplateStatus:
    """Make `vanilla` known to plain `llamafactory-cli`, by two files in the environment's site-packages.

    A second call changes nothing; files of another version of w2s-factory are replaced.

    Args:
        python: As for `template_status`.
        llamafactory_cli: As for `template_status`.

    Raises:
        UserError: The site-packages cannot be written, or the interpreter does not run `.pth` files in
            them.
    """
    environment = look(named_interpreter(python, llamafactory_cli))
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
    """Remove the files that `install_template` wrote, and Python's compiled copies of them.

    Args:
        python: As for `template_status`.
        llamafactory_cli: As for `template_status`.

    Returns:
        The files removed; none if it was not installed.

    Raises:
        UserError: The site-packages cannot be written.
    """
    environment = look(named_interpreter(python, llamafactory_cli))
    # The .pth first: without the module it imports, each start of Python would print an error.
    removed = [path for path in reversed(_files(environment)) if path.is_file()]
    compiled = (environment.site_packages / "__pycache__").glob(f"{Path(MODULE).stem}.*.pyc")
    for path in [*removed, *compiled]:
        try:
            path.unlink()
        except OSError as error:
            raise UserError(f"cannot be removed ({error.strerror})", file=path) from None
    return tuple(removed)


def with_vanilla(environ: Mapping[str, str], python: Path) -> dict[str, str]:
    """Return the environment variables with which LLaMA-Factory's processes know `vanilla`.

    The interpreter's folder comes first on the `PATH`, since LLaMA-Factory starts `torchrun` by name.
    """
    first = {"PYTHONPATH": str(STARTUP), "PATH": str(python.parent.absolute())}
    return {**environ} | {
        name: os.pathsep.join([folder, *filter(None, [environ.get(name)])]) for name, folder in first.items()
    }


def _files(environment: Environment) -> dict[Path, str]:
    """Return the text of the two files by their paths: the module first, then the `.pth` that imports it."""
    module = (STARTUP / MODULE).read_text("utf-8")
    return {environment.site_packages / MODULE: module, environment.site_packages / PTH: _PTH_TEXT}
