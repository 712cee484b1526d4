"""A campaign of faults on whole runs with played trainings: the next `run` ends in the same files."""

from __future__ import annotations

import pytest
import run_faults
from campaign import FAULTS, batches, draws, may_mount, note, note_skipped
from run_world import RunWorld

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

JOURNALS = "seed0/outputs/*/*/w/zero-shot/direct/output.journal.jsonl"

SHARES = {kind: share for kind, (share, _) in run_faults.KINDS.items()}


@pytest.fixture(scope="module")
def run_world(tmp_path_factory):
    return RunWorld(tmp_path_factory.mktemp("run_world"))


@pytest.mark.parametrize(("kind", "batch", "faults"), [*batches(SHARES, FAULTS - round(FAULTS * 0.95))])
def test_no_fault_loses_anything_of_a_run(kind, batch, faults, run_world, tmp_path):
    if kind in run_faults.NEED_MOUNTS and not may_mount(tmp_path):
        note_skipped(kind, faults)
        pytest.skip("only root on Linux may mount a small file system")
    for number, draw in enumerate(draws(kind, batch, faults)):
        try:
            note(run_faults.KINDS[kind][1](run_world, draw))
        except AssertionError as error:
            raise AssertionError(f"fault {number} of {kind} {batch}: {error}") from error


def test_the_rule_notices_a_finished_journal_whose_damage_becomes_a_result(run_world):
    run_world.put("finished")
    [journal] = run_world.folder.glob(JOURNALS)
    name = journal.relative_to(run_world.folder).as_posix()
    with pytest.raises(AssertionError, match="was not damaged"):
        run_world.generate_again(name)
    whole = journal.read_text()
    journal.write_text(whole.replace("#### 7", "#### 8"))
    with pytest.raises(AssertionError, match="differ"):
        run_world.check_whole()
    run_world.generate_again(name)
    run_world.check_whole()
    journal.write_text(whole.replace("#### 7", "#### 8"))
    journal.with_name(f".{journal.name}.hashes").unlink()  # the damaged line now counts as intact
    with pytest.raises(AssertionError, match="exists and has other content"):
        run_world.generate_again(name)
    with pytest.raises(AssertionError, match="differ"):
        run_world.check_whole()
