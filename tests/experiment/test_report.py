"""`report`: what the page says of a run, whole or not, and what is written where."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.experiment.made_runs import ACCURACIES, make_run, rows_of
from w2s_factory import UserError, evaluate, records, report

CSVS = [
    "models",
    "paper",
    "comparisons",
    "stage1",
    "stage2",
    "headroom",
    "confidence",
    "tags",
    "changes",
    "training",
    "movement",
    "times",
    "provenance",
]
FIGURES = [
    "accuracy",
    "iterations",
    "agreement",
    "purity",
    "confidence",
    "by_subject",
    "by_level",
    "loss",
    "preference",
    "movement",
    "times",
]


@pytest.fixture
def drawn_run(small, tmp_path):
    """A copy to change."""
    return shutil.copytree(small, tmp_path / "run")


@pytest.fixture
def run(drawn_run, empty_figures):
    """The same, whose figures are left empty."""
    return drawn_run


@pytest.fixture(scope="module")
def reported(small, tmp_path_factory):
    return report(small, tmp_path_factory.mktemp("out") / "page.html")


@pytest.fixture(scope="module")
def page(reported):
    return reported.page.read_text()


def changed(folder, **changes):
    path = folder / "contents.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_whole_run_has_every_part(reported, page):
    assert reported.absent == 0
    written = {path.name for path in reported.beside.iterdir()}
    assert written == {f"{name}.csv" for name in CSVS} | {f"{name}.svg" for name in FIGURES} | {
        "manifest.jsonl"
    }
    for name in FIGURES:
        assert f'id="figure-{name}"' in page
        assert f'href="page/{name}.svg"' in page
    for name in CSVS:
        assert f'href="page/{name}.csv"' in page
    assert re.search(r"Stage I, iteration 2, hybrid-ft reached \d", page)
    assert "not exist yet" not in page
    assert "All answers are simulated" in page


def test_commands_of_steps_are_those_that_can_be_typed_in_a_shell(run):
    of_step = ["__main__.py", "score", "--output-dir", "a b", "__main__.py"]
    odd = ["w2s-factory", "score", "it's", 'a "b"', "two  spaces", "line\nbreak", "$HOME;*", ""]
    line = {"file": "contents.json", "sha256": "0" * 64, "command": of_step}
    (run / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    records.note([run / "golds/test.jsonl"])
    manifest = run / "golds/manifest.jsonl"
    *_, noted = manifest.read_text().splitlines()
    manifest.write_text(json.dumps(json.loads(noted) | {"command": odd}) + "\n")
    made = report(run)
    command = pd.read_csv(made.beside / "provenance.csv").set_index("file").command
    assert command["contents.json"] == "w2s-factory score --output-dir 'a b' __main__.py"
    assert '<code class="command">__main__.py' not in made.page.read_text()
    assert shlex.split(command["golds/test.jsonl"]) == odd


def test_what_a_report_no_longer_has_is_removed_unless_it_was_changed(run):
    beside = report(run).beside
    (beside / "notes.csv").write_text("mine")
    (beside / "stage1.csv").write_text("mine")
    contents = json.loads((run / "contents.json").read_text())
    changed(run, models=contents["models"][:1], stage1=[], stage2=[])
    page = report(run).page.read_text()
    left = {path.name for path in beside.iterdir()}
    assert left == {*re.findall(r'href="report/([^"]*)"', page), "manifest.jsonl", "notes.csv", "stage1.csv"}
    assert "stage2.csv" not in left
    assert (beside / "stage1.csv").read_text() == "mine"


@pytest.mark.slow
def test_reports_that_share_a_folder_leave_each_others_files(run):
    pages = {path.name for path in report(run).responses.parent.iterdir()}
    beside = report(run, run / "report_responses.html").beside
    assert beside == run / "report_responses"
    both = {path.name for path in beside.iterdir()}
    assert both > pages
    report(run)
    assert {path.name for path in beside.iterdir()} == both


def test_the_page_needs_nothing_else(page):
    assert "<script" not in page
    loads = re.findall(r'(?:src|href)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)|@import", page)
    other = {link for link in loads if not link.startswith(("#", "page/"))}
    assert {link.partition("#")[0] for link in other} == {"data:,", "page_responses/index.html"}
    assert "default-src 'none'" in page


def test_every_id_stands_once_and_every_reference_has_one(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    named = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    named |= {name for names in re.findall(r'aria-labelledby="([^"]+)"', page) for name in names.split()}
    assert named <= set(ids)


def test_figures_have_texts_and_only_colours_of_the_page(reported, page):
    for svg in re.findall(r"<svg .*?</svg>", page, re.S):
        title, description = re.search(r"<title[^>]*>([^<]+)</title><desc[^>]*>([^<]+)</desc>", svg).groups()
        assert title
        assert len(description) > 20
        assert not re.search(r"#[0-9a-f]{6}\b", svg.replace("url(#", "").replace('href="#', ""))
    alone = (reported.beside / "accuracy.svg").read_text()
    assert "prefers-color-scheme:dark" in alone
    assert "--blue:" in alone


def test_what_models_wrote_is_text_on_the_page(page):
    assert "&lt;apples&gt; &amp; buys 2" in page
    assert "<b>&" not in page


def test_the_same_files_give_the_same_bytes(small, reported, tmp_path):
    again = report(small, tmp_path / "page.html")
    for path in [reported.page, *reported.beside.iterdir()]:
        if path.name != "manifest.jsonl":
            other = again.page.parent / path.relative_to(reported.page.parent)
            assert other.read_bytes() == path.read_bytes(), path.name


def test_models_table_is_what_evaluate_says_of_one_seed(tmp_path, empty_figures):
    make_run(tmp_path, seeds=[7], questions=120, asked=40)
    made = report(tmp_path)
    models = pd.read_csv(made.beside / "models.csv").set_index("key")
    compared = pd.read_csv(made.beside / "comparisons.csv")
    results = {key: tmp_path / f"seed7/test/{key}/results.jsonl" for key in ACCURACIES}
    ends = {name: results[key] for name, key in (("floor", "weak_floor"), ("ceiling", "strong_ceiling"))}
    for row in evaluate([results[key] for key in models.index], **ends).results:
        ours = models.loc[row["results"].split("/")[-2]]
        for name in ("accuracy", "low", "high", "pgr"):
            assert ours[name] == pytest.approx(row[name])
    [dpo] = evaluate([results["iter2_hybrid_ft"], results["dpo"]]).differences
    [ours] = compared[(compared.model == "dpo") & (compared.against == "iter2_hybrid_ft")].to_dict("records")
    assert {name: ours[name] for name in ("difference", "low", "high")} == pytest.approx(
        {name: dpo[name] for name in ("difference", "low", "high")}
    )
    [sampled] = evaluate([tmp_path / "seed7/test/dpo/t1.0"], pass_at=10).results
    assert models.loc["dpo", "pass_at_k"] == pytest.approx(sampled["pass_at_k"])
    assert models.loc["dpo", "maj_at_k"] == pytest.approx(sampled["maj_at_k"])
    page = made.page.read_text()
    assert "The run has one seed" in page
    assert "Each seed" not in page


def test_stage_tables_are_what_the_stages_counted(reported):
    stage1 = pd.read_csv(reported.beside / "stage1.csv")
    assert list(stage1.iteration) == [1, 1, 2, 2]
    assert (stage1.hybrid_rows == 2 * stage1.kept).all()
    assert (stage1.weak_kept_right > stage1.weak_right).all()
    assert (stage1.weak_dropped_right < stage1.weak_right).all()
    stage2 = pd.read_csv(reported.beside / "stage2.csv")
    assert (stage2.pairs == stage2.pairs_in_file).all()
    assert (stage2.pairs == stage2.weak_chosen + stage2.weak_rejected).all()
    assert (stage2.filter(like="sampling seed").sum(axis=1) == stage2.pairs).all()
    skipped = stage2.filter(like="skipped").sum(axis=1)
    assert (skipped + stage2.pairs == stage2.questions).all()  # GSM8K: one pair a question
    confidence = pd.read_csv(reported.beside / "confidence.csv")
    assert (confidence.groupby("seed").questions.sum() == 40).all()


def test_the_headroom_is_that_of_its_file(small, reported, page):
    table = pd.read_csv(reported.beside / "headroom.csv").set_index("seed")
    for seed in (0, 1):
        measured = json.loads((small / f"seed{seed}/headroom.json").read_text())
        assert f"Seed {seed}: {measured['sentence']}" in page
        assert table.difference[seed] == pytest.approx(measured["difference"]["value"])
        assert table.majority_low[seed] == pytest.approx(measured["majority"]["low"])
        assert table.pairs[seed] == measured["pairs"]
    assert "a part of which M<sub>plus</sub> was trained on" in page


def test_a_sampled_answer_is_not_called_greedy(run):
    for seed in (0, 1):
        file = run / f"seed{seed}/headroom.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"temperature": 0.5}))
    text = report(run).page.read_text()
    assert "whether their majority knows more than one sampled answer (temperature 0.5)." in text


def test_a_run_that_began_before_there_was_a_headroom_has_none(run):
    contents = json.loads((run / "contents.json").read_text())
    later = ("headroom", "headroom_split")
    before = [{key: one[key] for key in one if key not in later} for one in contents["stage2"]]
    changed(run, stage2=before)
    made = report(run)
    assert made.absent == 0
    assert 'id="headroom"' not in made.page.read_text()
    assert not (made.beside / "headroom.csv").exists()


def test_a_training_that_did_little_is_named_beside_its_accuracy(run):
    state = run / "seed1/models/dpo/trainer_state.json"
    history = json.loads(state.read_text())
    for row in history["log_history"]:
        row["rewards/margins"] = 0.009
    state.write_text(json.dumps(history))
    made = report(run)
    page = made.page.read_text()
    rows = re.findall(r"<tr[^>]*><th scope=\"row\">DPO</th><td class=\"nowrap\">(.*?)</td>", page)
    assert "the policy hardly moved (seed 1)" in rows[0]
    movement = pd.read_csv(made.beside / "movement.csv").fillna("")
    assert set(movement[movement.seed == 0].finding) == {""}
    assert set(movement[movement.seed == 1].finding) == {
        "the policy hardly moved: reward margin 0.009 at the end (0.09 nats at beta 0.1)"
    }
    ends = movement[(movement.seed == 0) & (movement.value == "logps/chosen")]
    assert ends[["first", "last"]].to_numpy().tolist() == [[-20.25, -26.5]]


def test_a_training_on_other_pairs_is_named_too_by_what_its_configuration_says(run):
    models = json.loads((run / "contents.json").read_text())["models"]
    other = {"key": "dpo_consistency", "label": "DPO, others", "pairs": "consistency", "method": "dpo"}
    changed(run, models=[model | other if model["key"] == "dpo" else model for model in models])
    for seed, beta in ((0, 0.1), (1, 10)):
        folder = run / f"seed{seed}/models/dpo"
        [line] = rows_of(folder / "manifest.jsonl")
        line["config"]["pref_beta"] = beta
        (folder / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    movement = pd.read_csv(report(run).beside / "movement.csv").fillna("")
    found = movement[movement.model == "dpo_consistency"]
    assert set(found[found.seed == 0].finding) == {""}
    [said] = {*found[found.seed == 1].finding}
    assert said.startswith("the policy hardly moved: reward margin 0.542 at the end (0.05 nats at beta 10)")


def test_a_training_without_a_configuration_is_not_called_one_that_hardly_moved(run):
    for seed in (0, 1):
        (run / f"seed{seed}/models/dpo/manifest.jsonl").unlink()
    movement = pd.read_csv(report(run).beside / "movement.csv").fillna("")
    assert set(movement[movement.model == "dpo"].finding) == {""}


def test_the_paper_stands_beside_its_tasks_only(reported, page, run):
    assert pd.read_csv(reported.beside / "paper.csv").set_index("paper").accuracy["iter2_hybrid_ft"] == 0.5603
    assert "56.0%" in page
    assert "The paper" in page
    changed(run, weak_name="another")
    made = report(run)
    assert "The paper" not in made.page.read_text()
    assert not (made.beside / "paper.csv").exists()


def test_without_a_ceiling_there_is_no_pgr(run):
    contents = json.loads((run / "contents.json").read_text())
    changed(run, models=[one for one in contents["models"] if one["key"] != "strong_ceiling"])
    made = report(run)
    assert "with no strong ceiling to compare it with" in made.answer
    page = made.page.read_text()
    assert ">no ceiling<" in page
    assert pd.read_csv(made.beside / "models.csv").pgr.isna().all()


def test_without_golds_it_is_not_known_how_clean_labels_are(run):
    for path in run.glob("seed*/iter2/*_results.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        bare = [{key: row[key] for key in ("id", "prompt", "response", "pred")} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in bare))
    made = report(run)
    stage1 = pd.read_csv(made.beside / "stage1.csv")
    assert stage1[stage1.iteration == 2].weak_kept_right.isna().all()
    assert stage1[stage1.iteration == 1].weak_kept_right.notna().all()
    assert "not known" in made.page.read_text()


def test_tags_are_left_out_where_the_golds_have_none(run):
    golds = [json.loads(line) | {"tag": {}} for line in (run / "golds/test.jsonl").read_text().splitlines()]
    (run / "golds/test.jsonl").write_text("".join(json.dumps(gold) + "\n" for gold in golds))
    made = report(run)
    assert 'id="tags"' not in made.page.read_text()
    assert not (made.beside / "tags.csv").exists()


GONE = {
    "seed1/test/dpo/results.jsonl": "DPO, seed 1: results",
    "seed0/models/dpo": "DPO, seed 0: training",
    "seed0/iter2/icl_results.jsonl": "Stage I, iteration 2, seed 0: icl",
    "seed1/stage2/majority_voting_results.jsonl": "Stage II, seed 1: votes",
    "seed0/test/dpo/t1.0": "DPO, seed 0: samples",
    "seed0/test/dpo/t1.0/seed1/results.jsonl": "DPO, seed 0: samples",
}
*OTHERS, FIRST = GONE


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


ALL_GONE = [gone for gone in GONE if "t1.0/seed1" not in gone]  # the folder of the samples is among them


def test_all_that_is_not_there_yet_is_said(run):
    for gone in ALL_GONE:
        remove(run / gone)
    made = report(run)
    assert made.absent == len(ALL_GONE)
    page = made.page.read_text()
    assert f"{len(ALL_GONE)} of its files do not exist yet" in page
    assert all(GONE[gone] in page for gone in ALL_GONE)


@pytest.mark.parametrize("gone", [FIRST, *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS)])
def test_what_is_not_there_yet_is_said(run, gone):
    remove(run / gone)
    made = report(run)
    assert made.absent == 1
    page = made.page.read_text()
    assert "1 of its files does not exist yet" in page
    assert GONE[gone] in page


def test_without_m_plus_nothing_is_said_of_stage_2(run):
    for path in run.glob("seed*/test/iter2_hybrid_ft/results.jsonl"):
        path.unlink()
    assert "DPO" not in report(run).answer


def test_tags_count_the_questions_that_were_answered(run):
    for path in run.glob("seed*/test/*/results.jsonl"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[::2]))
    for path in run.glob("seed*/test/*/*any*.jsonl"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[::2]))
    counted = pd.read_csv(report(run).beside / "tags.csv")
    golds = len((run / "golds/test.jsonl").read_text().splitlines())
    asked = counted[counted.model == counted.model.iloc[0]].groupby("tag").questions.sum()
    assert (asked == (golds + 1) // 2).all()


def test_half_a_surrogate_pair_does_not_keep_a_page_from_being_written(run):
    for path in run.glob("seed*/test/*/results.jsonl"):
        rows = [json.loads(line) | {"response": "half \ud800"} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "half \\ud800" in report(run).page.read_text()


def test_a_run_that_has_only_begun_has_a_page(run):
    for folder in ("seed0", "seed1", "golds", "benchmarks"):
        shutil.rmtree(run / folder)
    made = report(run)
    assert made.answer == "There is no answer yet: no hybrid model of Stage I has been evaluated."
    page = made.page.read_text()
    assert "This run is not complete" in page
    assert "<svg" not in page
    assert "No manifest was found" in page


def test_a_report_replaces_its_own_files_and_no_others(run):
    made = report(run)
    first, noted = made.page.read_text(), (made.beside / "manifest.jsonl").read_text()
    report(run)
    assert (made.beside / "manifest.jsonl").read_text() == noted
    changed(run, notes=["Another note."])
    assert "Another note." in report(run).page.read_text() != first
    (made.beside / "models.csv").write_text("mine\n")
    with pytest.raises(UserError, match=r"models\.csv: exists and has other content"):
        report(run)
    assert (made.beside / "models.csv").read_text() == "mine\n"
    report(run, force=True)
    assert (made.beside / "models.csv").read_text() != "mine\n"


def test_provenance_says_what_made_each_file_and_what_changed_since(run):
    made = report(run)
    provenance = pd.read_csv(made.beside / "provenance.csv").set_index("file")
    assert set(provenance.state) == {"unchanged"}
    assert "seed0/iter1/data/train_gsm8k_made_iter1_hybrid.json" in provenance.index
    assert not [file for file in provenance.index if "report" in file]
    path = run / "seed0/test/dpo/results.jsonl"
    path.write_text(path.read_text().replace("So it is", "So it was"))
    assert "1 file has changed since the manifest was written" in report(run).page.read_text()


def test_columns_without_a_number_are_left_out(page, run):
    headings = re.compile(r'<th scope="col"[^>]*>([^<]+)</th>')
    assert {"Any format", "pass@10", "maj@10", "Seed"} <= set(headings.findall(page))
    contents = json.loads((run / "contents.json").read_text())
    models = [model | {"any_format": None, "samples": None} for model in contents["models"]]
    changed(run, models=models, weak_name="another")
    shown = set(headings.findall(report(run).page.read_text()))
    assert not {"Any format", "pass@10", "maj@10"} & shown


def test_a_run_of_baselines_alone_has_no_empty_table_of_tags(run, recwarn):
    contents = json.loads((run / "contents.json").read_text())
    changed(run, models=[model for model in contents["models"] if model["key"] == "strong_zero_shot"])
    assert 'id="tags"' not in report(run).page.read_text()
    assert not [caught for caught in recwarn if "legend" in str(caught.message)]


def test_padded_sets_and_other_pairs_are_noticed(run):
    hybrid = next((run / "seed0/iter1/data").glob("*iter1_hybrid.json"))
    rows = json.loads(hybrid.read_text())
    hybrid.write_text(json.dumps(rows + rows[:2]))
    pairs = run / "seed1/stage2/data/made_paired.json"
    pairs.write_text(json.dumps(json.loads(pairs.read_text())[:-1]))
    page = report(run).page.read_text()
    assert "It was padded, or built from other results." in page
    assert "It was built by other rules, or from other files." in page
    assert "the manifests do not record the rules" in page


def test_training_of_which_only_the_log_is_there(run):
    (run / "seed0/models/dpo/trainer_state.json").unlink()
    training = pd.read_csv(report(run).beside / "training.csv")
    dpo = training[training.model == "dpo"]
    assert set(dpo[dpo.seed == 0].curve) == {"loss"}
    assert {"rewards/chosen", "logps/rejected"} <= set(dpo[dpo.seed == 1].curve)


def test_a_training_without_a_curve_is_said(run):
    (run / "seed0/models/dpo/trainer_state.json").write_text(
        '{"log_history": [{"step": 2, "train_loss": 1.0}]}'
    )
    page = report(run).page.read_text()
    assert "1 of 8 trainings have no curve" in page


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda run: (run / "contents.json").unlink(), "contents.json: is missing.*w2s-factory run"),
        (lambda run: changed(run, seeds="all"), 'contents.json: field "seeds"'),
        (lambda run: changed(run, task="gsm9k"), 'Did you mean "gsm8k"'),
        (
            lambda run: (run / "seed0/test/dpo/results.jsonl").write_text('{"id": 0}\n'),
            "dpo/results.jsonl:1.*is missing",
        ),
        (
            lambda run: (run / "seed1/test/dpo/results.jsonl").write_text(
                (run / "seed1/test/dpo/results.jsonl").read_text().partition("\n")[0]
            ),
            "seed1/test/dpo/results.jsonl: answers other questions than .*seed0",
        ),
        (
            lambda run: (run / "benchmarks/seed0/train_dpo.tsv").write_text("seconds\n1\n"),
            'train_dpo.tsv: expected a table with the column "s"',
        ),
        (
            lambda run: (run / "benchmarks/seed0/train_dpo.tsv").write_text("s\nnan\n"),
            'train_dpo.tsv: expected a table with the column "s"',
        ),
        (
            lambda run: (run / "seed0/models/dpo/trainer_state.json").write_text('{"log_history": null}'),
            'trainer_state.json: field "log_history": expected a list',
        ),
        (
            lambda run: (run / "seed0/models/dpo/manifest.jsonl").write_text(
                '{"file": "/etc/passwd", "sha256": "x"}\n'
            ),
            "names a file outside its folder: /etc/passwd",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(run, break_it, message):
    break_it(run)
    with pytest.raises(UserError, match=message):
        report(run)
    assert not (run / "report.html").exists()
    assert not (run / "report").exists()


def test_the_page_is_html(run):
    with pytest.raises(UserError, match=r'ends in "\.html"'):
        report(run, run / "report.pdf")
    with pytest.raises(UserError, match="no such folder"):
        report(run / "none")


def test_the_command(run, w2s):
    said = w2s("report", run, "--output", "mine.html").stdout
    answer, wrote, then = said.splitlines()
    assert answer.startswith("Stage I, iteration 2, hybrid-ft reached ")
    assert wrote == "Wrote mine.html (figures and numbers in mine/, all responses in mine_responses/)"
    assert then.startswith("Next: ")
    (run / "seed0/test/dpo/results.jsonl").unlink()
    assert "1 of the run's files do not exist yet" in w2s("report", run, "--output", "mine.html").stderr


@pytest.mark.parametrize(
    "odd", ["$\\foo$ \ud800 \0 a/../\\g<9>", pytest.param("long " * 200, marks=pytest.mark.slow)]
)
def test_any_tag_and_label_can_be_drawn(drawn_run, recwarn, odd):
    run = drawn_run
    path = run / "golds/test.jsonl"
    golds = [json.loads(line) for line in path.read_text().splitlines()]
    for number, gold in enumerate(golds):
        gold["tag"] = {odd: f"{odd}{number % 2}"}
    path.write_text("".join(json.dumps(gold) + "\n" for gold in golds))
    contents = json.loads((run / "contents.json").read_text())
    models = [{**model, "label": f"{odd} {model['label']}"} for model in contents["models"]]
    changed(run, models=models)
    made = report(run)
    [figure] = made.beside.glob("by_*.svg")
    ElementTree.parse(figure)
    assert not [str(caught.message) for caught in recwarn if "matplotlib" in str(caught.category)]
    assert not [caught for caught in recwarn if re.search("Glyph|constrained_layout", str(caught.message))]
