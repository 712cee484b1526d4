from __future__ import annotations

import json

import pytest
import template_table
import template_tokenizers

import w2s_factory
from w2s_factory.chat import ChatTemplate, Turn
from w2s_factory.errors import UserError
from w2s_factory.llamafactory import known_templates, template_parity
from w2s_factory.llamafactory.installation import Installation
from w2s_factory.llamafactory.known_templates import Answers, find_llamafactory
from w2s_factory.llamafactory.template_parity import CONVERSATIONS, asked_texts, check_template, rendered

pytestmark = pytest.mark.train  # each starts LLaMA-Factory, which takes seconds to import

FAMILIES = {family.name: family for family in template_table.FAMILIES}
IN_QUICK_TABLE = (
    *dict.fromkeys(name for family in template_table.FAMILIES for name in family.templates),
    *("vanilla", "vicuna", "llama2", "glm4_7", "chatglm3", "phi_small", "seed_coder", "deepseekr1"),
)
"""Templates of every class and with every kind of slot, those of the families, and one that differs."""


@pytest.fixture
def chatml(tmp_path):
    return template_table.family_tokenizer(FAMILIES["ChatML"], tmp_path / "chatml")


@pytest.fixture
def gpt_oss(tmp_path):
    return template_table.family_tokenizer(FAMILIES["gpt-oss"], tmp_path / "gpt_oss")


@pytest.fixture(scope="module")
def tables():
    return template_table.measured(IN_QUICK_TABLE)


def test_the_page_has_the_tables_as_they_are_measured(tables):
    page = template_table.PAGE.read_text()
    assert template_table.table_of_families(tables.families) in page
    rows = template_table.table_of_templates(tables.rows).splitlines()
    assert len(rows) == 2 + len(set(IN_QUICK_TABLE))
    assert [row for row in rows if row not in page.splitlines()] == []


@pytest.mark.slow
def test_the_page_has_every_template():
    page = template_table.PAGE.read_text()
    assert template_table.with_tables(page, template_table.measured()) == page


def test_a_template_asks_what_it_trains_in_one_turn(tables):
    """With several turns a tokenizer may join the end of one text with the start of the next."""
    for row in tables.rows:
        for found in row.comparisons:
            difference = found.difference
            assert difference is None or (difference.same_text and difference.conversation == "three turns")


def test_the_template_of_a_model_is_found(tmp_path, w2s):
    folder = template_table.family_tokenizer(FAMILIES["Qwen3"], tmp_path / "model")
    assert w2s_factory.find_template(folder, thinking="off") == "qwen3"


def test_where_no_template_is_equal_the_nearest_and_the_way_out_are_named(gpt_oss):
    with pytest.raises(UserError) as refused:
        w2s_factory.find_template(gpt_oss)
    text = str(refused.value)
    assert "the nearest is gpt_oss: one turn: token 49 of the prompt is '.' (" in text
    assert "w2s-factory template jinja gpt_oss --output FILE, then generate --chat FILE" in text


def test_the_commands(tmp_path, gpt_oss, w2s):
    """What is asked in differs; what `template jinja` writes does not."""
    file = tmp_path / "format.jinja"
    line = ["template", "check", "--template", "gpt_oss", "--model", gpt_oss]
    assert "different: template gpt_oss" in w2s(*line, code=1).stdout
    assert f"Wrote {file}" in w2s("template", "jinja", "gpt_oss", "--output", file).stdout
    assert "equal: template gpt_oss" in w2s(*line, "--thinking", "off", "--chat", file).stdout


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            {"unknown": "chatmll", "known": ["chatml", "yi"]},
            'LLaMA-Factory has no template "chatmll". Did you mean "chatml"?',
        ),
        ({"unknown": "x", "known": ["chatml"]}, 'LLaMA-Factory has no template "x"'),
        ({"templates": {}, "jobs": [{"problem": "OSError: no"}]}, "cannot be loaded (OSError: no)"),
    ],
)
def test_problems_that_the_program_reports(chatml, monkeypatch, answer, text):
    monkeypatch.setattr(known_templates, "run_inside", lambda *_, **__: answer)
    with pytest.raises(UserError) as refused:
        check_template("chatmll", chatml)
    assert str(refused.value).endswith(text)


@pytest.mark.slow
def test_an_unknown_template_is_named_with_the_nearest(chatml, w2s):
    done = w2s("template", "check", "--template", "chatmll", "--model", chatml, code=2)
    assert done.stderr == 'Error: LLaMA-Factory has no template "chatmll". Did you mean "chatml"?\n'


