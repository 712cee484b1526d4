"""Training rows of chats: the strong model's prompts and system prompt, thinking, and answers found again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import records
from w2s_factory.answers.thinking import Markers
from w2s_factory.building import (
    PromptForm,
    Recipe,
    ResponseRule,
    build_full_weak,
    build_gold,
    build_stage1,
    build_stage2,
    check_pairs,
    chosen_side,
    convert_pairs,
)
from w2s_factory.building.prompt_form import zero_shot
from w2s_factory.errors import UserError
from w2s_factory.scoring.score import score
from w2s_factory.tasks import Task, get_task

GSM8K = get_task("gsm8k")
OPENED = {"prompt_opens_thinking": True}


def text(number):
    """The prompt of a base model."""
    return GSM8K.prompt(turn(number))


def turn(number):
    """The user's turn in a chat."""
    return f"How many is {number}?"


def result(number, response, pred="1", prompt=turn, **more):
    return {"id": number, "prompt": prompt(number), "response": response, "pred": pred, **more}


def vote(number, majority, minority, **more):
    return {
        "id": number,
        "prompt": turn(number),
        "gold": "1",
        "pos_responses": majority,
        "neg_responses": minority,
        "confidence": 0.9,
        **more,
    }


def rows_of(built):
    return list(records.read(built.file, records.ANY))


def hybrid(weak, icl, **options):
    return rows_of(build_stage1(GSM8K, weak, icl, **options).built["hybrid"])


@pytest.mark.parametrize("weak_form", [text, turn])
@pytest.mark.parametrize("strong_form", [text, turn])
def test_rows_have_the_form_in_which_the_strong_model_was_asked(weak_form, strong_form):
    weak = [result(0, "weak 1", prompt=weak_form, system="Of the weak model.")]
    demonstrated = lambda number: f"{text(7)} #### 7\n\n{strong_form(number)}"  # noqa: E731
    for asked in (strong_form, demonstrated):
        rows = hybrid(weak, [result(0, "icl 1", prompt=asked)])
        assert rows == [
            {"id": 0, "content": strong_form(0), "output": "weak 1"},
            {"id": 0, "content": strong_form(0), "output": "icl 1"},
        ]


def test_the_system_prompt_is_the_strong_models():
    weak, icl = [result(0, "weak 1")], [result(0, "icl 1", system="Think.")]
    assert [row["system"] for row in hybrid(weak, icl)] == ["Think.", "Think."]
    assert all(
        "system" not in row for row in hybrid([result(0, "weak 1", system="Weak.")], [result(0, "icl")])
    )


def test_a_question_is_another_in_either_form():
    for prompt in (text, turn):
        with pytest.raises(UserError, match="is that of another question"):
            hybrid([result(0, "1", prompt=prompt)], [{**result(0, "1"), "prompt": turn(1)}])


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from([GSM8K.prompt, GSM8K.user_turn]))
def test_a_zero_shot_prompt_is_found_in_its_own_form(question, before, form):
    asked = form(question)
    found = zero_shot(GSM8K, asked, before + asked)
    assert found is None if asked == "" else (found is not None and (before + asked).endswith(found))
    if asked:
        assert len(found) >= len(asked)


PROMPT_FORMS = [
    (PromptForm(), {"content": "Question: How many is 0?\nAnswer:"}),
    (PromptForm(chat=False), {"content": "Question: How many is 0?\nAnswer:"}),
    (PromptForm(chat=True), {"content": "How many is 0?"}),
    (PromptForm(chat=True, system="Think."), {"content": "How many is 0?", "system": "Think."}),
]


@pytest.mark.parametrize(("prompt_form", "expected"), PROMPT_FORMS)
def test_gold_and_full_weak_data_as_the_model_will_be_asked(prompt_form, expected, tmp_path):
    raw = [{"id": "0", "question": turn(0), "answer": "It is 1.\n#### 1"}]
    [gold] = rows_of(build_gold(GSM8K, raw, tmp_path / "gold.json", prompt_form=prompt_form))
    full = build_full_weak(
        GSM8K, [result(0, "r", prompt=text)], tmp_path / "full.json", prompt_form=prompt_form
    )
    [weak] = rows_of(full)
    for row in (gold, weak):
        assert {key: row[key] for key in row if key in ("content", "system")} == expected
    columns = json.loads((tmp_path / "dataset_info.json").read_text())["full"]["columns"]
    assert ("system" in columns) is ("system" in expected)
    noted = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert all(line.get("chat") == prompt_form.chat for line in noted if line["file"] == "full.json")


