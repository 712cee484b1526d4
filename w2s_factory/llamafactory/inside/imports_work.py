"""A program that imports modules together, and reports what they see; run by the environment in question.

Its arguments are the modules, in order; the first that cannot be imported ends it with its error. Writes
{"devices": names of the GPUs or other accelerators that torch sees, "vanilla": whether LLaMA-Factory knows
that template, null without LLaMA-Factory}.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys


def devices() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return [kind for kind in ("xpu", "npu", "mps") if available(torch, kind)]


def available(torch: object, kind: str) -> bool:
    """Return whether torch sees an accelerator of a kind other than cuda; npu has a package of its own."""
    if kind == "npu" and importlib.util.find_spec("torch_npu"):
        importlib.import_module("torch_npu")
    for module in (getattr(torch, kind, None), getattr(getattr(torch, "backends", None), kind, None)):
        if module is not None and hasattr(module, "is_available"):
            return bool(module.is_available())
    return False


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
