"""Imported at the start of each process of a campaign: under a clock of libfaketime, sleeping works.

libfaketime 0.9.10, which Debian has, is asked to leave the monotonic clock alone, since a change of the
system's clock does not touch it, and with it waiting for a lock would never end. It then gives the kernel a
negative time whenever `time.sleep` of Python 3.11 waits until a moment of that clock, which ends in "Invalid
argument" (https://github.com/wolfcw/libfaketime/issues/426). Waiting for a lock is not affected.
"""

from __future__ import annotations

import os

if "FAKETIME" in os.environ:
    import threading
    import time

    def sleep(seconds: float) -> None:
        """Wait for a lock that nobody gives back."""
        threading.Event().wait(seconds)

    time.sleep = sleep
