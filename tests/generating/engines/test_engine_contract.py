"""Engines that do not do what they should: named with the method, and nothing of theirs is kept."""

from __future__ import annotations

import json

import pytest
from echo_engine import Echo

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating import (
    Completion,
    Generation,
    Model,
    Request,
    engines,
    generate,
    generator,
    preview,
)
from w2s_factory.records import write
from w2s_factory.tasks import get_task


def fails(*_, **__):
    raise ZeroDivisionError("division by zero")


def leaves(*_, **__):
    raise SystemExit(7)


@pytest.fixture
def generation(tmp_path):
    write(tmp_path / "questions.jsonl", [{"question": f"q{n}"} for n in range(3)])
    return Generation(
        task=get_task("gsm8k"),
        questions=tmp_path / "questions.jsonl",
        model=Model("m"),
        engine="mine",
        output_dir=tmp_path / "out",
    )


@pytest.fixture
def engine(monkeypatch):
    """Have `generate` use an engine with these attributes."""

    def use(**attributes):
        kind = type("Mine", (Echo,), attributes)
        monkeypatch.setattr(generator, "make_engine", lambda _, model, __: kind(model))

    return use


def whole(completion):
    """An engine that gives this completion of its first request last, after the good ones."""

    def complete(self, batches, sampling):
        first, *others = [request for batch in batches for request in batch]
        yield from (Completion(request, "ok", "stop", 1) for request in others)
        yield completion(first)

    return complete


BROKEN = [
    ({"settings": fails}, UserError, "settings raised ZeroDivisionError: division by zero"),
    ({"settings": lambda _: None}, UserError, "settings: expected a mapping of plain values, got None"),
    ({"settings": lambda _: {"a": {1}}}, UserError, "settings: expected a mapping of plain values, got"),
    ({"settings": lambda _: {"a": float("nan")}}, UserError, "settings: expected a mapping of plain"),
    ({"settings": None}, UserError, "has no method settings"),
    ({"packages": None}, UserError, "packages: expected a sequence of names"),
    ({"packages": "vllm"}, UserError, "packages: expected a sequence of names"),
    ({"packages": ("",)}, UserError, "packages: expected a sequence of names"),
    ({"settings": lambda _: {1: 2, "1": 3, None: 4}}, UserError, "expected a mapping whose keys are text"),
    ({"settings": lambda _: {"a": [{"b": {1: 2}}]}}, UserError, "expected a mapping whose keys are text"),
    ({"batches": fails}, UserError, "batches raised ZeroDivisionError"),
    ({"batches": lambda _, requests: requests}, UserError, "batches: expected a list of lists of requests"),
    ({"batches": lambda _, __: [["a"]]}, UserError, "batches returned other requests than it was given"),
    ({"batches": lambda _, requests: [[{}]]}, UserError, "batches: expected a list of lists of requests"),
    ({"batches": lambda _, requests: [requests[:2]]}, UserError, "batches returned other requests"),
    ({"batches": lambda _, requests: [requests, requests]}, UserError, "batches returned other requests"),
    ({"settings": leaves}, UserError, "settings raised SystemExit: 7"),
    ({"packages": property(fails)}, UserError, "packages raised ZeroDivisionError"),
    ({"complete": leaves}, DelegateError, "complete raised SystemExit: 7"),
    ({"complete": fails}, DelegateError, "complete raised ZeroDivisionError"),
    ({"complete": lambda *_: None}, UserError, "complete: expected an iterator of Completion, got None"),
    ({"complete": lambda *_: iter(())}, DelegateError, "complete left 3 requests unanswered (id 0, 1, 2)"),
]
COMPLETIONS = [
    (lambda _: None, "expected Completion objects, got None"),
    (lambda _: {"text": "x"}, "expected Completion objects, got {'text': 'x'} (dict)"),
    (lambda r: Completion(r, None, "stop", 1), "a Completion (question 0) whose text is text, got None"),
    (lambda r: Completion(r, b"x", "stop", 1), "whose text is text, got b'x' (bytes)"),
    (
        lambda r: Completion(r, "x", "eos", 1),
        'whose finish is "stop" or "length", or "error" with an error, got \'eos\' (str)',
    ),
    (
        lambda r: Completion(r, "x", ["stop"], 1),
        'whose finish is "stop" or "length", or "error" with an error, got',
    ),
    (
        lambda r: Completion(r, "x", "stop", "7"),
        "whose tokens is a whole number from 0 to 2**63 - 1, or None, got '7'",
    ),
    (
        lambda r: Completion(r, "x", "stop", 1.5),
        "whose tokens is a whole number from 0 to 2**63 - 1, or None, got 1.5",
    ),
    (
        lambda r: Completion(r, "x", "stop", True),
        "whose tokens is a whole number from 0 to 2**63 - 1, or None, got True",
    ),
    (
        lambda r: Completion(r, "x", "stop", -1),
        "whose tokens is a whole number from 0 to 2**63 - 1, or None, got -1",
    ),
    (
        lambda r: Completion(r, "x", "stop", 2**80),
        "whose tokens is a whole number from 0 to 2**63 - 1, or None",
    ),
    (lambda _: Completion(Request(9, 0, "p"), "x", "stop", 1), "a Completion of a request it was given, got"),
    (lambda r: Completion(Request(0, 5, r.prompt), "x", "stop", 1), "a Completion of a request it was given"),
    (lambda _: Completion(0, "x", "stop", 1), "a Completion of a request it was given, got 0 (int)"),
]


