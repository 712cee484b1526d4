"""A program that writes what a Python environment holds, as a JSON object; run by its interpreter.

It is self-contained (standard library, Python 3.8 and later) and imports nothing that it reports on. Its
arguments are the distributions whose versions are wanted.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import sysconfig
from importlib import metadata
from importlib.util import find_spec

VANILLA = re.compile(r"register_template\(\s*name=\"vanilla\"")


def versions(names: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def template_module() -> str | None:
    """Return the file of LLaMA-Factory's templates, without importing LLaMA-Factory; None without it."""
    for package in ("llamafactory", "llmtuner"):
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            file = os.path.join(folder, "data", "template.py")
            if os.path.exists(file):
                return file
    return None


def registers_vanilla(file: str) -> bool:
    with open(file, encoding="utf-8") as text:
        return bool(VANILLA.search(text.read()))


def main() -> None:
    templates = template_module()
    seen = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "site_packages": sysconfig.get_paths()["purelib"],
        "versions": versions(sys.argv[1:]),
        "templates": templates,
        "vanilla_built_in": templates is not None and registers_vanilla(templates),
        "vanilla_hook": any(getattr(finder, "registers_vanilla", False) for finder in sys.meta_path),
    }
    sys.stdout.write(json.dumps(seen))


main()
