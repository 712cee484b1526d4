from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "datasets", "pandas", "sympy", "llamafactory", "safetensors", "psutil"}


@pytest.mark.parametrize("name", ["train", "export", "doctor", "template"])
def test_help_has_an_example_and_imports_nothing_heavy(name: str) -> None:
    code = (
        "import sys\nfrom w2s_factory.cli import group\n"
        f"group.main([{name!r}, '--help'], standalone_mode=False)\nprint(sorted(sys.modules))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert f"Example:\n    w2s-factory {name} " in printed or f"Example:\n    w2s-factory {name}\n" in printed
    assert HEAVY.isdisjoint(eval(printed.splitlines()[-1]))
