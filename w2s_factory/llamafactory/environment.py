"""Looking into a Python environment, ours or another, by running its interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.terminal import last_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INSIDE = Path(__file__).with_name("inside")
"""Programs of ours that another environment's interpreter runs; they import nothing of this package."""


_SEEN = {"python", "site_packages", "versions", "templates", "vanilla_built_in", "vanilla_hook"}
"""What `look_around.py` answers."""

_SECONDS = 60
"""What an interpreter may take to say what is installed."""


@dataclass(frozen=True)
class Environment:
    """What an interpreter sees; nothing was imported to find out.

    Attributes:
        python: The interpreter, as it was named.
        python_version: Its version.
        site_packages: Where its packages are installed.
        versions: The version of each distribution asked for; None if it is not installed.
        templates: LLaMA-Factory's module of templates; None without LLaMA-Factory.
        vanilla_built_in: Whether that module registers `vanilla` itself (0.5.0 to 0.6.2).
        vanilla_hook: Whether the interpreter starts with the hook that registers it.
    """

    python: Path
    python_version: str
    site_packages: Path
    versions: Mapping[str, str | None]
    templates: Path | None
    vanilla_built_in: bool
    vanilla_hook: bool


def look(python: str | Path, distributions: Sequence[str] = ()) -> Environment:
    """Look into the environment of an interpreter.

    Raises:
        UserError: It can't be run, or is no Python interpreter.
    """
    try:
        seen = run_inside(python, "look_around.py", arguments=distributions, seconds=_SECONDS)
    except DelegateError as error:
        raise UserError(
            f"does not answer as a Python interpreter does ({error.problem})", file=python
        ) from None
    if not isinstance(seen, dict) or not seen.keys() >= _SEEN:
        raise UserError("does not answer as a Python interpreter does", file=python)
    return Environment(
        python=Path(python),
        python_version=seen["python"],
        site_packages=Path(seen["site_packages"]),
        versions=seen["versions"],
        templates=Path(seen["templates"]) if seen["templates"] else None,
        vanilla_built_in=seen["vanilla_built_in"],
        vanilla_hook=seen["vanilla_hook"],
    )


def run_inside(
    python: str | Path,
    program: str,
    *,
    arguments: Sequence[str] = (),
    given: Any = None,
    seconds: float = 3_600,
) -> Any:
    """Run a program of `inside/` with an interpreter; return the JSON it ends with.

    Args:
        python: The interpreter.
        program: The file's name in `inside/`.
        arguments: Its arguments.
        given: What it reads from stdin, as JSON.
        seconds: What it may take; counting the tokens of a large dataset takes minutes.

    Raises:
        UserError: The interpreter can't be run, or is none.
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
        raise UserError(
            f"did not answer as a Python interpreter does in {seconds:,} s", file=python
        ) from None
    if done.returncode != 0:
        raise DelegateError(last_line(done.stderr) or f"{python} failed with exit code {done.returncode}")
    try:
        return json.loads(done.stdout.strip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        raise UserError("does not answer as a Python interpreter does", file=python) from None
