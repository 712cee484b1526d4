"""The embedded data is clean; each kind of fault put into it is found and counted, and nothing else is."""

from __future__ import annotations

import json
import pkgutil
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.memory import peak
from w2s_factory import building
from w2s_factory.errors import UserError
from w2s_factory.release import audit
from w2s_factory.release.audit import CHECKS, checks, corpus
from w2s_factory.release.audit.checks.responses import repeats_itself
from w2s_factory.release.audit.known_golds import normal
from w2s_factory.release.audit.run_checks import RELEASE_CHECKS
from w2s_factory.shipped import shipped
from w2s_factory.tasks import get_task

if TYPE_CHECKING:
    from pathlib import Path

ARITHMETIC = shipped("data", "arithmetic")
STEM = "sets/train_arithmetic_simulated_weak"
ROWS = 150
"""As many rows of each embedded file are enough."""

CHANGED = {"other-responses", "mislabelled-pairs"}
"""What else is found where a weak response is changed in full weak alone."""

LOOP = "Then she has 3 more.\n" * 30


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """The embedded data with every dataset built from it, pairs too."""
    root = tmp_path_factory.mktemp("embedded") / "data"
    shutil.copytree(ARITHMETIC, root)
    for path in root.rglob("*.jsonl"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:ROWS]))
    task, weak, icl = (
        get_task("arithmetic"),
        root / "examples/weak_results.jsonl",
        root / "examples/icl_results.jsonl",
    )
    building.build_stage1(task, weak, icl, root / "sets", weak_name="simulated_weak")
    building.build_full_weak(task, weak, root / f"{STEM}_full_weak.json")
    building.build_gold(task, root / "train_1.jsonl", root / "sets/arithmetic_train_1.json")
    votes = root / "votes.jsonl"
    votes.write_text("".join(json.dumps(vote(row)) + "\n" for row in lines(icl)))
    building.build_stage2(task, weak, votes, root / f"{STEM}_iter1_hybrid_paired.json", form="release")
    return root


def vote(row):
    """Nine samples like the icl response and one that differs."""
    sample = {key: row[key] for key in ("response", "pred", "result")}
    other = {
        "response": f"No steps for {row['prompt'][10:-8]}\n#### -{row['id'] + 5000}",
        "pred": f"-{row['id'] + 5000}",
        "result": False,
    }
    votes = {"pos_responses": [sample] * 9, "neg_responses": [other], "confidence": 0.9}
    return {"id": row["id"], "prompt": row["prompt"], "gold": row["gold"]} | votes


@pytest.fixture
def copy(embedded, tmp_path):
    shutil.copytree(embedded, tmp_path / "copy")
    return tmp_path / "copy"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def change(path: Path, edit) -> None:
    """Rewrite a file with what `edit` makes of its rows."""
    if path.suffix == ".jsonl":
        rows = lines(path)
        path.write_text("".join(json.dumps(row) + "\n" for row in (edit(rows) or rows)))
    else:
        rows = json.loads(path.read_text())
        path.write_text(json.dumps(edit(rows) or rows, indent=4))


def set_in(path, key, values):
    """Give rows, by their place, another value."""

    def edit(rows):
        for place, value in values.items():
            rows[place][key] = value(rows[place]) if callable(value) else value

    return lambda root: change(root / path, edit)


def append(path, *places, source=None, **values):
    """Append rows of the file, or of another, with other values."""

    def seed(root):
        taken = lines(root / source) if source else None
        change(root / path, lambda rows: rows + [(taken or rows)[place] | values for place in places])

    return seed


def entry(name, **changes):
    def seed(root):
        path = root / "sets/dataset_info.json"
        index = json.loads(path.read_text())
        index[name] |= changes
        path.write_text(json.dumps(index))

    return seed


def no_object(root):
    path = root / "sets/dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"y": 3}))


def take_out(name):
    def seed(root):
        path = root / "sets/dataset_info.json"
        index = json.loads(path.read_text())
        del index[name]
        path.write_text(json.dumps(index))

    return seed


def mixed_up(root):
    """A weak row of Stage I is another question's; there is no hybrid set to tell."""
    (root / f"{STEM}_iter1_hybrid.json").unlink()
    change(
        root / f"{STEM}_iter1_weak.json",
        lambda rows: [*rows[:2], rows[3] | {"id": rows[2]["id"]}, *rows[3:]],
    )


def other_model(root):
    """The pairs hold nobody's responses."""
    change(
        root / f"{STEM}_iter1_hybrid_paired.json",
        lambda rows: [row | {"output": [f"{side} by another" for side in row["output"]]} for row in rows],
    )


def disagreeing(root):
    """Three kept questions get another icl answer, in the hybrid set too."""

    def edit(side):
        for row in side:
            row["output"] = f"Other steps.\n#### {row['id'] + 9000}"

    change(root / f"{STEM}_iter1_icl.json", lambda rows: edit(rows[:3]))
    change(root / f"{STEM}_iter1_hybrid.json", lambda rows: edit(rows[1:7:2]))


