"""Every artefact has a line in its folder's manifest."""

from __future__ import annotations

import hashlib
import json

from w2s_factory import records


def test_each_output_gets_a_line_with_hashes_and_versions(tmp_path):
    source, one, two = (tmp_path / name for name in ("in.jsonl", "one.json", "two.json"))
    for path in (source, one, two):
        path.write_text(path.name)
    records.note([one], inputs=[source], packages=["click", "no-such-package"], seed=42)
    records.note([two])
    first, second = map(json.loads, (tmp_path / "manifest.jsonl").read_text().splitlines())
    assert (first["file"], second["file"]) == ("one.json", "two.json")
    assert first["sha256"] == hashlib.sha256(b"one.json").hexdigest()
    assert first["inputs"] == [{"file": str(source), "sha256": hashlib.sha256(b"in.jsonl").hexdigest()}]
    assert first["versions"]["click"]
    assert first["versions"]["no-such-package"] is None
    assert first["seed"] == 42
    assert first["command"]
    assert first["time"].endswith("Z")
