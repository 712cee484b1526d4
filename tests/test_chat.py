"""Chat templates: the text is that of transformers, and bad templates are refused in one line."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chat_templates import CHATML, DEEPSEEK_R1, FAMILIES, GEMMA, HARMONY, LLAMA3, MISTRAL, QWEN3
from w2s_factory.answers.thinking import DEFAULT_MARKERS, Markers
from w2s_factory.chat import (
    ChatTemplate,
    Turn,
    is_by_llamafactory,
    opens_thinking,
    read_template,
    special_tokens,
    template_of,
    thinking_markers,
)
from w2s_factory.errors import UserError
from w2s_factory.shipped import shipped

TOKENIZER = shipped("data", "models", "tiny_llama")

SYSTEM = Turn("system", "Think it over.")
ASKED = Turn("user", "  How many? <b>'5'</b>\n")
THOUGHT = Turn("assistant", "<think>\nTwo and three.\n</think>\n\nFive.")
ANSWERED = Turn("assistant", "Five. ")

CONVERSATIONS = {
    "question": [ASKED],
    "system": [SYSTEM, ASKED],
    "three turns": [ASKED, ANSWERED, ASKED],
    "thinking in the history": [ASKED, THOUGHT, ASKED],
    "answered": [ASKED, THOUGHT],
    "all": [SYSTEM, ASKED, ANSWERED, ASKED, THOUGHT, ASKED],
    "roles that do not alternate": [ASKED, ASKED],
}

SMALL = {
    "loop controls": "{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "continue": "{% for m in messages %}{% if m.role == 'user' %}{% continue %}{% endif %}{{ m.content }}{% endfor %}",
    "json": "{{ messages | tojson }}{{ messages | tojson(indent=2) }}{{ {'é': 1, 'a': 2} | tojson(sort_keys=true) }}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}",
    "blocks": "  {% if true %}\n   a\n  {% endif %}\n b \n",
    "tools": "{% if tools is none and documents is none %}none{% endif %}{% if not tools %}!{% endif %}",
    "lacking token": "{{ mask_token }}{{ sep_token }}|{{ bos_token }}{{ pad_token }}",
    "set elsewhere": "{% for m in messages %}{% set last = m.role %}{% endfor %}[{{ last }}]",
    "attributes": "{{ messages[0].nothing }}[{{ messages[0]['tool_calls'] }}]",
    "thinking": "{% if not thinking is defined %}{% set thinking = false %}{% endif %}{{ thinking }}",
    "line ends": "a\r\n{{ messages[0].content }}\r\n\n",
}


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TOKENIZER)


def by_transformers(tokenizer, text, turns, **given):
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    return tokenizer.apply_chat_template(messages, chat_template=text, tokenize=False, **given)


def either(render):
    """The text, or that it was refused."""
    import jinja2

    try:
        return render()
    except (UserError, jinja2.TemplateError):
        return None


@pytest.mark.parametrize("turns", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("text", [*FAMILIES.values(), *SMALL.values()], ids=[*FAMILIES, *SMALL])
def test_the_text_is_that_of_transformers(tokenizer, text, turns):
    template = ChatTemplate(text, special_tokens(TOKENIZER))
    for prompt in (True, False):
        for thinking in (None, True, False):
            switch = {} if thinking is None else {"enable_thinking": thinking, "thinking": thinking}
            expected = either(
                lambda prompt=prompt, switch=switch: by_transformers(
                    tokenizer, text, turns, add_generation_prompt=prompt, **switch
                )
            )
            got = either(
                lambda prompt=prompt, thinking=thinking: template.render(
                    turns, add_generation_prompt=prompt, thinking=thinking
                )
            )
            assert got == expected


@given(st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text()), min_size=1, max_size=4))
def test_any_content_is_rendered_as_transformers_does(turns):
    from transformers.utils.chat_template_utils import render_jinja_template

    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    for text in (CHATML, QWEN3, HARMONY):
        [expected], _ = render_jinja_template([messages], chat_template=text, add_generation_prompt=True)
        assert ChatTemplate(text).render(turns) == expected


def folder_with(folder, config=None, **files):
    folder.mkdir(exist_ok=True)
    shutil.copy(TOKENIZER / "tokenizer.json", folder)
    own = json.loads((TOKENIZER / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(own | (config or {})))
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_jinja", ".jinja").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


NAMED = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain {{ bos_token }}"}]
PLACES = {
    "config": ({"chat_template": "a {{ eos_token }}"}, {}),
    "named in the config": ({"chat_template": NAMED}, {}),
    "file": ({}, {"chat_template_jinja": "b {{ bos_token }}\n"}),
    "file before config": ({"chat_template": "a"}, {"chat_template_jinja": "b"}),
    "named files": ({}, {"chat_template_jinja": "b", "chat_templates__tool_use_jinja": "c"}),
    "tokens with properties": (
        {
            "chat_template": "{{ bos_token }}{{ image_token }}{{ eos_token }}",
            "bos_token": {"__type": "AddedToken", "content": "<s>", "special": True},
            "image_token": "<image>",
            "extra_special_tokens": {"audio_token": "<audio>"},
        },
        {},
    ),
    "no bos": ({"chat_template": "{{ bos_token }}x", "bos_token": None}, {}),
    "tokens of older versions": (
        {"chat_template": "{{ bos_token }}x", "bos_token": None},
        {"special_tokens_map_json": '{"bos_token": {"content": "<pad>"}, "eos_token": "<unk>"}'},
    ),
}


@pytest.mark.parametrize(("config", "files"), PLACES.values(), ids=PLACES)
def test_a_folder_has_the_template_and_tokens_that_transformers_finds(tmp_path, config, files):
    from transformers import AutoTokenizer

    folder = folder_with(tmp_path / "model", config, **files)
    loaded = AutoTokenizer.from_pretrained(folder)
    template = template_of(folder)
    assert template.text == loaded.get_chat_template()
    assert template.variables == loaded.special_tokens_map
    assert template.render([ASKED]) == by_transformers(loaded, None, [ASKED], add_generation_prompt=True)


LACKING = {
    "none": ({}, {}, "the model has no chat template"),
    "null": ({"chat_template": None}, {}, "the model has no chat template"),
    "no default": ({"chat_template": NAMED[:1]}, {}, r'\(tool_use\), none of which is named "default"'),
    "syntax": ({}, {"chat_template_jinja": "a\n{% for %}"}, r"chat_template\.jinja:2: .* does not compile"),
    "unknown filter": ({"chat_template": "{{ 1 | shout }}"}, {}, "does not compile .*shout"),
}


@pytest.mark.parametrize(("config", "files", "problem"), LACKING.values(), ids=LACKING)
def test_a_folder_without_a_usable_template_is_refused(tmp_path, config, files, problem):
    with pytest.raises(UserError, match=problem):
        template_of(folder_with(tmp_path / "model", config, **files))


BAD = {
    "missing variable": ("a {{ company }}", "needs something .*'company' is undefined"),
    "missing, filtered": ("{{ company | trim }}", "'company' is undefined"),
    "missing, joined": ("{{ 'a' ~ company }}", "'company' is undefined"),
    "missing, added": ("{{ 'a' + company }}", "'company' is undefined"),
    "attribute of a missing one": ("{{ company.name }}", "'company' is undefined"),
    "refused": ("{{ raise_exception('no system role') }}", r"refuses this conversation \(no system role\)"),
    "fails": ("{{ 1 / 0 }}", "fails .*ZeroDivisionError"),
    "unsafe": ("{{ ''.__class__.__mro__ }}", "needs something|refuses"),
    "changes the conversation": ("{% set _ = messages.append(1) %}", "refuses .*unsafe"),
    "endless": ("{% for i in range(10 ** 9) %}{% endfor %}", "fails .*OverflowError"),
}


@pytest.mark.parametrize(("text", "problem"), BAD.values(), ids=BAD)
def test_a_template_that_cannot_be_rendered_is_refused(text, problem):
    with pytest.raises(UserError, match=problem) as raised:
        ChatTemplate(text).render([ASKED])
    assert "\n" not in str(raised.value)


def test_a_variable_may_be_tested_and_given():
    template = ChatTemplate("{{ company | default('none') }}{% if company %}{{ company }}{% endif %}")
    assert template.render([ASKED]) == "none"
    assert template.render([ASKED], variables={"company": "us"}) == "usus"
    assert ChatTemplate("{{ company }}", {"company": "us"}).render([ASKED]) == "us"


def test_a_jinja_file_is_read_with_the_tokens_of_a_model(tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text("{{ bos_token }}{{ messages[0].content }}")
    assert read_template(file, TOKENIZER).render([Turn("user", "x")]) == "<s>x"
    assert read_template(file).render([Turn("user", "x")]) == "x"
    for text, problem in [(" \n", "empty"), ("\n{% if %}", r"mine\.jinja:2: .* does not compile")]:
        file.write_text(text)
        with pytest.raises(UserError, match=problem):
            read_template(file)
    with pytest.raises(UserError, match="no such file"):
        read_template(tmp_path / "none.jinja")


class Conversions:
    """LLaMA-Factory's own conversions of all its templates."""

    @staticmethod
    def all(tokenizer):
        from llamafactory.data.template import TEMPLATES

        for name, template in TEMPLATES.items():
            try:
                yield name, template._get_jinja_template(tokenizer)
            except ValueError:  # it has no conversion
                continue


