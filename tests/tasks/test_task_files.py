"""Tasks from a YAML file: rows of any kind, splits, prompts, answers; and every mistake with its line."""

from __future__ import annotations

import functools
import json
import operator
import re
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from w2s_factory import (
    DelegateError,
    Generation,
    UserError,
    build_gold,
    build_test,
    get_task,
    score_response,
    score_responses,
)
from w2s_factory.answers import extraction
from w2s_factory.building.shown_task import show_task
from w2s_factory.generating import questions_of, read_demonstrations, read_questions
from w2s_factory.tasks.new_task_file import write_task_file

CSV = """\
id,problem,result,topic
11,What is 1+1?,2,sums
12,What is 2*2?,4,products
13,"What is
3+3?",6,sums
14,"What is 4*4, really?",16,products
15,What is 5+5?,10,sums
"""
TASK = """\
rows: questions.csv
columns: {question: problem, answer: result}
compare: number
splits: {train_1: 0.4, train_2: 0.4, test: 0.2}
"""
GSM8K = """\
rows: {path: gsm8k, config: main}
columns:
  solution: answer
  answer: {column: answer, regex: '#### (.+)'}
compare: number
stop: ["Question:"]
splits:
  train_1: {split: train, share: 0.5}
  train_2: {split: train, share: 0.5}
  test: test
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a CSV file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.csv").write_text(CSV)
    return tmp_path


def task_of(folder, text, name="own.yaml"):
    (folder / name).write_text(text)
    return get_task(f"./{name}")


def ids(task, split):
    return [row["id"] for row in build_test(task, task.own_rows(split), split=split)]


def test_a_csv_in_shares(folder):
    task = task_of(folder, TASK)
    assert (task.name, task.argument, list(task.splits)) == (
        "own",
        "own.yaml",
        ["train_1", "train_2", "test"],
    )
    shares = [ids(task, split) for split in task.splits]
    assert list(map(len, shares)) == [2, 2, 1]
    assert sorted(functools.reduce(operator.iadd, shares, [])) == [
        11,
        12,
        13,
        14,
        15,
    ]  # each row is in one split; ids are numbers
    assert all(share == sorted(share) for share in shares)
    again = [ids(task_of(folder, TASK + f"seed: {seed}\n"), "train_1") for seed in (42, 1, 2, 3)]
    assert again[0] == shares[0]
    assert any(drawn != shares[0] for drawn in again)
    by_id = {
        row["id"]: row for split in task.splits for row in build_test(task, task.own_rows(split), split=split)
    }
    assert by_id[13]["question"] == "What is\n3+3?"
    assert by_id[14] == {
        "id": 14, "source": by_id[14]["source"], "question": "What is 4*4, really?", "solution": "", "answer": "16",
        "tag": {},
    }  # fmt: skip


def test_gsm8k_from_a_copy_of_the_hub_in_ten_lines(folder):
    assert len(GSM8K.splitlines()) <= 10
    (folder / "gsm8k/main").mkdir(parents=True)
    (folder / "gsm8k/socratic").mkdir()
    rows = {"train": 7, "test": 3}
    for split, count in rows.items():
        made = [
            {"question": f"{split} {n}?", "answer": f"So <<{n}={n}>>{n}.\n#### 1,{n:03}"}
            for n in range(count)
        ]
        parquet.write_table(pa.Table.from_pylist(made), folder / f"gsm8k/main/{split}-00000-of-00001.parquet")
    task = task_of(folder, GSM8K, "school.yaml")
    sizes = {split: len(task.own_rows(split)) for split in task.splits}
    assert sizes == {"train_1": 3, "train_2": 4, "test": 3}
    first = build_test(task, task.own_rows("test"), split="test")[0]
    assert first == {"id": 0, "source": "SCHOOL", "question": "test 0?", "solution": "So <<0=0>>0.\n#### 1,000",
                     "answer": "1,000", "tag": {}}  # fmt: skip
    assert task.answers_are_numbers
    gold = build_gold(task, task.own_rows("train_1")).to_frame()
    assert list(gold["id"]) == [
        row["id"] for row in build_test(task, task.own_rows("train_1"), split="train_1")
    ]
    assert gold["output"][0].endswith("\n#### 1,00" + str(gold["id"][0]))
    shown = show_task(task)
    assert (shown.sizes, shown.scored, shown.right) == (sizes, 3, 3)
    task = task_of(folder, GSM8K.replace("test: test", "test: tset"), "school.yaml")
    with pytest.raises(
        UserError, match=r'school.yaml:10: field "splits.test": gsm8k/main has no split "tset". Did you'
    ):
        task.own_rows("test")
    task = task_of(folder, GSM8K.replace("main", "man"), "school.yaml")
    with pytest.raises(UserError, match=r'school.yaml:8: .*: gsm8k has no such folder. Did you mean "main"'):
        task.own_rows("train_1")


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet", "tsv"])
def test_rows_of_every_kind(folder, suffix):
    rows = [{"question": f"q{n}", "answer": answer} for n, answer in enumerate(["7", 8, 9.5, 10.0, None])]
    file = folder / f"rows.{suffix}"
    if suffix == "parquet":
        rows = [{**row, "answer": None if row["answer"] is None else float(row["answer"])} for row in rows]
        parquet.write_table(pa.Table.from_pylist(rows), file)
    elif suffix == "tsv":
        file.write_text(
            "question\tanswer\n" + "".join(f"{row['question']}\t{row['answer'] or ''}\n" for row in rows)
        )
    else:
        text = json.dumps(rows) if suffix == "json" else "".join(f"{json.dumps(row)}\n" for row in rows)
        file.write_text(text)
    task = task_of(folder, f"rows: {file.name}\n")
    tests = list(build_test(task, task.own_rows("test"), split="test"))
    tenth = "10.0" if suffix == "tsv" else "10"
    assert [test["answer"] for test in tests] == ["7", "8", "9.5", tenth, ""]
    assert [test["id"] for test in tests] == list(range(5))
    assert task.normalise_gold("") is None
    assert show_task(task).without_gold == {"test": 1}


def test_semicolons_separate_columns_too(folder):
    (folder / "questions.csv").write_text("question;answer\nOne, or two?;1\n")
    task = task_of(folder, "rows: questions.csv\n")
    assert build_test(task, task.own_rows("test"), split="test")[0]["question"] == "One, or two?"


def test_the_same_file_by_two_paths_is_divided_once(folder):
    (folder / "inner").mkdir()
    (folder / "link.csv").symlink_to("questions.csv")
    keys = "columns: {question: problem, answer: result}\n"
    rows = "{path: ./inner/../questions.csv, share: 0.4}"
    task = task_of(
        folder,
        f"rows: questions.csv\n{keys}splits: {{a: {rows}, b: {{path: link.csv, share: 0.4}}, c: 0.2}}\n",
    )
    drawn = [name for split in task.splits for name in ids(task, split)]
    assert sorted(drawn) == [11, 12, 13, 14, 15]
    with pytest.raises(UserError, match=r'field "splits.b": expected shares of at most 1 in all, got 1.1'):
        task_of(
            folder, f"rows: questions.csv\n{keys}splits: {{a: {rows}, b: {{path: link.csv, share: 0.7}}}}\n"
        )


PROMPTS = [
    ("", "Question: Q\nAnswer:", "Q"),
    ("prompt: 'Solve: {{ question }}'\n", "Solve: Q", "Solve: Q"),
    ("prompt: |\n  {{ question }} ({{ topic | upper }})\n", "Q (SUMS)", "Q (SUMS)"),
    ("prompt: '{{ question }} {{ topic | tojson }}'\n", 'Q "sums"', 'Q "sums"'),
    ("prompt: '{% for c in range(2) %}{{ c }}{% endfor %} {{ question }}'\n", "01 Q", "01 Q"),
]


@pytest.mark.parametrize(("key", "prompt", "turn"), PROMPTS)
def test_prompts(folder, key, prompt, turn):
    (folder / "questions.csv").write_text("question,answer,topic\nQ,1,sums\n")
    task = task_of(folder, f"rows: questions.csv\n{key}")
    (question,) = read_questions(questions_of(task, "test"))
    assert task.prompt(question.text) == prompt
    assert task.user_turn(question.text) == turn
    golds = build_test(task, task.own_rows("test"), split="test")
    assert golds[0]["question"] in prompt  # so that golds are recognised as those of the questions asked


def test_a_column_may_have_the_name_of_a_function_of_jinja(folder):
    (folder / "questions.csv").write_text("question,answer,range\nQ,1,\"<1 to 'ten'>\"\n")
    task = task_of(folder, "rows: questions.csv\nprompt: '{{ question }} {{ range }} {{ range | tojson }}'\n")
    assert show_task(task).rows[0].prompt == "Q <1 to 'ten'> \"<1 to 'ten'>\""


def test_questions_from_elsewhere(folder):
    (folder / "mine.jsonl").write_text('{"question": "Q"}\n')
    shared = {"model": "m", "output_dir": "out", "questions": folder / "mine.jsonl", "engine": "none"}
    alone = task_of(folder, TASK + "prompt: 'Solve {{ question }}'\n")
    assert [question.text for question in Generation(task=alone, **shared).all_questions] == ["Q"]
    whole = task_of(folder, TASK + "prompt: 'Solve {{ question }} ({{ topic }})'\n")
    with pytest.raises(
        UserError, match=r'mine.jsonl:1: field "source": expected a question with which this task'
    ):
        _ = Generation(task=whole, **shared).all_questions
    asked = Generation(
        task=whole, **shared | {"questions": build_test(whole, whole.own_rows("test"), split="test")}
    )
    assert len(asked.all_questions) == 1


def test_rows_of_another_file_keep_their_ids(folder):
    task = task_of(folder, TASK)
    rows = [{"id": 7, "problem": "Q", "result": 1}, {"id": "x", "problem": "R", "result": 2}]
    assert [row["id"] for row in build_test(task, rows, split="test")] == [7, "x"]
    assert "id" not in build_test(task, [{"problem": "Q", "result": 1}], split="test")[0]


def test_rows_of_the_hub(folder, monkeypatch):
    asked = []

    def load_dataset(*arguments, **options):
        asked.append((arguments, options))
        if arguments[0] == "no/such":
            raise FileNotFoundError("not there\nat all")
        return [{"problem": "Q", "result": 1.0}, {"problem": "R", "result": 2.0}]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    place = "{hub: a/b, config: main, split: train}"
    task = task_of(
        folder, TASK.replace("questions.csv", place).replace("0.4", "0.5", 2).replace(", test: 0.2", "")
    )
    tests = [row for split in task.splits for row in build_test(task, task.own_rows(split), split=split)]
    assert sorted((row["id"], row["answer"]) for row in tests) == [(0, "1"), (1, "2")]
    assert asked == [(("a/b", "main"), {"split": "train"})]  # once, for both splits
    assert task.own_files("train_1") == [Path("own.yaml")]
    missing = task_of(folder, f"rows: {place.replace('a/b', 'no/such')}\n")
    with pytest.raises(
        DelegateError, match=r"no/such \(train\) can't be loaded \(FileNotFoundError: not there.* rows: "
    ):
        missing.own_rows("test")


def test_solutions_are_written_as_the_file_says(folder):
    (folder / "questions.csv").write_text("question,answer,why\nQ,1,Because.\n")
    columns = "rows: questions.csv\ncolumns: {solution: why}\n"
    for key, written in (
        ("", "Because."),
        ("output: '{{ solution }} #### {{ answer }}'\n", "Because. #### 1"),
    ):
        task = task_of(folder, columns + key)
        assert task.teaches_gold
        assert build_gold(task, task.own_rows("test")).to_frame()["output"][0] == written
    task = task_of(folder, "rows: questions.csv\n")
    assert not task.teaches_gold
    with pytest.raises(
        UserError, match=r"questions.csv:2: the task own has no gold solutions. Name their column"
    ):
        build_gold(task, task.own_rows("test"))


def test_gold_answers_that_are_not_numbers_are_counted(folder):
    (folder / "questions.csv").write_text(CSV.replace(",16,", ",4:20,"))
    whole = TASK.partition("splits")[0]
    shown = show_task(task_of(folder, whole))
    assert (shown.not_numbers, shown.first_not_number) == ({"test": 1}, {"test": 14})
    assert show_task(task_of(folder, whole.replace("number", "text"))).not_numbers == {"test": 0}


def test_demonstrations(folder):
    shown = "demonstrations: [{question: q, topic: t, response: r}, {question: p, topic: t, response: s}]\n"
    for prompt, worded in (("", "Question: q\nAnswer:"), ("prompt: '{{ topic }}: {{ question }}'\n", "t: q")):
        task = task_of(folder, TASK + prompt + shown)
        read = read_demonstrations(folder / "own.yaml")
        assert [(row["prompt"], row["response"]) for row in read[:1]] == [(worded, "r")]
        assert len(task.demonstrations) == len(read) == 2
    task_of(folder, TASK)
    with pytest.raises(UserError, match=r"own.yaml: has no demonstrations. Add the key demonstrations"):
        read_demonstrations("own.yaml")
    task_of(folder, TASK + "prompt: '{{ topic }}'\ndemonstrations:\n  - {question: q, response: r}\n")
    with pytest.raises(UserError, match=r'own.yaml:5: field "prompt": needs "topic"'):
        read_demonstrations("own.yaml")
    with pytest.raises(UserError, match=r'own.yaml:6: field "demonstrations.0.response": is missing'):
        task_of(folder, TASK + "demonstrations:\n  - question: q\n")


COMPARISONS = [
    ("compare: text", "1,000", "1,000", True),
    ("compare: text", "1000", "1,000", False),
    ("compare: number", "1000", "1,000", True),
    ("compare: number", "0.5", r"\frac{1}{2}", True),
    ("compare: number", "0.3", "0.30000000000000001", False),
    (
        "compare: number\ntolerance: 0.1",
        "0.3",
        "0.2",
        True,
    ),  # in floats, 0.3 - 0.2 is below 0.1, 0.2 + 0.1 above 0.3
    ("compare: number\ntolerance: 0.1", "0.30001", "0.2", False),
    ("compare: number\ntolerance: 1%", "101", "100", True),
    ("compare: number\ntolerance: 1%", "101.01", "100", False),
    ("normalise: published", "5 km", "5 feet", True),
    ("compare: symbolic", "2x+x", "3x", True),
    ("compare: symbolic", "2x", "3x", False),
    ("compare: math-verify", r"\frac{2}{4}", r"$\frac{1}{2}$", True),
]


@pytest.mark.parametrize(("keys", "answer", "reference", "verdict"), COMPARISONS)
def test_comparisons(folder, keys, answer, reference, verdict):
    task = task_of(folder, f"rows: questions.csv\n{keys}\n")
    assert task.equal(task.normalise(answer), task.normalise(reference)) is verdict


def test_verdicts(folder):
    task = task_of(folder, TASK + "answer_key: '####'\n")
    found = score_responses(task, ["So\n#### 1,000", "#### 999"], ["1000", "1000"])
    assert [each.result for each in found] == [True, False]
    symbolic = task_of(folder, TASK.replace("compare: number", "compare: symbolic") + "answer_key: '####'\n")
    assert score_response(symbolic, "The answer is x+x.", "2x").result


def test_the_hash_changes_with_what_is_asked_alone(folder):
    first = task_of(folder, TASK).file_sha256
    assert task_of(folder, f"# a comment\n{TASK}tolerance: 0.5\n").file_sha256 == first
    assert task_of(folder, TASK + "prompt: '{{ question }}!'\n").file_sha256 != first


def test_a_new_task_file_is_valid_and_says_so(folder):
    write_task_file("./new.yaml")
    (folder / "questions.csv").write_text(CSV.replace("problem,result", "question,answer"))
    assert show_task("./new.yaml").sizes == {"train_1": 2, "train_2": 2, "test": 1}
    task = get_task("./new.yaml")
    assert task.stop == ("Question:",)
    assert task.prompt("q").startswith(task.stop[0])
    text = (folder / "new.yaml").read_text()
    commented = [line[2:] for line in text.splitlines() if re.match(r"# [a-z]+: [^|]", line)]
    for line in commented:  # each optional key is one that a task file has
        key = line.partition(":")[0]
        kept = [kept for kept in text.splitlines() if not kept.startswith(f"{key}:")]
        more = "compare: number" if key == "tolerance" else ""
        given = [kept for kept in kept if not (more and kept.startswith("compare:"))]
        if key != "rows":
            get_task(task_of(folder, "\n".join([*given, more, line]), "variant.yaml"))


MISTAKES = [
    ("colums: {}", r'own.yaml:5: field "colums": is not a known key. Did you mean "columns"\?'),
    ("columns: {questoin: q}", r'own.yaml:2: field "columns.questoin": is not a known key. Did you mean "question"\?'),
    ("rows: none.csv", r'own.yaml:1: field "rows": no such file or folder: none.csv'),
    ("rows: {file: questions.csv}", r'own.yaml:1: field "rows.file": is not a known key. Known: path, hub, config, split'),
    ("rows: {path: questions.csv, hub: a/b}", r'own.yaml:1: field "rows": has both path and hub'),
    ("rows: {hub: a/b}", r'own.yaml:1: field "rows": expected the split of the data set'),
    ("rows: {path: questions.csv, split: train}", r"own.yaml:4: .*: split is read only where the rows are in a folder"),
    ("splits: {train_1: 0.6, test: 0.5}", r'own.yaml:4: field "splits.test": expected shares of at most 1 in all, got 1.1'),
    ("splits: {train_1: 0, test: 0.5}", r'own.yaml:4: field "splits.train_1.share": expected a number above 0 and of at mo'),
    ("splits: {train_1: {share: 0.5}, test: {}}", r'own.yaml:4: field "splits.test": takes all rows, so train_1 would share rows with it'),
    ("splits: {train_1: 0.5, test: 20%}", r'own.yaml:4: field "splits.test.share": 20% is not a share; write 0.2$'),
    ("splits: {test: {share: 12.5 %}}", r'own.yaml:4: field "splits.test.share": 12.5 % is not a share; write 0.125$'),
    ("splits: {test: other.csv}", r'own.yaml:4: field "splits.test": no such file or folder: other.csv'),
    ("splits: {a b: 0.5}", r'own.yaml:4: field "splits.a b": expected a name of letters'),
    ("splits: {dev: 0.5, DEV: 0.5}", r"own.yaml:4: .*two splits have names that give the source OWN_DEV"),
    ("splits: {train_1: {shre: 1}}", r'own.yaml:4: field "splits.train_1.shre": is not a known key. Did you mean "share"'),
    ("prompt: '{{ question'", r'own.yaml:5: field "prompt": is not a Jinja template \(unexpected end'),
    ("columns: {answer: {column: result, regex: '(a'}}", r'own.yaml:2: field "columns.answer.regex": the pattern does not co'),
    ("columns: {answer: {column: result, regex: 'a'}}", r'own.yaml:2: field "columns.answer.regex": the pattern has no group'),
    ("compare: numbers", r"own.yaml:3: field \"compare\": expected 'text', 'number', 'symbolic' or 'math-verify', got"),
    ("tolerance: -1", r'own.yaml:5: field "tolerance": expected a difference \(0.01\) or a share .* got -1'),
    ("tolerance: wide", r'own.yaml:5: field "tolerance": expected a difference'),
    ("max_tokens: 0", r'own.yaml:5: field "max_tokens": expected a whole number from 1'),
    ("seed: yes", r'own.yaml:5: field "seed": expected a whole number'),
    ("name: a/b", r'own.yaml:5: field "name": expected letters, digits'),
    ("name: gsm8k", r'own.yaml: field "name": the name "gsm8k" is that of a task of the package'),
    ("weak: {}", r'own.yaml:5: field "weak": is not a known key. This is an experiment, not a task'),
    ("prompt: '{{ " + "(" * 500 + "1" + ")" * 500 + " }}'", r'own.yaml:5: field "prompt": is not a Jinja template \(RecursionError'),
    ("extract: guess", r'own.yaml:5: field "extract": '),
    ("extract: 'regex:(a'", r'own.yaml:5: field "extract": '),
    ("stop: [a, '']", r'own.yaml:5: field "stop.1": an empty text would end'),
]  # fmt: skip


def with_key(line):
    """The task's file with this line instead of its line of the same key, or at its end."""
    key = line.partition(":")[0]
    lines = TASK.splitlines()
    places = [place for place, old in enumerate(lines) if old.startswith(f"{key}:")]
    lines[places[0] if places else len(lines) :][:1] = [line]
    for place in places:
        lines[place] = line
    return "\n".join([*lines, *([] if places else [line])]) + "\n"


