"""Each command's "Next:" lines: run as they are printed, in the folder where they were printed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from chained import completed, questions, run

from w2s_factory import building, records
from w2s_factory.cli import next_steps
from w2s_factory.cli.next_steps import after_adapter, after_model
from w2s_factory.errors import UserError
from w2s_factory.llamafactory import preflight
from w2s_factory.tasks import get_task

TASK = ["--task", "gsm8k"]
SPLIT = ["--split", "train_2"]
WEAK = ["generate", *TASK, *SPLIT, "--model", "path/to/weak-model", "--output-dir", "weak"]
M_PLUS = ["--model", "path/to/strong-model", "--adapter", "path/to/m-plus"]
PLUS = ["generate", *TASK, *SPLIT, *M_PLUS, "--samples", 10, "--output-dir", "plus"]


def test_gold_then_train(folder):
    gold = run(
        "build-data", "--stage", "gold", *TASK, "--input", "train_1.jsonl", "--model", "path/to/weak-model"
    )
    run(*gold.next("train"))


@pytest.mark.parametrize(("gpu", "more"), [(True, []), (False, ["use_cpu=true", "bf16=false"])])
def test_without_a_gpu_training_is_on_the_cpu(folder, monkeypatch, gpu, more):
    monkeypatch.setattr(preflight, "seems_without_gpu", lambda: not gpu)
    gold = run(
        "build-data", "--stage", "gold", *TASK, "--input", "train_1.jsonl", "--model", "path/to/weak-model"
    )
    assert gold.next("train")[2:] == more
    run(*gold.next("train"))


def test_gold_without_a_model_says_that_it_is_missing(folder):
    gold = run("build-data", "--stage", "gold", *TASK, "--input", "train_1.jsonl")
    options = ["--preset", "weak_full_sft", "--model", "path/to/weak-model", "--output-dir", "out"]
    made = run(*completed(gold.sentences[0], *options, "--output", "gold.yaml"))
    run(*made.next("train"))


def test_test_rows_are_asked(folder):
    made = run("build-data", "--stage", "test", *TASK, "--input", "train_1.jsonl", "--output", "q.jsonl")
    asked = run(*completed(made.sentences[0], "--model", "path/to/strong-model", "--output-dir", "out"))
    assert "6 of 6 right" in run(*asked.next("score")).stdout


def test_weak_then_icl_then_stage_1_then_train(folder):
    weak = run(*run(*WEAK).next("score"))
    run(*weak.next("evaluate"))
    run(*run(*weak.next("build-data")).next("train"))
    assert "as --weak and --icl" in weak.sentences[0]
    demos = run("demos", *TASK, "--from", "weak", "--output", "demos.json")
    icl = completed(demos.sentences[0], "--model", "path/to/strong-model", "--output-dir", "icl", *SPLIT)
    scored = run(*run(*icl).next("score"))
    stage1 = run(*scored.next("build-data"))
    assert "weak and icl agree on 8 of 12" in stage1.stdout
    assert stage1.next("train")[1] == "w2s-data/train_gsm8k_weak_iter1_hybrid.yaml"
    run(*stage1.next("train"))


def test_stage_1_keeps_the_names_of_the_full_weak_data(folder, monkeypatch):
    weak = run(*run(*WEAK).next("score"))
    names = ["--weak-name", "mine", "--output-dir", "built", "--model", "path/to/strong-model"]
    full = [*weak.next("build-data"), *names]
    monkeypatch.setattr(sys, "argv", ["w2s-factory", *full])
    run(*full)
    demos = run("demos", *TASK, "--from", "weak", "--output", "demos.json")
    icl = completed(demos.sentences[0], "--model", "path/to/strong-model", "--output-dir", "icl", *SPLIT)
    stage1 = run(*run(*icl).next("score")).next("build-data")
    assert stage1[-6:] == names
    run(*stage1)
    assert (folder / "built/train_gsm8k_mine_iter1_hybrid.yaml").is_file()


def test_stage_1_trains_the_model_that_was_asked(folder):
    run(*run(*WEAK).next("score"))
    demos = run("demos", *TASK, "--from", "weak", "--output", "demos.json")
    icl = completed(demos.sentences[0], "--model", "path/to/strong-model", "--output-dir", "icl", *SPLIT)
    stage1 = run(*run(*icl).next("score")).next("build-data")
    assert stage1[-2:] == ["--model", "path/to/strong-model"]


def test_a_split_of_a_task_from_a_file_is_asked_by_name_and_scored(folder):
    rows = "".join(f"What is {n} + 5?,{n + 5}\n" for n in range(8))
    (folder / "sums.csv").write_text(f"question,answer\n{rows}")
    (folder / "sums.yaml").write_text("rows: sums.csv\ncompare: number\n")
    task = ["--task", "sums.yaml", "--split", "test"]
    asking = ["generate", *task, "--model", "path/to/strong-model", "--output-dir", "out"]
    assert f"{shlex.join(task)}, and name the file" in run(*asking).sentences[0]
    made = run("build-data", "--stage", "test", *task)
    again = ["--model", "path/to/strong-model", "--output-dir", "again"]
    asked = run(*completed(made.sentences[0], *again))
    assert " right" in run(*asked.next("score")).stdout
    elsewhere = run("build-data", "--stage", "test", *task, "--output", "golds.jsonl")
    assert "--questions golds.jsonl" in elsewhere.sentences[0]


def test_samples_then_vote_then_stage_2_then_train(folder):
    run(*run(*WEAK).next("score"))
    scored = run(*run(*PLUS).next("score"))
    assert scored.stdout.count(" of 12 right") == 10
    run(*scored.next("evaluate"))
    vote = run(*scored.next("vote"))
    run(*vote.next("evaluate"))
    stage2 = run(*vote.next("build-data"))
    assert "12 pairs from 12 questions" in stage2.stdout
    options = [
        "--preset",
        "dpo",
        "--model",
        "path/to/strong-model",
        "--output-dir",
        "out",
        "--output",
        "dpo.yaml",
    ]
    run(*run(*completed(stage2.sentences[0], *options)).next("train"))
    trained = run(*vote.next("build-data"), "--model", "path/to/strong-model", "--output-dir", "again")
    run(*trained.next("train"))


def test_a_single_seed_leads_to_the_others_and_then_to_the_vote(folder):
    run(*PLUS)
    score = ["score", *TASK, "--golds", "data/test/gsm8k_train_2.jsonl", "--input"]
    one = run(*score, "plus/t1.0/seed0/output.jsonl", "--output", "plus/t1.0/seed0/results.jsonl")
    others = run(*one.next("score"))
    assert run(*others.next("vote")).next("evaluate")


def test_a_vote_without_the_weak_results_says_what_is_missing(folder):
    run(*run(*PLUS).next("score"))
    vote = run("vote", "--input", "plus", "--output", "votes.jsonl")
    assert "weak model's results" in vote.sentences[0]
    assert vote.next("evaluate")[:3] == ["evaluate", "--task", "gsm8k"]


def test_questions_without_golds_lead_to_both_stages(folder):
    asked = ["--questions", "bare.jsonl"]
    weak = run("generate", *TASK, *asked, "--model", "path/to/weak-model", "--output-dir", "weak")
    scored = run(*weak.next("score"))
    assert "no gold answer is known in bare.jsonl" in scored.stdout
    assert [words[0] for words in scored.commands] == ["build-data"]
    plus = run("generate", *TASK, *asked, *M_PLUS, "--samples", 10, "--output-dir", "plus")
    vote = run(*run(*plus.next("score")).next("vote"))
    assert [words[0] for words in vote.commands] == ["build-data"]
    assert "12 pairs from 12 questions" in run(*vote.next("build-data")).stdout


def test_a_held_out_split_leads_to_evaluation_only(folder):
    records.write(folder / "test.jsonl", questions(4, tag="GSM8K"))
    asked = run("generate", *TASK, "--questions", "test.jsonl", *M_PLUS, "--output-dir", "out")
    scored = run(*asked.next("score"))
    assert [words[0] for words in scored.commands] == ["evaluate"]
    assert scored.sentences == []


@pytest.mark.parametrize("sampled", [[], ["--samples", 2]])
def test_shards_then_merge_then_score(folder, sampled):
    first, second = (run(*WEAK, *sampled, "--shard", f"{index}/2") for index in (1, 2))
    assert "2/2" in first.sentences[0]
    assert first.commands == []
    merged = run(*second.next("merge-shards"))
    assert "of 12 right" in run(*merged.next("score")).stdout


def test_merged_shards_whose_questions_have_changed_are_not_scored_blindly(folder):
    run(*WEAK, "--shard", "1/1")
    (folder / "data/test/gsm8k_train_2.jsonl").write_text("")
    merged = run("merge-shards", "weak")
    assert merged.commands == []
    assert "not known here" in merged.sentences[0]


def test_a_limited_generation_is_scored_as_a_part(folder):
    assert "of 5 right" in run(*run(*WEAK, "--limit", 5).next("score")).stdout


def test_raw_rows_are_questions_and_not_golds(folder):
    asked = run("generate", *TASK, "--questions", "train_1.jsonl", *M_PLUS, "--output-dir", "o")
    assert asked.commands == []
    assert "train_1.jsonl:1" in asked.sentences[0]


@pytest.mark.parametrize(("form", "preset"), [("columns", "dpo"), ("chosen", "strong_lora_sft")])
def test_converted_pairs_are_trained_on(folder, form, preset):
    pair = {"id": 0, "instruction": "Question: 1?\nAnswer:", "input": "", "output": ["#### 2", "#### 3"]}
    records.write(folder / "pairs.json", [pair])
    converted = run("convert-pairs", "pairs.json", "--format", form, "--output", "new/pairs.json")
    options = [
        "--preset",
        preset,
        "--model",
        "path/to/strong-model",
        "--output-dir",
        "out",
        "--output",
        "c.yaml",
    ]
    run(*run(*completed(converted.sentences[0], *options)).next("train"))


def test_a_trained_adapter_is_merged_more_than_once_in_a_folder(folder, capsys):
    for name in ("out one", "out two"):
        (folder / name).mkdir()
        (folder / name / "adapter_config.json").write_text("{}")
        after_adapter("path/to/strong-model", folder / name)
        [line] = re.findall("Next: w2s-factory (.*)", capsys.readouterr().out)
        run(*run(*shlex.split(line)).next("export"))


def test_a_model_answers(folder, capsys):
    after_model(folder / "my model")
    assert capsys.readouterr().out.endswith("--model 'my model'\n")


def test_init_then_run(folder):
    made = run("init", "--task", "gsm8k", "--output", "experiment.yaml")
    assert "steps" in run(*made.next("run")).stdout


# What one command writes, another reads by its folder.


@pytest.fixture
def walked(folder):
    """The weak model's responses and ten samples of M_plus, scored by naming their folders."""
    run(*WEAK)
    run(*PLUS)
    for name in ("weak", "plus"):
        run("score", *TASK, "--golds", "data/test/gsm8k_train_2.jsonl", "--input", name)
    return folder