def test_what_llamafactory_wrote_is_recognised(tokenizer, tmp_path):
    conversions = dict(Conversions.all(tokenizer))
    assert len(conversions) > 80
    assert [name for name, text in conversions.items() if not is_by_llamafactory(text)] == []
    folder = folder_with(tmp_path / "model", chat_template_jinja=conversions["default"])
    with pytest.raises(UserError, match="only one that LLaMA-Factory wrote"):
        template_of(folder)


OLDER = """{{ '<s>' }}{% set system_message = 'It\\'s me.' %}\
{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}{% endif %}\
{% if system_message is defined %}{{ system_message }}{% endif %}{% for message in messages %}\
{% set content = message['content'] %}{% if message['role'] == 'user' %}{{ 'Human: ' + content }}\
{% elif message['role'] == 'assistant' %}{{ content + '</s>' }}{% endif %}{% endfor %}"""


def test_what_older_versions_wrote_is_recognised_and_nothing_else():
    assert is_by_llamafactory(OLDER)
    assert is_by_llamafactory(OLDER.removeprefix("{{ '<s>' }}{% set system_message = 'It\\'s me.' %}"))
    assert not any(map(is_by_llamafactory, [*FAMILIES.values(), *SMALL.values()]))
    assert not is_by_llamafactory(OLDER + "{% if add_generation_prompt %}{{ 'AI:' }}{% endif %}")


