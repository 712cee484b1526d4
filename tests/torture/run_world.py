"""The folder of a whole run with played trainings and answers: finished, and half done; copied for each fault."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import yaml

from tests.conftest import ROOT
from w2s_factory.records import content_hash, manifest
from w2s_factory.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PLAYED = ("tests/played/engine", "tests/torture/saboteur", "tests/played/environment", "")
"""What the processes of a run find first on their path: an engine, and LLaMA-Factory."""

UNTIL = "seed0_train_iter1_hybrid"
"""The last step of the half-done run."""

TIMED = ("manifest.jsonl", "report.html", "report/provenance.csv", "report/times.csv", "report/times.svg")
NEVER_SAME = (*TIMED, ".lock", ".part", ".hashes", ".damaged")
"""Files with times in them, locks, hashes of responses in any order, kept damaged indexes, and what a killed process may leave."""

JOURNAL = ".journal.jsonl"

SUMS = """\
columns: {solution: answer, answer: {column: answer, regex: '#### (.+)'}}
compare: number
splits: {train_2: raw/train_2.jsonl, test: raw/test.jsonl}
"""
"""The task, whose rows are rows of the embedded one, so that they can be damaged."""


class RunWorld:
    """A run at one path, since configs name it; its two states are kept next to it.

    Attributes:
        folder: The run's folder.
        file: The experiment.
        model: The model from which all trainings start, a folder outside the run's.
        raw: The rows of the task, one file for each split, in another folder outside the run's.
        lasts: The seconds that the whole run takes.
        expected: The files of the undisturbed run.
    """

    def __init__(self, base: Path) -> None:
        self.folder, self._kept = base / "run", base / "kept"
        self.model, self.file, self.raw = base / "model", base / "experiment.yaml", base / "raw"
        self._write_inputs()
        began = time.monotonic()
        self.finish("--", "--until", UNTIL)
        shutil.copytree(self.folder, self._kept / "half", symlinks=True)
        self.finish()
        self.lasts = time.monotonic() - began
        shutil.copytree(self.folder, self._kept / "finished", symlinks=True)
        self.expected = self.files()

    def _write_inputs(self) -> None:
        shutil.copytree(shipped("data", "models", "tiny_llama"), self.model)
        self.raw.mkdir()
        for split in ("train_2", "test"):
            rows = shipped("data", "arithmetic", f"{split}.jsonl").read_text().splitlines(keepends=True)
            (self.raw / f"{split}.jsonl").write_text("".join(rows[:40]))
        self.file.with_name("sums.yaml").write_text(SUMS)
        brief = {"max_steps": 2, "learning_rate": 1e-4}
        on_cpu = {"max_steps": 2, "use_cpu": True, "bf16": False}
        values = {
            "name": "tormented",
            "task": "./sums.yaml",
            "weak": {"name": "w", "model": str(self.model)},
            "strong": {"name": "s", "model": str(self.model), "preset": "tiny_lora_sft", "overrides": brief},
            "iterations": 1,
            "last_iteration": ["hybrid"],
            "baselines": [],
            "limit": {"train_2": 30, "split": 8},
            "generation": {"engine": "undecided", "max_tokens": 24},
            "stage2": {"samples": 2, "min_confidence": 0.5, "methods": {"dpo": {"overrides": on_cpu}}},
        }
        self.file.write_text(yaml.safe_dump(values, sort_keys=False))

    def put(self, state: str) -> None:
        """Bring the folder into a state: `new`, `half` or `finished`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if state != "new":
            self.fill(state)

    def fill(self, state: str) -> None:
        """Copy the files of a state into the folder, which may exist."""
        shutil.copytree(self._kept / state, self.folder, symlinks=True, dirs_exist_ok=True)

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start `run`, with further variables in its environment."""
        words = ("run", str(self.file), "--output-dir", str(self.folder), "--jobs", "2", *arguments)
        return self._start(words, self.file.parent, environ)

    def _start(self, words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a command in a folder, with the played programs."""
        paths = os.pathsep.join(str(ROOT / path) for path in PLAYED)
        return subprocess.Popen(
            [sys.executable, "-m", "w2s_factory", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": paths, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for the end of `run`; return its exit code and what it said."""
        _, err = process.communicate(timeout=900)
        assert "Traceback" not in err, err
        assert "(unexpected" not in err, err
        return process.returncode, err

    def finish(self, *arguments: str) -> str:
        """Carry the run out to its end; return what it said."""
        code, err = self.end(self.start(*arguments))
        assert code == 0, err
        return err

    def kill(self, process: subprocess.Popen[str], *, everything: bool) -> None:
        """Kill `run`, and with `everything` all processes that it started."""
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for member in [psutil.Process(process.pid), *(family if everything else [])] if family else []:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        process.communicate()

    def files(self) -> dict[str, bytes]:
        """Return the files of the run that must not differ: data, models, configs, the plan, the report's."""
        found = [self.folder / name for name in ("contents.json", "experiment.yaml", "plan.json")]
        for part in ("seed0", "report"):
            found += sorted((self.folder / part).rglob("*"))
        named = {path.relative_to(self.folder).as_posix(): path for path in found if path.is_file()}
        return {name: _comparable(path) for name, path in named.items() if not name.endswith(NEVER_SAME)}

    def steps_since(self, moment: int) -> set[str]:
        """Return the names of the steps that ended after a moment, in nanoseconds: their durations are new."""
        found = (self.folder / "benchmarks").rglob("*.tsv")
        return {path.stem for path in found if path.stat().st_mtime_ns > moment}

    def generate_again(self, journal: str) -> None:
        """Give the command again whose finished journal was damaged, and assert that it restores the journal.

        `run` does not compare the journals of finished generations, since nothing is computed from them. What
        matters is that a damaged one never becomes a result.
        """
        assert self.files().get(journal) != self.expected[journal], f"{journal} was not damaged"
        code, err = self.end(self._start(self._generation(journal), self.folder, {}))
        assert code == 0, err
        assert self.files()[journal] == self.expected[journal], f"{journal} is still damaged: {err}"

    def _generation(self, journal: str) -> tuple[str, ...]:
        """Return the arguments of the command that wrote a journal."""
        steps = json.loads((self.folder / "plan.json").read_text())["steps"]
        commands = [shlex.split(line)[1:] for step in steps for line in step["commands"].splitlines()]
        [found] = [
            words
            for words in commands
            if words[0] == "generate" and journal.startswith(f"{words[words.index('--output-dir') + 1]}/")
        ]
        return tuple(found)

    def check_whole(self) -> None:
        """Assert that all files are those of the undisturbed run, and have their hashes in the manifests."""
        now = self.files()
        assert now.keys() == self.expected.keys(), now.keys() ^ self.expected.keys()
        differing = [name for name, content in now.items() if content != self.expected[name]]
        assert differing == [], f"{differing} differ"
        assert (self.folder / "report.html").read_text("utf-8").rstrip().endswith("</html>")
        for path in self.manifests():
            for name, said in manifest.last_lines(path.parent).items():
                assert content_hash(path.with_name(name)) == said["sha256"], f"{path}: {name}"

    def check_nothing_half_written(self) -> None:
        """Assert that each file is whole, a journal, or the output of a step that has not ended.

        LLaMA-Factory writes weights in place; what it left unfinished has no manifest, and is written again.
        """
        for name, content in self.files().items():
            if "/models/" in name and not (self.folder / name).with_name("manifest.jsonl").exists():
                continue
            if name.endswith(JOURNAL):
                lines = set(content.splitlines()[:-1])
                assert lines <= set(self.expected[name].splitlines()), name
            elif name.endswith("dataset_info.json"):
                assert content == b"" or json.loads(content), name
            else:
                assert content == self.expected.get(name, content), f"{name} is half written"

    def manifests(self) -> Iterator[Path]:
        yield from (path for path in self.folder.rglob("manifest.jsonl") if ".snakemake" not in path.parts)


def _comparable(path: Path) -> bytes:
    """Return a file's content; of a journal its lines in order, since responses come in any order."""
    content = path.read_bytes()
    if path.name.endswith(JOURNAL):
        return b"\n".join(sorted(content.splitlines()))
    return content
