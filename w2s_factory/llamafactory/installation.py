"""Installations of LLaMA-Factory: which one is started, and the packages of the environment it runs in.

An environment, ours or another, is examined by running its interpreter with a program of `inside/`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.versions import for_installed
from w2s_factory.packages import extra_command
from w2s_factory.terminal import last_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from w2s_factory.llamafactory.versions import Version

CLI: Final = "llamafactory-cli"

DISTRIBUTIONS: Final = ("llamafactory", "llmtuner")
"""Its names on PyPI: the present one, and the one up to 0.7.0."""

INSIDE: Final = Path(__file__).with_name("inside")
"""Programs of ours that another environment's interpreter runs; they import nothing of this package."""

_REPORTED: Final = {"python", "site_packages", "versions", "templates", "vanilla_built_in", "vanilla_hook"}
"""The keys of the object that `look_around.py` writes."""

_SECONDS: Final = 60
"""Time limit for an interpreter to report what is installed."""

_NOT_PYTHON: Final = "does not answer as a Python interpreter does"


@dataclass(frozen=True)
class Environment:
    """A Python environment as its interpreter sees it, examined without importing any package of it.

    Attributes:
        python: The interpreter, as it was named.
        python_version: Its version.
        site_packages: The folder where its packages are installed.
        versions: The version of each distribution that was asked about, LLaMA-Factory's included; None
            for one that is not installed.
        templates: The file of LLaMA-Factory's templates; None without LLaMA-Factory.
        vanilla_built_in: Whether that file registers `vanilla` itself (0.5.0 to 0.6.2).
        vanilla_hook: Whether the interpreter starts with the hook that registers it.
    """

    python: Path
    python_version: str
    site_packages: Path
    versions: Mapping[str, str | None]
    templates: Path | None
    vanilla_built_in: bool
    vanilla_hook: bool

    @property
    def distribution(self) -> str | None:
        """Return the name under which LLaMA-Factory is installed; None if it is not."""
        return next((name for name in DISTRIBUTIONS if self.versions[name]), None)

    @property
    def llamafactory(self) -> str | None:
        """Return the version of LLaMA-Factory; None if it is not installed."""
        return self.versions[self.distribution] if self.distribution else None


def look(python: str | Path, *others: str) -> Environment:
    """Return the description of an interpreter's environment.

    Args:
        python: The interpreter, of Python 3.8 or newer.
        others: Distributions whose versions to report in addition to LLaMA-Factory's.

    Raises:
        UserError: It cannot be run, or is not a Python interpreter.
    """
    try:
        seen = run_inside(python, "look_around.py", arguments=(*DISTRIBUTIONS, *others), seconds=_SECONDS)
    except DelegateError as error:
        raise UserError(f"{_NOT_PYTHON} ({error.problem})", file=python) from None
    if not isinstance(seen, dict) or not seen.keys() >= _REPORTED:
        raise UserError(_NOT_PYTHON, file=python)
    return Environment(
        python=Path(python),
        python_version=seen["python"],
        site_packages=Path(seen["site_packages"]),
        versions=seen["versions"],
        templates=Path(seen["templates"]) if seen["templates"] else None,
        vanilla_built_in=seen["vanilla_built_in"],
        vanilla_hook=seen["vanilla_hook"],
    )


def installed_version(python: str | Path | None = None) -> str | None:
    """Return the version of the LLaMA-Factory installed, without importing it; None if there is none.

    Args:
        python: The interpreter of another environment (3.8 or newer); by default, this one, whose
            metadata are read without starting a process.

    Raises:
        UserError: That interpreter cannot be run or does not answer.
    """
    if python is not None and str(python) != sys.executable:
        return look(python).llamafactory
    return next(filter(None, map(_version, DISTRIBUTIONS)), None)


