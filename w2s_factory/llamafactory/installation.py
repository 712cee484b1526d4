"""Which LLaMA-Factory is started: that of the current environment, or a named one."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.environment import look
from w2s_factory.llamafactory.versions import for_installed, installed_version

if TYPE_CHECKING:
    from w2s_factory.llamafactory.versions import Version

CLI = "llamafactory-cli"


@dataclass(frozen=True)
class Installation:
    """A LLaMA-Factory that can be started.

    Attributes:
        command: What starts it: `llamafactory-cli`, or the interpreter and a script of its checkout.
        python: The interpreter it runs with.
        version: Its version as installed; None if that is not known (a checkout without one).
    """

    command: tuple[str, ...]
    python: Path
    version: str | None

    @property
    def traits(self) -> Version | None:
        """What is known of its version, or of the newest known one if it is newer; None if nothing is."""
        if self.version is None:
            return None
        try:
            return for_installed(self.version)
        except UserError:
            return None

    def start(self, verb: str, config: Path) -> list[str]:
        """The command line that gives `verb` (`train`, `export`) the file `config`.

        Raises:
            UserError: A checkout's script was named and there is none for `verb` beside it.
        """
        if not self.command[-1].endswith(".py"):
            return [*self.command, verb, str(config)]
        script = Path(self.command[-1])
        if verb == "export":
            script = script.with_name("export_model.py")  # beside train_bash.py up to 0.7.0
            if not script.is_file():
                raise UserError(
                    "no such file", file=script, hint="Export with this version's llamafactory-cli"
                )
        return [*self.command[:-1], str(script), str(config)]


def find_installation(
    llamafactory_cli: str | Path | None = None, python: str | Path | None = None
) -> Installation:
    """Find the LLaMA-Factory to start.

    Args:
        llamafactory_cli: Its `llamafactory-cli`, or the `src/train_bash.py` of a checkout (0.5.0 to
            0.7.0). Without it: the one beside `python`, else on the `PATH`.
        python: The interpreter of its environment. Without it: the one the command names in its first
            line; for a checkout's script, the one we run in.

    Raises:
        UserError: There is none, or its interpreter can't be told.
    """
    if llamafactory_cli is None:
        return _of_environment(named_interpreter(python), search_path=python is None)
    cli = Path(shutil.which(str(llamafactory_cli)) or llamafactory_cli).absolute()
    if cli.suffix == ".py" and cli.is_file():
        interpreter = named_interpreter(python)
        return Installation((str(interpreter), str(cli)), interpreter, _checkout_version(cli))
    interpreter = named_interpreter(python, cli)
    return Installation((str(cli),), interpreter, installed_version(interpreter))


def interpreter_of(script: str | Path) -> Path:
    """The Python interpreter an installed command names in its first line.

    Raises:
        UserError: It names none.
    """
    with Path(script).open("rb") as file:
        first, second = (file.readline(4096).decode("utf-8", "replace").strip() for _ in range(2))
    if first == "#!/bin/sh" and second.startswith("'''exec'"):  # pip's form for long paths
        first = "#!" + second.removeprefix("'''exec'").strip()
    words = shlex.split(first[2:]) if first.startswith("#!") else []
    words = words[1:] if words and Path(words[0]).name == "env" else words
    found = shutil.which(words[0]) if words and "python" in Path(words[0]).name else None
    if found is None:
        raise UserError("does not say which Python runs it", file=script, hint="Name that with --python PATH")
    return Path(found)


def named_interpreter(python: str | Path | None = None, llamafactory_cli: str | Path | None = None) -> Path:
    """The interpreter of an environment named by it, by its `llamafactory-cli`, or not: then ours.

    Raises:
        UserError: The command is missing or does not say which interpreter runs it.
    """
    if python is not None:
        return Path(shutil.which(str(python)) or python).absolute()
    if llamafactory_cli is None:
        return Path(sys.executable)
    cli = shutil.which(str(llamafactory_cli)) or str(llamafactory_cli)
    if not Path(cli).is_file():
        raise UserError("no such file", file=llamafactory_cli, hint=f"Name the {CLI} of an environment")
    return interpreter_of(cli)


def _of_environment(python: Path, *, search_path: bool) -> Installation:
    beside = python.with_name(CLI)
    if beside.is_file():
        return Installation((str(beside),), python, installed_version(python))
    templates = look(python).templates
    if templates is not None and templates.parent.with_name("cli.py").is_file():
        module = f"{templates.parent.parent.name}.cli"
        return Installation((str(python), "-m", module), python, installed_version(python))
    on_path = shutil.which(CLI) if search_path else None
    if on_path is not None:
        return find_installation(on_path)
    raise UserError(
        f"no LLaMA-Factory in the environment of {python}",
        hint=f"See w2s-factory doctor, or name another environment's: --llamafactory-cli PATH/bin/{CLI}",
    )


def _checkout_version(script: Path) -> str | None:
    """The version written in the package beside a checkout's script."""
    for name in ("llmtuner/__init__.py", "llamafactory/__init__.py", "llamafactory/extras/env.py"):
        file = script.parent / name
        found = (
            re.search(r'VERSION(?:__)? = "([\d.]+\w*)"', file.read_text("utf-8"), re.I)
            if file.is_file()
            else None
        )
        if found:
            return found[1]
    return None
