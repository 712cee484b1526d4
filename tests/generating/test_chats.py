"""Generation in a chat: what the model is given, what is written, and what cannot be asked."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest
from echo_engine import Echo
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import THINKING, THINKING_OPENED, make_chat_model

from w2s_factory.answers.thinking import Markers
from w2s_factory.chat import ChatTemplate, Turn, template_of
from w2s_factory.errors import UserError
from w2s_factory.generating import (
    ChatSettings,
    Generation,
    Model,
    Sampling,
    Shard,
    chosen_chat,
    generate,
    merge_shards,
    preview,
    published_sampling,
)
from w2s_factory.generating.chat_settings import Chat
from w2s_factory.generating.engines.contract import Contracted
from w2s_factory.prompts import Question, conversation_of, question_in
from w2s_factory.tasks import Task, get_task

QUESTIONS = [{"question": "there and together"}, {"question": "there"}]
DEMOS = [
    {"id": 7, "prompt": "Question: one\nAnswer:", "response": "1", "source": "weak", "sha256": "0"},
    {"id": 0, "prompt": "there and together", "response": "5", "source": "weak", "sha256": "0"},
]


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    pytest.importorskip("transformers")
    return make_chat_model(tmp_path_factory.mktemp("thinker"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Its markers are plain tokens, and its prompts begin the thinking."""
    pytest.importorskip("transformers")
    return make_chat_model(tmp_path_factory.mktemp("opened"), THINKING_OPENED, special=False)


DEFAULT = ChatSettings()


def asked(model, folder, chat=DEFAULT, **changes):
    given = {"task": "gsm8k", "questions": QUESTIONS, "model": model, "output_dir": folder, "chat": chat}
    return Generation(**{**given, "engine": "transformers", "sampling": Sampling(max_tokens=20), **changes})


def rows(generated):
    return [json.loads(line) for line in generated[0].file.read_text().splitlines()]