def test_a_chats_full_weak_data_for_a_base_model_has_no_system_prompt():
    source = [result(0, "r", system="Weak.")]
    assert rows_of(build_full_weak(GSM8K, source))[0]["system"] == "Weak."
    [row] = rows_of(build_full_weak(GSM8K, source, prompt_form=PromptForm(chat=False)))
    assert row == {"id": 0, "content": text(0), "output": "r"}


def test_a_system_prompt_without_a_chat_is_refused():
    with pytest.raises(UserError, match=r"is the system prompt of a chat\. Add --chat on"):
        PromptForm(system="Think.")


MIXED = [({"system": "Think."}, {}, "no system prompt"), ({}, {"system": "Think."}, "a system prompt")]


@pytest.mark.parametrize(("first", "second", "problem"), MIXED)
def test_rows_with_and_without_a_system_prompt_are_refused(first, second, problem, tmp_path):
    rows = [result(0, "1", **first), result(1, "1", **second)]
    weak = [result(0, "1"), result(1, "1")]
    for build in (
        lambda: build_full_weak(GSM8K, rows, tmp_path / "out.json"),
        lambda: build_stage1(GSM8K, weak, rows, tmp_path),
    ):
        with pytest.raises(UserError, match=rf"row with id 1 has {problem}, unlike the rows before it"):
            build()
    assert not [*tmp_path.glob("*.json")]


@pytest.mark.parametrize("template", ["vanilla", "empty"])
def test_a_template_without_a_place_for_a_system_prompt_is_refused(template, tmp_path):
    recipe = Recipe(model="some/model", settings={"template": template}, version="0.9.1")
    with pytest.raises(UserError, match=f"the template {template} joins to the prompt without a separator"):
        build_full_weak(GSM8K, [result(0, "1", system="Think.")], tmp_path / "out.json", recipe=recipe)
    assert not [*tmp_path.glob("*.json")]


def test_rows_of_a_chat_are_not_trained_as_they_are(tmp_path):
    recipe = Recipe(model="some/model", preset="strong_lora_sft", version="0.9.5")
    with pytest.raises(
        UserError, match="template vanilla trains the user's turn alone, not as a chat asks it"
    ):
        build_full_weak(
            GSM8K, [result(0, "1")], tmp_path / "out.json", prompt_form=PromptForm(chat=True), recipe=recipe
        )
    assert not [*tmp_path.iterdir()]
    chat = Recipe(model="some/model", settings={"template": "qwen"}, version="0.9.5")
    made = build_full_weak(
        GSM8K, [result(0, "1")], tmp_path / "o.json", prompt_form=PromptForm(chat=True), recipe=chat
    )
    assert "template: qwen" in made.config.read_text()


THOUGHT = "<think>\nIs it 2?\n</think>\n\nIt is 1.\n#### 1"
TEXTS = [
    ("whole", THOUGHT, {}, THOUGHT),
    ("answer", THOUGHT, {}, "It is 1.\n#### 1"),
    ("whole", "Is it 2?\n</think>\n\n#### 1", OPENED, "<think>\nIs it 2?\n</think>\n\n#### 1"),
    ("answer", "Is it 2?\n</think>\n\n#### 1", OPENED, "#### 1"),
    ("whole", THOUGHT, OPENED, THOUGHT),
    ("whole", "[THINK]2?[/THINK]#### 1", {}, "[THINK]2?[/THINK]#### 1"),
    ("answer", "[THINK]2?[/THINK]#### 1", {}, "#### 1"),
    ("whole", "#### 1", {}, "#### 1"),
    ("answer", "#### 1", {}, "#### 1"),
    ("whole", "", {}, ""),
    ("answer", "", {}, None),
    ("answer", "<think>1</think>", {}, None),
    ("whole", "<think>\nIt is 1.\n#### 1", {}, None),
    ("answer", "<think>\nIt is 1.", {}, None),
    ("whole", "It goes on", OPENED, None),
    ("whole", "", {"error": "too long"}, None),
]


@pytest.mark.parametrize(("train_on", "response", "more", "expected"), TEXTS)
def test_the_text_that_is_trained_on(train_on, response, more, expected):
    assert ResponseRule(train_on=train_on).text({"response": response, **more}) == expected


