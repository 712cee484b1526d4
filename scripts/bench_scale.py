"""Measure time and memory of the commands that join and write rows, next to plain Python and plain pandas.

Each measurement is a process of its own, whose CPU seconds and peak memory the operating system counts. The
inputs are invented: rows of about 700 bytes, text ids, answers that are nearly all different. For `vote` and
`stage2` ten rows are samples of one question. The plain loop reads the files side by side, row by row: it
relies on their order and checks nothing.
"""

# ruff: noqa: D103, PLC0415  names say what inputs and ways are; a way imports only what it needs, which counts

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SIZES = (50_000, 500_000, 5_000_000)
PANDAS_UP_TO = 500_000
WAYS = ("toolkit", "loop", "pandas")
SAMPLES = 10
TASK = "gsm8k"
SOLUTION = "She earns $12 an hour and worked 50 minutes, so 12 / 60 = $0.2 a minute.\nSo she earned $10.\n"
STEPS_TEXT = SOLUTION * 4
KEPT = ("id", "prompt", "response")
SIDES = ("weak", "icl", "hybrid")

Row = dict[str, Any]


# The inputs.


def question(number: int) -> str:
    return f"{number}. How much did she earn for {number} minutes of work, at twelve dollars an hour?"


def result(number: int, side: str) -> Row:
    """Return a result; about a third of the answers are right."""
    pred = number + random.Random(f"{side} {number}").randrange(3)
    row = {"id": f"train_{number}", "prompt": f"Question: {question(number)}\nAnswer:"}
    row |= {"response": f"{side}: {STEPS_TEXT}#### {pred}", "pred": str(pred), "gold": str(number)}
    return row | {"result": pred == number}


def output(number: int, side: str) -> Row:
    row = result(number, side)
    return {key: row[key] for key in KEPT}


def test(number: int) -> Row:
    row = {"source": "INVENTED", "id": f"train_{number}", "question": question(number)}
    return row | {"solution": STEPS_TEXT, "answer": str(number), "tag": {}}


