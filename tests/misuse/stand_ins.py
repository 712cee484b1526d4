"""Stand-ins for slow programs while commands are tried in process: child processes and engines.

Every child process goes through one place. Questions to an interpreter are really asked, once each; git runs;
LLaMA-Factory, Snakemake and what imports torch fail at once, as a delegate may. Any other program is recorded as not allowed.
"""

from __future__ import annotations

import io
import subprocess
import sys
import types
from pathlib import Path
from typing import ClassVar

from echo_engine import Echo

from w2s_factory.generating.engines import model_folders

ASKED = {"look_around.py"}
"""Programs that an interpreter is asked to run; `-c` is a question, too."""

DELEGATES = {
    "llamafactory-cli",
    "snakemake",
    "imports_work.py",
    "weights_load.py",
    "token_lengths.py",
    "template_encodings.py",
    "cut_rows.py",
}
"""Programs that fail at once: these, and those of ours that import torch."""

REAL = subprocess.Popen


class Loading(Echo):
    """Answers like `Echo`, after the checks of model and adapter that every engine makes."""

    def __init__(self, model, **options):
        model_folders.model_folder(model.name)
        if model.adapter:
            model_folders.adapter_folder(model.adapter)
        super().__init__(model)


class Children(subprocess.Popen):
    """Child processes, as far as a try may have them.

    Attributes:
        unexpected: Command lines of programs that no command has a reason to start.
    """

    unexpected: ClassVar[list[list[str]]] = []
    _answers: ClassVar[dict[object, tuple[int, bytes, bytes]]] = {}

    def __init__(self, args, **options):
        self.args = words = [str(args)] if isinstance(args, (str, Path)) else [str(word) for word in args]
        self._child_created = False
        self._options, self._text = options, options.get("text") or options.get("encoding") is not None
        self.pid, self.returncode = 2**22 + 1, None  # above the highest process id
        self.stdin = self.stdout = self.stderr = None
        if options.get("shell"):
            self.unexpected.append(words)
        self._kind = _kind(words)
        if self._kind == "real":
            if not Path(words[0]).is_absolute() and "/" not in words[0] and words[0] != "git":
                self.unexpected.append(words)
            super().__init__(args, **options)
        elif self._kind == "delegate":
            self.returncode = 1
            out = b"This program stands in for the real one and fails.\n"
            self.stdout = self._stream(out) if options.get("stdout") is subprocess.PIPE else None

    def communicate(self, input=None, timeout=None):  # noqa: A002  as subprocess calls it
        if self._kind == "real":
            return super().communicate(input, timeout)
        if self._kind == "delegate":
            return self._told(b"", b"failed\n")
        key = (tuple(self.args), str(input), str(self._options.get("cwd")))
        if key not in self._answers:
            done = REAL(self.args, **self._options)
            out, err = done.communicate(input, timeout)
            self._answers[key] = done.returncode, _bytes(out), _bytes(err)
        self.returncode, out, err = self._answers[key]
        return self._told(out, err)

    def _told(self, out, err):
        return (out.decode(), err.decode()) if self._text else (out, err)

    def _stream(self, out):
        return io.StringIO(out.decode()) if self._text else io.BytesIO(out)

    def poll(self):
        return super().poll() if self._kind == "real" else self.returncode

    def wait(self, timeout=None):
        return super().wait(timeout) if self._kind == "real" else self.returncode

    def __exit__(self, *error):
        if self._kind == "real":
            super().__exit__(*error)

    def __del__(self, **_):
        if getattr(self, "_kind", None) == "real":
            super().__del__()


def _bytes(text):
    return text.encode() if isinstance(text, str) else text or b""


def _kind(words: list[str]) -> str:
    names = {Path(word).name for word in words[:4]}
    if names & ASKED or words[1:2] == ["-c"]:
        return "asked"
    if names & DELEGATES or words[1:2] == ["-m"]:
        return "delegate"
    return "real"


def stand_in(monkeypatch) -> None:
    """Put the stand-ins in place for the duration of a test."""
    monkeypatch.setattr(subprocess, "Popen", Children)
    for name, factory in (("transformers", "Transformers"), ("vllm", "Vllm")):
        module = types.ModuleType(f"w2s_factory.generating.engines.{name}")
        setattr(module, factory, Loading)
        monkeypatch.setitem(sys.modules, module.__name__, module)