def test_markers_that_are_named_are_put_back_as_they_are():
    response_rule = ResponseRule(markers=Markers("<reason>", "</reason>"))
    assert response_rule.text({"response": "2?</reason>1", **OPENED}) == "<reason>2?</reason>1"
    known = ResponseRule(markers=Markers("<think>", "</think>"))
    assert known.text({"response": "2?</think>1", **OPENED}) == "<think>2?</think>1"
    assert response_rule.text({"response": "<think>never ends"}) == "<think>never ends"


def test_a_part_that_there_is_not_is_refused():
    with pytest.raises(UserError, match="expected whole or answer, got 'thinking'"):
        ResponseRule(train_on="thinking")


UNANSWERED = [
    result(1, "<think>\nIt is 1.\n#### 1"),
    result(2, "", error="prompt too long"),
    result(3, "goes on", **OPENED),
]


def test_unanswered_responses_never_agree_and_are_left_out():
    weak = [result(0, "#### 1"), *UNANSWERED]
    icl = [result(0, "It is #### 1"), *({**row, "response": "#### 1"} for row in map(_plain, UNANSWERED))]
    made = build_stage1(GSM8K, weak, icl)
    assert (made.agreement.questions, made.agreement.kept) == (4, 1)
    full = build_full_weak(GSM8K, weak)
    assert [row["id"] for row in rows_of(full)] == [0]
    assert full.left_out == 3


def _plain(row):
    return {key: row[key] for key in ("id", "prompt", "pred")}


def sample(response, pred, **more):
    return {"response": response, "pred": pred, **more}


ANSWERS = [sample("2?\n</think>\n\n#### 1", "1", **OPENED)]
OTHERS = [
    sample("never ends", "", **OPENED),
    sample("", "", error="too long"),
    sample("3?\n</think>\n\n#### 3", "3", **OPENED),
]


def test_pairs_of_a_chat():
    votes = [vote(0, ANSWERS, OTHERS, system="Think."), vote(1, ANSWERS, OTHERS, system="Think.")]
    weak = [result(0, "<think>\n4?\n</think>\n\n#### 1"), result(1, "#### 7", "7", prompt=text)]
    [agreed, differs] = rows_of(build_stage2(GSM8K, weak, votes, form="release").built)
    assert agreed == {
        "id": 0,
        "instruction": turn(0),
        "input": "",
        "output": ["<think>\n4?\n</think>\n\n#### 1", "<think>\n3?\n</think>\n\n#### 3"],
        "system": "Think.",
    }
    assert differs["output"] == ["<think>\n2?\n</think>\n\n#### 1", "#### 7"]
    answers = build_stage2(GSM8K, weak, votes, form="release", response_rule=ResponseRule(train_on="answer"))
    assert [row["output"] for row in rows_of(answers.built)] == [["#### 1", "#### 3"], ["#### 1", "#### 7"]]
    assert check_pairs(answers.built.file, weak).clean
    plain = build_stage2(GSM8K, weak, votes, form="columns", prompt_form=PromptForm(chat=False))
    assert [row["instruction"] for row in rows_of(plain.built)] == [text(0), text(1)]
    assert all("system" not in row for row in rows_of(plain.built))


def test_unanswered_responses_give_no_pair():
    votes = [vote(0, ANSWERS, OTHERS[:2]), *(vote(number, ANSWERS, OTHERS) for number in (1, 2, 3, 4))]
    weak = [result(0, "#### 1"), *UNANSWERED, result(4, "#### 1")]
    counts = build_stage2(GSM8K, weak, votes).counts
    assert counts.pairs == 1
    assert counts.skipped["weak agrees, and nobody differs"] == 1
    assert (
        counts.skipped["the weak model gave no answer: its thinking did not end, or its request failed"] == 3
    )


def test_a_pair_has_two_different_texts():
    same = [sample("<think>\n#### 1</think>\n\nDone.", "1"), sample("<think>\n#### 1</think>\n\nEnd.", "1")]
    other = sample("<think>\n#### 3</think>\n\nDone.", "3")
    votes = [
        vote(0, same, [other]),
        vote(1, same, [other, sample("#### 3", "3")]),
        vote(2, same[:1], [other]),
        vote(3, same, [other]),
    ]
    weak = [result(n, "<think>\n#### 4</think>\n\nDone.", pred) for n, pred in enumerate("1144")]
    answers = build_stage2(GSM8K, weak, votes, form="release", response_rule=ResponseRule(train_on="answer"))
    found = {row["id"]: row["output"] for row in rows_of(answers.built)}
    assert found == {1: ["Done.", "#### 3"], 3: ["End.", "Done."]}
    assert answers.counts.skipped["without the thinking, the two responses have the same text"] == 2
    assert build_stage2(GSM8K, weak, votes).counts.pairs == 4