def write(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def two_sides(folder: Path, rows: int) -> None:
    for side in ("weak", "icl"):
        write(folder / f"{side}.jsonl", (result(number, side) for number in range(rows)))


def samples(folder: Path, rows: int) -> None:
    for seed in range(SAMPLES):
        sampled = (result(number, f"seed {seed}") for number in range(rows // SAMPLES))
        write(folder / f"t1.0/seed{seed}/results.jsonl", sampled)


def votes(folder: Path, rows: int) -> None:
    write(folder / "weak.jsonl", (result(number, "weak") for number in range(rows // SAMPLES)))
    write(folder / "votes.jsonl", map(vote, range(rows // SAMPLES)))


def vote(number: int) -> Row:
    """Return a vote of seven samples against three."""
    sampled = [result(number, f"seed {seed}") for seed in range(SAMPLES)]
    for place, sample in enumerate(sampled):
        sample["pred"] = str(number if place < 7 else number + 1)
    short = [{key: sample[key] for key in ("response", "pred", "result")} for sample in sampled]
    row = {"id": f"train_{number}", "prompt": sampled[0]["prompt"], "gold": str(number)}
    return row | {"pos_responses": short[:7], "neg_responses": short[7:], "confidence": 0.7}


def responses(folder: Path, rows: int) -> None:
    write(folder / "output.jsonl", (output(number, "weak") for number in range(rows)))
    write(folder / "golds.jsonl", map(test, range(rows)))


def shards(folder: Path, rows: int) -> None:
    for index in range(1, 5):
        part = folder / f"shards/{index}-of-4"
        write(part / "output.jsonl", (output(number, "weak") for number in range(index - 1, rows, 4)))
        settings = {"settings": {"shard": f"{index}/4"}, "rows": rows // 4, "questions": rows}
        write(part / "output.journal.jsonl", [settings])


# What is measured: the toolkit, the same by a plain loop, and by pandas.


def lines(path: Path) -> Iterator[Row]:
    with path.open() as file:
        yield from map(json.loads, file)


def frame(path: Path) -> Any:
    import pandas as pd

    return pd.read_json(path, lines=True, convert_dates=False, dtype={"pred": str, "gold": str})


def add(file: TextIO, row: Row) -> None:
    """Add a row to a JSON list."""
    file.write(("," if file.tell() else "[") + json.dumps(row, indent=4))


def our_stage1(folder: Path) -> None:
    from w2s_factory.building import build_stage1

    build_stage1(TASK, folder / "weak.jsonl", folder / "icl.jsonl", folder / "out")


def plain_stage1(folder: Path) -> None:
    with ExitStack() as files:
        written = {side: files.enter_context((folder / f"{side}.json").open("w")) for side in SIDES}
        for pair in zip(lines(folder / "weak.jsonl"), lines(folder / "icl.jsonl"), strict=True):
            if pair[0]["pred"] and pair[0]["pred"] == pair[1]["pred"]:
                for side, row in zip(SIDES, pair, strict=False):
                    made = {"id": row["id"], "content": row["prompt"], "output": row["response"]}
                    add(written[side], made)
                    add(written["hybrid"], made)
        for file in written.values():
            file.write("]")


def pandas_stage1(folder: Path) -> None:
    import pandas as pd

    weak, icl = frame(folder / "weak.jsonl"), frame(folder / "icl.jsonl")
    both = weak.merge(icl, on="id", suffixes=("", "_icl"))
    kept = both[(both["pred"] == both["pred_icl"]) & (both["pred"] != "")]
    names = {"prompt": "content", "response": "output", "response_icl": "output"}
    sides = {
        side: kept[["id", "prompt", column]].rename(columns=names)
        for side, column in (("weak", "response"), ("icl", "response_icl"))
    }
    sides["hybrid"] = pd.concat(list(sides.values())).sort_index(kind="stable")
    for side, table in sides.items():
        table.to_json(folder / f"{side}.json", orient="records", indent=4)


def our_vote(folder: Path) -> None:
    from w2s_factory.scoring.vote import vote as majority_vote

    majority_vote(folder, folder / "majority.jsonl")


def plain_vote(folder: Path) -> None:
    seeds = [lines(folder / f"t1.0/seed{seed}/results.jsonl") for seed in range(SAMPLES)]
    write(folder / "majority.jsonl", map(majority, zip(*seeds, strict=True)))


def majority(sampled: tuple[Row, ...]) -> Row:
    winner = Counter(row["pred"] for row in sampled).most_common(1)[0][0]
    sides: dict[bool, list[Row]] = {True: [], False: []}
    for row in sampled:
        sides[row["pred"] == winner].append({key: row[key] for key in ("response", "pred", "result")})
    voted = {key: sampled[0][key] for key in ("id", "prompt", "gold")}
    voted |= {"pos_responses": sides[True], "neg_responses": sides[False]}
    return voted | {"confidence": len(sides[True]) / len(sampled)}


def pandas_vote(folder: Path) -> None:
    import pandas as pd

    table = pd.concat([frame(folder / f"t1.0/seed{seed}/results.jsonl") for seed in range(SAMPLES)])
    winners = table.groupby("id", sort=False)["pred"].agg(lambda preds: preds.mode()[0]).rename("winner")
    table = table.merge(winners, on="id")
    table["agrees"] = table["pred"] == table["winner"]
    table.to_json(folder / "majority.jsonl", orient="records", lines=True)


def our_stage2(folder: Path) -> None:
    from w2s_factory.building import build_stage2

    build_stage2(TASK, folder / "weak.jsonl", folder / "votes.jsonl", folder / "out/paired.json")


def plain_stage2(folder: Path) -> None:
    draw = random.Random(0)
    with (folder / "paired.json").open("w") as written:
        for own, row in zip(lines(folder / "weak.jsonl"), lines(folder / "votes.jsonl"), strict=True):
            agrees = own["pred"] == row["pos_responses"][0]["pred"]
            other = draw.choice(row["neg_responses" if agrees else "pos_responses"])
            sides = [own["response"], other["response"]]
            pair = {"id": row["id"], "instruction": row["prompt"], "input": ""}
            add(written, pair | {"output": sides if agrees else sides[::-1]})
        written.write("]")


def pandas_stage2(folder: Path) -> None:
    table = frame(folder / "votes.jsonl").merge(frame(folder / "weak.jsonl"), on="id", suffixes=("", "_weak"))
    majority = table["pos_responses"].str[0].str["pred"]
    agrees = table["pred"] == majority
    other = table["pos_responses"].where(~agrees, table["neg_responses"]).str[0].str["response"]
    table["chosen"] = table["response"].where(agrees, other)
    table["rejected"] = other.where(agrees, table["response"])
    table[["id", "prompt", "chosen", "rejected"]].to_json(folder / "paired.json", orient="records", indent=4)


def our_score(folder: Path) -> None:
    from w2s_factory.scoring.score import score

    score(TASK, folder / "golds.jsonl", folder / "output.jsonl", folder / "results.jsonl")


def plain_score(folder: Path) -> None:
    both = zip(lines(folder / "output.jsonl"), lines(folder / "golds.jsonl"), strict=True)
    write(folder / "results.jsonl", (scored(row, asked) for row, asked in both))


def scored(row: Row, asked: Row) -> Row:
    pred, gold = row["response"].rpartition("####")[2].strip(), asked["answer"]
    return {**row, "pred": pred, "gold": gold, "result": pred == gold}


def pandas_score(folder: Path) -> None:
    golds = frame(folder / "golds.jsonl")[["id", "answer"]].astype({"answer": str})
    table = frame(folder / "output.jsonl").merge(golds, on="id").rename(columns={"answer": "gold"})
    table["pred"] = table["response"].str.rpartition("####")[2].str.strip()
    table["result"] = table["pred"] == table["gold"]
    table.to_json(folder / "results.jsonl", orient="records", lines=True)


def our_evaluate(folder: Path) -> None:
    from w2s_factory.scoring.evaluate import evaluate

    evaluate([folder / "weak.jsonl", folder / "icl.jsonl"])


def plain_evaluate(folder: Path) -> None:
    both = zip(lines(folder / "weak.jsonl"), lines(folder / "icl.jsonl"), strict=True)
    sum(icl["result"] - weak["result"] for weak, icl in both)


def pandas_evaluate(folder: Path) -> None:
    weak, icl = frame(folder / "weak.jsonl"), frame(folder / "icl.jsonl")
    both = weak.merge(icl, on="id", suffixes=("", "_icl"))
    both[["result", "result_icl"]].mean()


def our_merge(folder: Path) -> None:
    from w2s_factory.generating import merge_shards

    merge_shards(folder)


def plain_merge(folder: Path) -> None:
    parts = [folder / f"shards/{index}-of-4/output.jsonl" for index in range(1, 5)]
    write(folder / "output.jsonl", (row for part in parts for row in lines(part)))


def pandas_merge(folder: Path) -> None:
    import pandas as pd

    table = pd.concat([frame(folder / f"shards/{index}-of-4/output.jsonl") for index in range(1, 5)])
    if table["id"].duplicated().any():
        raise SystemExit("a duplicate id")
    table.to_json(folder / "output.jsonl", orient="records", lines=True)


def our_audit(folder: Path) -> None:
    from w2s_factory.release import audit

    audit(folder, task=TASK)


def plain_audit(folder: Path) -> None:
    """Look for repeated rows and wrong verdicts alone; the toolkit has some thirty checks."""
    for side in ("weak", "icl"):
        seen: Counter[int] = Counter()
        for row in lines(folder / f"{side}.jsonl"):
            seen[hash((row["id"], row["prompt"], row["response"]))] += 1
            row["response"].rpartition("####")[2].strip() != row["pred"]  # noqa: B015  the work is what counts


def pandas_audit(folder: Path) -> None:
    for side in ("weak", "icl"):
        table = frame(folder / f"{side}.jsonl")
        table.duplicated(["id", "prompt", "response"]).sum()
        (table["response"].str.rpartition("####")[2].str.strip() != table["pred"]).sum()


class Step(NamedTuple):
    """A command: its inputs, and the ways to do its work."""

    inputs: Callable[[Path, int], None]
    toolkit: Callable[[Path], None]
    loop: Callable[[Path], None]
    pandas: Callable[[Path], None]


STEPS = {
    "stage1": Step(two_sides, our_stage1, plain_stage1, pandas_stage1),
    "vote": Step(samples, our_vote, plain_vote, pandas_vote),
    "stage2": Step(votes, our_stage2, plain_stage2, pandas_stage2),
    "score": Step(responses, our_score, plain_score, pandas_score),
    "evaluate": Step(two_sides, our_evaluate, plain_evaluate, pandas_evaluate),
    "merge-shards": Step(shards, our_merge, plain_merge, pandas_merge),
    "audit": Step(two_sides, our_audit, plain_audit, pandas_audit),
}


# Measuring.


class Measured(NamedTuple):
    """The CPU seconds and the peak memory, in MB, of a process."""

    seconds: float
    megabytes: float


def measured(step: str, way: str, folder: Path) -> Measured | None:
    """Return what a process needed; None if it failed, for want of memory for example."""
    command = [sys.executable, __file__, "--child", way, str(folder), "--steps", step]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    _, status, usage = os.wait4(process.pid, 0)
    errors = process.stderr.read() if process.stderr else ""
    if status:
        print(f"{step}, {way}: {errors.strip().splitlines()[-1:] or 'killed'}", file=sys.stderr)
        return None
    return Measured(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measured_ways(step: str, rows: int, ways: Iterable[str], below: Path) -> dict[str, Measured | None]:
    """Return what each way needed; each finds the inputs alone, without the outputs of the others."""
    found: dict[str, Measured | None] = {}
    folder = Path(tempfile.mkdtemp(dir=below))
    try:
        STEPS[step].inputs(folder, rows)
        inputs = set(folder.iterdir())
        for way in ways:
            if way != "pandas" or rows <= PANDAS_UP_TO:
                found[way] = measured(step, way, folder)
                for path in set(folder.iterdir()) - inputs:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        shutil.rmtree(folder)
    return found


def table_row(step: str, rows: int, found: dict[str, Measured | None]) -> str:
    """Return the row of a Markdown table: seconds, ratio to the loop and memory of each way."""
    loop = found.get("loop")
    cells = [step, f"{rows:,}"]
    for way in WAYS:
        each = found.get(way)
        if each is None:
            cells += ["-", "-", "-"]
            continue
        ratio = f"{each.seconds / loop.seconds:.1f}" if loop else "-"
        cells += [f"{each.seconds:.1f} s", ratio, f"{each.megabytes:,.0f} MB"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a table with a row for each step and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of rows")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--folder", type=Path, default=tempfile.gettempdir(), help="the folder for the files")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        way, folder = chosen.child
        getattr(STEPS[chosen.steps[0]], way)(Path(folder))
        return
    heads = (f"{way} | to the loop | memory" for way in WAYS)
    print(f"| step | rows | {' | '.join(heads)} |\n|{'---|' * (2 + 3 * len(WAYS))}")
    for rows in chosen.sizes:
        for step in chosen.steps:
            found = measured_ways(step, rows, chosen.ways, chosen.folder)
            print(table_row(step, rows, found), flush=True)


if __name__ == "__main__":
    main()
