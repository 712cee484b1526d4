"""From Python: tasks by name, paths as text, rows in memory, results as DataFrames."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import w2s_factory as w2s
from tests.conftest import ROOT
from w2s_factory import UserError
from w2s_factory.records import read, rows_of, write
from w2s_factory.records.rows import ANSWERED, OUTPUT, Form

TASK = w2s.get_task("arithmetic")
ANY = Form("rows", {})
COUNT = 40


def rows(path):
    return [dict(row) for row in read(path, ANY)]


WEAK, ICL = rows(TASK.example.weak)[:COUNT], rows(TASK.example.icl)[:COUNT]
GOLDS = rows(TASK.path(TASK.splits["train_2"].test))[:COUNT]
RAW = rows(TASK.path(TASK.splits["train_1"].raw))[:COUNT]
OUTPUTS = [{key: row[key] for key in OUTPUT.required} for row in WEAK]
SEEDS = [WEAK, ICL, WEAK]

FORMS = {
    "path": lambda file, _: file,
    "text": lambda file, _: str(file),
    "list": lambda _, given: given,
    "tuple": lambda _, given: tuple(given),
    "iterator": lambda _, given: iter(given),
    "mappings": lambda _, given: [Frozen(row) for row in given],
    "frame": lambda _, given: pd.DataFrame(given),
    "table": lambda _, given: w2s.Table("t", given),
}


class Frozen(dict):
    """A mapping that is not a plain dict."""


@pytest.fixture(params=FORMS)
def given(request, tmp_path):
    """Give rows in one of the ways in which they may be given."""

    def give(some):
        file = tmp_path / f"{hashlib.sha256(json.dumps(some).encode()).hexdigest()[:8]}.jsonl"
        write(file, some, force=True)
        return FORMS[request.param](file, some)

    return give


def test_the_notebook_of_the_documentation(tmp_path, monkeypatch, capsys):
    [block] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.M | re.S)
    assert len([line for line in block.splitlines() if line]) == 15
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/python.md", "exec"), {"__name__": "notebook"})
    said = capsys.readouterr().out
    assert "agreed: 2 of 4\n" in said
    assert "pairs: 3\n" in said
    assert "weak is chosen; rejected is the sample of an unknown seed, answer 21" in said
    assert list(tmp_path.iterdir()) == []


def test_stage_1(given, tmp_path):
    expected = w2s.build_stage1(TASK, WEAK, ICL)
    made = w2s.build_stage1("arithmetic", given(WEAK), given(ICL))
    assert made.agreement == expected.agreement
    assert made.agreement.kept > 5
    for side in ("weak", "icl", "hybrid"):
        assert list(made.built[side].file) == list(expected.built[side].file)
    written = w2s.build_stage1("arithmetic", given(WEAK), given(ICL), str(tmp_path / "data"))
    assert rows(written.built["hybrid"].file) == list(expected.built["hybrid"].file)
    assert written.to_frame().equals(made.to_frame())
    assert written.built["weak"].dataset == made.built["weak"].dataset


def test_numpy_values_in_rows_count_as_python_values():
    def numpy_row(row):
        return {
            **row,
            "id": np.int64(row["id"]),
            "pred": np.str_(row["pred"]),
            "result": np.bool_(row["result"]),
        }

    weak, icl = list(map(numpy_row, WEAK)), list(map(numpy_row, ICL))
    expected = w2s.build_stage1(TASK, WEAK, ICL)
    assert w2s.build_stage1(TASK, weak, icl).agreement == expected.agreement
    plain = list(w2s.vote(SEEDS).output)
    rules = w2s.PairRules(min_confidence=0.5, negative_confidence=0.6)
    votes = [dict(row) for row in plain]
    for row in votes:
        row["confidence"] = np.float64(row["confidence"])
        row["neg_responses"] = [{**one, "result": np.bool_(one["result"])} for one in row["neg_responses"]]
    counts = w2s.build_stage2(TASK, WEAK, plain, rules=rules).counts
    assert w2s.build_stage2(TASK, weak, votes, rules=rules).counts == counts
    table = w2s.Table("weak", weak)
    assert {type(value) for row in table for value in row.values()} == {int, str, bool}


def test_a_folder_stands_for_the_file_that_was_written_into_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, results in enumerate(SEEDS):
        Path(f"samp/t1.0/seed{seed}").mkdir(parents=True)
        write(Path(f"samp/t1.0/seed{seed}/results.jsonl"), results)
    for name, results in {"weak": WEAK, "icl": ICL}.items():
        Path(name).mkdir()
        write(Path(name, "results.jsonl"), results)
    write(Path("weak/output.jsonl"), OUTPUTS)
    votes = list(w2s.vote("samp").output)
    assert votes == list(w2s.vote(SEEDS).output)
    w2s.vote(Path("samp"), "samp/t1.0/majority_voting_results.jsonl")
    assert w2s.build_stage1(TASK, "weak", "icl").agreement == w2s.build_stage1(TASK, WEAK, ICL).agreement
    assert w2s.build_full_weak(TASK, "weak").rows == COUNT
    assert list(w2s.score(TASK, GOLDS, "weak").results) == WEAK
    assert w2s.compare_modes(TASK, GOLDS, "weak", ["published", "symbolic"]).rows == COUNT
    assert w2s.pick_demonstrations(TASK, "weak") == w2s.pick_demonstrations(TASK, "weak/results.jsonl")
    assert w2s.evaluate("samp", pass_at=2).results[0]["samples"] == len(SEEDS)
    rules = w2s.PairRules(min_confidence=0.5, negative_confidence=0.6)
    assert w2s.headroom("weak", "samp") == w2s.headroom(WEAK, SEEDS)
    self_made = w2s.build_self_training(TASK, votes, min_confidence=0.5).counts
    assert w2s.build_self_training(TASK, "samp", min_confidence=0.5).counts == self_made
    consistent = w2s.build_consistency_pairs(TASK, votes, samples=SEEDS).counts
    assert w2s.build_consistency_pairs(TASK, "samp", samples="samp").counts == consistent
    made = w2s.build_stage2(TASK, "weak", "samp", "p.json", rules=rules, samples="samp")
    assert made.counts == w2s.build_stage2(TASK, WEAK, votes, rules=rules).counts
    assert w2s.check_pairs("p.json", "weak").clean
    source = w2s.PairSource(TASK, "weak", "samp", rules)
    assert "pair: weak is " in w2s.explain_pair("p.json", made.to_frame()["id"][0], source)


@pytest.mark.parametrize(
    "call",
    [
        lambda: w2s.build_stage1(TASK, "empty", ICL),
        lambda: w2s.build_full_weak(TASK, "empty"),
        lambda: w2s.score(TASK, GOLDS, "empty"),
        lambda: w2s.build_stage2(TASK, WEAK, "empty"),
        lambda: w2s.pick_demonstrations(TASK, "empty"),
    ],
)
def test_a_folder_without_the_file_is_refused(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(UserError, match=r"^empty: is a folder without .*jsonl"):
        call()


def test_scores(given, tmp_path):
    made = w2s.score("arithmetic", given(GOLDS), given(OUTPUTS))
    again = w2s.score(TASK, given(GOLDS), given(OUTPUTS), str(tmp_path / "results.jsonl"))
    assert list(made.results) == rows(again.results) == WEAK
    assert made.accuracy == again.accuracy
    assert made.to_frame().equals(again.to_frame())
    unknown = w2s.score("arithmetic", None, given(OUTPUTS))
    assert (unknown.known, unknown.accuracy) == (0, None)
    assert [row["pred"] for row in unknown.results] == [row["pred"] for row in WEAK]
    assert "result" not in unknown.results[0]


def test_the_results_of_one_model_stand_for_a_list_of_one(given):
    [expected] = w2s.evaluate([WEAK]).results
    [found] = w2s.evaluate(given(WEAK)).results
    assert {**found, "results": ""} == {**expected, "results": ""}


@pytest.mark.parametrize(
    "function",
    [w2s.score, w2s.score_response, w2s.score_responses, w2s.compare_modes, w2s.vote, w2s.evaluate],
)
def test_a_task_or_its_name_is_a_keyword(function):
    task = inspect.signature(function).parameters["task"]
    assert task.kind in (task.POSITIONAL_OR_KEYWORD, task.KEYWORD_ONLY)
    assert task.annotation.startswith("Task | str")
    assert inspect.getdoc(function)


def test_scoring_takes_its_task_by_keyword():
    row, gold = WEAK[0], GOLDS[0]["answer"]
    found = w2s.score_response(task="arithmetic", response=row["response"], answer=gold)
    assert (found.pred, found.result) == (row["pred"], row["result"])
    assert w2s.score_responses(task="arithmetic", responses=[row["response"]], answers=[gold]) == [found]
    assert w2s.score(task=TASK, golds=GOLDS, responses=OUTPUTS).rows == COUNT
    modes = ["published", "symbolic"]
    assert w2s.compare_modes(task=TASK, golds=GOLDS, responses=OUTPUTS, modes=modes).rows == COUNT


def test_answers_after_thinking():
    response = "<think>Is it \\boxed{17}?</think>It is \\boxed{18}."
    parts = w2s.split_thinking(response)
    assert (parts.thinking, parts.answer, parts.closed) == ("Is it \\boxed{17}?", "It is \\boxed{18}.", True)
    assert w2s.parse_extraction("boxed")(parts.answer) == "18"
    assert w2s.score_response("gsm8k", response, "18", extraction="auto").result


def test_votes_and_stage_2(given, tmp_path):
    for seed, results in enumerate(SEEDS):
        (tmp_path / f"s/seed{seed}").mkdir(parents=True)
        write(tmp_path / f"s/seed{seed}/results.jsonl", results)
    flat = [{"seed": seed, **row} for seed, results in enumerate(SEEDS) for row in results]
    expected = w2s.vote(tmp_path / "s", tmp_path / "votes.jsonl")
    for samples in (str(tmp_path / "s"), [given(results) for results in SEEDS]):
        assert list(w2s.vote(samples).output) == rows(expected.output)
    assert (
        list(w2s.vote(pd.DataFrame(flat)).output)
        == list(w2s.vote(iter(flat)).output)
        == rows(expected.output)
    )
    assert expected.to_frame().equals(w2s.vote(tmp_path / "s", task="arithmetic").to_frame())

    votes, rules = rows(expected.output), w2s.PairRules(min_confidence=0.5, negative_confidence=0.6)
    written = w2s.build_stage2(TASK, given(WEAK), given(votes), str(tmp_path / "p.json"), rules=rules)
    for samples in (tmp_path / "s", SEEDS, flat):
        made = w2s.build_stage2("arithmetic", given(WEAK), given(votes), rules=rules, samples=samples)
        assert made.counts == written.counts
        assert list(made.built.file) == rows(written.built.file)
        assert {row["seed"] for row in made.origins} <= {0, 1, 2}
    assert made.counts.pairs > 5
    assert written.to_frame().equals(made.to_frame())
    assert w2s.check_pairs(given(rows(written.built.file)), given(WEAK)).clean
    name = made.origins[0]["id"]
    stories = [w2s.explain_pair(pairs, name) for pairs in (made.origins, str(tmp_path / "p.json"))]
    assert re.sub(r"seed \d", "an unknown seed", stories[0]) == stories[1]
    skipped = next(row["id"] for row in votes if row["id"] not in set(made.to_frame()["id"]))
    source = w2s.PairSource("arithmetic", given(WEAK), given(votes), rules)
    assert "no pair: " in w2s.explain_pair(made.origins, skipped, source)


def test_other_datasets(given, tmp_path):
    gold = w2s.build_gold("arithmetic", given(RAW))
    assert rows(w2s.build_gold(TASK, given(RAW), str(tmp_path / "gold.json")).file) == list(gold.file)
    weak = w2s.build_full_weak("arithmetic", given(OUTPUTS))
    assert rows(w2s.build_full_weak(TASK, given(OUTPUTS), tmp_path / "weak.json").file) == list(weak.file)
    golds = w2s.build_test("arithmetic", given(RAW), split="train_1")
    assert w2s.build_test(TASK, given(RAW), str(tmp_path / "test.jsonl"), split="train_1") == len(golds)
    assert rows(tmp_path / "test.jsonl") == list(golds)
    pairs = [{"id": 0, "instruction": "p", "input": "", "output": ["a", "b"]}]
    assert list(w2s.convert_pairs(given(pairs), form="columns").file) == [
        {"id": 0, "instruction": "p", "input": "", "chosen": "a", "rejected": "b"}
    ]
    assert list(w2s.chosen_side(given(pairs)).file) == [{"id": 0, "content": "p", "output": "a"}]
    assert (gold.index, gold.config) == (None, None)
    assert gold.to_frame()["output"].tolist() == [row["output"] for row in gold.file]


def test_evaluation(given, tmp_path):
    write(tmp_path / "weak.jsonl", WEAK)
    tagged = [{**row, "tag": {"level": n % 2}} for n, row in enumerate(GOLDS)]
    found = w2s.evaluate(
        {"weak": given(WEAK), "icl": given(ICL)},
        golds=given(tagged),
        by="level",
        floor=given(WEAK),
        ceiling=1,
    )
    assert [row["results"] for row in found.results] == ["weak"] * 3 + ["icl"] * 3
    assert found.to_frame().equals(pd.DataFrame(found.results))
    assert found.to_frame("differences")["against"].tolist() == ["weak"]
    listed = w2s.evaluate([given(WEAK)])
    assert listed.results[0]["accuracy"] == found.results[0]["accuracy"]
    sampled = w2s.evaluate([[given(results) for results in SEEDS]], pass_at=2, task="arithmetic")
    assert sampled.results[0]["samples"] == 3
    modes = w2s.compare_modes("arithmetic", given(GOLDS), given(OUTPUTS), ["published", "symbolic"])
    assert modes.to_frame().columns.tolist() in ([], ["published", "symbolic", "rows"])


def test_demonstrations_and_generation(given, tmp_path):
    shown = w2s.pick_demonstrations("arithmetic", given(OUTPUTS), count=2)
    assert [one["id"] for one in w2s.named_demonstrations(given(OUTPUTS), [3, "1"])] == [3, 1]
    assert len(w2s.named_demonstrations(given(OUTPUTS), "1")) == 1
    questions = [{"id": row["id"], "question": f"q{row['id']}"} for row in OUTPUTS]
    asked = w2s.Generation(
        task="arithmetic",
        questions=given(questions),
        model=Path("m"),
        output_dir=str(tmp_path),
        demonstrations=shown,
        shard="1/2",
    )
    assert asked.requests(0)[0].prompt.startswith(f"{shown[0]['prompt']} {shown[0]['response']}")
    assert len(asked.requests(0)) == COUNT // 2
    assert (asked.task, asked.model, asked.output_dir) == (TASK, w2s.Model("m"), tmp_path)
    assert (
        w2s.Generation(
            task=TASK, questions=given(questions), model="m", output_dir=tmp_path, demonstrations=given(shown)
        ).shown
        == shown
    )


def test_generation_notes_rows_in_memory(tmp_path, monkeypatch):
    from w2s_factory.generating import generator

    sys.path.insert(0, str(ROOT / "tests/generating"))
    try:
        from echo_engine import Echo
    finally:
        sys.path.pop(0)
    monkeypatch.setattr(generator, "make_engine", lambda _, model, __: Echo(model))
    shown = w2s.pick_demonstrations("arithmetic", OUTPUTS, count=1)
    asked = w2s.Generation(
        task="arithmetic",
        questions=[{"question": "q"}],
        model="m",
        output_dir=tmp_path,
        demonstrations=shown,
        engine="echo",
    )
    for _ in range(2):  # the second continues the first
        [made] = w2s.generate(asked)
    assert made.to_frame()["id"].tolist() == [0]
    [line] = [json.loads(text) for text in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert [one["file"] for one in line["inputs"]] == ["questions (in memory)", "demonstrations (in memory)"]


def test_the_manifest_names_rows_in_memory_by_their_content(tmp_path):
    write(tmp_path / "weak.jsonl", WEAK)
    w2s.build_stage1("arithmetic", WEAK, pd.DataFrame(WEAK), tmp_path / "data")
    [line, *_] = [json.loads(text) for text in (tmp_path / "data/manifest.jsonl").read_text().splitlines()]
    sha256 = hashlib.sha256((tmp_path / "weak.jsonl").read_bytes()).hexdigest()
    names = ["weak (in memory)", "icl (in memory)"]
    assert line["inputs"] == [{"file": name, "sha256": sha256} for name in names]
    [shown] = w2s.pick_demonstrations("arithmetic", WEAK, count=1)
    assert (shown["source"], shown["sha256"]) == ("source (in memory)", sha256)


def changed(some, number, **change):
    return [row | change if n == number else row for n, row in enumerate(some)]


WRONG = [
    (changed(WEAK, 2, pred=5), 'weak: row 3: field "pred": expected text, got a whole number'),
    (changed(WEAK, 2, pred=None), 'weak: row 3: field "pred": expected text, got null'),
    ([*WEAK[:2], None], "weak: row 3: expected a mapping, got None"),
    ([*WEAK[:2], "row"], "weak: row 3: expected a mapping, got 'row' (str)"),
    ([*WEAK[:2], WEAK[0]], 'weak: row 3: field "id": duplicate id 0'),
    ([], "weak: holds no results"),
    (5, 'field "weak": expected a file, rows (an iterable of mappings) or a DataFrame, got 5 (int)'),
    (None, 'field "weak": expected a file, rows (an iterable of mappings) or a DataFrame, got None'),
    (WEAK[0], 'field "weak": expected a file, rows (an iterable of mappings) or a DataFrame, got {'),
    (b"x", 'field "weak": expected a file, rows (an iterable of mappings) or a DataFrame, got b'),
    (
        pd.DataFrame(WEAK).rename(columns={"pred": 7}),
        "weak: expected columns with text for names, got 7 (int)",
    ),
    (
        pd.DataFrame(WEAK).drop(columns="pred"),
        'weak: row 1: field "pred": is missing; expected a row of results',
    ),
    (
        pd.DataFrame(changed(WEAK, 2, pred=None)),
        'weak: row 3: field "pred": is missing; expected a row of results',
    ),
    (pd.DataFrame(), "weak: holds no results"),
]


@pytest.mark.parametrize(("weak", "message"), WRONG)
def test_wrong_rows_in_memory_are_named_with_their_place(weak, message, tmp_path):
    with pytest.raises(UserError) as caught:
        w2s.build_stage1("arithmetic", weak, ICL, tmp_path / "data")
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "data").exists()


MISSING = [None, float("nan"), pd.NA, pd.NaT]


@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_value_of_a_frame_is_a_missing_key(missing):
    frame = pd.DataFrame(changed(WEAK, 2, result=missing, gold=missing))
    table = rows_of(frame, "weak")
    assert "result" not in table[2]
    assert list(read(table, ANSWERED))[3] == WEAK[3]
    assert w2s.build_stage1("arithmetic", frame, ICL).agreement.questions == COUNT


def test_whole_numbers_stay_whole_beside_missing_ones():
    frame = pd.DataFrame(changed([{**row, "num_tokens": 3} for row in WEAK], 2, num_tokens=None))
    assert frame["num_tokens"].dtype.kind == "f"
    table = rows_of(frame, "weak")
    assert table[0]["num_tokens"] == 3
    assert type(table[0]["num_tokens"]) is int
    assert "num_tokens" not in table[2]
    floats = rows_of(pd.DataFrame({"confidence": [1.0, 0.5]}), "votes")
    assert [type(row["confidence"]) for row in floats] == [float, float]


def test_values_of_numpy_become_pythons():
    frame = pd.DataFrame({"id": pd.array([0, 1]), "result": pd.array([True, None], dtype="boolean")})
    frame["pred"] = pd.Series(["5", "6"], dtype="string")
    table = rows_of(frame, "weak")
    assert list(table) == [{"id": 0, "result": True, "pred": "5"}, {"id": 1, "pred": "6"}]
    assert [type(value) for value in table[0].values()] == [int, bool, str]


def test_rows_given_are_left_as_they_are():
    mine = [dict(row) for row in WEAK]
    w2s.build_stage1("arithmetic", mine, ICL)
    made = w2s.score("arithmetic", GOLDS, mine)
    made.results[0]["pred"] = "changed"
    assert mine == WEAK


def test_no_config_without_an_output():
    with pytest.raises(UserError, match="a training config needs an output"):
        w2s.build_gold("arithmetic", RAW, recipe=w2s.Recipe(model="m"))


@pytest.mark.parametrize("task", [5, None, {"name": "gsm8k"}, w2s.Task])
def test_what_is_neither_a_task_nor_a_name(task):
    for function in (
        lambda: w2s.build_stage1(task, WEAK, ICL),
        lambda: w2s.score_responses(task, ["a"], ["a"]),
        lambda: w2s.pick_demonstrations(task, WEAK),
    ):
        with pytest.raises(UserError, match=r'^field "task": expected a task or its name'):
            function()


def test_pandas_is_imported_only_if_a_frame_is_given():
    code = (
        "import sys, json, w2s_factory as w2s\n"
        "weak = json.load(sys.stdin)\n"
        "made = w2s.build_stage1('arithmetic', weak, list(weak))\n"
        "w2s.evaluate([weak]); w2s.vote([weak]); w2s.score('arithmetic', None, weak)\n"
        "assert made.agreement.kept and 'pandas' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(WEAK), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_one_text_stands_for_a_list_of_one():
    with pytest.raises(UserError, match="two different modes or more"):
        w2s.compare_modes("gsm8k", GOLDS, OUTPUTS, "published")
    with pytest.raises(UserError, match='field "results": expected results, a list of results, or '):
        w2s.evaluate(5)
    for predictions in ([], ["a", None], "ab", 5):
        with pytest.raises(UserError, match='field "predictions": expected '):
            w2s.majority(predictions)


def test_tasks_and_paths_elsewhere(tmp_path):
    assert w2s.published_results(w2s.get_task("gsm8k"), "llama2_7b")
    w2s.write_experiment(TASK, str(tmp_path / "experiment.yaml"))
    plan = w2s.plan_experiment(str(tmp_path / "experiment.yaml"))
    assert plan.to_frame()["name"].tolist() == [step.name for step in plan.steps]
    assert w2s.sft_entry(Path("a.json")) == w2s.sft_entry("a.json")
    write(tmp_path / "train_1.jsonl", RAW)
    found = w2s.audit(str(tmp_path), task=TASK)
    assert len(found.to_frame()) == len(found.findings)


def test_task_files(tmp_path):
    w2s.write_task_file(str(tmp_path / "own.yaml"))
    (tmp_path / "questions.csv").write_text("question,answer\n" + "".join(f"q{n},{n}\n" for n in range(10)))
    for task in (str(tmp_path / "own.yaml"), tmp_path / "own.yaml", w2s.get_task(tmp_path / "own.yaml")):
        shown = w2s.show_task(task, split="test")
        assert shown.sizes == {"train_1": 4, "train_2": 4, "test": 2}
        assert [row.prompt for row in shown.rows] == [f"Question: q{row.id}\nAnswer:" for row in shown.rows]


WITHOUT_ROWS_OR_TASKS = {
    *("diagnose", "draw_plan", "export", "get_task", "install_template", "installed_version", "judge"),
    *("launch_commands", "make_config", "merge_shards", "pair_entry", "paired_bootstrap", "pass_at_k"),
    *("performance_gap_recovered", "plan", "preset_names", "read_experiment", "report", "run", "task_names"),
    *("template_status", "train", "uninstall_template", "verify_release", "wilson_interval"),
    *("check_template", "find_template", "write_template_jinja"),
    *("generate", "preview"),  # a Generation says it all
    *("model_sampling", "read_status"),
}
"""Functions that read no rows and take no task; of these, those with files take texts and paths alike."""


def test_every_public_function_is_in_one_of_the_tests_above():
    functions = {name for name in w2s.__all__ if inspect.isfunction(getattr(w2s, name))}
    source = Path(__file__).read_text()
    tried = {name for name in functions if f"w2s.{name}(" in source}
    assert functions - tried - WITHOUT_ROWS_OR_TASKS == {"fetch"}  # a test of its own
    for name in WITHOUT_ROWS_OR_TASKS:
        signature = inspect.signature(getattr(w2s, name))
        assert "task" not in signature.parameters, name
        for parameter in signature.parameters.values():
            if "Path" in str(parameter.annotation):
                assert "str" in str(parameter.annotation), f"{name}({parameter.name})"


@pytest.mark.parametrize("former", w2s._RENAMED)
def test_former_names_work_with_a_warning(former):
    with pytest.warns(DeprecationWarning, match=w2s._RENAMED[former]):
        assert getattr(w2s, former) is getattr(w2s, w2s._RENAMED[former])