def test_conversion_keeps_system_prompts(tmp_path):
    votes = [vote(0, ANSWERS, OTHERS, system="Think.")]
    made = build_stage2(GSM8K, [result(0, "#### 1")], votes, tmp_path / "paired.json", form="release")
    columns = convert_pairs(made.built.file, tmp_path / "columns.json", "columns")
    back = convert_pairs(columns.file, tmp_path / "back.json", "release")
    assert back.file.read_bytes() == made.built.file.read_bytes()
    chosen = chosen_side(columns.file, tmp_path / "chosen.json")
    assert rows_of(chosen) == [{"id": 0, "content": turn(0), "output": "#### 1", "system": "Think."}]
    index = json.loads((tmp_path / "dataset_info.json").read_text())
    assert [entry["columns"]["system"] for entry in index.values()] == ["system"] * 4


BOXED = [result(0, "<think>\n#### 2\n</think>\n\nSo \\boxed{1}.", ""), result(1, "It is \\boxed{1,000}.", "")]
IN_WORDS = [result(0, "The answer is 1.", "1"), result(1, "The answer is 1000.", "1000")]


def test_answers_are_found_again():
    with pytest.raises(UserError, match="agree on none"):
        hybrid(BOXED, IN_WORDS)
    found = build_stage1(GSM8K, BOXED, IN_WORDS, response_rule=ResponseRule(extraction="auto"))
    assert found.agreement.kept == 2
    outputs = [{key: row[key] for key in ("id", "prompt", "response")} for row in BOXED]
    assert (
        build_stage1(GSM8K, outputs, IN_WORDS, response_rule=ResponseRule(extraction="auto")).agreement.kept
        == 2
    )


def test_a_verdict_on_an_answer_that_is_not_found_again_is_unknown():
    weak = [{**BOXED[0], "result": False, "gold": "1"}, {**IN_WORDS[1], "result": True, "gold": "1000"}]
    agreement = build_stage1(GSM8K, weak, IN_WORDS, response_rule=ResponseRule(extraction="auto")).agreement
    assert (agreement.weak_kept.known, agreement.weak_kept.right) == (1, 1)


