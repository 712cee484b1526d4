"""The paper's numbers: complete, with sources, and the same as in the facts they were taken from."""

from __future__ import annotations

import json

import pytest

from w2s_factory import UserError, evaluate, published_results
from w2s_factory.published import is_published

PAPERS = [(task, weak) for task in ("gsm8k", "math") for weak in ("llama2_7b", "gemma_2b", "mistral_7b")]
PAPERS += [("olympic_arena", name) for name in ("llama3_8b_instruct", "llama3-8b-instruct")]


@pytest.mark.parametrize(("task", "weak"), PAPERS)
def test_each_has_a_floor_and_only_shares(task, weak):
    numbers = published_results(task, weak)
    assert {"weak_floor", "full_weak_ft", "weak_icl"} <= numbers.keys()
    assert ("strong_ceiling" in numbers) == (task != "olympic_arena")
    for number in numbers.values():
        assert 0 < number.accuracy < 1
        assert number.source
        assert number.pass_at_10 is None or number.accuracy < number.pass_at_10 < 1
    assert is_published(task, weak)


def test_the_gain_of_the_abstract():
    numbers = published_results("gsm8k", "gemma_2b")
    gain = numbers["dpo"].accuracy - numbers["iter2_hybrid_ft"].accuracy
    assert round(gain * 100, 2) == 8.49
    assert "abstract" in numbers["dpo"].source


@pytest.mark.parametrize(
    ("task", "weak", "message"),
    [
        ("gsm9k", "llama2_7b", 'has no numbers.*Did you mean "gsm8k"'),
        ("science", "llama2_7b", "has no numbers.*gsm8k, math"),
        ("math", "llama3", "no weak model.*gemma_2b"),
    ],
)
def test_unknown_ones_are_refused(task, weak, message):
    assert not is_published(task, weak)
    with pytest.raises(UserError, match=message):
        published_results(task, weak)


def test_evaluate_puts_them_beside(tmp_path):
    row = {"id": 0, "prompt": "", "response": "", "pred": "1", "gold": "1", "result": True}
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n")
    rows = {
        row["paper"]: row
        for row in evaluate([tmp_path / "r.jsonl"], beside_paper=("gsm8k", "gemma_2b")).paper
    }
    assert rows["weak_floor"]["pgr"] == 0
    assert rows["strong_ceiling"]["pgr"] == 1
    assert rows["iter1_hybrid_ft"]["pgr"] == pytest.approx((53.22 - 25.17) / (71.95 - 25.17))
    olympic = evaluate([tmp_path / "r.jsonl"], beside_paper=("olympic_arena", "llama3_8b_instruct")).paper
    assert {row["pgr"] for row in olympic} == {None}


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, float):
        yield path, value


@pytest.mark.release
def test_every_number_of_the_facts_is_there(release):
    path = release.parent / "release_facts" / "paper_results.json"
    if not path.is_file():
        pytest.skip("the facts do not lie beside this copy of the release")
    facts = json.loads(path.read_text())
    ours = {
        round(100 * value, 2)
        for paper in PAPERS
        for number in published_results(*paper).values()
        for value in (number.accuracy, number.pass_at_10)
        if value is not None
    }
    found = [(path, value) for path, value in leaves(facts)]
    assert len(found) > 60
    assert [(path, value) for path, value in found if value not in ours] == []
