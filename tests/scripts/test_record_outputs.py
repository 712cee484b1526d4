"""Two recordings of the same code are equal, and what differs between two is said, or may differ."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import record_outputs
from record_outputs import Recorder, compare, described, record
from recorded_commands import PREFERENCE, SUPERVISED
from recorded_inputs import Places

from w2s_factory.llamafactory.presets import preset_names

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "record_outputs.py"
ONE = "embedded 1, options 0"


@pytest.fixture(scope="module")
def recordings():
    """Two recordings of one case, made in two folders."""
    return record(ROOT, ONE, None), record(ROOT, ONE, None)


def test_every_preset_for_a_prompt_in_the_published_form_is_recorded():
    names = {name for name in preset_names() if not name.startswith("chat_")} - {"export"}
    assert names == {*SUPERVISED, *PREFERENCE}


def test_two_recordings_of_the_same_code_are_equal(recordings):
    first, second = recordings
    assert compare(first, second) == []
    case = first["cases"][ONE]
    assert [command["code"] for command in case["commands"]] == [0]
    assert len([name for name in case["files"] if name.endswith(".yaml")]) == 3
    assert str(ROOT) not in json.dumps(first)


def test_what_needs_the_release_is_named(monkeypatch):
    monkeypatch.delenv("W2S_RELEASE", raising=False)
    recorded = record(ROOT, "audit", None)
    assert recorded["left_out"]["audit"] == "needs release"
    assert "audit" not in recorded["cases"]


FIRST = {
    "commands": [{"command": "evaluate a", "code": 0, "stdout": "acc 0.5 of a\n", "stderr": ""}],
    "files": {
        "a.json": {"size": 1, "sha256": "a"},
        "a.yaml": {"size": 1, "sha256": "a", "without_comments": "b", "values": "c"},
        "manifest.jsonl": {"size": 1, "sha256": "a", "lines": ["one"]},
        "<stdout 1>.json": {"size": 1, "sha256": "a", "without_prose": "b"},
        "report.html": {"size": 1, "sha256": "a"},
        "logs/a.txt": {"size": 1, "sha256": "a"},
    },
    "removed": [],
    "numbers": True,
    "seconds": 1,
}
CHANGES = [
    (("commands", 0, "code"), 2, "exit code 0, now 2", ""),
    (("commands", 0, "stdout"), "accuracy: 0.5 of a", "stdout of", "messages"),
    (("commands", 0, "stdout"), "acc 0.6 of a\n", "numbers printed", ""),
    (("commands", 0, "stderr"), "warning", "stderr of", "messages"),
    (("commands", 0, "command"), "evaluate b", "other commands", ""),
    (("files", "a.json", "sha256"), "b", "a.json differs", ""),
    (("files", "b.json"), {"size": 1}, "b.json appeared", ""),
    (("files", "b.lock"), {"size": 1}, "b.lock appeared", "locks"),
    (("files", "plan.svg"), {"size": 1}, "plan.svg appeared", "drawings of plans"),
    (("files", "a.yaml", "sha256"), "b", "a.yaml differs", "comments in YAML"),
    (("files", "a.yaml", "without_comments"), "c", "(the same values)", ""),
    (("files", "manifest.jsonl", "lines"), ["two"], "manifest.jsonl differs", ""),
    (("files", "<stdout 1>.json", "sha256"), "b", "<stdout 1>.json differs", "messages in JSON"),
    (("files", "<stdout 1>.json", "without_prose"), "c", "<stdout 1>.json differs", ""),
    (("files", "report.html", "sha256"), "b", "report.html differs", "pages"),
    (("files", "logs/a.txt", "sha256"), "b", "logs/a.txt differs", "logs"),
    (("removed",), ["a.json"], "removed", ""),
]


@pytest.mark.parametrize(("where", "value", "what", "kind"), CHANGES)
def test_each_change_is_seen(where, value, what, kind):
    changed = copy.deepcopy(FIRST)
    inner = changed
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    found = compare({"cases": {"case": FIRST}}, {"cases": {"case": changed}})
    assert any(what in one.what and one.kind == kind for one in found), found


@pytest.mark.parametrize("file", [*FIRST["files"]])
def test_a_vanished_file_is_seen(file):
    changed = copy.deepcopy(FIRST)
    del changed["files"][file]
    found = compare({"cases": {"case": FIRST}}, {"cases": {"case": changed}})
    assert [one.what for one in found] == [f"{file} vanished"]


def test_hashes_times_and_versions_of_a_manifest_do_not_count():
    def line(**more):
        row = {"file": "a", "sha256": "x", "inputs": [{"file": "b", "sha256": "y"}], "versions": {"p": "1"}}
        return json.dumps(row | {"time": "now", "seed": 1} | more) + "\n"

    changed = line(sha256="z", time="later", versions={"p": "2"}, inputs=[{"file": "b", "sha256": "q"}])
    assert described("manifest.jsonl", line())["lines"] == described("manifest.jsonl", changed)["lines"]
    for more in ({"seed": 2}, {"inputs": [{"file": "c", "sha256": "y"}]}, {"versions": {"q": "1"}}):
        assert (
            described("manifest.jsonl", line())["lines"] != described("manifest.jsonl", line(**more))["lines"]
        )


def test_comments_of_yaml_do_not_count_and_values_do():
    one, two, three = (
        described("a.yaml", text)
        for text in ("# A\na: 1  # b\nc: 'x#y # z'\n", "a: 1\nc: 'x#y # z'\n", "a: 2\n")
    )
    assert one["values"] == two["values"] != three["values"]
    plain = (described("a.yaml", text) for text in ("a: 1  # b\n", "# c\n\na: 1\n"))
    assert len({one["without_comments"] for one in plain}) == 1
    assert two["without_comments"] != three["without_comments"]


def test_paths_and_times_get_names(tmp_path):
    recorder = Recorder.__new__(Recorder)
    recorder.root, recorder.places = tmp_path, Places(tmp_path / "tree", Path("/data/release"), None)
    text = (
        f"{tmp_path}/tree/a {tmp_path}/cases/b/c {tmp_path}/d /data/release/e 2025-01-31T12:00:00Z 2025-01-31"
    )
    said = "<tree>/a <folder>/c <temporary>/d <release>/e <time> 2025-01-31"
    assert recorder.named(text, tmp_path / "cases/b") == said


@pytest.mark.parametrize(("code", "status"), [(0, 0), (2, 1)])
def test_the_exit_code_says_whether_something_differs(tmp_path, code, status):
    changed = copy.deepcopy(FIRST)
    changed["commands"][0]["code"] = code
    for name, case in (("before", FIRST), ("after", changed)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"cases": {"case": case}}))
    command = [
        sys.executable,
        str(SCRIPT),
        "compare",
        str(tmp_path / "before.json"),
        str(tmp_path / "after.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr


def test_the_names_of_cases_are_distinct():
    names = [case.name for case in record_outputs.cases()]
    assert len(names) == len(set(names)) > 300