@pytest.mark.parametrize(("attributes", "kind", "message"), BROKEN)
def test_a_broken_engine_is_named_with_the_method(generation, engine, attributes, kind, message):
    engine(**attributes)
    with pytest.raises(kind) as caught:
        generate(generation)
    assert str(caught.value).startswith("engine mine")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("completion", "message"), COMPLETIONS)
def test_a_bad_completion_is_not_kept(generation, engine, tmp_path, completion, message):
    engine(complete=whole(completion))
    with pytest.raises(UserError) as caught:
        generate(generation)
    assert str(caught.value).startswith("engine mine: complete: expected ")
    assert message in str(caught.value)
    entries = (tmp_path / "out/output.journal.jsonl").read_text().splitlines()[1:]
    assert [json.loads(entry)["id"] for entry in entries] == [1, 2]
    engine()
    [made] = generate(generation)
    assert made.rows == 3


@pytest.mark.parametrize("tokens", ["abc", [1, 2], [(1,)], [("a", "b")], [(1, 2)], 5])
def test_tokens_of_the_wrong_type(generation, engine, tokens):
    engine(tokens=lambda *_: tokens)
    with pytest.raises(UserError, match="engine mine: tokens: expected a list of pairs"):
        preview(generation)


def test_settings_that_json_writes_otherwise_are_still_the_same_run(generation, engine):
    engine(settings=lambda _: {"stops": ("a", "b")})
    generate(generation)
    generate(generation)


def test_an_engine_that_cannot_be_made(monkeypatch):
    monkeypatch.setattr(engines, "_factory", lambda _: lambda model: fails())
    with pytest.raises(
        UserError, match=r"engine mine cannot be created \(ZeroDivisionError: division by zero\)"
    ):
        engines.make_engine("mine", Model("m"), {})


def test_an_engine_that_leaves_when_it_is_made(monkeypatch):
    monkeypatch.setattr(engines, "_factory", lambda _: lambda model: leaves())
    with pytest.raises(UserError, match=r"engine mine cannot be created \(SystemExit: 7\)"):
        engines.make_engine("mine", Model("m"), {})


ENTRIES = [
    {"id": 0, "seed": 0, "text": None, "finish": "stop", "tokens": 1},
    {"id": 0, "seed": 0, "finish": "stop", "tokens": 1},
    {"seed": 0, "text": "x", "finish": "stop", "tokens": 1},
    {"id": 77, "seed": 0, "text": "x", "finish": "stop", "tokens": 1},
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bad_entry_of_a_journal_is_refused(generation, engine, tmp_path, entry):
    engine(complete=whole(fails))
    with pytest.raises(DelegateError):
        generate(generation)
    journal = tmp_path / "out/output.journal.jsonl"
    with journal.open("a") as file:
        file.write(json.dumps(entry) + "\n")
    engine()
    with pytest.raises(UserError, match=rf"^{journal}:4: field .*not an entry of this run.*--restart"):
        generate(generation)
    assert generate(generation, restart=True)[0].rows == 3
