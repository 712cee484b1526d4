"""The pages of all responses: what their files hold, how they are written, replaced and removed."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given as drawn_from
from hypothesis import strategies as st

from tests.experiment.given_scripts import given, questions, sets
from tests.experiment.made_runs import FEWEST, edit_rows, rows_of
from w2s_factory import (
    PairRules,
    PairSource,
    UserError,
    build_stage2,
    explain_pair,
    records,
    report,
    vote,
)
from w2s_factory.building import ResponseRule
from w2s_factory.experiment.report import response_pages
from w2s_factory.experiment.report.response_pages import script

LABELS = ["Weak model (floor)", "Strong model, zero-shot", "Stage I, iteration 2, hybrid-ft", "DPO"]


@pytest.fixture
def run(small, tmp_path, no_figures):
    """A copy to change, whose report has no figures."""
    return shutil.copytree(small, tmp_path / "run")


@pytest.fixture(scope="module")
def reported(small, tmp_path_factory, no_figures):
    """A copy whose pages are written, never changed."""
    run = shutil.copytree(small, tmp_path_factory.mktemp("reported") / "run")
    assert responses_of(run) == run / "report_responses"
    return run


def change(folder, **settings):
    path = folder / "contents.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def responses_of(run):
    return report(run).responses.parent


def test_every_response_of_every_model_is_there(reported):
    folder = reported / "report_responses"
    assert sets(folder)["models_seed1"]["labels"] == [*LABELS, "Strong ceiling"]
    for seed in (0, 1):
        found = questions(folder, f"models_seed{seed}")
        for place, key in enumerate(FEWEST):
            rows = rows_of(reported / f"seed{seed}/test/{key}/results.jsonl")
            assert list(found) == [str(row["id"]) for row in rows]
            for row in rows:
                overview, texts = found[str(row["id"])]
                response = texts["responses"][place]
                assert (response["answer"], response["thinking"]) == (row["response"], "")
                assert texts["prompts"][response["prompt"]] == {"system": "", "text": row["prompt"]}
                assert response["final"] == overview[4][place] == row["pred"]
                assert response["verdict"] == overview[3][place] == ("c" if row["result"] else "w")
                assert texts["gold"] == overview[2] == row["gold"]
                assert texts["question"] in row["prompt"]
                assert overview[1] == texts["question"]
    any_format = rows_of(reported / "seed0/test/strong_zero_shot/any_format/results.jsonl")
    found = questions(folder, "models_seed0")
    for row in any_format:
        loose = found[str(row["id"])][1]["responses"][1]["any_format"]
        assert loose == ["c" if row["result"] else "w", row["pred"]]


def test_questions_are_grouped_by_the_tags_of_the_report(reported):
    folder = reported / "report_responses"
    assert sets(folder)["models_seed0"]["groupedBy"] == ["subject", "level"]
    golds = rows_of(reported / "golds/test.jsonl")
    for name, (overview, _) in questions(folder, "models_seed0").items():
        tag = golds[int(name)]["tag"]
        assert overview[5] == [tag["subject"], str(tag["level"])]


def test_a_model_of_all_seeds_is_shown_with_each(run):
    contents = json.loads((run / "contents.json").read_text())
    once = [one for one in contents["models"] if one["key"] != "strong_zero_shot" or one["seed"] == 0]
    change(run, models=once)
    folder = responses_of(run)
    assert sets(folder)["models_seed1"]["labels"] == [*LABELS, "Strong ceiling"]
    first, second = (questions(folder, f"models_seed{seed}") for seed in (0, 1))
    assert all(first[name][1]["responses"][1] == second[name][1]["responses"][1] for name in first)


def explained(folder, name):
    """What the public function says of a question: why there is no pair, or the weak response's side."""
    source = PairSource(
        "gsm8k",
        folder.parent / "iter1/weak_results.jsonl",
        folder / "majority_voting_results.jsonl",
        PairRules(),
    )
    last = explain_pair(folder / "data/made_paired.json", name, source).splitlines()[-1]
    return (
        last if last.startswith("no pair: ") else last.partition(";")[0].replace("weak", "the weak response")
    )