def test_folders_stand_for_the_files_in_them(walked):
    run("vote", *TASK, "--input", "plus", "--output", "plus/t1.0/majority_voting_results.jsonl")
    pairs = ["--weak", "weak", "--votes", "plus", "--samples", "plus", "--output", "named/pairs.json"]
    run("build-data", "--stage", "2", *TASK, *pairs)
    run("build-data", "--stage", "2", "--check", "named/pairs.json", "--weak", "weak")
    run("build-data", "--stage", "full-weak", *TASK, "--input", "weak")
    run("demos", *TASK, "--from", "weak", "--output", "demos.json")
    assert "pass" in run("evaluate", "--pass-at", 10, "plus").stdout


def test_results_go_where_output_says(walked):
    run("score", *TASK, "--golds", "data/test/gsm8k_train_2.jsonl", "--input", "plus", "--output", "scored")
    assert len(list((walked / "scored").glob("seed*/results.jsonl"))) == 10
    run("vote", "--input", "scored", "--output", "votes.jsonl")


def test_an_unfinished_seed_is_left_out_and_named(walked):
    (walked / "plus/t1.0/seed3/output.jsonl").unlink()
    scored = run(
        "score", *TASK, "--golds", "data/test/gsm8k_train_2.jsonl", "--input", "plus", "--output", "scored"
    )
    assert scored.stdout.count(" of 12 right") == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", *TASK, "--golds", "bare.jsonl", "--input", "path"], "output.jsonl or seed0"),
        (
            ["build-data", "--stage", "full-weak", *TASK, "--input", "path"],
            "without results.jsonl or output.jsonl",
        ),
        (["build-data", "--stage", "1", *TASK, "--weak", "path", "--icl", "weak"], "without results.jsonl"),
        (["vote", "--input", "two", "--output", "v.jsonl"], "several temperatures (t0.5, t1.0)"),
        (["score", *TASK, "--golds", "bare.jsonl", "--input", "both"], "both greedy responses"),
    ],
)
def test_a_folder_that_is_ambiguous_or_empty_is_refused(walked, words, message):
    for name in ("t0.5", "t1.0"):
        shutil.copytree(walked / "plus/t1.0", walked / "two" / name)
    shutil.copytree(walked / "plus", walked / "both")
    shutil.copy(walked / "weak/output.jsonl", walked / "both")
    with pytest.raises(AssertionError, match=re.escape(message)):
        run(*words)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "a", "answer": "1"}, {"question": "b"}], 'golds.jsonl:2: field "answer": is missing'),
        (
            [{"question": "a"}, {"question": "b", "answer": "1"}],
            'golds.jsonl:2: field "answer": expected no answer',
        ),
        ([{"question": "a", "answer": "x\n#### 1"}], "expected an answer, got a whole solution"),
        ([{"question": "a", "answer": 1}], "expected text or null, got a whole number"),
    ],
)
def test_golds_that_are_none_are_refused_with_their_line(tmp_path, rows, message):
    from w2s_factory.scoring.golds import read_golds

    (tmp_path / "golds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=re.escape(message)):
        read_golds(tmp_path / "golds.jsonl", "####")


def test_a_null_answer_is_a_gold_that_is_not_known(folder):
    rows = questions(12)
    rows[3]["answer"] = None
    records.write(folder / "some.jsonl", rows)
    run(*WEAK)
    scored = run("score", *TASK, "--golds", "some.jsonl", "--input", "weak", "--output", "r.jsonl")
    assert "1 without a known gold answer not counted" in scored.stdout
    row = list(records.read(folder / "r.jsonl", records.ANSWERED))[3]
    assert "result" not in row
    assert row["pred"] == "9"


@pytest.mark.parametrize("source", [{}, [], None, 3])
def test_a_source_that_is_no_text_names_no_split(folder, source):
    records.write(folder / "odd.jsonl", [row | {"source": source} for row in questions(12)])
    run(*WEAK)
    scored = run("score", *TASK, "--golds", "odd.jsonl", "--input", "weak")
    assert [words[0] for words in scored.commands] == ["evaluate", "build-data"]


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        ("answers.csv", ","),
        ("answers.tsv", "\t"),
        ("answers.txt", ";"),
        pytest.param("answers.csv", "\t", marks=pytest.mark.slow),
        pytest.param("answers.tsv", ",", marks=pytest.mark.slow),
    ],
)
def test_converted_csv_is_scored(folder, name, separator):
    lines = [
        ["id", "prompt", "response"],
        *([str(row), f"What is {row} + 5?", "1, 2; 3\n#### 5"] for row in range(12)),
    ]
    quoted = [separator.join(f'"{cell}"' for cell in line) for line in lines]
    (folder / name).write_text("\n".join(quoted))
    score = ["score", *TASK, "--golds", "data/test/gsm8k_train_2.jsonl", "--input"]
    with pytest.raises(AssertionError, match="this is CSV") as refused:
        run(*score, name, "--output", "r.jsonl")
    program = shlex.split(str(refused.value).partition("Convert it: python -c ")[2])[0]
    subprocess.run([sys.executable, "-c", program], check=True)
    assert "1 of 12 right" in run(*score, "answers.jsonl", "--output", "r.jsonl").stdout


