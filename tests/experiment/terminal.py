"""A terminal in which a command runs: what appears on it, keys that are pressed, and the state it is left in."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

_CODE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_AGAIN = re.compile(r"\r(?:\x1b\[1A\x1b\[2K|\x1b\[2K(?:\x1b\[1A)?)+")
"""The control codes that redraw or remove the lines at the bottom of a terminal."""


_SIZE = ("LINES", "COLUMNS")
"""The variables that say another size than the terminal has."""


class Terminal:
    """A command in a pseudo-terminal of its own, on which it is the foreground process.

    Args:
        command: The command.
        rows: The height of the terminal.
        columns: Its width.
        environ: Its environment.
    """

    def __init__(self, command, *, rows=24, columns=100, environ=None) -> None:
        self._ours, self._its = pty.openpty()
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._before = termios.tcgetattr(self._its)
        self._written = bytearray()
        sized = {name: value for name, value in (environ or os.environ).items() if name not in _SIZE}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=self._its,
            stdout=self._its,
            stderr=self._its,
            env={**sized, "TERM": "xterm-256color"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while data := os.read(self._ours, 65_536):
                self._written += data

    @property
    def raw(self) -> str:
        return self._written.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """All that was written, as plain text."""
        return _CODE.sub("", _AGAIN.sub("\n", self.raw)).replace("\r\n", "\n")

    @property
    def frames(self) -> list[str]:
        """Each state of the lines that are drawn again and again."""
        return [_CODE.sub("", frame).replace("\r\n", "\n") for frame in _AGAIN.split(self.raw)]

    def until(self, pattern: str, seconds: float = 60.0) -> re.Match[str]:
        """Wait until a pattern is on the terminal."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if match := re.search(pattern, self.text):
                return match
            time.sleep(0.05)
        raise AssertionError(f"{pattern} did not appear:\n{self.text}")

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for the end of the command; its exit code."""
        code = self.process.wait(seconds)
        time.sleep(0.2)  # the last bytes
        return code

    @property
    def is_sane(self) -> bool:
        """Whether the cursor is visible, the screen is the normal one, and keys are echoed as before."""
        shown = self.raw.rfind("\x1b[?25h") >= self.raw.rfind("\x1b[?25l")
        return shown and "\x1b[?1049h" not in self.raw and termios.tcgetattr(self._its) == self._before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._its)
        os.close(self._ours)
