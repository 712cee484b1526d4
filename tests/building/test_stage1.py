"""Stage I: which questions are kept, in which order, and what is refused."""

from __future__ import annotations

import json
import warnings

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_factory.building import EqualResultsWarning, build_stage1
from w2s_factory.building.dataset_files import Recipe
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.errors import UserError
from w2s_factory.records import Table
from w2s_factory.tasks import get_task

GSM8K = get_task("gsm8k")


def result(row_id, pred: str, side: str, *, right: bool | None = None, demos: str = ""):
    row = {
        "id": row_id,
        "prompt": f"{demos}Question: {row_id}?\nAnswer:",
        "response": f"{side} says {pred}",
        "pred": pred,
    }
    return row if right is None else row | {"gold": "1", "result": right}


def write(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def stage1(tmp_path, weak, icl, **options):
    return build_stage1(
        GSM8K,
        write(tmp_path / "weak.jsonl", weak),
        write(tmp_path / "icl.jsonl", icl),
        tmp_path / "out",
        **options,
    )


def test_the_three_datasets_of_an_iteration(tmp_path):
    weak = [result(2, "5", "weak", right=True), result(0, "1", "weak", right=False), result(1, "", "weak")]
    icl = [result(0, "9", "icl", demos="demos\n\n"), result(1, "", "icl"), result(2, "5", "icl", right=True)]
    made = stage1(tmp_path, weak, icl, weak_name="tiny", iteration=2)
    files = {side: built.file for side, built in made.built.items()}
    assert {side: file.name for side, file in files.items()} == {
        side: f"train_gsm8k_tiny_iter2_{side}.json" for side in ("weak", "icl", "hybrid")
    }
    content = "Question: 2?\nAnswer:"
    weak_row = {"id": 2, "content": content, "output": "weak says 5"}
    icl_row = {"id": 2, "content": content, "output": "icl says 5"}
    assert json.loads(files["weak"].read_text()) == [weak_row]
    assert json.loads(files["icl"].read_text()) == [icl_row]
    assert json.loads(files["hybrid"].read_text()) == [weak_row, icl_row]
    assert (made.agreement.kept, made.agreement.questions) == (1, 3)
    assert made.agreement.weak_kept.share == 1
    assert made.agreement.weak_dropped.share == 0
    assert made.agreement.icl_dropped.share is None


preds = st.lists(st.tuples(st.sampled_from(["", "1", "2"]), st.sampled_from(["", "1", "2"])), min_size=1)


@settings(max_examples=25, deadline=None)
@given(answers=preds, order=st.randoms(use_true_random=False))
def test_equal_non_empty_answers_are_kept_in_the_order_of_the_weak_results(tmp_path_factory, answers, order):
    tmp_path = tmp_path_factory.mktemp("stage1")
    weak = [result(number, pair[0], "weak") for number, pair in enumerate(answers)]
    icl = [result(number, pair[1], "icl") for number, pair in enumerate(answers)]
    order.shuffle(weak)
    order.shuffle(icl)
    kept = [row["id"] for row in weak if row["pred"] and row["pred"] == answers[row["id"]][1]]
    if not kept:
        with pytest.raises(UserError, match="agree on none"):
            stage1(tmp_path, weak, icl)
        return
    made = stage1(tmp_path, weak, icl)
    rows = {side: json.loads(built.file.read_text()) for side, built in made.built.items()}
    assert [row["id"] for row in rows["weak"]] == kept
    assert rows["hybrid"][0::2] == rows["weak"]
    assert rows["hybrid"][1::2] == rows["icl"]


ONE = result(0, "1", "weak", right=True)
BAD = [
    pytest.param([{k: v for k, v in ONE.items() if k != "pred"}], 'field "pred"', id="no pred"),
    pytest.param([ONE, result(1, "1", "weak")], "the id 1 is not in", id="missing id"),
    pytest.param([result(7, "1", "weak")], "is not in", id="different id"),
    pytest.param([ONE, ONE], "duplicate id 0", id="duplicate id"),
    pytest.param([ONE | {"pred": 1}], "expected text, got a whole number", id="wrong type"),
    pytest.param([ONE | {"id": [0]}], "expected a whole number or text", id="id of a wrong type"),
    pytest.param([json.dumps(ONE)[:-5]], "broken JSON", id="broken JSON"),
    pytest.param([ONE | {"prompt": "Question: another?\nAnswer:"}], "another question", id="other question"),
    pytest.param([], "", id="empty"),
]


def test_swapped_sides_and_other_golds_are_refused(tmp_path):
    few_shot = [result(0, "1", "icl", demos="Question: z\nAnswer: 5\n\n")]
    with pytest.raises(UserError, match="are --weak and --icl swapped"):
        stage1(tmp_path, few_shot, [ONE])
    with pytest.raises(UserError, match="another question"):
        stage1(tmp_path, [ONE | {"prompt": ""}], [ONE])
    with pytest.raises(UserError, match=r'field "gold".*another gold'):
        stage1(tmp_path, [ONE], [ONE | {"gold": "7"}])


@pytest.mark.parametrize("bad_side", ["weak", "icl"])
@pytest.mark.parametrize(("rows", "message"), BAD)
def test_bad_inputs_are_one_line_and_write_nothing(tmp_path, w2s, rows, message, bad_side):
    sides = {"weak": [ONE], "icl": [ONE]} | {bad_side: rows}
    files = {side: write(tmp_path / f"{side}.jsonl", rows) for side, rows in sides.items()}
    done = w2s(
        *("build-data", "--stage", 1, "--task", "gsm8k", "--output-dir", "out"),
        *("--weak", files["weak"], "--icl", files["icl"], "--weak-name", "tiny"),
        code=2,
    )
    assert message in done.stderr
    assert ".jsonl:" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "cwd").rglob("*"))