def test_csv_ids_that_are_not_all_whole_numbers_stay_text(folder):
    (folder / "rows.csv").write_text("id;prompt;response\n007;p;1\nb;p;2\n")
    with pytest.raises(UserError) as refused:
        list(records.read(folder / "rows.csv", records.OUTPUT))
    subprocess.run([sys.executable, "-c", shlex.split(str(refused.value))[-1]], check=True)
    rows = list(records.read(folder / "rows.jsonl", records.OUTPUT))
    assert rows == [
        {"id": "007", "prompt": "p", "response": "1"},
        {"id": "b", "prompt": "p", "response": "2"},
    ]


def test_init_refuses_a_task_without_the_splits_of_an_experiment(folder, monkeypatch):
    task = get_task("gsm8k")
    some = {name: split for name, split in task.splits.items() if name != "test"}
    monkeypatch.setattr("w2s_factory.tasks.gsm8k.TASK", replace(task, splits=some))
    with pytest.raises(AssertionError, match="got gsm8k without test"):
        run("init", *TASK, "--output", "e.yaml")
    assert not (folder / "e.yaml").exists()


def result(number: int, pred: str) -> dict:
    prompt = f"Question: What is {number} + 5?\nAnswer:"
    return {"id": number, "prompt": prompt, "response": f"#### {pred}", "pred": pred}


