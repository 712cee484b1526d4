"""Requests that an engine refuses: kept with their reasons, counted as unanswered, requested again when asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from echo_engine import Echo
from small_runs import asking, rows

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating import (
    Completion,
    Request,
    Sampling,
    generate,
    generator,
    merge_shards,
)
from w2s_factory.records import write

COUNT = 250


class Refusing(Echo):
    """Refuses the questions in `refused` when it is asked, those in `foreseen` before."""

    refused: set
    foreseen: set

    def unanswerable(self, requests):
        return [
            Completion.refused(each, "the prompt is too long")
            for each in requests
            if each.id in self.foreseen
        ]

    def complete(self, batches, sampling):
        for done in super().complete(batches, sampling):
            refused = done.request.id in self.refused
            yield Completion.refused(done.request, "the server answers 400") if refused else done


@pytest.fixture
def engine(monkeypatch):
    """Have `generate` use an engine that refuses these questions."""

    def use(refused=(), foreseen=()):
        kind = type("Mine", (Refusing,), {"refused": set(refused), "foreseen": set(foreseen)})
        monkeypatch.setattr(generator, "make_engine", lambda _, model, __: kind(model))
        Echo.asked = []

    return use


@pytest.fixture
def generation(tmp_path):
    return asking(tmp_path, COUNT, engine="mine")


def test_a_refused_request_is_unanswered_and_the_run_goes_on(generation, engine):
    engine(refused=[5], foreseen=[7])
    said = []
    [made] = generate(generation, tell=said.append)
    assert (made.rows, made.failed) == (COUNT, 2)
    written = rows(made.file)
    assert written[5] == {
        "id": 5, "prompt": "Question: q5\nAnswer:", "response": "", "error": "the server answers 400",
    }  # fmt: skip
    assert written[7]["error"] == "the prompt is too long"
    assert [list(row) for n, row in enumerate(written) if n not in (5, 7)] == [
        ["id", "prompt", "response"]
    ] * (COUNT - 2)
    assert said == [
        "2 of 250 requests failed (id 7, 5; the first: the prompt is too long); they count as unanswered, "
        "and --retry-failed requests them again"
    ]
    kept = rows(made.file.with_name("output.journal.jsonl"))[1:]
    assert kept[0] == {
        "id": 7, "seed": 0, "text": "", "finish": "error", "tokens": None, "error": "the prompt is too long",
    }  # fmt: skip
    assert rows(made.file.with_name("manifest.jsonl"))[-1]["failed"] == 2


def test_only_failed_requests_are_requested_again(generation, engine):
    engine(refused=[5, 6])
    generate(generation)
    engine()
    [same] = generate(generation)
    assert (same.failed, Echo.asked) == (2, [])
    [made] = generate(generation, retry_failed=True)
    asked = {name for _, name in Echo.asked}
    assert {5, 6} <= asked <= {4, 5, 6, 7}  # the batches of two are completed as wholes
    assert made.failed == 0
    assert rows(made.file)[5] == {"id": 5, "prompt": "Question: q5\nAnswer:", "response": "echo 5 0"}
    again = generate(generation)[0]
    assert (again.failed, rows(again.file)) == (0, rows(made.file))


def test_what_fails_again_stays_failed(generation, engine):
    engine(refused=[5])
    generate(generation)
    generate(generation, retry_failed=True)
    [made] = generate(generation)
    assert made.failed == 1
    assert [row["id"] for row in rows(made.file.with_name("output.journal.jsonl"))[1:]].count(5) == 2


@pytest.mark.parametrize(("share", "allowed"), [(0, 0), (0.001, 1), (0.01, 3), (0.02, 5), (1, COUNT)])
def test_more_failures_than_allowed_end_the_run(generation, engine, share, allowed):
    engine(refused=range(allowed))
    assert generate(generation, max_failures=share)[0].failed == allowed
    if allowed == COUNT:
        return
    engine(refused=range(allowed + 1))
    message = (
        rf"^{allowed + 1} of 250 requests failed .*more than --max-failures {share:g} allows \({allowed}\)"
    )
    with pytest.raises(DelegateError, match=message):
        generate(generation, max_failures=share, restart=True)


def test_a_run_that_failed_keeps_what_is_finished_and_continues(generation, engine):
    engine(refused=range(100, 110))
    with pytest.raises(DelegateError):
        generate(generation)
    assert not (generation.output_dir / "output.jsonl").exists()
    kept = len(rows(generation.output_dir / "output.journal.jsonl")) - 1
    assert 100 < kept < COUNT
    with pytest.raises(UserError, match="more than --max-failures"):  # known before the first request
        generate(generation)
    assert generate(generation, max_failures=0.5)[0].failed == 10
    engine()
    assert generate(generation, retry_failed=True)[0].failed == 0


def test_too_long_prompts_end_the_run_before_the_first_request(generation, engine):
    engine(foreseen=range(10, 20))
    with pytest.raises(
        UserError, match=r"^10 of 250 requests failed \(id 10, 11, 12 \.\.\.; the first: the prompt"
    ):
        generate(generation)
    assert Echo.asked == []


def test_a_run_of_which_everything_fails_is_no_success(generation, engine):
    engine(refused=[0])
    with pytest.raises(
        DelegateError, match=r"^1 of 1 requests failed \(id 0; the server answers 400\), more than"
    ):
        generate(replace(generation, limit=1))
    assert generate(replace(generation, limit=2), restart=True)[0].failed == 1


def test_failures_are_counted_over_all_samples(generation, engine):
    engine(refused=[1])
    sampled = replace(generation, sampling=Sampling(temperature=1.0), seeds=[0, 1], limit=20)
    assert sum(part.failed for part in generate(sampled, max_failures=0.05)) == 2
    with pytest.raises(DelegateError, match=r"2 of 40 requests failed .* allows \(1\)"):
        generate(sampled, max_failures=0.02, restart=True)


def test_merged_shards_keep_the_errors(generation, engine):
    engine(refused=[5])
    for shard in ("1/2", "2/2"):
        generate(replace(generation, shard=shard))
    [merged] = merge_shards(generation.output_dir)
    assert [row["id"] for row in rows(merged) if "error" in row] == [5]


def test_a_share_out_of_range_is_refused(generation, engine):
    engine()
    with pytest.raises(UserError, match=r'^field "max_failures": expected a number from 0 to 1, got 2'):
        generate(generation, max_failures=2)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda _: None, "unanswerable: expected a list of Completion, got None"),
        (lambda rs: [Completion(rs[0], "x", "stop", 1)], "unanswerable: expected completions with an error"),
        (lambda rs: [Completion(rs[0], "x", "error", 1, "why")], "whose error is None, or with the finish"),
        (lambda rs: [Completion(rs[0], "", "error", 1, " ")], "whose error is None, or with the finish"),
        (lambda rs: [Completion(rs[0], "", "error", 1)], "whose error is None, or with the finish"),
        (lambda rs: [Completion(rs[0], "", "stop", 1, "why")], "whose error is None, or with the finish"),
        (lambda _: [Completion.refused(Request(999, 0, "p"), "why")], "a Completion of a request it was given"),
    ],
)  # fmt: skip
def test_an_engine_that_foresees_wrongly_is_named(generation, monkeypatch, found, message):
    kind = type("Mine", (Echo,), {"unanswerable": lambda _, requests: found(requests)})
    monkeypatch.setattr(generator, "make_engine", lambda _, model, __: kind(model))
    with pytest.raises(UserError) as caught:
        generate(generation)
    assert str(caught.value).startswith("engine mine: ")
    assert message in str(caught.value)


def test_demonstrations_are_named_where_a_prompt_is_too_long(generation, engine, tmp_path):
    shown = [{"id": n, "prompt": "Question: p\nAnswer:", "response": "r" * 30} for n in (901, 902)]
    write(tmp_path / "demos.jsonl", [{**each, "source": "", "sha256": ""} for each in shown])
    with_them = replace(generation, demonstrations=tmp_path / "demos.jsonl")
    engine(foreseen=range(COUNT))
    message = r"too long; its 2 demonstrations have 98 characters\), .*Give fewer or shorter demonstrations"
    with pytest.raises(UserError, match=message):
        generate(with_them, restart=True)
    engine(refused=range(COUNT))
    with pytest.raises(DelegateError, match=r"answers 400\), .* Remove the cause"):
        generate(with_them, restart=True)
    engine(foreseen=range(COUNT))
    with pytest.raises(UserError, match=r"too long\), .* Remove the cause"):
        generate(generation, restart=True)
