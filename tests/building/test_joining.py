"""Results joined by their places in files are those that a plain join of dicts gives, errors too."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory import peak
from w2s_factory import building
from w2s_factory.building.agreement import agreeing
from w2s_factory.building.joining import JoinedResults
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.errors import UserError
from w2s_factory.records import ANSWERED, Table, read_placed, row_index
from w2s_factory.tasks import get_task

GSM8K = get_task("gsm8k")


def result(name, question, pred, gold, demos=""):
    row = {"id": name, "prompt": f"{demos}Question: {question}?\nAnswer:", "response": "r", "pred": pred}
    return row if gold is None else row | {"gold": gold}


results = st.builds(
    result,
    st.sampled_from([0, 1, 2, "0", "a"]),
    st.sampled_from("xy"),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from([None, None, "1", "2"]),
    st.sampled_from(["", "", "demos\n\n"]),
)
sides = st.lists(results, max_size=5)
matching = st.lists(
    st.tuples(results, st.sampled_from(["", "1", "2"])), max_size=5, unique_by=lambda pair: pair[0]["id"]
)
"""Weak results with the answer of icl to the same question."""


def plain_join(weak, icl):
    """The join as a dict of all rows, with the first mistake in the order in which files are read."""

    def distinct(source):
        seen = {}
        for place, row in read_placed(source, ANSWERED):
            if row["id"] in seen:
                raise place.error(f"duplicate id {row['id']!r}", field="id")
            seen[row["id"]] = place, row
            yield place, row

    left = {row["id"]: (place, row) for place, row in distinct(icl)}
    if not list(read_placed(weak, ANSWERED)):
        raise UserError("holds no results", file=weak)
    for place, row in distinct(weak):
        name = row["id"]
        if name not in left:
            raise place.error(f"the id {name!r} is not in {icl}", field="id")
        other_place, other = left.pop(name)
        if not other["prompt"].endswith(row["prompt"]):
            swapped = row["prompt"].endswith(other["prompt"])
            what = "has a shorter prompt here than" if swapped else "is that of another question"
            raise other_place.error(f"the id {name!r} {what} in {weak}", field="prompt")
        golds = row.get("gold"), other.get("gold")
        if None not in golds and golds[0] != golds[1]:
            raise other_place.error(f"the id {name!r} has another gold answer in {weak}", field="gold")
        yield row, other
    for name, (place, _) in left.items():
        raise place.error(f"the id {name!r} is not in {weak}", field="id")


def outcome(join):
    try:
        return list(join())
    except UserError as error:
        return error.problem, str(error.file), error.line, error.row, error.field


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("joined")


def source(folder, name, rows, kind):
    if kind == "table":
        return Table(name, rows)
    path = folder / f"{name}.{kind}"
    path.write_text(json.dumps(rows) if kind == "json" else "".join(json.dumps(row) + "\n\n" for row in rows))
    return path


kinds = st.sampled_from(["table", "json", "jsonl"])


@settings(deadline=None, max_examples=300)
@given(weak=sides, icl=sides, weak_kind=kinds, icl_kind=kinds)
def test_any_two_files(folder, weak, icl, weak_kind, icl_kind):
    _same_as_plain(source(folder, "weak", weak, weak_kind), source(folder, "icl", icl, icl_kind))


@settings(deadline=None, max_examples=100)
@given(pairs=matching, order=st.randoms(use_true_random=False), weak_kind=kinds, icl_kind=kinds)
def test_files_of_the_same_questions(folder, pairs, order, weak_kind, icl_kind):
    weak = [row | {"prompt": row["prompt"].removeprefix("demos\n\n")} for row, _ in pairs]
    icl = [row | {"pred": pred} for row, pred in pairs]
    order.shuffle(icl)
    files = source(folder, "weak", weak, weak_kind), source(folder, "icl", icl, icl_kind)
    _same_as_plain(*files)
    if pairs:
        joined = JoinedResults(GSM8K, *files, ANSWERED)
        numbers = list(range(len(pairs)))
        order.shuffle(numbers)
        plain = list(plain_join(*files))
        assert list(joined.pairs(numbers)) == [plain[number] for number in numbers]


def _same_as_plain(weak, icl):
    joined = outcome(lambda: JoinedResults(GSM8K, weak, icl, ANSWERED).pairs())
    assert joined == outcome(lambda: plain_join(weak, icl))


def found(side, number):
    """The end of a response, in which another answer is found than the one in `pred`."""
    return f"#### {number % (5 if side == 'weak' else 4)}"


def write_sides(folder, questions, length=10):
    for side in ("weak", "icl"):
        rows = (
            result(f"name {number}", f"{number}", str(number % (3 if side == "weak" else 4)), "1")
            | {"response": f"{side} {number} " * length + found(side, number), "result": number % 4 == 1}
            for number in range(questions)
        )
        folder.mkdir(exist_ok=True)
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "weak.jsonl", folder / "icl.jsonl"


@pytest.mark.parametrize("rule", [None, ResponseRule(extraction="auto", mode="published")])
def test_questions_worked_on_together_change_nothing(tmp_path, monkeypatch, rule):
    files = write_sides(tmp_path, 50)
    padding = building.Padding(to=30)
    built = {}
    for size in (10**9, 500, 1):
        monkeypatch.setattr(row_index, "_TOGETHER", size)
        out = tmp_path / f"out{size}"
        made = building.build_stage1(GSM8K, *files, out, padding=padding, response_rule=rule)
        built[size] = made.agreement, {path.name: path.read_bytes() for path in out.glob("train_*.json")}
    assert built[500] == built[1] == built[10**9]
    assert len(built[1][1]) == 6


def test_an_error_in_a_later_answer_names_its_row(tmp_path, monkeypatch):
    files = write_sides(tmp_path, 20)
    rule = ResponseRule(extraction="regex:(name|icl 17)")

    def fails(answer):
        if answer == "icl 17":
            raise UserError("cannot be read")
        return answer

    messages = set()
    for size in (10**9, 100):
        monkeypatch.setattr(row_index, "_TOGETHER", size)
        monkeypatch.setattr(type(GSM8K), "normalise", lambda self, answer: fails(answer))
        with pytest.raises(UserError) as raised:
            agreeing(GSM8K, *files, rule)
        messages.add(str(raised.value))
    assert len(messages) == 1
    assert "row 18: id 'name 17'" in messages.pop()


def test_memory_does_not_grow_with_the_responses(tmp_path, monkeypatch):
    monkeypatch.setattr(row_index, "_TOGETHER", 100_000)
    files = {number: write_sides(tmp_path / str(number), number, length=300) for number in (500, 3000)}
    few, many = (
        peak(partial(building.build_stage1, GSM8K, weak, icl, weak.parent / "out"))
        for weak, icl in files.values()
    )
    assert many < few + 2500 * 300