def unanswered(root):
    """Two kept questions have no answer on either side."""

    def edit(rows):
        for row in rows:
            row["output"] = f"Nobody can say for number {row['id']}"

    for side, count in (("weak", 2), ("icl", 2), ("hybrid", 4)):
        change(root / f"{STEM}_iter1_{side}.json", lambda rows, count=count: edit(rows[:count]))


SEEDED = [
    ("contamination", 3, append("train_1.jsonl", 5, 6, 7, source="test.jsonl"), set()),
    ("contamination", 1, append("train_2.jsonl", 0, source="dev.jsonl"), {"contradicted-golds"}),
    ("split-overlap", 2, append("train_1.jsonl", 8, 9, source="train_2.jsonl"), set()),
    ("trained-on-test", 1, set_in(f"{STEM}_full_weak.json", "content", {4: lambda row: f"Question: {lines(ARITHMETIC / 'test.jsonl')[0]['question']}\nAnswer:"}), set()),
    ("repeated-questions", 2, append("train_1.jsonl", 3, 4), set()),
    ("odd-golds", 1, set_in("golds/test.jsonl", "answer", {0: "half past two"}), {"contradicted-golds"}),
    ("contradicted-golds", 2, set_in("golds/train_1.jsonl", "answer", {0: "12345", 9: "54321"}), {"wrong-gold-solutions"}),
    ("wrong-gold-solutions", 1, set_in("sets/arithmetic_train_1.json", "output", {7: "Nothing to it.\n#### 99999"}), set()),
    ("wrong-verdicts", 2, set_in("examples/icl_results.jsonl", "result", {1: lambda row: not row["result"], 2: lambda row: not row["result"]}), set()),
    ("wrong-verdicts", 1, set_in("examples/weak_results.jsonl", "pred", {5: "77777"}), set()),
    ("other-golds", 1, set_in("examples/icl_results.jsonl", "gold", {3: "66666"}), {"wrong-verdicts"}),
    ("repeated-ids", 1, append("examples/icl_results.jsonl", 6), {"duplicates"}),
    ("other-responses", 1, set_in(f"{STEM}_full_weak.json", "output", {6: "By another model.\n#### 4"}), CHANGED),
    ("strange-prompts", 1, set_in(f"{STEM}_full_weak.json", "content", {6: lambda row: f"{row['content']} 4\n\n{row['content']}"}), set()),
    ("empty-agreements", 2, unanswered, set()),
    ("padding", 3, disagreeing, set()),
    ("out-of-step", 1, mixed_up, {"padding", "index-missing"}),
    ("out-of-step", 1, set_in(f"{STEM}_iter1_hybrid.json", "output", {5: "Nobody wrote this.\n#### 5"}), set()),
    ("mislabelled-pairs", None, other_model, set()),
    ("chosen-equals-rejected", 1, set_in(f"{STEM}_iter1_hybrid_paired.json", "output", {0: lambda row: [row["output"][0]] * 2}), {"mislabelled-pairs"}),
    ("duplicates", 2, append(f"{STEM}_iter1_hybrid_paired.json", 1, 2), set()),
    ("near-empty", 1, set_in("train_2.jsonl", "answer", {4: "#### 4"}), {"contradicted-golds", "other-golds"}),
    ("near-empty", 2, set_in("examples/icl_results.jsonl", "response", {0: "", 1: "ok"}), {"wrong-verdicts"}),
    ("repetitive", 1, set_in(f"{STEM}_full_weak.json", "output", {3: LOOP + "#### 3"}), CHANGED | {"length-outliers"}),
    ("shared-responses", 12, set_in(f"{STEM}_full_weak.json", "output", dict.fromkeys(range(12), "One answer fits every question there is.\n#### 1")), CHANGED),
    ("length-outliers", 1, set_in(f"{STEM}_full_weak.json", "output", {3: " ".join(map(str, range(900)))}), CHANGED),
    ("index-folder", 1, entry("arithmetic_simulated_weak_full_weak", file_name="elsewhere/train_arithmetic_simulated_weak_full_weak.json"), {"index-missing"}),
    ("index-missing", 1, entry("arithmetic_1", file_name="arithmetic_train_9.json"), {"index-unlisted"}),
    ("index-unlisted", 1, take_out("arithmetic_1"), set()),
    ("index-columns", 1, entry("arithmetic_1", columns={"prompt": "instruction", "response": "output"}), set()),
    ("index-columns", 1, entry("arithmetic_1", ranking=True), set()),
    ("index-columns", 1, no_object, set()),
    ("unreadable", 1, lambda root: (root / "train_1.jsonl").write_text('{"id": \n'), set()),
]  # fmt: skip


def test_the_embedded_data_is_clean():
    found = audit(ARITHMETIC)
    assert found.clean
    assert found.files == 10
    assert found.notes == []


