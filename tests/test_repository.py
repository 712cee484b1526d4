"""The files that code hosts read: the citation, the workflow, the issue form; and the versions they name."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
WORKFLOW = ROOT / ".github" / "workflows" / "checks.yml"
FORM = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8"))


def test_the_citation_has_what_the_format_requires():
    """Version 1.2.0 of the Citation File Format: required keys, names of persons and entities.

    `make docs` validates the whole file by the format's schema.
    """
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(CITATION)
    assert CITATION["type"] == "software"
    for work in (CITATION, CITATION["preferred-citation"]):
        for author in work["authors"]:
            assert set(author) in ({"name"}, {"given-names", "family-names"})


def test_the_citation_names_the_software_as_the_package_does():
    assert CITATION["title"] == PROJECT["name"]
    assert str(CITATION["version"]) == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]


def test_the_paper_is_the_preferred_citation():
    paper = CITATION["preferred-citation"]
    names = [f"{author['given-names']} {author['family-names']}" for author in paper["authors"]]
    assert names == ["Yuqing Yang", "Yan Ma", "Pengfei Liu"]
    assert (paper["type"], paper["title"], paper["year"]) == ("article", "Weak-to-Strong Reasoning", 2024)
    assert paper["doi"] == "10.48550/arXiv.2407.13647"


def jobs() -> dict:
    return yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]


def test_the_workflow_runs_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [step["run"] for job in jobs().values() for step in job["steps"] if "run" in step]
    targets = [command.split()[1] for command in commands]
    assert targets == ["lint", "test", "docs"]
    for target in targets:
        assert re.search(rf"^{target}: ", makefile, re.M)


def test_the_workflow_tests_the_versions_that_the_package_names():
    """A version that has not been run is called unverified, there and in the guide for contributors."""
    tested = jobs()["test"]["strategy"]["matrix"]["python"]
    named = [
        text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", text)
    ]
    assert tested == named
    assert PROJECT["requires-python"] == f">={tested[0]}"
    for file in (WORKFLOW, ROOT / "CONTRIBUTING.md"):
        text = " ".join(re.sub(r"^\s*#", " ", file.read_text("utf-8"), flags=re.M).split())
        assert "3.12 and 3.13 are unverified" in text, file


def test_the_workflow_may_only_read():
    text = WORKFLOW.read_text("utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "secrets." not in text


def test_the_form_asks_for_the_diagnosis():
    """The keys are those of GitHub's issue forms."""
    assert {"name", "description", "body"} <= set(FORM)
    fields = {field.get("id"): field for field in FORM["body"]}
    assert all(field["type"] in ("markdown", "textarea", "input", "dropdown") for field in FORM["body"])
    assert "w2s-factory doctor --json" in fields["doctor"]["attributes"]["label"]
    assert fields["doctor"]["validations"] == {"required": True}
    assert len(fields) == len(FORM["body"])
