"""Record what a fixed list of w2s-factory commands writes, and compare two recordings byte for byte.

    python scripts/record_outputs.py record --tree DIR --output before.json [--keep FOLDER]
    python scripts/record_outputs.py record --tree DIR --output before.json --only TEXT --update
    python scripts/record_outputs.py compare before.json after.json [--all]

`record` runs the cases of recorded_commands.py with a copy of DIR, each in a new folder, two at a time.
For each command it keeps the exit code and the printed text; for each file written its name, size and
SHA-256. W2S_RELEASE names the published release; the published code's expected results are read from
release_facts/cases next to it. Cases whose inputs are missing are listed as left out.

Whatever differs between runs or machines is made equal before it is hashed:

- The paths of the case's folder, the tree, the release, the expected results and the environment are
  replaced by names (`<folder>`, `<tree>`, ...), and so are times like 2025-01-31T12:00:00Z, in all UTF-8
  text written or printed.
- The lines of a manifest are compared without hashes, times and versions; the names of the packages
  remain.
- Lines of progress bars are removed from printed text.
- Snakemake's own folder (`.snakemake`), Python's caches and the input files are not recorded.

JSON printed on stdout (`--json`) is compared like a file. `compare` ends with exit code 1 if anything
differs except for messages, also those in printed JSON; HTML pages; logs; lock files; drawings of plans;
files written by `init`; and comments in YAML. The numbers and paths that `evaluate`, `score --compare`
and `run --dry-run` print must be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from recorded_commands import LEFT_OUT, Case, cases
from recorded_inputs import Places

AT_ONCE = 2
LIMIT = 300
"""Seconds a command may take; then its exit code is 124."""

NOT_RECORDED = {".snakemake", "__pycache__"}
PROSE = {"title", "text", "consequence", "instead", "notes", "because", "detail", "mend", "reason"}
"""Keys of printed JSON that hold sentences."""

PROGRESS = re.compile(r"\d+%\||(it|s|responses)/(s|it|response)\b")
TIME = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER = re.compile(r"[^\s(\[,]*[\d/][^\s)\],;:]*")
"""A number or path in what is printed."""


class Recorder:
    """Runs cases with a copy of one tree, in folders below one root."""

    def __init__(self, tree: Path, release: Path | None, facts: Path | None, root: Path) -> None:
        self.root = root.resolve()
        self.places = Places(self.root / "tree", release, facts)
        shutil.copytree(tree, self.places.tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        program = self.root / "bin" / "w2s-factory"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2s_factory "$@"\n')
        program.chmod(0o755)
        (self.root / "temporary").mkdir()

    def record(self, case: Case) -> dict[str, Any]:
        """Run a case and return what its commands printed and wrote."""
        slug = re.sub(r"[^\w.]+", "-", case.name)[:60].strip("-")
        folder = self.root / "cases" / f"{slug}-{digest(case.name.encode())[:8]}"
        folder.mkdir(parents=True)
        began = time.monotonic()
        if case.plant:
            case.plant(folder, self.places)
        planted = {path: digest(path.read_bytes()) for path in files_below(folder)}
        done = [self.run(case, command, folder) for command in case.commands]
        written = [path for path in files_below(folder) if planted.get(path) != digest(path.read_bytes())]
        files = {path.relative_to(folder).as_posix(): self.described(path, folder) for path in written}
        vanished = [path.relative_to(folder).as_posix() for path in planted if not path.exists()]
        for number, one in enumerate(done, 1):
            if "--json" in one["command"]:
                files[f"<stdout {number}>.json"] = printed_json(one["stdout"])
        fresh = {"numbers": case.numbers, "seconds": round(time.monotonic() - began, 1)}
        return {"commands": done, "files": files, "removed": vanished, **fresh}

    def run(self, case: Case, command: str, folder: Path) -> dict[str, Any]:
        """Run one command in a case's folder."""
        line = command.removeprefix("sh: ") if command.startswith("sh: ") else f"w2s-factory {command}"
        environment = self.environment(case, folder)
        done = subprocess.run(
            ["timeout", str(LIMIT), "bash", "-c", self.places.fill(line)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        said = {"stdout": done.stdout, "stderr": done.stderr}
        texts = {key: self.named(text.decode(errors="replace"), folder) for key, text in said.items()}
        texts["stderr"] = "".join(
            part for part in re.split(r"(?<=[\r\n])", texts["stderr"]) if not PROGRESS.search(part)
        )
        return {"command": command, "code": done.returncode, **texts}

    def environment(self, case: Case, folder: Path) -> dict[str, str]:
        """Return the environment of a case's commands: the tree first, no network, one thread."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "USER") if name in os.environ}
        own = {
            "PATH": f"{self.root / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.places.tree),
            "TMPDIR": str(self.root / "temporary"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "COLUMNS": "110",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        release = self.places.fill(case.release) if self.places.release or case.release == "whole" else ""
        return kept | own | ({"W2S_RELEASE": str(folder / release)} if release else {})

    def named(self, text: str, folder: Path) -> str:
        """Return the text with names for the paths that differ between runs and machines."""
        named = {"folder": folder, "temporary": self.root, "tree": self.places.tree, "python": sys.prefix}
        named |= {"release": self.places.release, "facts": self.places.facts}
        for name, path in sorted(named.items(), key=lambda item: -len(str(item[1]))):
            text = text.replace(str(path), f"<{name}>") if path else text
        return TIME.sub("<time>", text)

    def described(self, path: Path, folder: Path) -> dict[str, Any]:
        """Return what is kept of a file."""
        content = path.read_bytes()
        try:
            return described(path.name, self.named(content.decode(), folder))
        except UnicodeDecodeError:
            return {"size": len(content), "sha256": digest(content)}


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted; links to folders are not followed."""
    return sorted(
        Path(base, name)
        for base, _, names in os.walk(folder)
        for name in names
        if not NOT_RECORDED & {*Path(base).parts} and Path(base, name).is_file()
    )


def described(name: str, text: str) -> dict[str, Any]:
    """Return what is kept of a file of text: its size and hash, and what else it is compared by."""
    found = {"size": len(text.encode()), "sha256": digest(text.encode())}
    if name == "manifest.jsonl":
        return found | {"lines": manifest_lines(text)}
    if Path(name).suffix in {".yaml", ".yml"}:
        stripped, values = without_comments(text)
        return found | {"without_comments": digest(stripped.encode()), "values": digest(values.encode())}
    return found


def manifest_lines(text: str) -> list[str]:
    """Return a manifest's lines without hashes, times and versions."""
    kept = []
    for line in text.splitlines():
        row = json.loads(line)
        row["versions"] = sorted(row.get("versions", {}))
        row["inputs"] = [entry["file"] for entry in row.get("inputs", [])]
        kept.append(json.dumps({key: value for key, value in row.items() if key not in {"sha256", "time"}}))
    return kept


def without_comments(text: str) -> tuple[str, str]:
    """Return YAML text without comments and blank lines, and its values as JSON."""
    lines = (re.sub(r"(^|\s)#.*$", "", line).rstrip() for line in text.splitlines())
    stripped = "\n".join(line for line in lines if line)
    try:
        values = yaml.safe_load(text)
        if yaml.safe_load(stripped) != values:  # a # that begins no comment
            stripped = text
    except yaml.YAMLError as error:
        return text, str(error)
    return stripped, json.dumps(values, default=str)


def printed_json(text: str) -> dict[str, Any]:
    """Return what is kept of printed JSON: its hash, and one without the sentences in it."""
    found = {"size": len(text.encode()), "sha256": digest(text.encode())}
    try:
        return found | {"without_prose": digest(json.dumps(without_prose(json.loads(text))).encode())}
    except ValueError:
        return found


def without_prose(value: Any) -> Any:
    """Return a JSON value without the texts under the keys that hold sentences."""
    if isinstance(value, dict):
        return {key: None if key in PROSE else without_prose(inner) for key, inner in value.items()}
    return [without_prose(inner) for inner in value] if isinstance(value, list) else value


def record(tree: Path, only: str, keep: Path | None) -> dict[str, Any]:
    """Run all cases whose name holds a text, with the code of a tree."""
    named = os.environ.get("W2S_RELEASE")
    release = Path(named).resolve() if named else None
    cases_beside = release.parent / "release_facts" / "cases" if release else None
    facts = cases_beside if cases_beside and cases_beside.is_dir() else None
    there = {name for name, path in (("release", release), ("facts", facts)) if path}
    wanted = [case for case in cases() if only in case.name]
    left_out = {case.name: f"needs {', '.join(case.needs - there)}" for case in wanted if case.needs - there}
    wanted = [case for case in wanted if case.name not in left_out]
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as root:
        recorder = Recorder(tree, release, facts, Path(root))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done = dict(zip([case.name for case in wanted], pool.map(recorder.record, wanted), strict=True))
    return {"python": sys.version.split()[0], "left_out": {**LEFT_OUT, **left_out}, "cases": done}


class Difference(NamedTuple):
    """One thing that differs between two recordings; `kind` is empty where it may not differ."""

    case: str
    what: str
    kind: str = ""


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    """Return all differences between two recordings."""
    old, new = before["cases"], after["cases"]
    found = [Difference(name, "only in the first recording") for name in old if name not in new]
    found += [Difference(name, "only in the second recording") for name in new if name not in old]
    for name in (name for name in old if name in new):
        found += printed(name, old[name], new[name])
        found += [
            Difference(name, *one) for one in changed_files(old[name]["files"], new[name]["files"], name)
        ]
        if old[name]["removed"] != new[name]["removed"]:
            found.append(Difference(name, f"removed {old[name]['removed']}, now {new[name]['removed']}"))
    return found


def printed(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return what differs in exit codes and in what was printed."""
    found = []
    if [one["command"] for one in old["commands"]] != [one["command"] for one in new["commands"]]:
        return [Difference(name, "other commands")]
    for one, two in zip(old["commands"], new["commands"], strict=True):
        at = f"`{one['command'][:90]}`"
        if one["code"] != two["code"]:
            found.append(Difference(name, f"exit code {one['code']}, now {two['code']}: {at}"))
        for stream in ("stdout", "stderr"):
            if one[stream] != two[stream]:
                found.append(Difference(name, f"{stream} of {at}", "messages"))
        numbers = [sorted(NUMBER.findall(each["stdout"])) for each in (one, two)]
        if old["numbers"] and numbers[0] != numbers[1]:
            gone, come = (sorted(set(mine) - set(theirs))[:5] for mine, theirs in (numbers, numbers[::-1]))
            found.append(Difference(name, f"numbers printed by {at}: {gone}, now {come}"))
    return found


def changed_files(old: dict[str, Any], new: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """Return each file that appeared, vanished or differs, with the kind of difference."""
    found = []
    for file in sorted({*old, *new}):
        kind = kind_of(file, name)
        if file not in new or file not in old:
            found.append((f"{file} {'vanished' if file in old else 'appeared'}", kind))
        elif old[file] != new[file]:
            what, inner = changed(file, old[file], new[file])
            found += [(what, kind or inner)] if what else []
    return found


def kind_of(file: str, case: str) -> str:
    """Return the kind of a file that may differ; empty for the others."""
    path = Path(file)
    kinds = {".html": "pages", ".log": "logs", ".lock": "locks"}
    if case.startswith("init "):
        return "files written by init"
    if path.stem == "plan" and path.suffix in {".svg", ".png", ".dot"}:
        return "drawings of plans"
    return "logs" if "logs" in path.parts else kinds.get(path.suffix, "")


def changed(file: str, old: dict[str, Any], new: dict[str, Any]) -> tuple[str, str]:
    """Return what changed in a file, empty where it counts as equal, and the kind that may differ."""
    if "lines" in old and "lines" in new:
        gone = [line for line in old["lines"] if line not in new["lines"]]
        come = [line for line in new["lines"] if line not in old["lines"]]
        same = old["lines"] == new["lines"]
        return ("" if same else f"{file} differs: {gone[:2]}, now {come[:2]}"), ""
    for key, kind in (("without_comments", "comments in YAML"), ("without_prose", "messages in JSON")):
        if key in old and old[key] == new.get(key):
            return f"{file} differs", kind
    values = " (the same values)" if "values" in old and old["values"] == new.get("values") else ""
    return f"{file} differs: {old['size']} bytes, now {new['size']}{values}", ""


def main() -> int:
    """Record, or compare and return 1 if what may not differ does."""
    parser = argparse.ArgumentParser(description="Record what w2s-factory writes, or compare two recordings.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="run the commands with the code of a tree")
    recording.add_argument("--tree", type=Path, required=True, help="the checkout whose code is run")
    recording.add_argument("--output", type=Path, required=True, help="the recording to write")
    recording.add_argument("--keep", type=Path, help="work in this new folder and keep it")
    recording.add_argument("--only", default="", help="only cases whose name holds this text")
    recording.add_argument("--update", action="store_true", help="replace these cases in the recording")
    comparing = verbs.add_parser("compare", help="compare two recordings")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--all", action="store_true", help="also list each difference that may be")
    given = parser.parse_args()
    if given.verb == "record":
        done = record(given.tree, given.only, given.keep)
        if given.update:
            done["cases"] = json.loads(given.output.read_text("utf-8"))["cases"] | done["cases"]
        given.output.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
        print(f"{len(done['cases'])} cases, left out: {json.dumps(done['left_out'], indent=1)}")
        return 0
    before, after = (json.loads(path.read_text("utf-8")) for path in (given.before, given.after))
    found = compare(before, after)
    for one in found:
        if not one.kind or given.all:
            print(f"{one.case}: {one.what}" + (f" ({one.kind}, may differ)" if one.kind else ""))
    allowed = [one.kind for one in found if one.kind]
    for kind in sorted(set(allowed)):
        print(f"may differ: {allowed.count(kind)} of the kind {kind}")
    wrong = len(found) - len(allowed)
    print(f"{len(before['cases'])} and {len(after['cases'])} cases, {wrong} differences that may not be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