def test_results_that_never_agree_lead_to_no_stage_1(folder):
    for side, pred in (("weak", "1"), ("icl", "2")):
        (folder / side).mkdir()
        rows = [{**result(n, pred), "response": f"#### {pred}"} for n in range(12)]
        records.write(folder / side / "output.jsonl", rows)
        score = ["--golds", "data/test/gsm8k_train_2.jsonl", "--input", side]
        scored = run("score", *TASK, *score)
    assert ["1"] not in [words[2:3] for words in scored.commands]
    assert "agree on none of 12 questions" in scored.sentences[0]


def test_votes_that_give_no_pair_lead_to_no_stage_2(folder):
    rows = [result(number, "1") for number in range(3)]
    for name in ("weak", "plus/seed0", "plus/seed1"):
        (folder / name).mkdir(parents=True)
        records.write(folder / name / "results.jsonl", rows)
    vote = run("vote", *TASK, "--input", "plus", "--output", "votes.jsonl")
    assert vote.commands == []
    assert "none of 3 questions gives a pair" in vote.sentences[0]


def test_large_files_lead_to_stages_that_are_not_tried(folder, monkeypatch):
    monkeypatch.setattr(next_steps, "_LARGE", 0)
    monkeypatch.setattr(building, "build_stage1", None)
    monkeypatch.setattr(building, "build_stage2", None)
    rows = [result(number, "1") for number in range(12)]
    for side in ("weak", "icl"):
        (folder / side).mkdir()
        records.write(folder / side / "output.jsonl", rows)
        score = ["--golds", "data/test/gsm8k_train_2.jsonl", "--input", side]
        scored = run("score", *TASK, *score)
    assert ["build-data", "--stage", "1"] in [words[:3] for words in scored.commands]
    for seed in (0, 1):
        records.write(folder / f"plus/seed{seed}/results.jsonl", rows)
    vote = run("vote", *TASK, "--input", "plus", "--output", "votes.jsonl")
    assert ["build-data", "--stage", "2"] in [words[:3] for words in vote.commands]
