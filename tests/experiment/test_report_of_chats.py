"""The report of a run with chat models: avg@k, thinking that did not end, refused requests, and the settings."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from tests.experiment.made_runs import edit_rows
from w2s_factory import report
from w2s_factory.experiment.report.folder import open_run
from w2s_factory.experiment.report.models import find, models_of


@pytest.fixture
def run(small, tmp_path, no_figures):
    """A copy to change, whose report has no figures: none of them shows how chat models answered."""
    return shutil.copytree(small, tmp_path / "run")


def change(folder, **settings):
    """Change the run's contents."""
    path = folder / "contents.json"
    contents = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps(contents))
    return contents


def table(folder, name):
    with (folder / "report" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_without_chats_says_nothing_of_them(run):
    report(run)
    page = (run / "report.html").read_text()
    assert not any(words in page for words in ("did not end", "refused the request", "How the models"))
    assert "avg_at_k" not in table(run, "models")[0]
    assert not (run / "report/unfinished.csv").exists()


def test_the_mean_over_samples_is_next_to_pass_at_k(run):
    contents = change(run, avg_at=3)
    models = [{**model, "averaged": model.get("samples")} for model in contents["models"]]
    change(run, models=[{k: v for k, v in model.items() if v is not None} for model in models])
    report(run)
    found = find(models_of(open_run(run)), "dpo").averaged
    rights = [
        json.loads(line)["result"]
        for seed in (0, 1)
        for sample in range(3)
        for line in (run / f"seed{seed}/test/dpo/t1.0/seed{sample}/results.jsonl").read_text().splitlines()
    ]
    assert found.k == 3
    assert found.accuracy.value == pytest.approx(sum(rights) / len(rights))
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    rows = {row["key"]: row for row in table(run, "models")}
    assert float(rows["dpo"]["avg_at_k"]) == pytest.approx(found.accuracy.value)
    assert rows["weak_floor"]["avg_at_k"] == ""
    assert "avg@3" in (run / "report.html").read_text()


def test_responses_that_ended_before_an_answer_are_counted_by_model(run):
    wrong = {"pred": "", "result": False}
    edit_rows(
        run / "seed0/test/dpo/results.jsonl",
        {
            0: {"response": "<think>\nand so on", **wrong},
            1: {"response": "and so on", "prompt_opens_thinking": True, **wrong},
            2: {"response": "", "error": "too long", **wrong},
            3: {"response": "<think>\n1\n</think>\n2"},
            4: {"response": "<think>\n#### 7", "pred": "7"},  # the published way finds an answer all the same
        },
    )
    edit_rows(run / "seed1/test/dpo/results.jsonl", {0: {"response": "[THINK] more", **wrong}})
    report(run)
    [row] = table(run, "unfinished")
    assert (row["key"], row["responses"], row["thinking"], row["failed"]) == ("dpo", "120", "3", "1")
    page = (run / "report.html").read_text()
    assert "DPO: 3 of 120 responses: thinking did not end; 1 of 120 responses: the engine refused" in page


def test_own_texts_around_thinking_are_those_of_the_experiment(run):
    edit_rows(
        run / "seed0/test/dpo/results.jsonl",
        {0: {"response": "<think>", "pred": ""}, 1: {"response": "((hm", "pred": ""}},
    )
    change(run, reasoning=["((", "))"])
    report(run)
    assert [row["thinking"] for row in table(run, "unfinished")] == ["1"]


def test_the_page_says_how_models_were_asked(run):
    change(run, answering={"Chat, weak model": "<own>; thinking on"})
    report(run)
    assert "<li>Chat, weak model: &lt;own&gt;; thinking on</li>" in (run / "report.html").read_text()