def test_stage_2_of_each_question_is_what_explain_pair_says(reported):
    folder = reported / "report_responses"
    pairs = records.read_pairs(reported / "seed1/stage2/data/made_paired.json")
    pairs = {str(pair["id"]): pair["output"] for pair in pairs}
    outcomes = set()
    for name, (overview, texts) in questions(folder, "stages_seed1").items():
        assert texts["outcome"] == overview[5][-1] == explained(reported / "seed1/stage2", name)
        shown = [[pair["chosen"], pair["rejected"]] for pair in texts["pairs"]]
        assert shown == ([pairs[name]] if name in pairs else [])
        assert all(pair["seed"] in range(10) for pair in texts["pairs"])
        outcomes.add(texts["outcome"])
    assert len(outcomes) >= 4


def test_votes_are_those_of_the_majority_file(reported):
    found = questions(reported / "report_responses", "stages_seed0")
    for row in rows_of(reported / "seed0/stage2/majority_voting_results.jsonl"):
        overview, texts = found[str(row["id"])]
        assert texts["votes"]["confidence"] == row["confidence"]
        samples = [(one, True) for one in row["pos_responses"]] + [
            (one, False) for one in row["neg_responses"]
        ]
        for shown, (sample, majority) in zip(texts["votes"]["samples"], samples, strict=True):
            assert (shown["answer"], shown["final"], shown["majority"]) == (
                *(sample["response"], sample["pred"]),
                majority,
            )
        assert overview[3][-1] == ("c" if row["pos_responses"][0]["result"] else "w")
        assert overview[4][-1] == row["pos_responses"][0]["pred"]


def test_what_stage_1_keeps_is_what_its_sets_hold(reported):
    folder = reported / "report_responses"
    described = sets(folder)["stages_seed0"]
    assert described["groupedBy"] == ["Stage I, iteration 1", "Stage I, iteration 2", "Stage II"]
    assert described["labels"][:2] == ["Iteration 1, weak", "Iteration 1, icl"]
    for place, number in ((0, 1), (1, 2)):
        [hybrid] = (reported / f"seed0/iter{number}/data").glob("*_hybrid.json")
        kept = {str(row["id"]) for row in json.loads(hybrid.read_text())}
        found = questions(folder, "stages_seed0")
        assert {name for name, (overview, _) in found.items() if overview[5][place] == "kept"} == kept
        assert {overview[5][place] for overview, _ in found.values()} == {"kept", "dropped"}


def test_the_way_in_which_pairs_were_trained_on_decides_why_there_is_none(run):
    """With the thinking left out, two responses may have the same text, which gives no pair."""
    stage2 = run / "seed0/stage2"
    weak = run / "seed0/iter1/weak_results.jsonl"
    for path in (weak, *stage2.glob("t1.0/seed*/results.jsonl")):
        rows = rows_of(path)
        texts = [f"<think>{place}</think>\nSame." for place in range(len(rows))]
        texts[::2] = ["Other."] * len(texts[::2]) if path == weak else texts[::2]
        edit_rows(path, {place: {"response": text} for place, text in enumerate(texts)})
    for path in (stage2 / "majority_voting_results.jsonl", *(stage2 / "data").iterdir()):
        path.unlink()
    votes, pairs = stage2 / "majority_voting_results.jsonl", stage2 / "data/made_paired.json"
    vote(stage2 / "t1.0", votes)
    rule = ResponseRule(train_on="answer")
    build_stage2("gsm8k", weak, votes, pairs, response_rule=rule)
    source = PairSource("gsm8k", weak, votes, PairRules(), rule)
    outcomes = set()
    for name, (_, texts) in questions(responses_of(run), "stages_seed0").items():
        outcomes.add(texts["outcome"])
        if not texts["pairs"]:
            assert texts["outcome"] == explain_pair(pairs, name, source).splitlines()[-1]
    assert any("without the thinking" in outcome for outcome in outcomes)


