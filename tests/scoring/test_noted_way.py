"""What manifests note of results, and results of responses that were generated anew since."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from w2s_factory import (
    UserError,
    build_full_weak,
    build_stage1,
    build_stage2,
    evaluate,
    pick_demonstrations,
    score,
    vote,
)
from w2s_factory.records import write

GOLDS = [{"id": n, "question": f"q{n}", "answer": str(n)} for n in range(3)]


def generated(folder, word="So"):
    """Write responses, later than all files before; the weak model is wrong on the first question."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = ("9" if folder.name == "weak" else "0", "1", "2")
    rows = [
        {"id": n, "prompt": f"q{n}", "response": f"{word}\n#### {answer}"} for n, answer in enumerate(answers)
    ]
    write(folder / "output.jsonl", rows, force=True)
    later = max((file.stat().st_mtime for file in folder.iterdir()), default=0) + 5
    os.utime(folder / "output.jsonl", (later, later))


@pytest.fixture
def scored(tmp_path):
    """Folders of scored responses: weak, icl, and the samples of one seed."""
    for name in ("weak", "icl", "samples/seed0"):
        generated(tmp_path / name, name)
        score("gsm8k", GOLDS, tmp_path / name / "output.jsonl", tmp_path / name / "results.jsonl")
    return tmp_path


READERS = {
    "demos": ("weak", lambda root: pick_demonstrations("gsm8k", root / "weak", count=1)),
    "full-weak": ("weak", lambda root: build_full_weak("gsm8k", root / "weak")),
    "stage 2": ("weak", lambda root: build_stage2("gsm8k", root / "weak", vote(root / "samples").output)),
    "stage 1": ("icl", lambda root: build_stage1("gsm8k", root / "weak", root / "icl")),
    "vote": ("samples/seed0", lambda root: vote(root / "samples")),
    "evaluate": ("weak", lambda root: evaluate([root / "weak"])),
}


@pytest.mark.parametrize(("stale", "read"), READERS.values(), ids=READERS)
def test_results_of_other_responses_are_refused(scored, stale, read):
    generated(scored / stale, stale)  # the same again
    read(scored)
    generated(scored / stale, "Other")
    with pytest.raises(
        UserError, match=r"was scored from another output.jsonl.*score again with --force"
    ) as it:
        read(scored)
    assert it.value.file == scored / stale / "results.jsonl"
    score("gsm8k", GOLDS, scored / stale / "output.jsonl", scored / stale / "results.jsonl", force=True)
    read(scored)


def test_results_that_were_deleted_are_reported_as_missing(scored):
    (scored / "weak" / "results.jsonl").unlink()
    with pytest.raises(UserError, match="no such file"):
        evaluate([scored / "weak" / "results.jsonl"])


@pytest.mark.parametrize("inputs", [None, "x", ["x"], [{}], [{"file": "x" * 5_000, "sha256": 1}]])
def test_a_manifest_whose_inputs_say_nothing_refuses_nothing(scored, inputs):
    generated(scored / "weak", "Other")
    line = {"file": "results.jsonl", "sha256": "x", "inputs": inputs}
    (scored / "weak" / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    evaluate([scored / "weak"])


def test_in_a_folder_that_was_moved_they_are_too(scored):
    generated(scored / "weak", "Other")
    (scored / "elsewhere").mkdir()
    shutil.move(scored / "weak", scored / "elsewhere" / "weak")
    with pytest.raises(UserError, match="was scored from another"):
        evaluate([scored / "elsewhere" / "weak"])


def test_without_a_manifest_or_scored_from_elsewhere_nothing_is_known(scored):
    generated(scored / "weak", "Other")
    (scored / "weak" / "manifest.jsonl").unlink()
    evaluate([scored / "weak"])
    score("gsm8k", GOLDS, scored / "icl" / "output.jsonl", scored / "weak" / "results.jsonl", force=True)
    generated(scored / "weak", "Another")
    evaluate([scored / "weak"])