def test_a_model_without_tokenizer_or_chat_template_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such model folder"):
        check_template("qwen3", tmp_path / "none")
    with pytest.raises(UserError, match=r"no such model folder. Name the folder of a copy"):
        check_template("qwen3", "OWNER/NAME")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="the folder holds no tokenizer"):
        check_template("qwen3", empty)
    plain = template_tokenizers.write_tokenizer(tmp_path / "plain")
    with pytest.raises(UserError, match=r"no chat template\. Name a file with one: --chat FILE"):
        check_template("qwen3", plain)
    with pytest.raises(
        UserError, match=r"no chat template\. A base model is trained and asked with the .* vanilla"
    ):
        w2s_factory.find_template(plain)


def test_a_chat_template_that_refuses_everything_is_reported(chatml, tmp_path):
    file = tmp_path / "refuses.jinja"
    file.write_text("{{ raise_exception('never') }}")
    with pytest.raises(UserError, match="never"):
        check_template("chatml", chatml, chat=file)


@pytest.mark.slow
def test_a_tokenizer_that_cannot_be_loaded_is_refused(chatml):
    (chatml / "tokenizer.json").write_text(json.dumps({"model": "broken"}))
    with pytest.raises(UserError, match="the tokenizer cannot be loaded"):
        check_template("chatml", chatml)


@pytest.mark.parametrize(
    ("system", "several_turns", "names"),
    [
        (None, None, [conversation.name for conversation in CONVERSATIONS]),
        (False, None, ["one turn", "three turns"]),
        (True, False, ["one turn with a system prompt"]),
        (None, False, ["one turn", "one turn with a system prompt"]),
    ],
)
def test_conversations_can_be_left_out(chatml, monkeypatch, system, several_turns, names):
    asked_for = []

    def answers(_installation, _templates, jobs):
        asked_for.extend(jobs)
        same = [{"prompt": [[1, "a"]], "labels": [[2, "b"]]} for _ in jobs[0]["asked"]]
        texts = [{"prompt": "a", "labels": "b"} for _ in same]
        return Answers({}, [{"trained": {"x": same}, "asked": same, "texts": {"x": texts}}])

    monkeypatch.setattr(template_parity, "ask_templates", answers)
    found = check_template("x", chatml, system=system, several_turns=several_turns)
    assert (found.equal, found.compared) == (True, tuple(names))
    assert len(asked_for[0]["conversations"]) == len(names)


@pytest.mark.parametrize(
    ("trained", "asked", "same_text", "text"),
    [
        ([1, 2], [1, 3], False, "token 2 of the prompt is 't2' (2) in training and 't3' (3) in generation, after 't1'"),
        ([1], [1, 3], False, "token 2 of the prompt is missing in training and 't3' (3) in generation, after 't1'"),
        ([4], [5], True, "token 1 of the prompt is 't4' (4) in training and 't5' (5) in generation "
         "(the same text, split into other tokens)"),
        ([None], [5], False, "is None (not in the vocabulary) in training and 't5' (5) in generation"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(chatml, trained, asked, same_text, text):
    def tokens(ids):
        return [[one, None if one is None else f"t{one}"] for one in ids]

    question = asked_texts(chatml, conversations=CONVERSATIONS[:1])
    same = question.texts[0]["prompt"] if same_text else "other"
    encodings = {
        "trained": {"x": [{"prompt": tokens(trained), "labels": []}]},
        "asked": [{"prompt": tokens(asked), "labels": []}],
        "texts": {"x": [{"prompt": same, "labels": ""}]},
    }
    found = question.comparison("x", encodings)
    assert not found.equal
    assert text in str(found.difference)
    assert str(found.difference).startswith("one turn: ")


def test_labels_are_what_follows_the_last_question_in_both_renderings():
    """Also where a template leaves out thinking that its prompt opens, or moves the system prompt."""
    conversation = template_parity.SampleConversation("", "sys", (Turn("user", "q"), Turn("assistant", "r")))
    opens = "{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}<t>{% endif %}"
    assert rendered(ChatTemplate(opens), conversation, None) == {"prompt": "[sys][q]<t>", "labels": "[r]"}
    moves = (
        "{% for m in messages if m.role != 'system' %}"
        "{{ 'sys ' if loop.last and m.role == 'user' }}{{ m.content }}{{ '/' if m.role == 'user' else ' end' }}"
        "{% endfor %}"
    )
    assert rendered(ChatTemplate(moves), conversation, None) == {"prompt": "sys q/", "labels": "r end"}


def test_an_old_llama_factory_is_refused(monkeypatch, tmp_path):
    old = Installation(("llamafactory-cli",), tmp_path / "python", "0.8.3")
    monkeypatch.setattr(known_templates, "find_installation", lambda *_: old)
    with pytest.raises(UserError, match=r"the templates of LLaMA-Factory 0\.8\.3 cannot be read"):
        find_llamafactory()
