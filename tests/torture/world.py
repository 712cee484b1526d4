"""The folder in which a command meets a fault, what the undisturbed command writes there, and the rules."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from inputs import contents
from trial import Outcome, run

from w2s_factory.experiment.run_lock import OWNER
from w2s_factory.records import content_hash, manifest

if TYPE_CHECKING:
    from pathlib import Path

    from inputs import Line

MANIFEST, JOURNAL, HASHES = "manifest.jsonl", ".journal.jsonl", ".journal.jsonl.hashes"


class World:
    """A folder with the inputs of every command, at the same path for each fault.

    Attributes:
        folder: The folder.
        before: Its files as a command finds them.
    """

    def __init__(self, template: Path, folder: Path) -> None:
        self.folder, self._template = folder, template
        self._written: dict[Line, dict[str, bytes | str]] = {}
        self.fresh()
        self.before = contents(folder)

    def fresh(self) -> None:
        """Begin with the inputs alone."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        shutil.copytree(self._template / "in", self.folder / "in", symlinks=True)

    def run(self, *words: str) -> Outcome:
        """Run a command in this process."""
        outcome = run(words, self.folder)
        assert outcome.code in (0, 1, 2), (words, outcome)
        assert "(unexpected" not in outcome.err, (words, outcome)
        assert "Traceback" not in outcome.err, (words, outcome)
        return outcome

    def expected(self, line: Line) -> dict[str, bytes | str]:
        """Return the files that the undisturbed command writes or changes."""
        if line not in self._written:
            self.fresh()
            outcome = self.run(*line.words)
            assert outcome.code == line.code, (line, outcome)
            self._written[line] = self.changed()
            self.fresh()
        return self._written[line]

    def changed(self) -> dict[str, bytes | str]:
        """Return the files that a command wrote or changed, but no lock files and no hashes of a journal."""
        after = contents(self.folder)
        return {
            name: content
            for name, content in after.items()
            if self.before.get(name) != content and not name.endswith((".lock", HASHES))
        }

    def check_nothing_half_written(self, line: Line, *, killed: bool) -> None:
        """Assert that each file is as before, as the undisturbed command writes it, or not there.

        A journal may hold some of its lines. A killed process may leave hidden temporary files, a killed
        `run` its note of itself, and any of them the last line of a journal unfinished.
        """
        expected = self.expected_while(line)
        for name, content in self.changed().items():
            if name.endswith((".part", OWNER)):
                assert killed, f"{name} was left"
            elif name.endswith(MANIFEST):
                lines = _lines(content, last_may_be_torn=killed)
                assert all(json.loads(text)["file"] for text in lines)
            elif name.endswith(JOURNAL):
                lines = _lines(content, last_may_be_torn=killed)
                assert set(lines) <= set(_lines(expected[name])), f"{name} has other lines"
            else:
                assert name in expected, f"{name} is not written by the undisturbed command"
                assert content == expected[name], f"{name} is half written"
        gone = [name for name in self.before if not os.path.lexists(self.folder / name)]
        assert gone == [], "files are gone"

    def expected_while(self, line: Line) -> dict[str, bytes | str]:
        """Return `expected`, which must be known already: the folder is in use."""
        return self._written[line]

    def check_whole(self, line: Line) -> None:
        """Assert that all files are those of the undisturbed command, and manifests note their hashes."""
        now = {name: content for name, content in self.changed().items() if not name.endswith(".part")}
        expected = self.expected_while(line)
        assert now.keys() == expected.keys(), now.keys() ^ expected.keys()
        for name, content in now.items():
            if name.endswith(JOURNAL):
                assert sorted(_lines(content)) == sorted(_lines(expected[name])), name
            elif name.endswith(MANIFEST):
                _check_hashes(self.folder / name, expected[name])
            else:
                assert content == expected[name], f"{name} differs"


def _lines(content: bytes | str, *, last_may_be_torn: bool = False) -> list[bytes]:
    assert isinstance(content, bytes)
    whole, _, last = content.rpartition(b"\n")
    assert last == b"" or last_may_be_torn, f"an unfinished line: {last!r}"
    return whole.splitlines()


def _check_hashes(path: Path, expected: bytes | str) -> None:
    """Assert that a manifest notes the hash of each file that the undisturbed one notes."""
    noted = manifest.last_lines(path.parent)
    for name in {json.loads(line)["file"] for line in _lines(expected)}:
        assert noted[name]["sha256"] == content_hash(path.with_name(name)), (
            f"{path} has another hash of {name}"
        )