def test_what_is_built_from_it_is_clean(embedded, tmp_path):
    found = audit(embedded)
    assert found.faults == []
    assert {finding.check for finding in found.findings} == {"label-noise", "preference-noise"}
    kinds = {one.kind: one for one in found.statistics}
    agreement = building.build_stage1(
        get_task("arithmetic"),
        embedded / "examples/weak_results.jsonl",
        embedded / "examples/icl_results.jsonl",
        tmp_path,
    ).agreement
    assert kinds["iter1"].questions == agreement.kept
    assert kinds["iter1"].accuracy == {"weak": agreement.weak_kept.share, "icl": agreement.icl_kept.share}


@pytest.mark.parametrize(
    "read", ["once", pytest.param("again for each check", marks=pytest.mark.slow)], ids="rows read {}".format
)
@pytest.mark.parametrize(("check", "count", "seed", "also"), SEEDED)
def test_a_seeded_fault_is_found(copy, check, count, seed, also, read, monkeypatch):
    if read != "once":
        monkeypatch.setattr(corpus, "_KEPT", 0)
    seed(copy)
    faults = audit(copy).faults
    mine = [finding for finding in faults if finding.check == check]
    assert len(mine) == 1
    assert mine[0].count == (count or mine[0].total)
    assert mine[0].examples or check == "unreadable"
    assert {finding.check for finding in faults} - {check} <= also


def test_memory_does_not_grow_with_the_texts(tmp_path, monkeypatch):
    def most(questions):
        rows = (
            {
                "id": f"{n}",
                "prompt": f"Question: {n}?\nAnswer:",
                "response": f"{n} " * 500 + f"#### {n}",
                "pred": f"{n}",
            }
            for n in range(questions)
        )
        folder = tmp_path / str(questions)
        folder.mkdir()
        (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return peak(lambda: audit(folder, task="gsm8k"))

    monkeypatch.setattr(corpus, "_KEPT", 0)
    assert most(1000) < most(200) + 800 * 600


def test_the_kinds_are_more_than_ten():
    assert len({check for check, *_ in SEEDED}) > 20


def test_names_and_folders_of_another_are_not_needed(tmp_path):
    """The task of a single file of results, without golds or a task's name, is recognised by its answer key."""
    rows = [
        {
            "id": n,
            "prompt": f"Question: {n}?\nAnswer:",
            "response": f"{n} it is, surely.\n#### {n}",
            "pred": "9",
        }
        for n in range(3)
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = audit(tmp_path)
    assert [(one.check, one.count) for one in found.faults] == [("wrong-verdicts", 3)]


def test_every_module_of_checks_is_used_and_every_check_has_its_own_name():
    """A check is declared at its function alone; only a new module of checks is named elsewhere."""
    modules = {f"{checks.__name__}.{module.name}" for module in pkgutil.iter_modules(checks.__path__)}
    used = [*CHECKS, *RELEASE_CHECKS]
    assert {check.search.__module__ for check in used} == modules
    names = [check.name for check in used]
    assert len(names) == len(set(names))
    assert {check for check, *_ in SEEDED} <= set(names)


def test_what_cannot_be_judged_is_said(tmp_path):
    rows = [{"id": "Math_1", "content": "Solve.", "output": "It is \\boxed{3}, as anybody can see."}]
    (tmp_path / "train_olympic_x_iter1_weak.json").write_text(json.dumps(rows))
    assert "final answers were not checked in 1 files" in audit(tmp_path).notes[0]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_nothing_to_look_at(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        audit(tmp_path / folder)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How many?", "  how   MANY "),
        ("It\u2019s 3.", "Its 3"),
        ("a x^2", "a x^2 "),
    ],
)
def test_questions_that_are_the_same(one, other):
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("one", "other"), [("x + 1", "x - 1"), ("3 apples", "4 apples"), ("$2^3$", "$23$")])
def test_questions_that_are_not(one, other):
    assert normal(one) != normal(other)


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("1 + 1 = 2.\n2 + 3 = 5.\n#### 5", False),
        (LOOP, True),
        ("so x = 35 " * 60, True),
        ("\n".join(f"Step {n}: {n} + {n} = {2 * n}" for n in range(40)), False),
    ],
)
def test_repetition(text, repeats):
    assert repeats_itself(text) is repeats


def test_the_commands(copy, w2s):
    assert "no faults" in w2s("audit", copy).stdout
    append("train_1.jsonl", 5, source="test.jsonl")(copy)
    found = json.loads(w2s("audit", copy, "--json", code=1).stdout)
    assert not found["clean"]
    assert {finding["check"] for finding in found["findings"] if finding["fault"]} == {"contamination"}
    printed = w2s("audit", copy, code=1).stdout
    assert "Test questions in a training split" in printed
    assert printed.rstrip().endswith(": 1 fault of 1 kind")
