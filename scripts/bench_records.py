"""Measure the CPU time of turning 7,000 results into full weak data, without starting Python and click."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from bench_startup import BASE, cpu_seconds

RUNS = 9
ROWS = 7000
RESPONSE = (
    "She earns $12 an hour and worked 50 minutes, so 12 / 60 = $0.2 a minute.\nSo she earned $10.\n" * 2
)
BARE = """
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
full = [{"id": row["id"], "content": row["prompt"], "output": row["response"]} for row in rows]
json.dump(full, open(sys.argv[2], "w"), indent=4)
"""
OURS = """
import sys
import click
from w2s_factory import records
rows = records.read(sys.argv[1], records.RESULT)
full = ({"id": row["id"], "content": row["prompt"], "output": row["response"]} for row in rows)
records.write(sys.argv[2], full, force=True)
"""


def results(path: Path) -> None:
    """Results of about the size of the published ones."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            prompt = f"Question: {number}. {RESPONSE}\nAnswer:"
            row = {"id": number, "prompt": prompt, "response": RESPONSE, "pred": "10", "gold": "10"}
            file.write(json.dumps(row | {"result": True, "num_tokens": 40, "num_words": 26}) + "\n")


def main() -> None:
    """Take turns between the ways; compare the best runs."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "results.jsonl"), Path(folder, "full_weak.json")
        results(source)
        files = [str(source), str(target)]
        command = ["build-data", "--stage", "full-weak", "--task", "gsm8k", "--force"]
        ways = {
            "bare script (standard library)": [sys.executable, "-c", BARE, *files],
            "records.read, records.write": [sys.executable, "-c", OURS, *files],
            "w2s-factory build-data": [
                *(sys.executable, "-m", "w2s_factory", *command, "--input", files[0], "--output", files[1]),
            ],
        }
        runs = [[cpu_seconds(way) for way in (BASE, *ways.values())] for _ in range(RUNS)]
    base, *times = (min(column) * 1000 for column in zip(*runs, strict=True))
    print(f"start-up of Python and click     {base:6.1f} ms CPU (best of {RUNS})")
    for name, time in zip(ways, times, strict=True):
        print(f"{name:32} {time:6.1f} ms CPU, {time - base:6.1f} beyond start-up (aim of ours: below 100)")


if __name__ == "__main__":
    main()
