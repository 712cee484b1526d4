"""A campaign of faults on every command: nothing half-written, nothing lost, the same files in the end."""

from __future__ import annotations

from random import Random

import command_faults
import pytest
from campaign import FAULTS, batches, draws, faked_clock, may_mount, note, note_skipped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHARES = {kind: share for kind, (share, _) in command_faults.KINDS.items()}


@pytest.fixture
def fast_retries(monkeypatch):
    """The client's back-off in hundredths of a second."""
    base = pytest.importorskip("openai._base_client")
    monkeypatch.setattr(base, "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr(base, "MAX_RETRY_DELAY", 0.05)


@pytest.mark.parametrize(("kind", "batch", "faults"), [*batches(SHARES, round(FAULTS * 0.95))])
def test_no_fault_loses_anything(kind, batch, faults, world, request, tmp_path):
    if kind in command_faults.NEED_MOUNTS and not may_mount(tmp_path):
        note_skipped(kind, faults)
        pytest.skip("only root on Linux may mount a small file system")
    if kind == "faked_time" and faked_clock(Random()) is None:
        note_skipped(kind, faults)
        pytest.skip("needs libfaketime: apt-get install faketime, or W2S_LIBFAKETIME=FILE")
    if kind not in command_faults.IN_PROCESSES:
        request.getfixturevalue("stood_in")
    if kind == "server":
        request.getfixturevalue("fast_retries")
    for number, draw in enumerate(draws(kind, batch, faults)):
        world.fresh()
        try:
            note(command_faults.KINDS[kind][1](world, draw))
        except AssertionError as error:
            raise AssertionError(f"fault {number} of {kind} {batch}: {error}") from error