@pytest.mark.parametrize(
    ("text", "vocabulary", "start"),
    [
        (QWEN3, (), "<think>"),
        (DEEPSEEK_R1, (), "<think>"),
        (HARMONY, (), "<|channel|>analysis<|message|>"),
        (CHATML, (), None),
        (LLAMA3, ("<s>",), None),
        (MISTRAL, ("[THINK]", "[/THINK]"), "[THINK]"),
        (CHATML, ("</think>", "<think>"), "<think>"),
        (CHATML, ("<think>",), None),
    ],
)
def test_markers_come_from_the_template_or_the_vocabulary(text, vocabulary, start):
    markers = thinking_markers(ChatTemplate(text), vocabulary)
    assert (markers and markers.start) == start


def test_a_prompt_opens_thinking_or_not():
    think = DEFAULT_MARKERS[0]
    assert opens_thinking(
        ChatTemplate(DEEPSEEK_R1).render([ASKED], variables={"bos_token": "", "eos_token": ""}), think
    )
    for thinking in (True, False, None):
        assert not opens_thinking(
            ChatTemplate(QWEN3).render([Turn("user", "<think>")], thinking=thinking), think
        )
    assert not opens_thinking("<think>", None)
    assert opens_thinking("a [T]", Markers("[T]\n", "[/T]"))


def test_only_switches_that_a_template_reads_are_set():
    assert ChatTemplate(QWEN3).thinking_variables(True) == {"enable_thinking": True}
    assert ChatTemplate(SMALL["thinking"]).thinking_variables(False) == {"thinking": False}
    assert ChatTemplate(CHATML).thinking_variables(True) == {}
    assert ChatTemplate(QWEN3).thinking_variables(None) == {}


@pytest.mark.parametrize(
    ("family", "end"),
    [
        ("chatml", "<|im_end|>"),
        ("qwen3", "<|im_end|>"),
        ("llama3", "<|eot_id|>"),
        ("gemma", "<end_of_turn>"),
        ("mistral", "</s>"),
        ("harmony", "<|return|>"),
        ("deepseek_r1", "</s>"),
    ],
)
def test_a_template_says_what_ends_a_turn(family, end):
    assert ChatTemplate(FAMILIES[family], {"bos_token": "<s>", "eos_token": "</s>"}).turn_end == end


def test_a_template_without_an_assistant_says_no_end_of_a_turn():
    assert ChatTemplate("{{ messages[0].content }}").turn_end == ""
    assert (
        ChatTemplate("{% if messages[1] %}{{ raise_exception('one turn only') }}{% endif %}").turn_end == ""
    )


def test_only_some_templates_name_the_date():
    assert ChatTemplate(HARMONY).names_the_date
    assert not ChatTemplate(GEMMA).names_the_date
