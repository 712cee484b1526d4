"""Pretrain the embedded task's base models: `data/models/arithmetic_weak`, `_strong` and `_various`.

docs/arithmetic.md describes the documents, the training and the results. The model cards are written by
hand.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from arithmetic.bases import RECIPES, make_base

ROOT = Path(__file__).resolve().parent.parent / "data" / "models"


def main() -> None:
    """Parse the command line and make the bases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where to write (default: %(default)s)")
    parser.add_argument(
        "--only", choices=RECIPES, help="this base alone; various starts from --root/arithmetic_strong"
    )
    parser.add_argument("--steps", type=int, help="one cycle of so many, to try the program")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: %(default)s)")
    options = parser.parse_args()
    begin = RECIPES[options.only].begin if options.only else None
    if begin and not (options.root / f"arithmetic_{begin}" / "config.json").is_file():
        there = options.root / f"arithmetic_{begin}"
        parser.error(
            f"--only {options.only} starts from {there}, which is missing: make it with --only {begin}"
        )
    torch.set_num_threads(options.threads)
    for name in [options.only] if options.only else RECIPES:
        recipe, root = RECIPES[name], options.root / f"arithmetic_{name}"
        if options.steps:
            first = recipe.cycles[0]
            short = replace(first, schedule=replace(first.schedule, steps=options.steps))
            recipe = replace(recipe, cycles=(short,))
        seen = make_base(recipe, root)
        print(f"wrote {root}, pretrained on {seen:,} tokens")


if __name__ == "__main__":
    main()