def test_without_a_pair_file_it_is_said(run):
    shutil.rmtree(run / "seed0/stage2/data")
    found = questions(responses_of(run), "stages_seed0")
    said = {texts["outcome"] for _, texts in found.values()}
    assert "no pair yet: the pair file does not exist" in said
    assert not any(outcome.startswith("pair:") for outcome in said)


def test_pairs_of_other_rules_are_not_explained_by_these(run):
    pairs = run / "seed1/stage2/data/made_paired.json"
    rows = json.loads(pairs.read_text())
    pairs.write_text(json.dumps(rows[1:]))
    found = questions(responses_of(run), "stages_seed1")
    assert "built by other rules" in found[str(rows[0]["id"])][1]["outcome"]
    assert found[str(rows[1]["id"])][1]["outcome"] == "pair: its origin is not recorded"


def test_thinking_is_apart_and_responses_without_an_answer_are_told_apart(run):
    wrong = {"pred": "", "result": False}
    edit_rows(
        run / "seed0/test/dpo/results.jsonl",
        {
            0: {"response": "<think>\nand so on", **wrong},
            1: {"response": "and so on", "prompt_opens_thinking": True, **wrong},
            2: {"response": "", "error": "too long", **wrong},
            3: {"response": "<think>\n1\n</think>\n2", "result": True},
            4: {"response": "nothing", **wrong},
            5: {"system": "Be brief."},
        },
    )
    found = [texts["responses"][3] for _, texts in questions(responses_of(run), "models_seed0").values()]
    assert [one["verdict"] for one in found[:5]] == ["u", "u", "f", "c", "n"]
    assert (found[0]["thinking"], found[0]["answer"]) == ("\nand so on", "")
    assert (found[3]["thinking"], found[3]["answer"]) == ("\n1\n", "2")
    assert found[2]["error"] == "too long"
    texts = list(questions(run / "report_responses", "models_seed0").values())[5][1]
    assert texts["prompts"][texts["responses"][3]["prompt"]]["system"] == "Be brief."
    assert len(texts["prompts"]) == 2


def test_the_majoritys_verdict_knows_the_runs_markers_of_thinking(run):
    change(run, reasoning=["<plan>", "</plan>"])
    path = run / "seed0/stage2/majority_voting_results.jsonl"
    votes = {"pos_responses": [{"response": "<plan>\nand so on", "pred": "", "result": False}]}
    edit_rows(path, {0: votes})
    name = str(rows_of(path)[0]["id"])
    overview, texts = questions(responses_of(run), "stages_seed0")[name]
    assert overview[3][-1] == texts["votes"]["samples"][0]["verdict"] == "u"


def test_a_question_without_a_tag_has_a_value_that_can_be_chosen(run):
    path = run / "golds/test.jsonl"
    first, second, *_ = rows_of(path)
    del first["tag"]["level"]
    edit_rows(path, {0: {"tag": first["tag"]}, 1: {"tag": {**second["tag"], "level": ""}}})
    found = questions(responses_of(run), "models_seed0")
    assert [found[name][0][5][1] for name in ("0", "1")] == ["(none)", "(none)"]


def test_a_question_that_a_model_did_not_answer(run):
    path = run / "seed0/stage2/majority_voting_results.jsonl"
    path.unlink()
    for name in ("dpo", "strong_ceiling"):
        for seed in (0, 1):
            results = run / f"seed{seed}/test/{name}/results.jsonl"
            results.write_text("".join(results.read_text().splitlines(keepends=True)[:-1]))
    folder = responses_of(run)
    overview, texts = questions(folder, "models_seed0")["59"]
    assert overview[3][3:] == "--"
    assert texts["responses"][3:] == [None, None]
    assert "votes" not in questions(folder, "stages_seed0")["0"][1]


def test_a_run_without_responses_has_no_pages(run):
    made = report(run)
    assert "report_responses/index.html" in made.page.read_text()
    for folder in ("seed0", "seed1", "golds", "benchmarks"):
        shutil.rmtree(run / folder)
    made = report(run)
    assert made.responses is None
    assert "report_responses" not in made.page.read_text()
    assert [path.name for path in (run / "report_responses").iterdir()] == ["manifest.jsonl"]
    assert (run / "report_responses/manifest.jsonl").read_text() == ""


