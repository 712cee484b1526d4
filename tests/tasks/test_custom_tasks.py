"""Tasks of other people: neutral where they say nothing, and their mistakes named."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from w2s_factory import (
    Generation,
    Model,
    PublishedTask,
    Split,
    Task,
    UserError,
    build_gold,
    build_stage1,
    build_stage2,
    build_test,
    get_task,
    pick_demonstrations,
    preview,
    score,
    score_response,
    score_responses,
    vote,
)
from w2s_factory.answers.comparison import Comparison
from w2s_factory.experiment.stages import raw_files
from w2s_factory.generating import split_file
from w2s_factory.records import Form
from w2s_factory.tasks.fields import Example

FORM = Form("capitals", {"country": (str,), "city": (str,)})


class Capitals(Task):
    """A task that says only how its rows are read."""

    def test_row(self, raw, tag):
        city = raw["city"]
        return {"source": tag, "question": raw["country"], "solution": city, "answer": city, "tag": {}}

    def gold_output(self, raw):
        return raw["city"]


def made(base=Capitals, /, name="own", **methods):
    """A task of a class with these methods (or other attributes)."""
    return type("Mine", (base,), methods)(name=name, raw_form=FORM)


OWN = Capitals(name="own", raw_form=FORM)

VERDICTS = [
    ("5 hours", "5 minutes", False),
    ("5 km", "5 feet", False),
    ("banana 4", "banan4", False),
    ("5", "5.0", False),
    ("A", "a", False),
    ("50%", "50", False),
    ("Question 7\n is the one", "Question 7\n is the one", True),
    ("one\ntwo", "one\ntwo", True),
    (" Lima \n", "Lima", True),
    ("Lima.", "Lima", False),
    ("", "", True),
]


@pytest.mark.parametrize(("response", "gold", "right"), VERDICTS)
def test_answers_are_whole_responses_and_equal_as_text(response, gold, right):
    assert score_response(OWN, response, gold).result is right


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("So A: Lima", "Lima"),
        ("A: Quito\nNo. A: Lima\nor so", "Lima\nor so"),
        ("Question? A: 7", "7"),
        ("Lima", ""),
    ],
)
def test_the_answer_follows_the_last_answer_key_if_there_is_one(response, answer):
    assert replace(OWN, answer_key="A:").extract(response) == answer
    assert OWN.extract(response, "A:") == answer
    assert OWN.extract(response) == response


def test_nothing_is_cut():
    assert (OWN.stop, OWN.answer_key) == ((), "")
    assert OWN.written_response(" ...Lima. \n") == "...Lima."
    assert OWN.prompt("How?") == "Question: How?\nAnswer:"


def test_the_published_rules_can_be_chosen():
    task = made(PublishedTask)
    assert (task.stop, task.answer_key, task.strip_response) == (("Question", "Answer"), "####", True)
    assert task.written_response(" ...Lima. \n") == "Lima"
    assert score_response(task, "#### 5 km", "5 feet").result
    for name in ("gsm8k", "math", "arithmetic"):
        assert isinstance(get_task(name), PublishedTask)


def test_any_response_that_is_not_blank_is_a_demonstration_without_a_key(tmp_path):
    rows = [{"id": n, "prompt": "p", "response": " " if n < 3 else "Lima"} for n in range(5)]
    source = tmp_path / "output.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    assert {shown["id"] for shown in pick_demonstrations(OWN, source, count=2)} == {3, 4}
    with pytest.raises(UserError, match="holds only 2 responses that are not blank, not 3"):
        pick_demonstrations(OWN, source, count=3)


NEAR = [
    ("equals", "equal"),
    ("is_equal", "equal"),
    ("agree", "equal"),
    ("normalize", "normalise"),
    ("normalize_gold", "normalise_gold"),
    ("extracts", "extract"),
    ("test_rows", "test_row"),
    ("gold_outputs", "gold_output"),
    ("prompts", "prompt"),
]


@pytest.mark.parametrize(("name", "meant"), NEAR)
@pytest.mark.parametrize("kind", [lambda f: f, staticmethod, property])
def test_a_method_whose_name_is_nearly_right_is_refused(name, meant, kind):
    with pytest.raises(UserError, match=rf'Mine\.{name}: tasks have no such method\. Did you mean "{meant}"'):
        made(**{name: kind(lambda *_: "")})


@pytest.mark.parametrize(
    "name", ["units", "country_of", "letters", "_equals", "is_city", "parse", "question"]
)
def test_other_names_are_the_authors_own(name):
    made(**{name: lambda _: ""})


def test_a_near_name_of_a_base_class_is_not_refused():
    base = type("Base", (Capitals,), {"_rows": lambda _: 1})
    assert made(base, _rows=lambda _: 2)._rows() == 2


def test_an_attribute_whose_name_is_nearly_right_is_refused():
    with pytest.raises(UserError, match=r'Mine\.slow_comparision.*"slow_comparison"'):
        made(slow_comparision=True)


def test_a_field_set_in_the_class_is_refused_since_it_would_have_no_effect():
    with pytest.raises(UserError, match=r"Mine\.answer_key is a field.*Mine\(answer_key=\.\.\.\)"):
        made(answer_key="A:")

    class Annotated(Capitals):
        answer_key: str = "A:"

    with pytest.raises(UserError, match=r"Annotated\.answer_key is a field.*@dataclass"):
        Annotated(name="own", raw_form=FORM)

    @dataclass(frozen=True, kw_only=True)
    class Decorated(Capitals):
        answer_key: str = "A:"

    assert Decorated(name="own", raw_form=FORM).extract("A: x") == "x"


WRONG_FIELDS = [
    ({"name": ""}, "name"),
    ({"name": 3}, "name"),
    ({"raw_form": {"a": str}}, "raw_form"),
    ({"stop": "Question"}, "stop"),
    ({"stop": ("",)}, "stop"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"splits": {"test": "test.jsonl"}}, "splits"),
    ({"splits": {3: Split("a", "b", "c")}}, "splits"),
    ({"answer_key": None}, "answer_key"),
    ({"max_tokens": 10**12}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"pairs_per_question": 10**6}, "pairs_per_question"),
    ({"root": 3}, "root"),
    ({"strong_model": 3}, "strong_model"),
    ({"strong_model": ""}, "strong_model"),
    ({"strong_preset": None}, "strong_preset"),
    ({"strip_response": "no"}, "strip_response"),
    ({"example": {"weak": "w"}}, "example"),
]


@pytest.mark.parametrize(("change", "field"), WRONG_FIELDS)
def test_a_field_of_the_wrong_type_is_named(change, field):
    with pytest.raises(UserError, match=f'^field "{field}": task .*: expected '):
        Capitals(**{"name": "own", "raw_form": FORM, **change})


EXAMPLE = {"weak": "w.jsonl", "icl": "i.jsonl", "weak_name": "w", "model": "m"}
WRONG_PARTS = [
    *[(lambda n=n: Split(**{**dict.fromkeys(("raw", "test", "tag"), "x"), n: 3}), n) for n in ("raw", "tag")],
    (lambda: Split("raw.jsonl", "", "T"), "test"),
    *[(lambda n=n: Example(**{**EXAMPLE, n: 3}), n) for n in [*EXAMPLE, "preset"]],
]


@pytest.mark.parametrize(("make", "field"), WRONG_PARTS)
def test_a_field_of_the_wrong_type_in_a_split_or_an_example_is_named(make, field):
    with pytest.raises(UserError, match=f'^field "{field}": (Split|Example): expected '):
        make()


def test_folders_and_files_may_be_texts():
    task = Capitals(name="own", raw_form=FORM, root="folder", example=Example(**EXAMPLE))
    assert task.path("a.jsonl") == Path("folder/a.jsonl")
    assert (task.example.weak, task.example.model) == (Path("w.jsonl"), Path("m"))


def fails(*_, **__):
    raise ZeroDivisionError("division by zero")


def leaves(*_, **__):
    raise SystemExit(7)


METHODS = ["extract", "normalise", "normalise_gold", "equal"]
BROKEN = [
    *[(method, fails, "raised ZeroDivisionError: division by zero") for method in METHODS],
    *[(method, leaves, "raised SystemExit: 7") for method in [*METHODS, "comparison"]],
    *[(method, lambda *_, **__: 5, r"returned 5 \(int\), expected") for method in METHODS],
    ("extract", lambda *_, **__: None, "returned None, expected text"),
    ("equal", lambda *_: "yes", r"returned 'yes' \(str\), expected True or False"),
    ("equal", lambda _: True, "raised TypeError"),
    ("comparison", lambda _: True, r"returned True \(bool\), expected a Comparison"),
    ("comparison", fails, "raised ZeroDivisionError"),
]


def test_an_interrupt_in_a_method_is_the_users():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_response(made(equal=interrupted), "a", "b")


def test_a_task_whose_module_ends_the_process_is_named(tmp_path, monkeypatch):
    meta = tmp_path / "their_tasks-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: their-tasks\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[w2s_factory.tasks]\nleaves = leaving_task:TASK\n")
    (tmp_path / "leaving_task.py").write_text("raise SystemExit(7)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r'task "leaves" cannot be loaded from .* \(SystemExit: 7\)'):
        get_task("leaves")


class Fails:
    """A mixin all of whose members fail."""

    def equal(self, pred, gold):
        raise RuntimeError("boom")

    @property
    def stem(self):
        return 3

    @staticmethod
    def normalise(answer):
        return None

    comparison = fails


MIXED = [
    (lambda task: task.equal("a", "b"), r"task own: equal\('a', 'b'\) raised RuntimeError: boom"),
    (lambda task: task.stem, r"task own: stem\(\) returned 3 \(int\), expected text"),
    (lambda task: task.normalise("a"), r"normalise\('a'\) returned None, expected text"),
    (lambda task: task.comparison(), r"task own: comparison\(\) raised ZeroDivisionError"),
]


@pytest.mark.parametrize(("call", "message"), MIXED)
@pytest.mark.parametrize("bases", [(Fails, Capitals), (type("Deeper", (Fails,), {}), Capitals)])
def test_a_method_of_a_mixin_is_checked(bases, call, message):
    with pytest.raises(UserError, match=message):
        call(type("Mixed", bases, {})(name="own", raw_form=FORM))
    assert Fails.normalise("a") is None  # the mixin itself stays as it was


def test_what_a_mixin_defines_is_checked_once_and_a_task_before_it_comes_first():
    mixed = type("Mixed", (type("Right", (), {"stem": property(lambda _: "capital")}), Capitals), {})
    assert mixed(name="own", raw_form=FORM).stem == "capital"
    assert "stem" in vars(mixed)
    assert "stem" not in vars(type("Below", (mixed,), {}))
    assert type("Last", (Capitals, Fails), {})(name="own", raw_form=FORM).equal("a", "a") is True


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"equals": lambda *_: True}, r'Mixin\.equals: tasks have no such method.*"equal"'),
        ({"equal": "yes"}, r"Mixed\.equal: expected a method, got 'yes' \(str\)"),
        ({"comparison": 5}, r"Mixed\.comparison: expected a method, got 5 \(int\)"),
        ({"stop": ("x",)}, r"Mixin\.stop is a field"),
    ],
)
def test_a_wrong_member_of_a_mixin_is_refused(members, message):
    with pytest.raises(UserError, match=message):
        type("Mixed", (type("Mixin", (), members), Capitals), {})


@pytest.fixture
def files(tmp_path):
    """Golds and outputs of three questions, and results of two sides."""
    golds = [OWN.test_row({"country": c, "city": c * 2}, "OWN") for c in "abc"]
    outputs = [{"id": n, "prompt": OWN.prompt(c), "response": c * 2} for n, c in enumerate("abc")]
    results = [{**row, "pred": row["response"]} for row in outputs]
    sample = {"response": "other", "pred": "other"}
    votes = [
        {k: row[k] for k in ("id", "prompt")}
        | {"gold": "", "pos_responses": [row] * 9, "neg_responses": [sample], "confidence": 0.9}
        for row in results
    ]
    for name, rows in {"golds": golds, "outputs": outputs, "results": results, "votes": votes}.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for seed in range(2):
        (tmp_path / f"seeds/seed{seed}").mkdir(parents=True)
        rows = [{**row, "pred": f"{row['pred']}{seed}"} for row in results]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"seeds/seed{seed}/results.jsonl").write_text(text)
    return tmp_path


def same(pred, gold):
    return np.bool_(pred == gold)


@pytest.mark.parametrize(
    "methods",
    [
        {"equal": lambda _, *answers: same(*answers)},
        {"comparison": lambda _: Comparison(same, same, lambda: None)},
        {"comparison": lambda _: Comparison(lambda *_: None, same, lambda: None)},
    ],
    ids=["equal", "quick", "slow"],
)
def test_a_verdict_may_be_of_numpy(files, methods):
    task = made(**methods)
    scored = score(task, files / "golds.jsonl", files / "outputs.jsonl", files / "results2.jsonl")
    expected = score(made(), files / "golds.jsonl", files / "outputs.jsonl", files / "results3.jsonl")
    assert scored.right == expected.right > 0
    assert '"result": true' in (files / "results2.jsonl").read_text()


@pytest.mark.parametrize(("method", "function", "message"), BROKEN)
def test_a_broken_method_is_named_with_the_row(files, method, function, message):
    task = made(**{method: function})
    with pytest.raises(UserError, match=rf"task own: {method}\(.*{message}") as caught:
        score(task, files / "golds.jsonl", files / "outputs.jsonl", files / "results2.jsonl")
    assert "\n" not in str(caught.value)
    if method != "comparison":
        assert str(caught.value).startswith(f"{files}/outputs.jsonl: row 1: id 0: task own: {method}(")
    assert not (files / "results2.jsonl").exists()


def third(task_method):
    """A method that fails on the third question only."""

    def method(self, *arguments, **options):
        if "cc" in arguments:
            raise ValueError("no c")
        return task_method(self, *arguments, **options)

    return method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("slow", [False, True])
def test_the_row_named_is_the_one(method, slow):
    task = made(**{method: third(getattr(Capitals, method))}, slow_comparison=slow)
    if method == "equal" and slow:
        task = _SLOW  # workers import it by name
    with pytest.raises(UserError, match=rf"^row 3: task own: {method}\('cc'.*raised ValueError: no c"):
        score_responses(task, ["aa", "bb", "cc"], ["aa", "bb", "cc"])


class Slow(Capitals):
    """A task whose comparison fails in a worker."""

    slow_comparison = True
    equal = third(Capitals.equal)


_SLOW = Slow(name="own", raw_form=FORM)


@pytest.mark.parametrize("verdict", ["quick", "slow"])
def test_a_broken_comparison_is_named(verdict):
    how = {"quick": lambda *_: None, "slow": lambda *_: True, "prepare": lambda: None, "parses": False}
    how[verdict] = lambda *_: "yes"
    if verdict == "slow":
        how["slow"] = wrong_verdict
    task = made(comparison=lambda _: Comparison(**how))
    with pytest.raises(
        UserError, match=rf"row 1: task own: comparison\(\)\.{verdict}\('a', 'b'\) returned 'yes'"
    ):
        score_responses(task, ["a"], ["b"])


@pytest.mark.parametrize("prepare", [fails, leaves])
def test_a_comparison_that_cannot_be_prepared_is_named(prepare):
    how = Comparison(quick=lambda *_: None, slow=wrong_verdict, prepare=prepare, parses=False)
    task = made(comparison=lambda _: how)
    with pytest.raises(UserError, match=r"task own: comparison\(\)\.prepare\(\) raised (Zero|SystemExit: 7)"):
        score_responses(task, ["a"], ["b"])


def wrong_verdict(pred, gold):
    return "yes"


WRONG_ROWS = [
    (lambda *_: None, "test_row() returned None, expected a row in the test form"),
    (lambda *_: {"source": "s"}, 'test_row() returned a row that does not fit test rows: field "question"'),
    (
        lambda *_: {**TEST, "tag": {"x": {1}}},
        "test_row() returned a row that does not fit test rows: Object",
    ),
    (
        lambda *_: {**TEST, "answer": 3},
        'test_row() returned a row that does not fit test rows: field "answer"',
    ),
    (fails, "test_row() raised ZeroDivisionError"),
]
TEST = OWN.test_row({"country": "a", "city": "b"}, "T")


@pytest.mark.parametrize("function", [build_test, build_gold])
@pytest.mark.parametrize(("method", "message"), WRONG_ROWS)
def test_a_broken_test_row_is_named_with_its_line(tmp_path, function, method, message):
    raw = tmp_path / "raw.jsonl"
    raw.write_text('{"id": "q7", "country": "Peru", "city": "Lima"}\n')
    with pytest.raises(UserError) as caught:
        function(made(test_row=method), raw, tmp_path / "out.json")
    message = message.replace("test_row()", f"{raw}:1: id 'q7': task own: test_row()")
    assert (
        str(caught.value)
        .replace("test_row('')", "test_row()")
        .replace("test_row('OWN')", "test_row()")
        .startswith(message)
    )
    assert not (tmp_path / "out.json").exists()


def test_a_task_that_does_not_read_rows_says_so(tmp_path):
    raw = tmp_path / "raw.jsonl"
    raw.write_text('{"country": "Peru", "city": "Lima"}\n')
    task = type("Bare", (Task,), {})(name="own", raw_form=FORM)
    with pytest.raises(UserError, match=r"raw.jsonl:1: task own does not say how a raw row .*Bare\.test_row"):
        build_gold(task, raw, tmp_path / "out.json")


@pytest.mark.parametrize(("method", "place"), [("prompt", "id 0"), ("written_response", "id 0")])
def test_a_broken_prompt_is_named_with_the_question(files, method, place, monkeypatch):
    from w2s_factory.generating import generate, generator

    class Once:
        packages = ()

        def settings(self):
            return {}

        def tokens(self, prompt):
            return None

        def batches(self, requests):
            return [requests]

        def complete(self, batches, sampling):
            from w2s_factory import Completion

            return (Completion(request, "x", "stop", 1) for batch in batches for request in batch)

        def close(self):
            pass

    monkeypatch.setattr(generator, "make_engine", lambda *_: Once())
    task = made(**{method: fails})
    asked = Generation(
        task=task, questions=files / "golds.jsonl", model=Model("m"), engine="e", output_dir=files / "out"
    )
    with pytest.raises(UserError, match=rf"{place}: task own: {method}\(.*ZeroDivisionError"):
        generate(asked) if method == "written_response" else preview(asked)


def test_stage_1_names_the_question(files):
    weak, icl = files / "results.jsonl", files / "icl.jsonl"
    icl.write_bytes(weak.read_bytes())
    task = made(equal=third(Capitals.equal))
    with pytest.raises(UserError, match=r"results\.jsonl: id 2: task own: equal\('cc', 'cc'\) raised"):
        build_stage1(task, weak, icl, files / "data")
    assert not (files / "data").exists()


def test_stage_2_names_the_question(files):
    task = made(equal=third(Capitals.equal))
    with pytest.raises(UserError, match=r"votes\.jsonl: id 2: task own: equal\('cc', 'cc'\) raised"):
        build_stage2(task, files / "results.jsonl", files / "votes.jsonl", files / "paired.json")
    broken = made(normalise=third(Capitals.normalise))
    sft = [{"id": n, "content": OWN.prompt(c), "output": c * 2} for n, c in enumerate("abc")]
    (files / "weak.json").write_text(json.dumps(sft))
    with pytest.raises(UserError, match=r"weak\.json: row 3: id 2: task own: normalise\('cc'\)"):
        build_stage2(broken, files / "weak.json", files / "votes.jsonl", files / "paired.json")


def test_a_vote_names_the_question(files):
    task = made(equal=lambda _, pred, gold: 1 if pred == "bb1" else False)
    with pytest.raises(UserError, match=r"^id 1: task own: equal\('bb1', 'bb0'\) returned 1 \(int\)"):
        vote(files / "seeds", files / "votes2.jsonl", task=task)


def test_a_task_without_splits(tmp_path):
    raw = tmp_path / "capitals.jsonl"
    raw.write_text('{"country": "Peru", "city": "Lima"}\n')
    build_test(OWN, raw, tmp_path / "golds.jsonl")
    assert json.loads((tmp_path / "golds.jsonl").read_text())["source"] == "OWN"
    build_test(OWN, tmp_path / "golds.jsonl", tmp_path / "again.jsonl")
    for named in (lambda: split_file(OWN, "test"), lambda: build_test(OWN, raw, raw, split="test")):
        with pytest.raises(UserError, match=r'task own has no split "test"\. It has no splits: name files'):
            named()


def test_an_experiment_of_a_task_without_splits(monkeypatch, tmp_path):
    from w2s_factory import read_experiment
    from w2s_factory.experiment import spec

    found = {"own": OWN, "two": replace(OWN, name="two", splits={"test": Split("a.jsonl", "b.jsonl", "T")})}
    monkeypatch.setattr(spec, "get_task", found.__getitem__)
    file = tmp_path / "experiment.yaml"
    for name, split in (("own", "train_1"), ("two", "train_1")):
        models = "weak: {name: w, model: m, train: {preset: weak_full_sft}}\nstrong: {name: s, model: m}\n"
        file.write_text(f"name: x\ntask: {name}\n{models}")
        with pytest.raises(UserError, match=rf'{file}:1: task: task {name} has no split "{split}"'):
            read_experiment(file)


def test_raw_files_of_a_task_without_splits():
    class Asked:
        the_task, release = OWN, None

    with pytest.raises(UserError, match='has no split "train_2"'):
        raw_files(Asked(), "train_2")


NOT_TEXT = [
    (["a", None], ["a", "b"], 'row 2: field "responses": expected text, got None'),
    (["a", float("nan")], ["a", "b"], 'row 2: field "responses": expected text, got nan (float)'),
    (["a", "b"], ["a", 5], 'row 2: field "answers": expected text, got 5 (int)'),
    (["a", b"b"], ["a", "b"], "row 2: field \"responses\": expected text, got b'b' (bytes)"),
    ("ab", ["a", "b"], "field \"responses\": expected a list of texts, got 'ab' (str)"),
    (["a"], "a", "field \"answers\": expected a list of texts, got 'a' (str)"),
    (None, ["a"], 'field "responses": expected a list of texts, got None'),
    (5, ["a"], 'field "responses": expected a list of texts, got 5 (int)'),
    ({"a": 1}, ["a"], "field \"responses\": expected a list of texts, got {'a': 1} (dict)"),
]


@pytest.mark.parametrize(("responses", "answers", "message"), NOT_TEXT)
@pytest.mark.parametrize("task", ["gsm8k", OWN])
def test_responses_and_answers_that_are_not_texts(task, responses, answers, message):
    with pytest.raises(UserError) as caught:
        score_responses(task, responses, answers)
    assert str(caught.value) == message


@pytest.mark.parametrize("response", [None, 5, float("nan"), ["a"]])
def test_a_response_that_is_not_text(response):
    with pytest.raises(UserError, match=r'field "response": expected text'):
        score_response("gsm8k", response, "5")
    with pytest.raises(UserError, match=r'field "answer": expected text'):
        score_response("gsm8k", "5", response)


def test_any_iterable_of_texts_is_taken():
    scored = score_responses(OWN, (c for c in "ab"), ("a", "c"))
    assert [one.result for one in scored] == [True, False]


def test_paths_stay_paths():
    assert OWN.path("a", Path("b")) == Path("b/a")