@pytest.mark.parametrize(("line", "message"), MISTAKES)
def test_mistakes_in_the_file(folder, line, message):
    with pytest.raises(UserError, match=message) as error:
        task_of(folder, with_key(line))
    assert "\n" not in str(error.value)


LATER = [
    ("columns: {question: problm, answer: result}", CSV, r'own.yaml:2: field "columns.question": questions.csv has no col'
     r'umn "problm". Did you mean "problem"'),
    ("columns: {question: problem, answer: x}", CSV, r'own.yaml:2: field "columns.answer": .* Columns: id, problem, result, '),
    ("columns: {question: problem, answer: result, id: n}", CSV, r'own.yaml:2: field "columns.id": .*no column "n"'),
    ("seed: 1", CSV.replace("13,", "11,"), r'questions.csv:4: field "id": duplicate id 11, as in questions.csv:2'),
    ("seed: 1", CSV.replace("14,", ","), r'questions.csv:6: field "id": expected a whole number or text, got \'\''),
    ("seed: 1", CSV.replace("What is 2*2?", " "), r'questions.csv:3: field "problem": is blank'),
    ("seed: 1", CSV.replace(",4,products", ",4"), r"questions.csv:3: expected 4 columns, got 3"),
    ("seed: 1", CSV.replace("topic", "id"), r'questions.csv:1: two columns have the name "id"'),
    ("seed: 1", "", r"questions.csv:1: expected a first line with the names of the columns"),
    ("seed: 1", "id,problem,result\n", r'own.yaml:4: field "splits.\w+": has no rows'),
    ("seed: 1", "id,problem,result\n1,Q,1\n", r'own.yaml:4: field "splits.\w+": has no rows: a share of 0\.\d of 1 is none'),
    ("seed: 1", CSV.replace("really", '"really'), r"questions.csv:\d: is not CSV|expected 4 columns"),
    ("prompt: '{{ questoin }}'", CSV, r'own.yaml:5: field "prompt": needs "questoin", which is not a column. Did you mean "q'),
    ("prompt: '{{ range }}{{ question }}'", CSV, r'own.yaml:5: field "prompt": cannot be rendered \(expected a value to write, got'),
    ("prompt: '{{ question.upper }}'", CSV, r'own.yaml:5: field "prompt": cannot be rendered \(expected a value to write, got the function upper'),
    ("prompt: '{{ none }}{{ question }}'", CSV, r'own.yaml:5: field "prompt": cannot be rendered \(a value is null'),
    ("prompt: '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'", CSV, r'own.yaml:5: field "prompt": cannot be rendered \(RecursionError'),
    ("prompt: '{{ question | truncate(-1) }}'", CSV, r'own.yaml:5: field "prompt": cannot be rendered \(AssertionError'),
    ("prompt: '{{ topic.x.y }}{{ question }}'", CSV, r'own.yaml:5: field "prompt": cannot be rendered \('),
    ("prompt: '{% if id == 12 %}{% else %}{{ topic }}{% endif %}'", CSV, r'own.yaml:5: field "prompt": renders an empty text \(row of id 12'),
    ("prompt: '{% if question == \"What is 2*2?\" %}{% else %}{{ question }}{% endif %}'", CSV,
     r'own.yaml:5: field "prompt": renders an empty text \(row of id 12'),
    ("columns: {question: problem, answer: {column: result, regex: 'x(.)'}}", CSV, r'questions.csv:\d: field "result": the regex'),
]  # fmt: skip


