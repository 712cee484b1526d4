"""Measure the speed of `--extract auto` on the responses of chat models, and its growth on hostile texts.

    python scripts/bench_extraction.py --json

Responses have 8k tokens (32,000 characters) in four shapes: with thinking that ends, with thinking that does
not end, LaTeX without thinking, and prose that ends with a number. They are made from a seed. The figure is
megabytes per processor second in one process, without reading files. Hostile texts repeat one piece up to
1 MB; their growth is the time for 1 MB divided by that for 0.1 MB, which is about 10 if it is linear.
"""

from __future__ import annotations

import json
import random
import time

import click

from w2s_factory.answers.extraction import parse_extraction
from w2s_factory.answers.thinking import split_thinking

CHARACTERS = 32_000
WORDS = [
    "so",
    "the",
    "answer",
    "may",
    "be",
    "that",
    "she",
    "sells",
    "16",
    "eggs,",
    "keeps",
    "$3",
    "of",
    "them",
    "and",
    "has",
    "$x",
    "=",
    "7$",
    "left;",
    "wait,",
    "check",
]
LATEX = [
    r"Then",
    r"\frac{a}{b}",
    r"=",
    r"\sqrt{x^{2}",
    r"+",
    r"1}",
    r"and",
    r"\left\{",
    r"y",
    r"\right\}",
    r"\in",
    r"\mathbb{R}",
    r"so",
    r"\text{so}",
    r"$z_{1}$",
]
HOSTILE = [
    "\\boxed{",
    "{",
    "}",
    "\\",
    "####",
    "the",
    "1,234",
    "1,",
    "1.",
    "-",
    "=",
    "$",
    "**",
    "`",
    "_",
    "<think>",
    "</think>",
    "<|channel|>",
    "<|channel|>final<|message|>",
]
HOSTILE += ["#### ", "the answer is ", " ", "\n"]


def words(draw: random.Random, source: list[str], length: int) -> str:
    """Some text of words in random order."""
    return " ".join(draw.choices(source, k=length // 4))[:length]


def responses(shape: str, count: int) -> list[str]:
    """Responses of one shape."""
    draw = random.Random(shape)
    made = []
    for _ in range(count):
        long = words(draw, LATEX if shape == "LaTeX" else WORDS, CHARACTERS)
        made.append(
            {
                "thinking": f"<think>\n{long}\n</think>\n\n{words(draw, LATEX, 600)} \\boxed{{18}}",
                "unclosed": f"<think>\n{long}",
                "LaTeX": f"{long} \\[ \\boxed{{\\frac{{3}}{{4}}}} \\]",
                "prose": f"{long} which makes 1,250 in all",
            }[shape]
        )
    return made


def extract(response: str, *, numbers: bool) -> str:
    """The final answer of a response, as `score --extract auto` finds it."""
    parts = split_thinking(response)
    return parse_extraction("auto")(parts.answer, "####" if numbers else "The answer is:", numbers=numbers)


def seconds(texts: list[str], runs: int, *, numbers: bool) -> float:
    """The processor seconds for some responses, the fastest of several runs."""
    taken = []
    for _ in range(runs):
        start = time.process_time()
        for text in texts:
            extract(text, numbers=numbers)
        taken.append(time.process_time() - start)
    return min(taken)


def growth(piece: str) -> float:
    """The time for 1 MB of a repeated piece, divided by that for 0.1 MB."""
    small, large = (
        max(seconds([piece * (size // len(piece))], 3, numbers=True), 1e-4) for size in (100_000, 1_000_000)
    )
    return large / small


@click.command()
@click.option("--responses", "count", default=500, show_default=True, help="Responses of each shape.")
@click.option("--runs", default=3, show_default=True, help="The fastest of so many counts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(count: int, runs: int, as_json: bool) -> None:
    """Measure each shape of responses and each hostile text."""
    found = {}
    for shape in ("thinking", "unclosed", "LaTeX", "prose"):
        texts = responses(shape, count)
        size = sum(map(len, texts)) / 1e6
        found[shape] = {
            "megabytes": round(size, 1),
            "megabytes_per_second": round(size / seconds(texts, runs, numbers=shape == "prose"), 1),
        }
    grown = {piece: round(growth(piece), 1) for piece in HOSTILE}
    if as_json:
        click.echo(json.dumps({"shapes": found, "growth_from_0.1_to_1_MB": grown}, indent=2))
        return
    for shape, figures in found.items():
        click.echo(f"{shape:<10}{figures['megabytes_per_second']:>10} MB/s over {figures['megabytes']} MB")
    click.echo(
        "growth from 0.1 to 1 MB: " + ", ".join(f"{piece!r} {ratio}" for piece, ratio in grown.items())
    )


if __name__ == "__main__":
    main()