def test_results_scored_in_different_ways_are_refused(tmp_path):
    for name, way in (("weak", None), ("icl", "auto")):
        rows = BOXED if name == "weak" else IN_WORDS
        outputs = [{key: row[key] for key in ("id", "prompt", "response")} for row in rows]
        score(GSM8K, None, outputs, tmp_path / name / "results.jsonl", extraction=way)
    weak, icl = tmp_path / "weak", tmp_path / "icl"
    with pytest.raises(UserError, match="was scored in another way"):
        build_stage1(GSM8K, weak, icl, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    build_stage1(GSM8K, weak, icl, tmp_path / "out", response_rule=ResponseRule(extraction="auto"))
    lines = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert {line.get("extract") for line in lines} == {"auto"}


def test_pairs_with_answers_found_again():
    majority = [sample("\\boxed{1}", "1"), sample("It is \\boxed{1}", "1")]
    votes = [vote(0, majority, [sample("\\boxed{2}", "2")])]
    response_rule = ResponseRule(extraction="auto")
    assert build_stage2(GSM8K, BOXED[:1], votes, response_rule=response_rule).counts.weak_chosen == 1
    assert build_stage2(GSM8K, BOXED[:1], votes).counts.weak_rejected == 1
    full = rows_of(build_full_weak(GSM8K, BOXED[:1]))
    assert build_stage2(GSM8K, full, votes, response_rule=response_rule).counts.weak_chosen == 1
    with pytest.raises(UserError, match=r"the votes are on '1', where .no answer. is found now\. Vote with"):
        build_stage2(GSM8K, BOXED[:1], votes, response_rule=ResponseRule(extraction="published"))


def test_answers_alone_do_not_become_whole_responses(tmp_path):
    votes = [vote(0, [sample("#### 1", "1")], [sample("#### 2", "2")])]
    weak = build_full_weak(
        GSM8K, [result(0, THOUGHT)], tmp_path / "full.json", response_rule=ResponseRule(train_on="answer")
    )
    with pytest.raises(UserError, match="has the answers alone, without the thinking"):
        build_stage2(GSM8K, weak.file, votes)
    assert (
        build_stage2(GSM8K, weak.file, votes, response_rule=ResponseRule(train_on="answer")).counts.pairs == 1
    )


@pytest.mark.parametrize(("version", "expected"), [("0.9.5", True), ("0.8.3", False)])
def test_a_config_of_answers_trains_without_thinking(version, expected, tmp_path):
    recipe = Recipe(model="some/model", settings={"template": "qwen"}, version=version)
    for part, thinking in (("whole", False), ("answer", expected)):
        made = build_full_weak(
            GSM8K,
            [result(0, THOUGHT)],
            tmp_path / part / "full.json",
            response_rule=ResponseRule(train_on=part),
            recipe=recipe,
        )
        assert ("\nenable_thinking: false" in made.config.read_text()) is thinking


@pytest.mark.parametrize(("system", "expected"), [(None, "Think."), ("", None), ("Own.", "Own.")])
def test_an_empty_system_prompt_leaves_out_the_task_s(system, expected):
    task = replace(GSM8K, system="Think.")
    form = PromptForm(chat=True, system=system)
    [row] = rows_of(build_full_weak(task, [result(0, "r")], prompt_form=form))
    assert row.get("system") == expected
    assert form.of(task).facts == {"chat": True} | ({"system": expected} if expected else {})


def twice_from_file(folder):
    """A task whose prompt names the question twice, the same in a chat and outside."""
    (folder / "rows.jsonl").write_text('{"question": "Q", "answer": "1", "solution": "1"}\n')
    file = folder / "twice.yaml"
    file.write_text("rows: rows.jsonl\nprompt: '{{ question }} / again: {{ question }}'\n")
    return get_task(str(file))


class Twice(Task):
    """The same outside a chat; in a chat the question alone."""

    def prompt(self, question):
        return f"{question} / again: {question}"


class Scrambled(Twice):
    """Its prompts do not hold the question."""

    def prompt(self, question):
        return f"Backwards: {question[::-1]}"


@pytest.mark.parametrize("chat", [None, True, False])
def test_a_prompt_that_names_the_question_twice_is_worded_once(chat, tmp_path):
    task = twice_from_file(tmp_path)
    prompt = task.prompt("Q")
    [row] = rows_of(
        build_full_weak(task, [result(0, "r", prompt=lambda _: prompt)], prompt_form=PromptForm(chat=chat))
    )
    assert row["content"] == prompt == "Q / again: Q"


@pytest.mark.parametrize(("form", "chat", "expected"), [
    ("prompt", True, "Q"), ("prompt", False, "Q / again: Q"),
    ("user_turn", True, "Q"), ("user_turn", False, "Q / again: Q"),
])  # fmt: skip
def test_a_question_named_twice_is_found_in_the_prompt(form, chat, expected):
    task = Twice(name="twice", raw_form=GSM8K.raw_form)
    source = [result(0, "r", prompt=lambda _: getattr(task, form)("Q"))]
    [row] = rows_of(build_full_weak(task, source, prompt_form=PromptForm(chat=chat)))
    assert row["content"] == expected


def test_a_prompt_whose_question_cannot_be_found_is_refused_unless_it_is_in_the_wanted_form(tmp_path):
    task = Scrambled(name="scrambled", raw_form=GSM8K.raw_form)
    source = [result(7, "r", prompt=lambda _: task.prompt("What?"))]
    for chat in (True, False):
        with pytest.raises(UserError, match=r'"content": id 7: .* the question cannot be found in this one'):
            build_full_weak(task, source, tmp_path / "out.json", prompt_form=PromptForm(chat=chat))
    assert not [*tmp_path.iterdir()]
    noted = [result(7, "r", prompt=lambda _: "What?", system="Think.")]
    for chat, expected in ((True, "What?"), (False, "Backwards: ?tahW")):
        [row] = rows_of(build_full_weak(task, noted, prompt_form=PromptForm(chat=chat)))
        assert row["content"] == expected
    assert hybrid_of(task, source)[0]["content"] == task.prompt("What?")


def hybrid_of(task, source):
    return rows_of(build_stage1(task, source, [{**source[0], "response": "icl"}]).built["hybrid"])
