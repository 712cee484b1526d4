"""Penalties, filters and draws: compared with plain computations and with transformers' own."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_factory.generating import Model, Request, Sampling, make_engine

SCORES = st.lists(st.floats(-6, 6, width=32), min_size=2, max_size=8, unique=True)


def expected_chances(scores, sampling):
    """Return each token's probability: temperature, min_p, top_k, top_p, one after the other, in floats."""
    weights = [math.exp(score / sampling.temperature) for score in scores]
    kept = set(range(len(scores)))
    kept = {i for i in kept if weights[i] >= sampling.min_p * max(weights)}
    order = sorted(kept, key=lambda i: -weights[i])
    order = order[: sampling.top_k or None]
    total, mass, nucleus = sum(weights[i] for i in order), 0.0, set()
    for i in order:
        if sampling.top_p == 1 or mass < sampling.top_p:
            nucleus.add(i)
        mass += weights[i] / total
    whole = sum(weights[i] for i in nucleus)
    return [weights[i] / whole if i in nucleus else 0.0 for i in range(len(scores))]


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 2},
        {"top_k": 1},
        {"top_k": 99},
        {"min_p": 0.3},
        {"min_p": 1.0},
        {"min_p": 0.1, "top_k": 3, "top_p": 0.8},
        {"top_k": 2, "top_p": 0.7, "temperature": 2.0},
    ],
)
def test_tokens_are_drawn_with_the_chances_that_the_filters_leave(options):
    import torch

    from w2s_factory.generating.engines.token_choice import SeededDraws

    sampling = Sampling(**{"temperature": 1.0, **options})
    scores, count = [0.1, 2.0, 1.2, 0.9, -3.0], 20_000
    draws = SeededDraws(range(count), sampling)
    drawn = draws(None, torch.tensor(scores).expand(count, -1)).argmax(dim=-1)
    seen = torch.bincount(drawn, minlength=5) / count
    expected = torch.tensor(expected_chances(scores, sampling))
    assert torch.equal(seen > 0, expected > 0)
    assert torch.allclose(seen, expected, atol=4 * (0.25 / count) ** 0.5)


@settings(max_examples=200, deadline=None)
@given(SCORES, st.floats(0.2, 3), st.floats(0, 1), st.integers(0, 9))
def test_only_tokens_that_pass_every_filter_can_be_drawn(scores, temperature, min_p, top_k):
    import torch

    from w2s_factory.generating.engines.token_choice import SeededDraws

    scores = [round(score, 2) + 0.001 * place for place, score in enumerate(scores)]  # no two round to one
    sampling = Sampling(temperature=temperature, min_p=min_p, top_k=top_k)
    left = SeededDraws([0], sampling)(None, torch.tensor([scores]))[0]
    for token, chance in enumerate(expected_chances(scores, sampling)):
        near = math.isclose(  # rounding decides at the very edge
            math.exp((scores[token] - max(scores)) / temperature), min_p, rel_tol=1e-4
        )
        assert near or bool(left[token] > 0) == (chance > 0)


@given(SCORES, st.lists(st.integers(0, 7), max_size=4), st.lists(st.integers(0, 7), max_size=4))
def test_penalties_are_those_of_the_formula(scores, prompt, written):
    import torch

    from w2s_factory.generating.engines.token_choice import Penalties

    sampling = Sampling(presence_penalty=0.5, repetition_penalty=1.5)
    size = len(scores)
    prompt, written = [0, *(t % size for t in prompt)], [t % size for t in written]
    got = Penalties([prompt], sampling)(torch.tensor([[*prompt, *written]]), torch.tensor([scores]))
    for token, score in enumerate(scores):
        expected = score
        if token in prompt or token in written:
            expected = score / 1.5 if score > 0 else score * 1.5
        expected -= 0.5 * (token in written)
        assert math.isclose(float(got[0, token]), expected, rel_tol=1e-5, abs_tol=1e-5)


def test_a_neutral_greedy_sampling_changes_no_score():
    from w2s_factory.generating.engines.token_choice import processors

    assert list(processors([0], [[1]], Sampling())) == []
    assert len(processors([0], [[1]], Sampling(temperature=1.0))) == 1


PROMPTS = ["Question: What is 1 + 2?\nAnswer:", "Question: Why?\nAnswer:"]


def greedy(tiny, sampling, batch_size):
    engine = make_engine("transformers", Model(str(tiny)), {"batch_size": batch_size})
    asked = [Request(n, 0, prompt) for n, prompt in enumerate(PROMPTS)]
    done = {one.request.id: one.text for one in engine.complete(engine.batches(asked), sampling)}
    return [done[n] for n in range(len(PROMPTS))]


def test_a_greedy_run_with_a_repetition_penalty_is_that_of_transformers(tiny):
    """Padding is part of no prompt: a batch gives what each row alone gives."""
    import torch
    from transformers import AutoModelForCausalLM

    plain, sampling = Sampling(max_tokens=24), Sampling(max_tokens=24, repetition_penalty=1.6)
    rows = greedy(tiny, sampling, 2)
    assert rows == greedy(tiny, sampling, 1) != greedy(tiny, plain, 1)
    engine = make_engine("transformers", Model(str(tiny)), {})
    model = AutoModelForCausalLM.from_pretrained(tiny)
    for prompt, row in zip(PROMPTS, rows, strict=True):
        ids = [token for token, _ in engine.tokens(prompt)]
        with torch.inference_mode():
            theirs = model.generate(
                torch.tensor([ids]), max_new_tokens=24, do_sample=False, repetition_penalty=1.6
            )[0, len(ids) :].tolist()
        while theirs and theirs[-1] in (0, 2):
            theirs.pop()
        assert row == engine._tokens.continuation(ids, theirs)


def test_a_presence_penalty_counts_the_response_alone(tiny):
    plain = greedy(tiny, Sampling(max_tokens=24), 1)
    assert greedy(tiny, Sampling(max_tokens=1, presence_penalty=2.0), 1) == greedy(
        tiny, Sampling(max_tokens=1), 1
    )
    assert greedy(tiny, Sampling(max_tokens=24, presence_penalty=2.0), 2) != plain