def by_transformers(model, turns, **given):
    """The token ids of a rendered conversation, and what the model writes after it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    given = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True, **given}
    prompt = tokenizer.apply_chat_template(turns, **given)
    written = AutoModelForCausalLM.from_pretrained(model).generate(
        **prompt, max_new_tokens=20, do_sample=False
    )
    ids = prompt["input_ids"][0].tolist()
    return ids, tokenizer.decode(written[0][len(ids) :])


@pytest.mark.parametrize("thinking", ["on", "off", "auto"])
@pytest.mark.parametrize("model", ["thinker", "opened"])
def test_the_model_is_asked_in_its_template_and_thinking_is_kept(model, thinking, tmp_path, request):
    folder = request.getfixturevalue(model)
    chat = ChatSettings(system="them", thinking=thinking)
    turns = [{"role": "system", "content": "them"}, {"role": "user", "content": "there and together"}]
    switch = {} if thinking == "auto" else {"enable_thinking": thinking == "on"}
    ids, written = by_transformers(folder, turns, **switch)
    generation = asked(folder, tmp_path / "out", chat)
    assert [token for token, _ in preview(generation).tokens] == ids
    found = rows(generate(generation))
    assert found[0]["response"] == written.removesuffix("<|end|>")
    opens = model == "opened" and thinking != "off"
    start = "" if opens or thinking == "off" else "<think>"
    assert found[0]["response"] == ("" if thinking == "off" else f"{start}there and together</think>") + "5"
    expected = {"id": 0, "prompt": "there and together", "response": found[0]["response"], "system": "them"}
    assert found[0] == expected | ({"prompt_opens_thinking": True} if opens else {})


def test_rows_without_a_system_prompt_have_no_such_key(thinker, tmp_path):
    assert rows(generate(asked(thinker, tmp_path)))[1] == {
        "id": 1,
        "prompt": "there",
        "response": "<think>there and together</think>5",
    }


@pytest.mark.parametrize("special", [True, False])
def test_the_template_s_end_of_turn_ends_a_response(tmp_path, special):
    """A base model trained with a template keeps its own token for the end of a sequence."""
    pytest.importorskip("transformers")
    model = make_chat_model(tmp_path / "model", special=special, eos="</s>")
    generation = asked(model, tmp_path / "out", questions=QUESTIONS[:1])
    [written] = generate(generation)
    assert rows([written])[0]["response"] == "<think>there and together</think>5"
    assert written.at_limit == 0


def test_no_second_bos_token_is_added(opened, tmp_path):
    names = [name for _, name in preview(asked(opened, tmp_path)).tokens]
    assert names.count("<s>") == 1
    with pytest.raises(UserError, match=r'"--bos": in a chat the template writes the BOS token'):
        preview(asked(Model(opened, bos="add"), tmp_path))


def test_a_run_records_the_chat_and_only_then(thinker, tmp_path):
    settings = preview(asked(thinker, tmp_path)).settings
    assert settings["chat"] == {
        "template": settings["chat"]["template"],
        "system": None,
        "thinking": "auto",
        "demonstrations": "turns",
    }
    assert "chat" not in preview(asked(thinker, tmp_path, None)).settings
    generate(asked(thinker, tmp_path))
    with pytest.raises(
        UserError, match=r"was started with other settings: chat was .*null, .* is {.*; the prompts have"
    ):
        generate(asked(thinker, tmp_path, ChatSettings(system="them")))
    with pytest.raises(UserError, match=r"was started with other settings: .*chat was"):
        generate(asked(thinker, tmp_path, None))


def test_a_date_in_the_template_is_recorded(thinker, tmp_path):
    file = tmp_path / "dated.jinja"
    file.write_text("{{ strftime_now('%Y-%m-%d') }}" + THINKING)
    found = preview(asked(thinker, tmp_path, ChatSettings(template=file)))
    assert found.prompt.startswith(found.settings["chat"]["date"])


class Clock(datetime.datetime):
    """A clock that can be set."""

    day = datetime.date(2026, 1, 1)

    @classmethod
    def now(cls, tz=None):
        return cls.combine(cls.day, datetime.time(12))


@pytest.fixture
def clock(monkeypatch):
    """The dates that templates and settings see."""

    class Today(datetime.date):
        @classmethod
        def today(cls):
            return Clock.day

    Clock.day = datetime.date(2026, 1, 1)
    monkeypatch.setattr("w2s_factory.chat.datetime", Clock)
    monkeypatch.setattr("w2s_factory.generating.generator.datetime", SimpleNamespace(date=Today))
    return Clock


@pytest.fixture
def dated(tmp_path):
    file = tmp_path / "dated.jinja"
    file.write_text("{{ strftime_now('%Y-%m-%d') }} {{ messages[-1].content }}")
    folder = tmp_path / "model"
    folder.mkdir()
    chat = ChatSettings(template=file)
    make = {"task": "gsm8k", "questions": QUESTIONS, "model": Model(str(folder)), "chat": chat}
    return Generation(**make, output_dir=tmp_path / "out", engine="chatting")


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr("w2s_factory.generating.generator.make_engine", lambda *_: Prompted(Model("m")))
    Prompted.given = []


class Prompted(Echo):
    """An engine that keeps the prompts it is given."""

    given: ClassVar[list] = []

    def start_chat(self, settings):
        return Chat.of(settings, ChatTemplate(settings.file.read_text()))

    def complete(self, batches, sampling):
        batches = list(batches)
        Prompted.given += [request.prompt[:10] for batch in batches for request in batch]
        yield from super().complete(batches, sampling)


def journal_dates(folder):
    files = sorted(folder.rglob("output.journal.jsonl"))
    return [json.loads(file.read_text().splitlines()[0])["settings"]["chat"]["date"] for file in files]


@pytest.mark.usefixtures("engine")
def test_a_run_is_continued_with_the_date_it_began_with(dated, clock, monkeypatch):
    sampled = replace(dated, sampling=Sampling(temperature=1.0), seeds=(0, 1))
    generate(sampled)
    journals = sorted(dated.output_dir.rglob("output.journal.jsonl"))
    header, first, _ = journals[1].read_text().splitlines()
    journals[1].write_text(f"{header}\n{first}\n")  # interrupted
    (journals[1].parent / "output.jsonl").unlink()
    kept = journals[0].read_bytes(), (journals[0].parent / "output.jsonl").stat().st_ino
    clock.day = datetime.date(2026, 1, 2)
    Prompted.given = []
    generate(sampled, restart_if_changed=True)
    assert (journals[0].read_bytes(), (journals[0].parent / "output.jsonl").stat().st_ino)[0] == kept[0]
    assert journals[1].read_text().startswith(f"{header}\n{first}\n")
    assert set(Prompted.given) == {"2026-01-01"}
    generate(replace(sampled, seeds=(2,)))  # more samples of the same run
    assert journal_dates(dated.output_dir) == ["2026-01-01"] * 3
    generate(replace(sampled, seeds=(0, 1, 2)), restart=True)
    assert journal_dates(dated.output_dir) == ["2026-01-02"] * 3


@pytest.mark.usefixtures("engine")
def test_shards_that_start_on_two_days_have_one_date(dated, clock):
    for index in (1, 2):
        clock.day = datetime.date(2026, 1, index)
        generate(replace(dated, shard=Shard(index, 2)))
    assert journal_dates(dated.output_dir) == ["2026-01-01"] * 2
    merge_shards(dated.output_dir)


@pytest.mark.usefixtures("engine", "clock")
def test_shards_with_two_dates_are_merged_and_both_are_noted(dated):
    for index in (1, 2):
        day = datetime.date(2026, 1, index)
        generate(replace(dated, shard=Shard(index, 2), chat=replace(dated.chat, date=day)))
    merge_shards(dated.output_dir)
    noted = json.loads((dated.output_dir / "manifest.jsonl").read_text().splitlines()[-1])
    assert noted["settings"]["chat"]["date"] == ["2026-01-01", "2026-01-02"]


def test_a_server_is_sent_the_date_in_the_template():
    text = """{{ strftime_now("%d %b %Y") }}{% if strftime_now is defined %}{{ strftime_now( '%Y' ) }}{% endif %}"""
    template, day = ChatTemplate(text), datetime.date(2026, 1, 2)
    assert template.render([Turn("user", "?")], day=day) == "02 Jan 20262026"
    assert ChatTemplate(template.dated(day)).render([Turn("user", "?")]) == "02 Jan 20262026"


@pytest.mark.parametrize(("system", "expected"), [(None, "Think."), ("", None)])
def test_an_empty_system_prompt_is_none_not_even_the_task_s(system, expected, tmp_path):
    chat = ChatSettings(system=system)
    task = replace(get_task("gsm8k"), system="Think.")
    asked = Generation(task=task, questions=QUESTIONS, model="m", output_dir=tmp_path, engine="e", chat=chat)
    taken = Chat(settings=asked.chat, template=None, markers=None)
    assert [request.system for request in asked.requests(0, taken)] == [expected] * 2
    assert taken.recorded()["system"] == expected


@pytest.mark.parametrize(
    ("task", "stop"),
    [("gsm8k", ()), ("olympic_arena", ()), (replace(get_task("gsm8k"), stop=("Question", "END")), ("END",))],
)
def test_a_chat_has_the_stop_texts_of_a_user_s_own_task(task, stop):
    assert published_sampling(get_task(task), in_chat=True).stop == stop
    assert published_sampling(get_task(task)).stop == get_task(task).stop


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("thinking", "said"), [("on", True), ("auto", False)])
@pytest.mark.parametrize("text", ["5", "<think>so</think>5", "so</think>5"])
def test_missing_thinking_is_reported(dated, thinking, said, text, monkeypatch):
    class Served(Echo):
        def start_chat(self, settings):
            return Chat(settings=settings, template=None, markers=Markers("<think>", "</think>"))

    monkeypatch.setattr(
        "w2s_factory.generating.generator.make_engine", lambda *_: Served(Model("m"), say=text)
    )
    lines = []
    generate(replace(dated, chat=ChatSettings(thinking=thinking)), tell=lines.append)
    reported = [line for line in lines if "none of the 1 responses that ended by themselves has any" in line]
    assert len(reported) == (said and text == "5")


def test_a_file_takes_the_place_of_the_model_s_own_template(thinker, tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text("{{ bos_token }}{{ messages[0].content }}")
    generation = asked(thinker, tmp_path / "out", ChatSettings(template=file))
    assert preview(generation).prompt == "<s>there and together"
    assert file in generation.inputs


def turns_of(one_text=False, **changes):
    given = {"system": "Think.", "exclude_own": False, **changes}
    question = Question(0, "there and together")
    return conversation_of(get_task("gsm8k"), question, DEMOS, one_text=one_text, **given)


def test_demonstrations_become_turns():
    assert turns_of() == (
        (
            Turn("system", "Think."),
            Turn("user", "one"),
            Turn("assistant", "1"),
            Turn("user", "there and together"),
            Turn("assistant", "5"),
            Turn("user", "there and together"),
        ),
        "there and together",
    )
    assert [turn.content for turn in turns_of(exclude_own=True).turns] == [
        "Think.",
        "one",
        "1",
        "there and together",
    ]


def test_demonstrations_stay_one_text_in_the_published_form():
    text = "Question: one\nAnswer: 1\n\nQuestion: there and together\nAnswer: 5\n\nQuestion: there and together\nAnswer:"
    assert turns_of(one_text=True, system=None) == ((Turn("user", text),), "there and together")


@pytest.mark.parametrize("prompt", ["Question: Answer:\nAnswer:", "Question: a\nAnswer: b", ""])
def test_the_question_of_a_prompt_words_it_again(prompt):
    task = get_task("gsm8k")
    assert prompt in (task.prompt(question_in(task, prompt)), task.user_turn(question_in(task, prompt)))


class Twice(Task):
    def prompt(self, question):
        return f"{question} / again: {question}"


class Scrambled(Twice):
    def prompt(self, question):
        return f"Backwards: {question[::-1]}"


@pytest.mark.parametrize("one_text", [True, False])
def test_a_demonstration_is_worded_once(one_text):
    task = Twice(name="twice", raw_form=get_task("gsm8k").raw_form)
    for prompt in (task.prompt("one"), task.user_turn("one")):
        shown = [{**DEMOS[0], "prompt": prompt}]
        turns, _ = conversation_of(task, Question(0, "two"), shown, one_text=one_text)
        assert turns[0].content == ("one / again: one 1\n\ntwo / again: two" if one_text else "one")


@given(
    st.text(max_size=20),
    st.sampled_from([get_task("gsm8k"), Twice(name="t", raw_form=get_task("gsm8k").raw_form)]),
)
def test_the_question_of_a_prompt_is_found(question, task):
    assert question_in(task, task.prompt(question), in_chat=False) == question
    assert question_in(task, task.prompt(question)) == question
    assert question_in(task, question, in_chat=True) == question


def test_a_demonstration_whose_question_cannot_be_found_is_refused():
    task = Scrambled(name="scrambled", raw_form=get_task("gsm8k").raw_form)
    shown = [{**DEMOS[0], "prompt": task.prompt("one")}]
    for one_text in (True, False):
        with pytest.raises(UserError, match=r"id 7: .* the question cannot be found in this demonstration's"):
            conversation_of(task, Question(0, "two"), shown, one_text=one_text)


def test_given_away_questions_are_seen_in_either_form(thinker, tmp_path):
    assert asked(thinker, tmp_path, demonstrations=DEMOS).given_away == [0]


def test_a_model_without_a_template_cannot_be_asked_in_a_chat(tiny, tmp_path):
    with pytest.raises(UserError, match=r"the model has no chat template.*--chat FILE"):
        generate(asked(tiny, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_auto_says_that_a_model_without_a_template_is_asked_without_a_chat(tiny, thinker):
    said = []
    assert chosen_chat(ChatSettings(), Model(tiny), "transformers", tell=said.append) is None
    assert "no chat template: it is asked without a chat" in said[0]
    assert chosen_chat(ChatSettings(), Model(thinker), "vllm", tell=said.append) == ChatSettings()
    assert chosen_chat(ChatSettings(), Model("served"), "openai", tell=said.append) == ChatSettings()
    with pytest.raises(UserError, match="no chat template"):
        chosen_chat(ChatSettings(system="x"), Model(tiny), "transformers", tell=said.append)
    assert len(said) == 1


PARTS = "{% for turn in messages %}{% for part in turn.content if part.type == 'text' %}{{ part.text }}{% endfor %}{% endfor %}"
"""A template, as of some models for images, that takes messages in parts alone."""
PLAIN = "{% for message in messages %}{{ message.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "thinking", "problem"),
    [
        (PLAIN + "<think>", "off", "thinking cannot be switched off"),
        ("{{ company }}", "auto", "needs something .*'company' is undefined"),
        ("{% for %}", "auto", r"mine\.jinja:1: the chat template does not compile"),
        ("{{ raise_exception('no') }}", "auto", r"refuses this conversation \(no\)"),
        ("{% if false %}x{% endif %}", "auto", "leaves out the question"),
        (PARTS, "auto", "leaves out the question"),
        ("{{ messages[-1].content }}", "auto", "leaves out the system prompt"),
    ],
)
def test_a_template_that_cannot_be_followed_is_refused(thinker, tmp_path, template, thinking, problem):
    file = tmp_path / "mine.jinja"
    file.write_text(template)
    chat = ChatSettings(template=file, thinking=thinking, system="Think.")
    generation = asked(thinker, tmp_path / "out", chat)
    with pytest.raises(UserError, match=problem) as raised:
        generate(generation)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("thinking", ["on", "off", "auto"])
@pytest.mark.parametrize(
    ("template", "vocabulary", "cannot"),
    [
        (PLAIN, (), {"on"}),
        (PLAIN, ("<think>", "</think>"), {"off"}),
        (PLAIN + "<think>", (), {"off"}),
        (THINKING, (), set()),
        (THINKING.replace("think>", "a>"), (), set()),
    ],
)
def test_thinking_is_switched_where_there_is_a_switch(template, vocabulary, cannot, thinking):
    settings = ChatSettings(thinking=thinking)
    if thinking in cannot:
        with pytest.raises(UserError, match=r'^field "thinking": .* Use --thinking auto'):
            Chat.of(settings, ChatTemplate(template), vocabulary)
    else:
        assert Chat.of(settings, ChatTemplate(template), vocabulary).settings == settings


@pytest.mark.parametrize(
    ("field", "value"),
    [("template", ""), ("template", 3), ("system", " "), ("system", 3), ("thinking", "yes"),
     ("demonstrations", "list"), ("markers", ("a", "b"))],
)  # fmt: skip
def test_a_wrong_setting_is_named(field, value):
    with pytest.raises(UserError, match=f'^field "{field}": expected '):
        ChatSettings(**{field: value})


def test_markers_may_be_given(thinker):
    settings = ChatSettings(markers=Markers("<a>", "</a>"))
    chat = Chat.of(settings, template_of(thinker))
    assert chat.markers == Markers("<a>", "</a>")
    assert chat.recorded()["markers"] == ["<a>", "</a>"]


def test_an_engine_that_knows_no_chat_refuses_it():
    engine = Contracted("echo", Echo(Model("m")))
    with pytest.raises(UserError, match=r"engine echo cannot ask in a chat.*--chat off"):
        engine.start_chat(ChatSettings())


class Returning(Echo):
    def start_chat(self, settings):
        return self._say


def test_what_start_chat_returns_is_checked():
    with pytest.raises(UserError, match="engine mine: start_chat: expected a Chat, got 3"):
        Contracted("mine", Returning(Model("m"), say=3)).start_chat(ChatSettings())
    chat = Chat(settings=ChatSettings(), template=None, markers=None)
    assert Contracted("mine", Returning(Model("m"), say=chat)).start_chat(ChatSettings()) is chat
    turns = turns_of()
    request = chat.request(3, 1, turns)
    assert (request.turns, request.user_turn, request.system) == (*turns, "Think.")
    assert request.prompt.startswith("system: Think.\nuser: one\n")
    assert chat.recorded()["template"] == "the server's"
