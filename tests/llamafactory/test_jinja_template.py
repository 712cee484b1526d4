from __future__ import annotations

import re
from dataclasses import replace

import jinja2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from w2s_factory.chat import ChatTemplate, Turn
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.jinja_template import jinja_of, template_jinja
from w2s_factory.llamafactory.known_templates import TemplateFormat

PLAIN = TemplateFormat(
    name="plain",
    kind="Template",
    prefix=[{"special": ["bos_token"]}],
    system=["S({{content}})"],
    user=["U({{content}})A("],
    assistant=["{{content}}", {"special": ["eos_token"]}, ")\n"],
    default_system="",
    stop_words=[],
    efficient_eos=False,
    replace_eos=False,
    thought_words=None,
    empty_thought=None,
    text_only=True,
)
THINKING = replace(
    PLAIN, kind="ReasoningTemplate", thought_words=["<t>\n", "\n</t>\n\n"], empty_thought="<t>\n\n</t>\n\n"
)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
ASKED = [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")]
SYSTEM = Turn("system", "z")
ANSWERED = [*ASKED, Turn("assistant", "d")]


def rendered(template, turns, *, asked=True, thinking=None, tokens=TOKENS):
    chat = ChatTemplate(jinja_of(template), tokens)
    return chat.render(turns, add_generation_prompt=asked, thinking=thinking)


@pytest.mark.parametrize(
    ("changes", "turns", "text"),
    [
        ({}, ASKED, "<s>U(a)A(b</s>)\nU(c)A("),
        ({}, [SYSTEM, *ASKED], "<s>S(z)U(a)A(b</s>)\nU(c)A("),
        ({}, [Turn("system", ""), ASKED[0]], "<s>U(a)A("),
        ({"default_system": 'it\'s "\n\\n" ✓'}, ASKED[:1], '<s>S(it\'s "\n\\n" ✓)U(a)A('),
        ({"default_system": "no"}, [SYSTEM, ASKED[0]], "<s>S(z)U(a)A("),
        ({"default_system": "no"}, [Turn("system", ""), ASKED[0]], "<s>S(no)U(a)A("),
        ({"kind": "Llama2Template"}, [SYSTEM, *ASKED], "<s>U(S(z)a)A(b</s>)\nU(c)A("),
        ({"kind": "Llama2Template"}, ASKED, "<s>U(a)A(b</s>)\nU(c)A("),
        ({"prefix": [{"token": "[gMASK]"}, {"special": ["<odd>"]}]}, ASKED[:1], "[gMASK]U(a)A("),
        ({"prefix": []}, ASKED[:1], "U(a)A("),
        ({"replace_eos": True, "stop_words": ["<end>"]}, ASKED, "<s>U(a)A(b<end>)\nU(c)A("),
        ({"user": ["{{content}}|{{content}}"]}, ASKED[:1], None),
        ({"kind": "NewTemplate"}, ASKED[:1], None),
    ],
)
def test_slots_become_text(changes, turns, text):
    template = replace(PLAIN, **changes)
    if text is None:
        with pytest.raises(UserError, match="is not known here"):
            jinja_of(template)
    else:
        assert rendered(template, turns) == text


def test_an_end_that_only_the_last_response_has():
    template = replace(PLAIN, efficient_eos=True, assistant=["{{content}})"])
    assert rendered(template, ANSWERED, asked=False) == "<s>U(a)A(b)U(c)A(d)</s>"
    assert rendered(template, ASKED) == "<s>U(a)A(b)U(c)A("


def test_tokens_are_variables_unless_a_tokenizer_is_named():
    assert rendered(PLAIN, ASKED, tokens={}) == "U(a)A(b<|endoftext|>)\nU(c)A("  # as LLaMA-Factory adds it
    fixed = jinja_of(PLAIN, {"eos_token": "</s>"})
    assert ChatTemplate(fixed, {"bos_token": "<other>"}).render(ASKED) == "U(a)A(b</s>)\nU(c)A("


@pytest.mark.parametrize(
    ("thinking", "last", "prompt", "whole"),
    [
        (None, "d", "", "<t>\n\n</t>\n\nd</s>)\n"),
        (True, "d", "", "<t>\n\n</t>\n\nd</s>)\n"),
        (False, "d", "<t>\n\n</t>\n\n", "<t>\n\n</t>\n\nd</s>)\n"),
        (True, "<t>\nx\n</t>\n\nd", "", "<t>\nx\n</t>\n\nd</s>)\n"),
        (False, "<t>\nx\n</t>\n\nd", "<t>\n\n</t>\n\n", "<t>\n\n</t>\n\nd</s>)\n"),
        (True, "x</t>d", "", "x</t>d</s>)\n"),
    ],
)
def test_thinking(thinking, last, prompt, whole):
    turns = [Turn("user", "a"), Turn("assistant", "<t>\nq\n</t>\n\nb"), Turn("user", "c")]
    start = "<s>U(a)A(b</s>)\nU(c)A("
    assert rendered(THINKING, turns, thinking=thinking) == start + prompt
    answered = [*turns, Turn("assistant", last)]
    assert rendered(THINKING, answered, asked=False, thinking=thinking) == start + whole


@given(st.lists(st.sampled_from(["<t>\n", "\n</t>\n\n", "<t>", "</t>", "\n", "a"])).map("".join))
@example("<t>\n\n</t>\n\nb\n</t>\n\n<t>\n<t>\nc\n</t>\n\nd")
def test_thinking_is_removed_as_by_llama_factory(text):
    """Its `remove_thought` is a regular expression, which Jinja does not have."""
    removed = re.sub(r"<t>\n(.*?)\n</t>\n\n", "", text, flags=re.DOTALL).lstrip("\n")
    turns = [Turn("user", "a"), Turn("assistant", text), Turn("user", "c")]
    assert rendered(THINKING, turns) == f"<s>U(a)A({removed}</s>)\nU(c)A("


@given(st.text(), st.text(), st.text())
def test_no_content_is_changed(system, question, answer):
    turns = [Turn("system", system), Turn("user", question), Turn("assistant", answer), Turn("user", "c")]
    before = f"S({system})" if system else ""
    assert rendered(PLAIN, turns) == f"<s>{before}U({question})A({answer}</s>)\nU(c)A("


@given(st.text(min_size=1))
def test_every_text_can_be_a_slot(text):
    if "{{" in text:
        return
    template = replace(PLAIN, prefix=[text], stop_words=[text], replace_eos=True)
    assert rendered(template, ASKED) == f"{text}U(a)A(b{text})\nU(c)A("


def test_other_roles_and_systems_in_between_are_refused():
    for turns in ([Turn("tool", "x")], [Turn("user", "a"), SYSTEM]):
        with pytest.raises(UserError, match="unexpected role"):
            rendered(PLAIN, turns)


def test_plain_jinja_renders_the_same():
    """Other engines render it with their own environment, which trims blocks or does not."""
    messages = [{"role": turn.role, "content": turn.content} for turn in ANSWERED]
    for trims in (True, False):
        plain = jinja2.Environment(trim_blocks=trims, lstrip_blocks=trims, autoescape=False)
        text = plain.from_string(jinja_of(THINKING)).render(messages=messages, **TOKENS)
        assert text == rendered(THINKING, ANSWERED, asked=False)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(UserError, match="the folder holds no tokenizer"):
        template_jinja("qwen3", model=tmp_path)
