"""One try of a command: run it in process, and hold what it did against the rules that bind every command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import broken_files
import yaml
from hypothesis import HealthCheck, settings
from inputs import contents
from stand_ins import Children

from w2s_factory import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
"""Seconds one try may take on a busy machine: a command that waits for ever exceeds them."""

ASKED = int(os.environ.get("W2S_MISUSE", "0"))
"""The number of tries `make misuse` asked for; 0 in the default suite."""

SEEDED = os.environ.get("W2S_MISUSE_SEED", "") != ""
"""Whether the tries are others than the usual ones: those of hypothesis's own seed."""

MEMORY = 2 * 1024**3
"""The bytes one try may take more than it begins with: an input of a few lines must not fill the memory."""

CANARY = "EXECUTED"
"""The file that commands hidden in names, values and files would create."""

ROWS = {"build-data", "convert-pairs", "demos", "generate", "merge-shards", "score", "vote"}
"""Commands that write rows; others write a text under whatever name they are given."""

KEPT = {"manifest.jsonl", "dataset_info.json"}
"""Files that grow with what other commands wrote."""


def tries_of(share: float, default: int) -> settings:
    """The settings of a property that gets this share of the tries: seeded, shrinking, not timed."""
    return settings(
        max_examples=max(1, int(ASKED * share)) if ASKED else default,
        deadline=None,
        derandomize=not SEEDED,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


@dataclass(frozen=True)
class Try:
    """A command line, and what was done to its inputs before.

    Attributes:
        words: The command line, without the program's name.
        faults: Each input that was broken, and how (a key of `broken_files.FAULTS`).
        written: Files put into the folder, by name, with their text.
        blamed: Texts of which a complaint must hold one; none if nothing was changed.
    """

    words: tuple[str, ...]
    faults: tuple[tuple[str, str], ...] = ()
    written: tuple[tuple[str, str], ...] = ()
    blamed: tuple[str, ...] = ()

    def __str__(self) -> str:
        broken = "".join(f"\n  {name}: {fault}" for name, fault in self.faults)
        return f"w2s-factory {shlex.join(self.words)}{broken}"


@dataclass(frozen=True)
class Outcome:
    """The result of a try."""

    code: int
    out: str
    err: str
    seconds: float
    unexpected: list[list[str]]


class TooLong(BaseException):
    """A try that did not end in its time."""


def attempt(one: Try, template: Path) -> Outcome:
    """Run a try in a fresh copy of the template folder and assert every rule.

    Args:
        one: The try.
        template: A folder that holds `in/`.

    Raises:
        AssertionError: A rule was broken; the message holds the command line, and the folder is kept.
    """
    folder = Path(tempfile.mkdtemp(prefix="w2s-misuse-"))
    named = [*one.words, *(name for name, _ in (*one.faults, *one.written))]
    unused = () if any(name.startswith("in/run") for name in named) else ("run",)
    shutil.copytree(template / "in", folder / "in", symlinks=True, ignore=shutil.ignore_patterns(*unused))
    for name, fault in one.faults:
        broken_files.put(folder / name, fault)
    for name, text in one.written:
        (folder / name).write_text(text, "utf-8", "surrogatepass")
    before = contents(folder)
    outcome = run(one.words, folder)
    try:
        check(one, outcome, before, folder)
    except AssertionError as error:
        said = f"{one}\n  in {folder}\n  exit code {outcome.code}\n  stderr: {outcome.err[-1500:]}"
        raise AssertionError(f"{error}\n{said}") from None
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


def run(words: tuple[str, ...], folder: Path) -> Outcome:
    """Run a command line in process, in a folder."""
    Children.unexpected.clear()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    began = time.monotonic()
    with _as_process(["w2s-factory", *words], folder, out, err), _limited():
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except TooLong:
            code = -1
    texts = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err))
    return Outcome(code, *texts, time.monotonic() - began, list(Children.unexpected))


@contextlib.contextmanager
def _as_process(
    argv: list[str], folder: Path, out: io.TextIOWrapper, err: io.TextIOWrapper
) -> Iterator[None]:
    """Arguments, folder, streams and signal handlers as a process of its own would have them."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    before, sys.argv, here, umask = sys.argv, argv, Path.cwd(), os.umask(0o022)
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        os.chdir(here)
        sys.argv = before
        os.umask(umask)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Give the block its time, and where that can be limited its memory."""

    def end(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, end)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = Path("/proc/self/statm")
    if pages.exists():
        most = int(pages.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)


def check(one: Try, outcome: Outcome, before: dict[str, bytes | str], folder: Path) -> None:
    """Assert every rule that binds a command, whatever it was given."""
    assert outcome.code != -1, f"did not end in {SECONDS} s"
    assert outcome.code in (0, 1, 2), "an exit code that is not documented"
    assert "(unexpected" not in outcome.err, "an error that was not foreseen"
    assert "Traceback (most recent call last)" not in outcome.err + outcome.out, "a traceback"
    assert outcome.unexpected == [], "a program was started that nobody asked for"
    after = contents(folder)
    assert not any(Path(name).name == CANARY for name in after), "a text was executed"
    if outcome.code == 2:
        _complained(one, outcome)
    _left_inputs(before, after)
    new = [name for name in after if name not in before and not name.endswith(".lock")]
    assert not [name for name in new if name.endswith((".part", ".tmp"))], "an unfinished file was left"
    if outcome.code == 2:
        assert new == [], f"a refused command left {new}"
    for name in new if one.words[0] in ROWS else ():
        _whole(folder / name)


def _complained(one: Try, outcome: Outcome) -> None:
    lines = outcome.err.splitlines()
    if not one.words[1:] and lines and lines[0].startswith("Usage:"):
        return  # a command without any argument shows its help
    errors = [line for line in lines if line.startswith("Error: ")]
    assert len(errors) == 1, "a refusal takes one line"
    assert lines[-1] == errors[0], "a refusal ends in its line"
    if one.blamed:
        plain = errors[0].casefold().replace("_", "-")
        blamed = [text.casefold().replace("_", "-") for text in one.blamed]
        assert any(text in plain for text in blamed if text), f"the complaint names none of {one.blamed}"


def _left_inputs(before: dict[str, bytes | str], after: dict[str, bytes | str]) -> None:
    for name, content in before.items():
        if Path(name).name in KEPT:
            continue
        assert name in after, f"{name} is gone"
        assert after[name] == content, f"{name} was changed"


def _whole(path: Path) -> None:
    """Read a new file as its suffix says: a half-written one does not parse."""
    if path.is_symlink() or not path.is_file():
        return
    text = path.read_bytes()
    if path.suffix == ".jsonl":
        assert text.endswith(b"\n") or not text, f"{path.name} ends in the middle of a line"
        for line in text.splitlines():
            json.loads(line)
    elif path.suffix == ".json":
        json.loads(text)
    elif path.suffix in (".yaml", ".yml"):
        yaml.safe_load(text)
