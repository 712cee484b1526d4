"""The release comes by git, safely; benchmarks come in the release's forms (from local folders: no network)."""

from __future__ import annotations

import json
import random
import subprocess

import pytest

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.release import SOURCES, fetch
from w2s_factory.release.benchmark_splits import halves
from w2s_factory.release.fetch_math import MATH_SUBJECTS, last_boxed
from w2s_factory.release.fetch_release import fetch_release


def git(folder, *arguments):
    command = [
        "git",
        "-C",
        str(folder),
        "-c",
        "user.name=Somebody",
        "-c",
        "user.email=some@body.example",
        *arguments,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository of two commits, and the first of them."""
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "data/rows.jsonl").write_text('{"id": 1}\n')
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    first = git(folder, "rev-parse", "HEAD")
    (folder / "data/rows.jsonl").write_text('{"id": 2}\n')
    git(folder, "commit", "--quiet", "-am", "second")
    return folder, first


def test_the_known_commit_is_checked_out(repository, tmp_path):
    origin, first = repository
    fetched = fetch_release(str(origin), tmp_path / "out", commit=first)
    assert (tmp_path / "out/data/rows.jsonl").read_text() == '{"id": 1}\n'
    assert "verify-release" in (fetched.hint or "")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_copy_without_that_commit_gives_its_newest_and_says_so(repository, tmp_path):
    fetched = fetch("release", tmp_path / "out", origin=str(repository[0]))
    assert (tmp_path / "out/data/rows.jsonl").read_text() == '{"id": 2}\n'
    assert any("has no commit 596a0b61166a" in note for note in fetched.notes)


def test_a_clone_that_is_there_stays_and_is_put_right_only_if_asked(repository, tmp_path):
    origin, first = repository
    out = tmp_path / "out"
    fetch_release(str(origin), out, commit=first)
    (out / "data/rows.jsonl").write_text("changed")
    fetch_release(str(origin), out, commit=first)
    assert (out / "data/rows.jsonl").read_text() == "changed"
    fetch_release(str(origin), out, commit=first, force=True)
    assert (out / "data/rows.jsonl").read_text() == '{"id": 1}\n'


def test_a_folder_of_something_else_is_left_alone(repository, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        fetch_release(str(repository[0]), tmp_path / "out", force=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "origin",
    ["ext::sh -c touch% pwned", "--upload-pack=touch pwned", "/no/such/folder", "http://127.0.0.1:1/x"],
)
def test_what_is_no_repository_starts_nothing_and_leaves_nothing(tmp_path, monkeypatch, origin):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DelegateError, match="git failed"):
        fetch_release(origin, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_named_like_an_option(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    repository[0].rename(tmp_path / "--bare")
    fetch_release("--bare", tmp_path / "out", commit=repository[1])
    assert (tmp_path / "out/data/rows.jsonl").exists()


def test_unknown_sources_are_named():
    with pytest.raises(UserError, match="Known sources: release, gsm8k, math"):
        fetch("nothing", "out")


def test_a_near_name_is_suggested():
    with pytest.raises(UserError, match='Did you mean "math"'):
        fetch("maths", "out")


def test_the_halves_are_those_of_the_published_shuffle():
    order = list(range(7473))
    random.Random(42).shuffle(order)
    assert halves(7473) == {1: sorted(order[3737:]), 2: sorted(order[:3737])}
    assert [len(half) for half in halves(7473).values()] == [3736, 3737]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_gsm8k(tmp_path, hub):
    for split, count in (("train", 5), ("test", 2)):
        write(
            tmp_path / f"hub/{split}.jsonl",
            [{"question": f"{split} {n}?", "answer": f"So.\n#### 1,00{n}"} for n in range(count)],
        )
    fetched = fetch("gsm8k", tmp_path / "out", origin=str(tmp_path / "hub"))
    raw = {half: read(tmp_path / f"out/data/raw/gsm8k/train_{half}.jsonl") for half in (1, 2)}
    assert {half: [row["id"] for row in rows] for half, rows in raw.items()} == {
        half: [f"gsm8k_{n}" for n in numbers] for half, numbers in halves(5).items()
    }
    assert list(raw[1][0]) == ["id", "question", "answer"]
    test = read(tmp_path / "out/data/test/gsm8k.jsonl")
    assert test[1] == {
        "source": "GSM8K",
        "question": "test 1?",
        "solution": "So.\n#### 1,001",
        "answer": "1001",
        "tag": {},
    }
    assert read(tmp_path / "out/data/raw/gsm8k/test.jsonl") == test
    assert read(tmp_path / "out/data/test/gsm8k_train_2.jsonl")[0]["answer"].startswith("1,00")
    assert "GSM8K has 7,473" in fetched.notes[0]
    assert (tmp_path / "out/data/raw/gsm8k/manifest.jsonl").exists()


def test_math(tmp_path, hub):
    def problem(name):
        return {
            "problem": f"{name}?",
            "solution": f"So $\\boxed{{\\frac{{{1}}}{{2}}}}$.",
            "level": "Level 3",
            "type": "Algebra",
        }

    for subject in MATH_SUBJECTS:
        for split in ("train", "test"):
            write(tmp_path / f"hub/hendrycks_math/{subject}/{split}.jsonl", [problem(f"{subject} {split}")])
    held_out = {
        "problem": "algebra test?",
        "solution": "s",
        "answer": "1",
        "subject": "Algebra",
        "level": 3,
        "unique_id": "test/algebra/1.json",
    }
    write(tmp_path / "hub/MATH-500/test.jsonl", [held_out])
    fetch("math", tmp_path / "out", origin=str(tmp_path / "hub"))
    rows = [row for half in (1, 2) for row in read(tmp_path / f"out/data/raw/math/train_{half}.jsonl")]
    assert read(tmp_path / "out/data/raw/math/test.jsonl") == [held_out]
    assert len(rows) == 2 * len(MATH_SUBJECTS) - 1
    assert "algebra test?" not in {row["problem"] for row in rows}
    assert {row["answer"] for row in rows} == {"\\frac{1}{2}"}
    assert {row["level"] for row in rows} == {3}


@pytest.mark.parametrize("rows", [[], [{"query": "?", "reply": "!"}]])
def test_other_rows_are_refused(tmp_path, hub, rows):
    write(tmp_path / "hub/train.jsonl", rows)
    write(tmp_path / "hub/test.jsonl", rows)
    with pytest.raises((UserError, DelegateError)):
        fetch("gsm8k", tmp_path / "out", origin=str(tmp_path / "hub"))
    assert not (tmp_path / "out").exists()


def math_folder(folder):
    for subject in MATH_SUBJECTS:
        for split in ("train", "test"):
            row = {"problem": f"{subject} {split}", "solution": "s", "level": "Level 1", "type": "Algebra"}
            write(folder / f"hendrycks_math/{subject}/{split}.jsonl", [row])
    row = {"problem": "p", "solution": "s", "answer": "1", "subject": "a", "level": 3, "unique_id": "u"}
    write(folder / "MATH-500/test.jsonl", [row])
    return row


@pytest.mark.parametrize("row", [{"question": 1, "answer": "a"}, {"question": "q", "answer": [1]}])
def test_rows_of_wrong_types_are_named(tmp_path, hub, row):
    write(tmp_path / "hub/train.jsonl", [row])
    write(tmp_path / "hub/test.jsonl", [row])
    with pytest.raises(UserError, match=r'hub/train\.jsonl: row 1: field "(question|answer)": '):
        fetch("gsm8k", tmp_path / "out", origin=str(tmp_path / "hub"))


@pytest.mark.parametrize(
    ("file", "change"), [("MATH-500/test", {"answer": 1}), ("hendrycks_math/algebra/train", {"level": 3})]
)
def test_rows_of_math_of_wrong_types_are_named(tmp_path, hub, file, change):
    math_folder(tmp_path / "hub")
    for path in (tmp_path / f"hub/{file}.jsonl").parent.iterdir():
        write(path, [read(path)[0] | change])
    with pytest.raises(UserError, match=rf'{file}\.jsonl: row 1: field "{next(iter(change))}": '):
        fetch("math", tmp_path / "out", origin=str(tmp_path / "hub"))


@pytest.mark.parametrize("gone", ["MATH-500", "hendrycks_math", "hendrycks_math/geometry"])
def test_a_local_folder_that_lacks_a_set_is_named_and_the_hub_not_asked(tmp_path, monkeypatch, hub, gone):
    math_folder(tmp_path / "hub")
    (tmp_path / "hub" / gone).rename(tmp_path / "gone")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"expected a folder {gone.rpartition('/')[2]} in it") as caught:
        fetch("math", tmp_path / "out", origin="hub")
    assert caught.value.exit_code == 2


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's library, offline and with a cache of its own."""
    datasets = pytest.importorskip("datasets", reason="needs the extra `hub`")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("So $\\boxed{3}$ or $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
        ("So $\\fbox{7}$.", "7"),
        ("So $\\boxed 5$.", "5"),
        ("So $\\boxed{3$.", ""),
        ("Nothing.", ""),
    ],
)
def test_what_a_solution_boxes_last(solution, answer):
    assert last_boxed(solution) == answer


def test_every_source_can_be_found():
    import importlib

    for place in SOURCES.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(f"w2s_factory.{module}"), name))
