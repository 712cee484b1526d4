"""`evaluate`: accuracies, groups, differences, pass@k."""

from __future__ import annotations

import json

import pytest

from w2s_factory import UserError, evaluate, pass_at_k, wilson_interval


def results(path, verdicts):
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = verdicts.items() if isinstance(verdicts, dict) else enumerate(verdicts)
    rows = [
        {"id": name, "prompt": "", "response": "", "pred": str(pred), "gold": "1", "result": str(pred) == "1"}
        for name, pred in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_accuracy_and_difference(tmp_path):
    first = results(tmp_path / "a" / "results.jsonl", [1, 0, 0, 1])
    second = results(tmp_path / "b.jsonl", {3: 1, 2: 1, 1: 0, 0: 1})  # in another order
    found = evaluate([tmp_path / "a", second])
    low, high = wilson_interval(2, 4)
    assert found.results[0] == {
        "results": str(first.parent),
        "group": "all",
        "questions": 4,
        "right": 2,
        "accuracy": 0.5,
        "low": low,
        "high": high,
    }
    [difference] = found.differences
    assert difference["difference"] == 0.25
    assert 0 <= difference["low"] <= 0.25 <= difference["high"] <= 1
    assert found.notes == []


@pytest.mark.parametrize("pass_at", [None, 1])
def test_the_same_results_twice_are_refused(tmp_path, pass_at):
    first = results(tmp_path / "a/seed0/results.jsonl", [1, 0])
    named = first if pass_at is None else tmp_path / "a"
    with pytest.raises(UserError, match=f"{named}: expected different results, got these twice"):
        evaluate([named, str(named)], pass_at=pass_at)


def test_one_seed_under_two_names_is_refused(tmp_path):
    for name in ("seed0", "seed1", "seed01"):
        results(tmp_path / name / "results.jsonl", [1, 0])
    with pytest.raises(UserError, match="seed1: is the same seed as seed01"):
        evaluate([tmp_path], pass_at=1)


def test_other_questions_have_no_difference(tmp_path):
    found = evaluate([results(tmp_path / "a.jsonl", [1, 0]), results(tmp_path / "b.jsonl", [1])])
    assert found.differences == []
    assert "other questions" in found.notes[0]


@pytest.mark.parametrize("measure", [{}, {"avg_at": 1}])
def test_the_same_ids_with_other_golds_have_no_difference(tmp_path, measure):
    first, second = (results(tmp_path / name / "seed0/results.jsonl", [1, 0]) for name in "ab")
    second.write_text(second.read_text().replace('"gold": "1"', '"gold": "2"'))
    named = [path.parents[1] if measure else path for path in (first, second)]
    found = evaluate(named, **measure)
    assert found.differences == []
    assert found.notes == [
        f"{named[1]} has other gold answers than {named[0]}, so their difference is left out"
    ]


def test_results_that_can_be_read_only_once_are_compared(tmp_path):
    rows = [json.loads(line) for line in results(tmp_path / "a.jsonl", [1, 0]).read_text().splitlines()]
    [difference] = evaluate({"a": iter(rows), "b": iter(rows)}).differences
    assert difference["difference"] == 0
    found = evaluate({"a": iter(rows), "b": iter([row | {"gold": "2"} for row in rows])})
    assert found.notes == ["b has other gold answers than a, so their difference is left out"]


def test_breakdown(tmp_path):
    tags = [("Algebra", 1), ("Algebra", 2), ("Geometry", 2)]
    golds = tmp_path / "golds.jsonl"
    golds.write_text(
        "".join(
            json.dumps(
                {
                    "source": "",
                    "question": "",
                    "solution": "",
                    "answer": "1",
                    "tag": {"subject": s, "level": n},
                }
            )
            + "\n"
            for s, n in tags
        )
    )
    path = results(tmp_path / "r.jsonl", [1, 0, 1])
    found = evaluate([path], golds=golds, by=["level", "subject"])
    assert [(row["group"], row["right"], row["questions"]) for row in found.results] == [
        ("all", 2, 3),
        ("level 1", 1, 1),
        ("level 2", 1, 2),
        ("subject Algebra", 1, 2),
        ("subject Geometry", 1, 1),
    ]
    json.dumps(found.results)
    with pytest.raises(UserError, match=r'no tag "colour".*subject, level'):
        evaluate([path], golds=golds, by=["colour"])
    with pytest.raises(UserError, match=r"the tags .* and the gold answers"):
        evaluate([path], by=["level"])
    with pytest.raises(UserError, match="no row for the id 3"):
        evaluate([results(tmp_path / "more.jsonl", [1, 0, 1, 1])], golds=golds, by=["level"])


def test_gap_recovered(tmp_path):
    floor = results(tmp_path / "floor.jsonl", [1, 0, 0, 0])
    method = results(tmp_path / "m.jsonl", [1, 1, 0, 0])
    assert evaluate([method], floor=floor, ceiling="0.75").results[0]["pgr"] == 0.5
    with pytest.raises(UserError, match="no gap"):
        evaluate([method], floor=floor, ceiling=0.25)
    with pytest.raises(UserError, match="both a weak floor"):
        evaluate([method], floor=floor)
    with pytest.raises(UserError, match='"floor": expected a number from 0 to 1, got 25'):
        evaluate([method], floor=25.0, ceiling=0.5)


def test_pass_at_k_and_majority(tmp_path):
    seeds = [[0, 1, 2], [1, 0, 2], [1, 0, 1]]
    for seed, preds in enumerate(seeds):
        results(tmp_path / f"seed{seed}" / "results.jsonl", preds)
    [row] = evaluate([tmp_path], pass_at=2).results
    assert (row["questions"], row["samples"], row["k"]) == (3, 3, 2)
    assert row["pass_at_k"] == pytest.approx(2 / 3)
    assert row["maj_at_k"] == pytest.approx(1 / 3)  # question 1: a tie, to the first
    assert row["pass_at_k_unbiased"] == pytest.approx(sum(pass_at_k(3, right, 2) for right in (2, 1, 1)) / 3)
    assert (row["pass_low"], row["pass_high"]) == wilson_interval(2, 3)
    with pytest.raises(UserError, match="needs 4 seeds, got 3"):
        evaluate([tmp_path], pass_at=4)
    with pytest.raises(UserError, match="cannot be combined"):
        evaluate([tmp_path], pass_at=1, floor=0.1)


def sampled(folder, seeds):
    """A folder of samples, from the answers of each seed; 1 is right."""
    for seed, preds in enumerate(seeds):
        results(folder / f"seed{seed}" / "results.jsonl", preds)
    return folder


def test_the_mean_accuracy_of_samples(tmp_path):
    one = sampled(tmp_path / "one", [[0, 1, 2], [1, 0, 2], [1, 1, 2]])
    other = sampled(tmp_path / "other", [[1, 1, 2], [1, 1, 2], [1, 1, 2]])
    found = evaluate([one, other], avg_at=2)
    first, second = found.results
    assert (first["questions"], first["samples"], first["k"]) == (3, 3, 2)
    assert first["avg_at_k"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)  # the third sample is not read
    assert second["avg_at_k"] == pytest.approx(2 / 3)
    [difference] = found.differences
    assert difference["difference"] == pytest.approx(1 / 3)
    assert difference["low"] == pytest.approx(0)
    assert difference["high"] == pytest.approx(1 / 2)
    with pytest.raises(UserError, match="needs 4 seeds, got 3"):
        evaluate([one], avg_at=4)
    with pytest.raises(UserError, match="cannot be combined with pass-at"):
        evaluate([one], avg_at=2, pass_at=2)
    with pytest.raises(UserError, match="cannot be combined with golds"):
        evaluate([one], avg_at=2, by=["level"])


def test_more_samples_of_a_question_are_not_more_questions(tmp_path):
    """All samples of a question are alike here, so ten say no more than one does."""
    verdicts = [1, 0] * 20
    few = evaluate([sampled(tmp_path / "few", [verdicts])], avg_at=1).results[0]
    many = evaluate([sampled(tmp_path / "many", [verdicts] * 10)], avg_at=10).results[0]
    assert (few["avg_low"], few["avg_high"]) == (many["avg_low"], many["avg_high"])
    assert 0.3 < many["avg_low"] < 0.4
    assert 0.6 < many["avg_high"] < 0.7


def test_refusals(tmp_path):
    with pytest.raises(UserError, match="no results"):
        evaluate([])
    with pytest.raises(UserError, match="holds no rows"):
        evaluate([results(tmp_path / "a.jsonl", [])])
    twice = results(tmp_path / "b.jsonl", [1])
    twice.write_text(twice.read_text() * 2)
    with pytest.raises(UserError, match=r":2: .*duplicate id 0"):
        evaluate([twice])
    with pytest.raises(UserError, match="no such file"):
        evaluate([tmp_path / "none.jsonl"])


@pytest.mark.parametrize("again", ["./m.jsonl", "x/../m.jsonl", "link.jsonl"])
def test_results_named_twice_in_two_ways_are_refused(tmp_path, monkeypatch, again):
    monkeypatch.chdir(tmp_path)
    results(tmp_path / "m.jsonl", [1, 0])
    (tmp_path / "x").mkdir()
    (tmp_path / "link.jsonl").symlink_to("m.jsonl")
    with pytest.raises(UserError, match="expected different results, got these twice"):
        evaluate(["m.jsonl", again])