def test_files_of_an_earlier_report_are_removed_and_others_kept(run):
    folder = responses_of(run)
    (folder / "notes.txt").write_text("mine")
    (folder / "models_seed1_texts_1.js").write_text("mine")
    contents = json.loads((run / "contents.json").read_text())
    change(
        run,
        seeds=[0],
        **{
            part: [one for one in contents[part] if one["seed"] == 0]
            for part in ("models", "stage1", "stage2")
        },
    )
    report(run)
    left = {path.name for path in folder.iterdir()}
    assert not {name for name in left if "seed1" in name} - {"models_seed1_texts_1.js"}
    assert (folder / "models_seed1_texts_1.js").read_text() == "mine"
    assert (folder / "notes.txt").read_text() == "mine"
    noted = {line["file"] for line in rows_of(folder / "manifest.jsonl")}
    assert noted == left - {"notes.txt", "manifest.jsonl"}


@pytest.mark.slow
def test_a_changed_file_is_not_overwritten(run):
    folder = responses_of(run)
    (folder / "models_seed0_texts_1.js").write_text("mine\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    edit_rows(run / "seed1/test/dpo/results.jsonl", {0: {"response": "Changed."}})
    with pytest.raises(UserError, match=r"models_seed0_texts_1\.js: exists and has other content"):
        report(run)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    report(run, force=True)
    assert questions(folder, "models_seed1")["0"][1]["responses"][3]["answer"] == "Changed."
    assert questions(folder, "models_seed0")


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes(run, tmp_path):
    first, again = report(run), report(run, tmp_path / "another.html")
    assert again.responses == tmp_path / "another_responses/index.html"
    names = {path.name for path in first.responses.parent.iterdir()} - {"manifest.jsonl", "index.html"}
    assert len(names) == 11
    for name in names:
        assert (first.responses.parent / name).read_bytes() == (again.responses.parent / name).read_bytes()
    manifest = (first.responses.parent / "manifest.jsonl").read_text()
    report(run)
    assert (first.responses.parent / "manifest.jsonl").read_text() == manifest


def test_texts_are_spread_over_files_that_are_loaded_one_at_a_time(reported, run, monkeypatch):
    whole = questions(reported / "report_responses", "models_seed0")
    monkeypatch.setattr(response_pages, "_LARGEST", 5_000)
    folder = responses_of(run)
    assert sets(folder)["models_seed0"]["texts"] >= 10
    assert sets(folder)["models_seed0"]["overviews"] > 1
    assert max(path.stat().st_size for path in folder.glob("*_texts_*.js")) < 10_000
    spread = questions(folder, "models_seed0")
    assert {name: (row[:-1], texts) for name, (row, texts) in spread.items()} == {
        name: (row[:-1], texts) for name, (row, texts) in whole.items()
    }


@drawn_from(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_a_script_gives_any_value_back_and_is_one_line_of_safe_ascii(value):
    text = script("name", value)
    assert text.isascii()
    assert text.count("\n") == 1
    assert "<" not in text
    assert json.loads(text.removeprefix('w2sResponses.give("name",').removesuffix(");\n")) == value


@pytest.mark.parametrize(
    "hostile", ["</script><script>alert(1)</script>", "<!--", "\u2028\u2029", "\ud800", "\0\x1b"]
)
def test_hostile_text_is_data(tmp_path, hostile):
    path = tmp_path / "name.js"
    path.write_text(script("name", [hostile]), "utf-8")
    assert given(path) == [hostile]
    assert hostile not in path.read_text("utf-8")


def test_the_page_runs_only_its_own_scripts(run):
    change(run, name="<b>&\"'</b>")
    folder = responses_of(run)
    page = (folder / "index.html").read_text()
    assert "&lt;b&gt;&amp;&#34;&#39;&lt;/b&gt;: all responses" in page
    assert "default-src 'none'" in page
    assert "unsafe" not in page
    assert page.count("<script") == 1
    program = (folder / "responses.js").read_text()
    for unsafe in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "onclick=",
    ):
        assert unsafe not in program + page
