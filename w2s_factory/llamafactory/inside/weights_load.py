"""A program that checks that safetensors files load and contain only finite numbers.

It is run in LLaMA-Factory's environment. Its arguments are the files. It writes {"tensors": their number,
"not_finite": [names]}, and fails where a file cannot be loaded.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    import torch
    from safetensors import safe_open

    tensors = 0
    not_finite: list[str] = []
    for file in sys.argv[1:]:
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  not a mapping
                tensors += 1
                tensor = weights.get_tensor(name)
                if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                    not_finite.append(name)
    json.dump({"tensors": tensors, "not_finite": not_finite}, sys.stdout)


main()
