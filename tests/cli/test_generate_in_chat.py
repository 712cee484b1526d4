"""`generate --chat` as a user meets it: what is shown and written, and what is refused with nothing written."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.conftest import ROOT
from w2s_factory.shipped import shipped

sys.path.insert(0, str(ROOT / "tests/generating"))
from tiny_models import make_chat_model

TINY = shipped("data", "models", "tiny_llama")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("transformers")
    return make_chat_model(tmp_path_factory.mktemp("chat"))


@pytest.fixture
def ask(w2s, tmp_path, model):
    """Run `generate` on two questions with more options; the folder holds a template for every mistake."""
    folder = tmp_path / "cwd"
    (folder / "q.jsonl").write_text('{"question": "there and together"}\n{"question": "there"}\n')
    (folder / "bad.jinja").write_text("{{ messages[0].content }}\n{% if %}")
    (folder / "lacking.jinja").write_text("{{ company }}{{ messages[0].content }}")
    (folder / "plain.jinja").write_text("{{ messages[-1].content }}")
    (folder / "no_system.jinja").write_text(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}x"
    )

    def run(*options, of=model, code=0):
        given = ["--task", "gsm8k", "--questions", "q.jsonl", "--engine", "transformers", "--model", of]
        return w2s("generate", *given, "--max-tokens", 20, "--output-dir", "out", *options, code=code)

    return run


def test_rows_of_a_chat(ask, tmp_path):
    ask("--chat", "on", "--system", "them", "--thinking", "on")
    rows = [json.loads(line) for line in (tmp_path / "cwd/out/output.jsonl").read_text().splitlines()]
    response = "<think>there and together</think>5"
    assert rows[0] == {"id": 0, "prompt": "there and together", "response": response, "system": "them"}
    header = json.loads((tmp_path / "cwd/out/output.journal.jsonl").read_text().splitlines()[0])
    assert header["settings"]["stop"] == []
    assert header["settings"]["chat"]["thinking"] == "on"


def test_an_empty_system_prompt_is_none(ask):
    shown = ask("--chat", "on", "--system", "", "--dry-run").stdout
    assert shown == ask("--chat", "on", "--dry-run").stdout
    assert "'system': None" in " ".join(shown.split())


def test_a_dry_run_shows_the_rendered_prompt_and_its_tokens(ask, tmp_path):
    shown = ask("--chat", "auto", "--thinking", "off", "--stop", "them", "--dry-run").stdout
    assert "<|user|>there and together<|end|><|assistant|><think></think>" in shown
    assert "its 8 tokens: 199:<|user|> 99:there" in shown
    assert "stop: ['them']" in shown
    assert "chat: {'template': 'sha256:" in shown
    assert not (tmp_path / "cwd/out").exists()


def test_without_a_chat_nothing_changes(ask):
    shown = ask("--dry-run").stdout
    assert "Question: there and together\nAnswer:\n" in shown
    assert "stop: ['Question', 'Answer']" in shown
    assert "chat:" not in shown


def test_auto_falls_back_with_a_note(ask):
    done = ask("--chat", "auto", "--dry-run", of=TINY)
    assert (
        "the model has no chat template: it is asked without a chat, in the task's own format" in done.stderr
    )
    assert "Question: there and together\nAnswer:\n" in done.stdout
    assert "stop: ['Question', 'Answer']" in done.stdout


REFUSED = {
    "no template": (
        ["--chat", "on"],
        TINY,
        "the model has no chat template. Name a Jinja file with --chat FILE",
    ),
    "auto with a system prompt": (
        ["--chat", "auto", "--system", "x"],
        TINY,
        "the model has no chat template",
    ),
    "no such file": (["--chat", "of"], None, 'of: field "--chat": no such file; expected auto, on, off, or'),
    "syntax": (["--chat", "bad.jinja"], None, "bad.jinja:2: the chat template does not compile"),
    "variable": (["--chat", "lacking.jinja"], None, "lacking.jinja: .* not given: 'company' is undefined"),
    "system": (
        ["--chat", "no_system.jinja", "--system", "x"],
        None,
        "refuses this conversation .no system role.",
    ),
    "no thinking": (["--chat", "plain.jinja", "--thinking", "on"], TINY, "no thinking to switch on"),
    "no switch": (["--chat", "plain.jinja", "--thinking", "off"], None, "thinking cannot be switched off"),
    "option without chat": (
        ["--system", "x"],
        None,
        'field "--system": is read only in a chat. Add --chat on',
    ),
    "one marker": (
        ["--chat", "on", "--reasoning-end", "x"],
        None,
        'field "--reasoning-start": is needed, too',
    ),
    "blank system": (
        ["--chat", "on", "--system", " "],
        None,
        'expected a system prompt, or "" for none, got a blank text',
    ),
    "bos": (["--chat", "on", "--bos", "add"], None, 'field "--bos": in a chat the template writes'),
}


@pytest.mark.parametrize(("options", "of", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_is_refused_in_one_line(ask, tmp_path, model, options, of, problem):
    done = ask(*options, of=of or model, code=2)
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert re.search(problem, errors[0])
    assert not (tmp_path / "cwd/out").exists()