def _version(distribution: str) -> str | None:
    """Return the version of a distribution installed in this environment; None if it is not."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def run_inside(
    python: str | Path,
    program: str,
    *,
    arguments: Sequence[str] = (),
    given: Any = None,
    seconds: float = 3_600,
) -> Any:
    """Run a program of `inside/` with an interpreter; return the JSON in the last line of its output.

    Args:
        python: The interpreter.
        program: The file's name in `inside/`.
        arguments: Its arguments.
        given: A value that it reads from stdin, as JSON.
        seconds: The time limit; counting the tokens of a large dataset takes minutes.

    Raises:
        UserError: The interpreter cannot be run, or is not one.
        DelegateError: The program failed; the problem is the last line it wrote to stderr.
    """
    try:
        done = subprocess.run(
            [str(python), str(INSIDE / program), *arguments],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "true", "PYTHONIOENCODING": "utf-8"},
            check=False,
        )
    except OSError as error:
        raise UserError(f"cannot be run as a Python interpreter ({error.strerror})", file=python) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{_NOT_PYTHON} within {seconds:,} s", file=python) from None
    if done.returncode != 0:
        raise DelegateError(last_line(done.stderr) or f"{python} failed with exit code {done.returncode}")
    try:
        return json.loads(done.stdout.strip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        raise UserError(_NOT_PYTHON, file=python) from None


@dataclass(frozen=True)
class Installation:
    """A LLaMA-Factory that can be started.

    Attributes:
        command: The command that starts it: `llamafactory-cli`, or the interpreter and a script of its
            checkout.
        python: The interpreter it runs with.
        version: Its version as installed; None if that is not known (a checkout that names none).
    """

    command: tuple[str, ...]
    python: Path
    version: str | None

    @property
    def traits(self) -> Version | None:
        """Return the facts about its version, or those of the newest known one if it is newer.

        None if its version is not known.
        """
        if self.version is None:
            return None
        try:
            return for_installed(self.version)
        except UserError:
            return None

    def start(self, verb: str, config: Path) -> list[str]:
        """Return the command line that runs `verb` (`train`, `export`) with the file `config`.

        Raises:
            UserError: A checkout's script was named, and there is no script for `verb` next to it.
        """
        if not self.command[-1].endswith(".py"):
            return [*self.command, verb, str(config)]
        script = Path(self.command[-1])
        if verb == "export":
            script = script.with_name("export_model.py")  # next to train_bash.py up to 0.7.0
            if not script.is_file():
                raise UserError(
                    "no such file", file=script, hint="Export with this version's llamafactory-cli"
                )
        return [*self.command[:-1], str(script), str(config)]


def find_installation(
    llamafactory_cli: str | Path | None = None, python: str | Path | None = None
) -> Installation:
    """Return the LLaMA-Factory to start.

    Args:
        llamafactory_cli: Its `llamafactory-cli`, or the `src/train_bash.py` of a checkout (0.5.0 to
            0.7.0). By default the one next to `python`, or else the one on the `PATH`.
        python: The interpreter of its environment. By default the one that the command names in its
            first line; for a checkout's script, the current one.

    Raises:
        UserError: There is none, or its interpreter cannot be determined.
    """
    if llamafactory_cli is None:
        return _of_environment(named_interpreter(python), search_path=python is None)
    cli = Path(shutil.which(str(llamafactory_cli)) or llamafactory_cli).absolute()
    if cli.suffix == ".py" and cli.is_file():
        interpreter = named_interpreter(python)
        return Installation((str(interpreter), str(cli)), interpreter, _checkout_version(cli))
    interpreter = named_interpreter(python, cli)
    return Installation((str(cli),), interpreter, installed_version(interpreter))


def named_interpreter(python: str | Path | None = None, llamafactory_cli: str | Path | None = None) -> Path:
    """Return the interpreter of an environment that it or its `llamafactory-cli` names; by default ours.

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


def interpreter_of(script: str | Path) -> Path:
    """Return the Python interpreter that an installed command names in its first line.

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


def _of_environment(python: Path, *, search_path: bool) -> Installation:
    """Return the LLaMA-Factory of an interpreter's environment, or else the one on the `PATH`.

    Raises:
        UserError: There is none.
    """
    cli = python.with_name(CLI)
    if cli.is_file():
        return Installation((str(cli),), python, installed_version(python))
    environment = look(python)
    templates = environment.templates
    if templates is not None and templates.parent.with_name("cli.py").is_file():
        module = f"{templates.parent.parent.name}.cli"
        return Installation((str(python), "-m", module), python, environment.llamafactory)
    on_path = shutil.which(CLI) if search_path else None
    if on_path is not None:
        return find_installation(on_path)
    problem = f"no LLaMA-Factory in the environment of {python}"
    if str(python) == sys.executable:
        hint = f"Name another environment's (--llamafactory-cli PATH/bin/{CLI}), or install the extra train: "
        raise UserError(problem, hint=hint + extra_command("train"))  # pasted from the end
    hint = f"See w2s-factory doctor, or name another environment's: --llamafactory-cli PATH/bin/{CLI}"
    raise UserError(problem, hint=hint, topic="no-llama-factory")


def _checkout_version(script: Path) -> str | None:
    """Return the version written in the package next to a checkout's script; None if there is none."""
    for name in ("llmtuner/__init__.py", "llamafactory/__init__.py", "llamafactory/extras/env.py"):
        file = script.parent / name
        text = file.read_text("utf-8") if file.is_file() else ""
        found = re.search(r'VERSION(?:__)? = "([\d.]+\w*)"', text, re.I)
        if found:
            return found[1]
    return None
