"""The contract: the same request gives the same row, whichever engine it is given to.

`transformers` and `openai` (against a server over the same model) run everywhere; `vllm` in process and
`vllm-server` where vLLM is installed.
"""

from __future__ import annotations

import json
from functools import cache

import pytest

from w2s_factory.generating import Generation, Model, Request, Sampling, generate, make_engine
from w2s_factory.tasks import get_task

KINDS = [
    "transformers",
    "openai",
    pytest.param("vllm", marks=pytest.mark.vllm),
    pytest.param("vllm-server", marks=pytest.mark.vllm),
]
GREEDY = Sampling(max_tokens=24)
ARITHMETIC = get_task("arithmetic")


@pytest.fixture(scope="module")
def reference(tiny):
    """What every engine is compared to: the model in float32, a request at a time."""
    return make_engine("transformers", Model(str(tiny)), {"batch_size": 1})


@pytest.fixture(params=KINDS)
def make(request, tiny):
    """`make(bos="none")` gives an engine over the tiny model, its name and its options."""

    def made(**model):
        if request.param in ("openai", "vllm-server"):
            fixture = "server" if request.param == "openai" else "vllm_server"
            return "openai", Model("tiny", **model), {"base_url": request.getfixturevalue(fixture).url}
        if request.param == "vllm":
            return "vllm", Model(str(tiny), **model), request.getfixturevalue("vllm_options")
        return "transformers", Model(str(tiny), **model), {"batch_size": 5}

    return made


@pytest.fixture
def engine(make):
    name, model, options = make()
    engine = make_engine(name, model, options)
    yield engine
    engine.close()


def requests(count=12, seed=0):
    questions = ["What is 1 + 2?", "There are 3 boxes with 16 pears each. How many pears are there?", "Why?"]
    return [Request(n, seed, ARITHMETIC.prompt(f"{questions[n % 3]} {n}")) for n in range(count)]


def completed(engine, asked, sampling):
    done = list(engine.complete(engine.batches(asked), sampling))
    assert sorted(one.request.id for one in done) == sorted(one.id for one in asked)
    return {one.request.id: (one.text, one.finish, one.tokens) for one in done}


@pytest.fixture(scope="module")
def expected(reference):
    """The reference's answers to the requests, by the settings of sampling: each is computed once."""
    return cache(lambda sampling: completed(reference, requests(), sampling))


def test_settings_are_plain_and_stay(engine):
    assert json.loads(json.dumps(engine.settings())) == engine.settings()
    assert engine.settings() == engine.settings()
    assert {"model", "adapter", "bos"} <= set(engine.settings())


def test_batches_are_every_request_once_and_the_same_each_time(engine):
    asked = requests()
    batches = [list(batch) for batch in engine.batches(asked)]
    assert sorted(one.id for batch in batches for one in batch) == list(range(12))
    assert batches == [list(batch) for batch in engine.batches(asked)]


def test_greedy_rows(engine, expected):
    rows = completed(engine, requests(), GREEDY)
    assert rows == expected(GREEDY)
    assert len({text for text, _, _ in rows.values()}) > 6
    assert {finish for _, finish, _ in rows.values()} <= {"stop", "length"}
    assert all(tokens == 24 for _, finish, tokens in rows.values() if finish == "length")


def test_a_stop_text_ends_a_response_and_is_no_part_of_it(engine, expected):
    unstopped = expected(GREEDY)
    stop = tuple(sorted({text[5:9] for text, finish, _ in unstopped.values() if len(text) > 20}))[:2]
    assert stop
    rows = completed(engine, requests(), Sampling(max_tokens=24, stop=stop))
    for id_, (text, finish, _) in rows.items():
        before = unstopped[id_][0]
        places = [before.find(one) for one in stop if one in before]
        assert text == (before[: min(places)] if places else before)
        assert finish == ("stop" if places else unstopped[id_][1])


@pytest.mark.parametrize(
    "penalties",
    [
        pytest.param({"repetition_penalty": 1.5}, marks=pytest.mark.slow),
        pytest.param({"presence_penalty": 1.5}, marks=pytest.mark.slow),
        {"repetition_penalty": 0.8, "presence_penalty": -0.5},
    ],
)
def test_penalties_change_greedy_rows_alike(engine, expected, penalties):
    sampling = Sampling(max_tokens=24, **penalties)
    rows = completed(engine, requests(), sampling)
    assert rows == expected(sampling) != expected(GREEDY)


@pytest.mark.parametrize(
    "filters",
    [
        {"top_k": 1},
        pytest.param({"min_p": 1.0}, marks=pytest.mark.slow),
        {"top_k": 3, "min_p": 1.0, "top_p": 0.9},
    ],
)
def test_filters_that_leave_one_token_make_draws_greedy(engine, expected, filters):
    sampling = Sampling(temperature=1.0, max_tokens=24, **filters)
    assert completed(engine, requests(), sampling) == expected(GREEDY)


def test_a_prompt_that_fills_the_context_is_refused_alone(engine, reference):
    long, *others = requests()
    long = Request(long.id, long.seed, "a" + " 1" * 600)
    done = {
        one.request.id: one
        for one in engine.complete(engine.batches([long, *others]), Sampling(max_tokens=8))
    }
    refused = done.pop(long.id)
    assert (refused.text, refused.finish, refused.tokens) == ("", "error", None)
    assert refused.error
    rows = {name: (one.text, one.finish, one.tokens) for name, one in done.items()}
    assert rows == completed(reference, others, Sampling(max_tokens=8))
    foresee = getattr(engine, "unanswerable", lambda _: [refused])  # a server refuses it when it is asked
    assert [one.request for one in foresee([long, *others])] == [long]


def test_a_drawn_response_depends_on_its_own_seed_alone(engine):
    sampling = Sampling(temperature=1.0, max_tokens=16)
    rows = completed(engine, requests(), sampling)
    assert completed(engine, requests(), sampling) == rows
    few = completed(engine, requests()[3:7], sampling)
    assert few == {id_: rows[id_] for id_ in few}
    others = completed(engine, requests(seed=1), sampling)
    assert sum(others[id_] != rows[id_] for id_ in rows) > 8


def test_nothing_to_do(engine):
    assert list(engine.complete([], GREEDY)) == []


def test_no_bos(make, tiny, reference):
    """The shipped tokenizer adds none by itself, so that only `add` changes anything here."""
    name, model, options = make(bos="none")
    engine = make_engine(name, model, options)
    try:
        assert completed(engine, requests(3), GREEDY) == completed(reference, requests(3), GREEDY)
        assert engine.settings()["bos"] == "none"
    finally:
        engine.close()


def test_the_same_files(make, tmp_path, tiny):
    name, model, options = make()
    files = [
        generate(
            Generation(
                task=ARITHMETIC,
                questions=ARITHMETIC.path(ARITHMETIC.splits["dev"].test),
                model=model,
                output_dir=tmp_path / folder,
                sampling=Sampling(max_tokens=24, stop=ARITHMETIC.stop),
                engine=name,
                engine_options=options,
                limit=20,
            )
        )[0].file
        for folder, name, model, options in [
            ("it", name, model, options),
            ("reference", "transformers", Model(str(tiny)), {"batch_size": 16}),
        ]
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