def test_a_dataset_is_not_overwritten_unasked(tmp_path):
    first, other = [result(0, "1", "weak")], [result(0, "1", "other")]
    stage1(tmp_path, first, first)
    stage1(tmp_path, first, first)
    with pytest.raises(UserError, match="--force"):
        stage1(tmp_path, other, other)


@pytest.mark.parametrize("way", ["the path", "another path", "a symbolic link", "a hard link"])
def test_one_file_on_both_sides_is_refused(tmp_path, way):
    weak = write(tmp_path / "weak.jsonl", [result(0, "1", "weak")])
    icl = {
        "the path": lambda: weak,
        "another path": lambda: tmp_path / "x" / ".." / weak.name,
        "a symbolic link": lambda: linked(tmp_path / "icl.jsonl", weak, hard=False),
        "a hard link": lambda: linked(tmp_path / "icl.jsonl", weak, hard=True),
    }[way]()
    (tmp_path / "x").mkdir()
    with pytest.raises(UserError, match=r"got the same file on both sides. It is the same file as"):
        build_stage1(GSM8K, weak, icl, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def linked(link, target, *, hard):
    if hard:
        link.hardlink_to(target)
    else:
        link.symlink_to(target)
    return link


@pytest.mark.parametrize("same", [True, False])
def test_equal_bytes_on_both_sides_are_reported(tmp_path, same):
    rows = [result(0, "1", "weak")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert stage1(tmp_path, rows, rows if same else [result(0, "1", "icl")]).identical is same
    assert [str(one.message) for one in caught if one.category is EqualResultsWarning] == (
        [f"{tmp_path / 'weak.jsonl'} and {tmp_path / 'icl.jsonl'} are equal, so they agree on everything"]
        if same
        else []
    )


@pytest.mark.parametrize("kind", [list, iter, pd.DataFrame, lambda rows: Table("t", rows)])
def test_one_object_on_both_sides_is_refused(kind):
    rows = kind([result(0, "1", "weak")])
    with pytest.raises(UserError, match=r'^field "icl": expected results of another model, got the same obj'):
        build_stage1(GSM8K, rows, rows)


def test_equal_rows_in_memory_are_warned_of():
    with pytest.warns(EqualResultsWarning, match="weak and icl are equal"):
        assert build_stage1(GSM8K, [result(0, "1", "weak")], [result(0, "1", "weak")]).identical


@pytest.mark.parametrize(("train_on", "written"), [("answer", ["enable_thinking: false"]), ("whole", [])])
def test_models_of_answers_alone_are_trained_without_thinking(tmp_path, train_on, written):
    weak, icl = ([result(0, "5", side) for _ in "1"] for side in ("weak", "icl"))
    made = stage1(
        tmp_path,
        weak,
        icl,
        response_rule=ResponseRule(train_on=train_on),
        recipe=Recipe(model="owner/model", version="0.9.5"),
    )
    for built in made.built.values():
        lines = built.config.read_text().splitlines()
        assert [line.partition("  # ")[0] for line in lines if line.startswith("enable_thinking")] == written


@pytest.mark.parametrize(
    ("weak", "icl", "said"),
    [
        ("", "", "questions; 2 weak and 2 icl responses have no final answer. Check --extract, and the stop"),
        (
            "1",
            "",
            "questions; 0 weak and 2 icl responses have no final answer. Check --extract, and the stop",
        ),
        ("1", "2", r"questions \(see [^ ]*\)$"),
    ],
)
def test_no_agreement_says_how_many_have_no_answer(tmp_path, weak, icl, said):
    sides = [[result(n, pred, side) for n in range(2)] for side, pred in (("w", weak), ("i", icl))]
    with pytest.raises(UserError, match=f"agree on none of 2 {said}"):
        stage1(tmp_path, *sides)