@pytest.mark.parametrize(("line", "csv", "message"), LATER)
def test_mistakes_in_the_rows(folder, line, csv, message):
    (folder / "questions.csv").write_text(csv)
    task = task_of(folder, with_key(line))
    with pytest.raises(UserError, match=message) as error:
        show_task(task)
    assert "\n" not in str(error.value)


def test_a_regex_that_backtracks_forever_is_stopped(folder, monkeypatch):
    monkeypatch.setattr(extraction, "REGEX_SECONDS", 0.5)
    (folder / "questions.csv").write_text(f"problem,result\nQ,{'a' * 60}b\n")
    task = task_of(
        folder, with_key("columns: {question: problem, answer: {column: result, regex: '((a|aa)+)+$'}}")
    )
    with pytest.raises(
        UserError, match=r'own.yaml:2: field "columns.answer.regex": the pattern takes over 0.5 seconds'
    ):
        task.test_row({"problem": "Q", "result": "a" * 60 + "b"}, "T")


def test_an_unknown_split(folder):
    task = task_of(folder, TASK)
    for read in (task.own_rows, task.own_files, lambda split: questions_of(task, split)):
        with pytest.raises(UserError, match=r'task own has no split "dev". It has train_1, train_2, test'):
            read("dev")


def test_own_files(folder):
    task = task_of(folder, TASK)
    assert [str(file) for file in task.own_files("test")] == ["own.yaml", "questions.csv"]
    assert get_task("arithmetic").own_files("test") == []
    assert get_task("arithmetic").own_rows("test") is None
    assert get_task("arithmetic").argument == "arithmetic"


def test_a_task_file_named_without_its_suffix(folder):
    task_of(folder, TASK)
    with pytest.raises(UserError, match=r'no task "own". Did you mean "./own.yaml"\?'):
        get_task("own")


def test_missing_task_files(folder):
    with pytest.raises(
        UserError, match=r"none.yaml: no such file. Write one with w2s-factory init --task none.yaml"
    ):
        get_task("./none.yaml")
    for name in ("none.py", "sub/none.txt", "none/"):
        with pytest.raises(UserError, match=r"none.*: (no such file|expected a task file)"):
            get_task(name)
