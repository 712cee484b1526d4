"""Whether modules can be imported together, and what can be seen then; run by the environment in question.

Arguments: the modules, in order; the first that can't be imported ends it with its error. Writes
{"devices": names of the GPUs torch sees, "vanilla": whether LLaMA-Factory knows it, null without it}.
"""

from __future__ import annotations

import importlib
import json
import sys


def devices() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def vanilla() -> bool | None:
    for package in ("llamafactory", "llmtuner"):
        module = sys.modules.get(f"{package}.data.template")
        if module is not None:
            return "vanilla" in (module.TEMPLATES if hasattr(module, "TEMPLATES") else module.templates)
    return None


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    sys.stdout.write("\n" + json.dumps({"devices": devices(), "vanilla": vanilla()}))


main()
