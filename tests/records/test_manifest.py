"""Every artefact has a line in its folder's manifest."""

from __future__ import annotations

import datetime
import hashlib
import json
import sys

import pytest

from w2s_factory import UserError, records


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


def noted_line(folder, **facts):
    output = folder / "a.json"
    output.write_text("[]")
    records.note([output], **facts)
    return json.loads((folder / "manifest.jsonl").read_text())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["hf_hub_token=hf_S3"], ["hf_hub_token=***"]),
        (["outer.API_KEY=S3"], ["outer.API_KEY=***"]),
        (["--api-key", "S3", "x"], ["--api-key", "***", "x"]),
        (["--password=S3"], ["--password=***"]),
        (["--set", "hub_token=S3"], ["--set", "hub_token=***"]),
        (["outer={secret: S3}"], ["outer=***"]),
        (["--answer-key", "####"], ["--answer-key", "####"]),
        (["--use-key", "--force"], ["--use-key", "--force"]),
        (["max_new_tokens=5", "tokenizer=x"], ["max_new_tokens=5", "tokenizer=x"]),
    ],
)
def test_secrets_on_the_command_line_are_not_written_down(given, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/w2s-factory", *given])
    assert noted_line(tmp_path)["command"] == ["w2s-factory", *kept]


def test_secrets_among_the_facts_are_not_written_down(tmp_path):
    config = {"hf_hub_token": "S3", "inner": {"Api_Key": "S3", "n": 1}, "password": 5, "add_tokens": "a"}
    config |= {"key_given": True, "other_token": None}
    line = noted_line(tmp_path, config=config)
    assert line["config"] == {
        "hf_hub_token": "***",
        "inner": {"Api_Key": "***", "n": 1},
        "password": "***",
        "add_tokens": "a",
        "key_given": True,
        "other_token": None,
    }


def test_what_json_has_no_form_for_is_written_as_text(tmp_path):
    assert noted_line(tmp_path, day=datetime.date(2024, 1, 1))["day"] == "2024-01-01"


def test_a_manifest_that_cannot_be_written_is_the_users_to_mend(tmp_path):
    (tmp_path / "manifest.jsonl").mkdir()
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UserError, match=r"manifest\.jsonl: cannot be written") as wrong:
        records.note([tmp_path / "a.json"])
    assert wrong.value.exit_code == 2
    with pytest.raises(UserError, match=r"b\.json: cannot be read"):
        records.note([tmp_path / "b.json"])


def test_what_the_manifest_says_of_a_file_as_it_is_now(tmp_path):
    output = tmp_path / "a.json"
    assert not records.noted(output)
    noted_line(tmp_path, purpose="x")
    assert records.noted(output, purpose="x")
    assert not records.noted(output, purpose="y")
    assert not records.noted(tmp_path / "b.json", purpose="x")
    output.write_text("[1]")
    assert not records.noted(output, purpose="x")
    (tmp_path / "manifest.jsonl").write_text("not JSON")
    assert not records.noted(output)


def test_the_files_of_a_folder_that_are_as_noted(tmp_path):
    for name in ("a.json", "b.json", "c.json", "d.json"):
        (tmp_path / name).write_text(name)
    records.note([tmp_path / name for name in ("a.json", "b.json", "d.json")], purpose="x")
    records.note([tmp_path / "c.json"], purpose="y")
    (tmp_path / "b.json").write_text("changed")
    (tmp_path / "d.json").unlink()
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write(
            '{"file": "../a.json", "sha256": "0", "purpose": "x"}\n{"file": 3, "purpose": "x"}\nnot JSON\n'
        )
    assert records.noted_files(tmp_path, purpose="x") == {"a.json"}
    assert records.noted_files(tmp_path / "none", purpose="x") == set()


def test_a_distribution_without_a_name_has_no_version(tmp_path):
    assert noted_line(tmp_path, packages=[""])["versions"][""] is None
