"""Pairs of two samples: by consistency, by gold; and the published pairs with their sides swapped by a coin."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from w2s_factory import UserError, vote
from w2s_factory.building import (
    ConsistencyRules,
    PairDraws,
    PairRules,
    PairSource,
    PairThresholds,
    PromptForm,
    Recipe,
    ResponseRule,
    build_consistency_pairs,
    build_gold_pairs,
    build_stage2,
    explain_pair,
)
from w2s_factory.building.pair_explanation import pair_kind
from w2s_factory.building.pairs import EMPTY, UNSURE
from w2s_factory.building.sample_pools import (
    NO_GOLD,
    NONE_RIGHT,
    NONE_WRONG,
    TIED,
    UNANIMOUS,
    Pools,
    consistency_pools,
    draw_pairs,
    gold_pools,
)
from w2s_factory.building.voted_samples import VotedSamples, samples_of
from w2s_factory.records import last_facts, read, read_pairs, rows, write

GOLD = "1"


def sample(seed: int, answer: str, **more):
    """Return a sample whose text names its seed; `_` stands for no answer."""
    pred = answer.replace("_", "")
    return {"response": f"sample {seed}: {answer}", "pred": pred, "result": pred == GOLD} | more


def ballot(answers: str, name=0, **changes):
    """The vote on a question whose samples have these answers, a letter each, in the order of their seeds."""
    top = Counter(answers).most_common(1)[0][0]
    pools = {True: [], False: []}
    for seed, answer in enumerate(answers):
        pools[answer == top].append(sample(seed, answer))
    return {
        "id": name,
        "prompt": f"Question: {name}?\nAnswer:",
        "gold": GOLD,
        "pos_responses": pools[True],
        "neg_responses": pools[False],
        "confidence": len(pools[True]) / len(answers),
    } | changes


def voted(answers: str) -> VotedSamples:
    row = ballot(answers)
    both = samples_of(row)
    return VotedSamples(row, tuple(one["response"] for one in both), tuple(one["pred"] for one in both))


def answers_of(pools: Pools, of: VotedSamples) -> tuple[str, str]:
    """The answers in both pools, each sample's one letter."""
    return tuple("".join(of.answers[number] for number in pool) for pool in pools)


CONSISTENCY = [
    ("1111111123", 0.6, ("11111111", "23")),  # both are least frequent: the draw decides
    ("1111111223", 0.6, ("1111111", "3")),
    ("1111112233", 0.6, ("111111", "2233")),
    ("1121111131", 0.6, ("11111111", "23")),
    ("1111112_22", 0.6, ("111111", "222")),  # no answer is no answer to reject, however rare
    ("11111111__", 0.6, UNANIMOUS),
    ("1111111111", 0.6, UNANIMOUS),
    ("1111111111", 1.0, UNANIMOUS),
    ("1111122222", 0.6, UNSURE),
    ("1111122222", 0.5, TIED),
    ("1111122223", 0.5, ("11111", "3")),
    ("123", 0.0, TIED),
    ("_______122", 0.6, EMPTY),
    ("__________", 0.0, EMPTY),
    ("2222222211", 0.8, ("22222222", "11")),  # gold is 1: nobody looks
]


@pytest.mark.parametrize(("answers", "least", "expected"), CONSISTENCY)
def test_the_most_frequent_answer_against_the_least_frequent(answers, least, expected):
    question = voted(answers)
    found = consistency_pools(question, least)
    assert (found if isinstance(found, str) else answers_of(found, question)) == expected


GOLDS = [
    ("1111112222", ("111111", "2222")),
    ("2222222221", ("1", "222222222")),
    ("2222_1", ("1", "2222")),
    ("1111", NONE_WRONG),
    ("2233", NONE_RIGHT),
]


@pytest.mark.parametrize(("answers", "expected"), GOLDS)
def test_right_against_wrong_however_they_voted(answers, expected):
    question = voted(answers)
    found = gold_pools(question)
    assert (found if isinstance(found, str) else answers_of(found, question)) == expected


def test_unknown_verdicts_give_no_gold_pair():
    row = ballot("1122")
    del row["neg_responses"][0]["result"]
    assert gold_pools(VotedSamples(row, ("a", "b", "c", "d"), ("1", "1", "2", "2"))) == NO_GOLD


def test_equal_texts_and_untrainable_samples_are_in_no_pool():
    row = ballot("111122")
    texts = ("same", "same", None, "other", "same", "rare")
    assert consistency_pools(VotedSamples(row, texts, tuple("111122")), 0.6) == Pools([0, 1, 3], [5])
    without = (*texts[:4], "same", "same")
    assert "same text" in consistency_pools(VotedSamples(row, without, tuple("111122")), 0.6)
    nothing = (None,) * 4 + ("a", "b")
    assert "can be trained on" in consistency_pools(VotedSamples(row, nothing, ("",) * 4 + ("2", "2")), 0.6)


QUESTIONS = st.lists(st.text("1234_", min_size=2, max_size=9), min_size=1, max_size=12)


@given(st.text("1234_", min_size=2, max_size=9), st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_no_answer_of_a_chosen_sample_is_rarer_than_one_of_a_rejected_sample(answers, least):
    question = voted(answers)
    found = consistency_pools(question, least)
    assume(not isinstance(found, str))
    counts = Counter(question.answers)
    frequent, rare = ({counts[question.answers[number]] for number in pool} for pool in found)
    assert len(frequent) == len(rare) == 1
    assert max(rare) < min(frequent) == max(counts.values())
    assert max(rare) == min(count for answer, count in counts.items() if answer)
    assert question.vote["confidence"] >= least


@settings(max_examples=40)
@given(QUESTIONS, st.integers(1, 4), st.integers(0, 10**6), st.booleans())
def test_pairs_of_a_question_share_no_sample_and_depend_on_the_seed_alone(questions, most, seed, drop):
    votes = [ballot(answers, name) for name, answers in enumerate(questions)]
    rules = ConsistencyRules(min_confidence=0.2, pairs_per_question=most, seed=seed, drop_duplicates=drop)
    selected = [consistency_pools(voted(answers), 0.2) for answers in questions]
    if all(isinstance(each, str) for each in selected):
        with pytest.raises(UserError, match="gives a pair"):
            build_consistency_pairs("gsm8k", votes, rules=rules)
        return
    made = build_consistency_pairs("gsm8k", votes, rules=rules)
    pairs = [*read_pairs(made.built.file)]
    assert [*read_pairs(build_consistency_pairs("gsm8k", votes, rules=rules).built.file)] == pairs
    assert made.counts.pairs == len(pairs) == len([*read(made.origins, rows.ANY)])
    assert made.counts.questions == len(questions)
    with_pairs = {pair["id"] for pair in pairs}
    assert sum(made.counts.skipped.values()) == len(questions) - len(with_pairs)
    for name in with_pairs:
        of = [pair for pair in pairs if pair["id"] == name]
        texts = [text for pair in of for text in pair["output"]]
        assert len(of) <= most
        assert len(set(texts)) == len(texts)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
def test_as_many_pairs_as_wanted_or_as_the_smaller_pool_has(most, chosen, rejected):
    pools = Pools(list(range(chosen)), list(range(chosen, chosen + rejected)))
    texts = [str(number) for number in range(chosen + rejected)]
    pairs = draw_pairs(pools, texts, PairDraws(pairs_per_question=most), random.Random(1))
    assert len(pairs) == min(most, chosen, rejected)
    same = draw_pairs(pools, ["a"] * chosen + ["b"] * rejected,
                      PairDraws(pairs_per_question=most, drop_duplicates=True), random.Random(1))  # fmt: skip
    assert same == pairs[:1]


ANSWERS = ["1111111123", "1111122222", "2222222211", "1111111111", "111_111122"]


@pytest.fixture
def votes(tmp_path):
    write(tmp_path / "votes.jsonl", [ballot(answers, name) for name, answers in enumerate(ANSWERS)])
    return tmp_path / "votes.jsonl"


def pair(name: int, chosen: str, rejected: str):
    return {
        "id": name,
        "instruction": f"Question: {name}?\nAnswer:",
        "input": "",
        "output": [chosen, rejected],
    }


GOLDEN = [
    pair(0, "sample 1: 1", "sample 8: 2"),
    pair(2, "sample 4: 2", "sample 8: 1"),
    pair(4, "sample 1: 1", "sample 8: 2"),
]
"""The pairs of `ANSWERS` with the seed 42."""


def test_the_files_of_a_tiny_case(votes, tmp_path):
    made = build_consistency_pairs("gsm8k", votes, tmp_path / "out/pairs.json", form="release")
    assert made.built.file.read_bytes() == json.dumps(GOLDEN, indent=4, ensure_ascii=False).encode()
    assert made.counts.skipped == {UNSURE: 1, EMPTY: 0, UNANIMOUS: 1, TIED: 0}
    assert (made.counts.chosen.right, made.counts.chosen.known, made.counts.rejected.right) == (2, 3, 1)
    first = json.loads(made.origins.read_text().splitlines()[0])
    assert first == {
        "id": 0,
        "prompt": "Question: 0?\nAnswer:",
        "confidence": 0.8,
        "votes": {"1": 8, "2": 1, "3": 1},
        "chosen": {"pool": "pos_responses", "place": 1, "seed": None, "pred": "1", "result": True},
        "rejected": {"pool": "neg_responses", "place": 0, "seed": None, "pred": "2", "result": False},
    }
    facts = last_facts(made.built.file)
    rules = {"pairs_per_question": 1, "seed": 42, "drop_duplicates": False, "min_confidence": 0.6}
    assert (facts["pairs"], facts["rules"]) == ("consistency", rules)
    index = json.loads((tmp_path / "out/dataset_info.json").read_text())
    assert index["pairs"]["ranking"] is True


def test_columns_the_chat_form_and_the_config_are_those_of_published_pairs(votes, tmp_path):
    made = build_consistency_pairs(
        "gsm8k",
        votes,
        tmp_path / "out/pairs.json",
        form="columns",
        prompt_form=PromptForm(chat=True, system="Think."),
        recipe=Recipe(preset="chat_dpo", model="some/model", version="0.9.5", settings={"template": "qwen3"}),
    )
    first = json.loads(made.built.file.read_text())[0]
    assert (first["chosen"], first["rejected"], first["system"]) == ("sample 1: 1", "sample 8: 2", "Think.")
    assert first["instruction"] == "0?"
    assert "dataset: pairs" in made.built.config.read_text()


def by_seed(answers: list[str], folder):
    """Write the samples of questions as the results of each seed."""
    for seed in range(len(answers[0])):
        found = [
            {"id": name, "prompt": f"Question: {name}?\nAnswer:", "gold": GOLD} | sample(seed, letters[seed])
            for name, letters in enumerate(answers)
        ]
        write(folder / f"seed{seed}/results.jsonl", found)
    return folder


def test_the_seed_of_each_side_is_found_and_told(tmp_path):
    samples = by_seed(ANSWERS, tmp_path / "t1.0")
    vote(samples, tmp_path / "votes.jsonl", task="gsm8k")
    made = build_consistency_pairs(
        "gsm8k", tmp_path / "votes.jsonl", tmp_path / "pairs.json", samples=samples
    )
    found = [json.loads(line) for line in made.origins.read_text().splitlines()]
    for origin, row in zip(found, read_pairs(made.built.file), strict=True):
        for side, text in zip(("chosen", "rejected"), row["output"], strict=True):
            assert text.startswith(f"sample {origin[side]['seed']}: ")
    story = explain_pair(made.built.file, "2")
    assert story.splitlines()[1:] == [
        "Answer:",
        "votes: 2 8x, 1 2x (confidence 0.80)",
        "pair: chosen is the sample of seed 4, answer 2 (wrong); rejected is the sample of seed 8, answer 1 (right)",
    ]
    with pytest.raises(UserError, match=r'no pair of the question "1".*--task and --votes'):
        explain_pair(made.built.file, "1")
    source = PairSource("gsm8k", None, tmp_path / "votes.jsonl", ConsistencyRules())
    assert explain_pair(made.built.file, "1", source).endswith(f"no pair: {UNSURE}")
    lower = PairSource("gsm8k", None, tmp_path / "votes.jsonl", ConsistencyRules(min_confidence=0))
    assert explain_pair(made.built.file, "1", lower).endswith(f"no pair: {TIED}")


def test_gold_pairs_are_explained_by_their_own_rule(tmp_path):
    votes = [ballot(answers, name) for name, answers in enumerate(["1112", "1111", "2222", "3312"])]
    write(tmp_path / "votes.jsonl", votes)
    made = build_gold_pairs("gsm8k", tmp_path / "votes.jsonl", tmp_path / "pairs.json")
    assert pair_kind(made.built.file) == "gold"
    source = PairSource("gsm8k", None, tmp_path / "votes.jsonl", PairDraws())
    for name, reason in (("1", NONE_WRONG), ("2", NONE_RIGHT)):
        assert explain_pair(made.built.file, name, source).endswith(f"no pair: {reason}")
    for rules in (ConsistencyRules(), PairThresholds()):
        other = PairSource("gsm8k", None, tmp_path / "votes.jsonl", rules)
        with pytest.raises(UserError, match="has gold pairs, which are not built by rules of"):
            explain_pair(made.built.file, "1", other)
    (tmp_path / "manifest.jsonl").unlink()
    with pytest.raises(UserError, match=r"by consistency or by gold\..*Keep the manifest"):
        pair_kind(made.built.file)
    assert explain_pair(made.built.file, "1", source).endswith(NONE_WRONG)
    in_memory = build_gold_pairs("gsm8k", votes)
    assert explain_pair(in_memory.origins, "1", source).endswith(NONE_WRONG)


def test_equal_answers_are_counted_together_in_the_mode_named(tmp_path):
    answers = [r"\frac{1}{2}", "0.5", "0.5", "0.5", "0.5", "1/4", "0.25", "3"]
    files = []
    for answer in answers:
        row = {"id": 0, "prompt": "Question: ?\nAnswer:", "response": f"The answer is: {answer}"}
        files.append([row | {"pred": answer, "gold": "9", "result": False}])
    votes = vote(files, tmp_path / "votes.jsonl", task="math", mode="symbolic").output
    made = build_consistency_pairs("math", votes, response_rule=ResponseRule(mode="symbolic"))
    assert {row["output"][1] for row in read_pairs(made.built.file)} == {"The answer is: 3"}
    as_text = build_consistency_pairs("math", votes)
    assert len({row["output"][1] for row in read_pairs(as_text.built.file)}) == 3


BAD = [
    ([], "holds no majority votes"),
    ([ballot("1112"), ballot("1112")], "duplicate id 0"),
    ([ballot("1112", confidence=1.2)], "expected a number from 0 to 1, got 1.2"),
    ([ballot("1112", pos_responses=[])], 'field "pos_responses"'),
    ([ballot("1112", neg_responses=["text"])], 'field "neg_responses"'),
    ([ballot("1111")], "none of 1 questions gives a pair"),
]


@pytest.mark.parametrize(("rows", "problem"), BAD, ids=[problem for _, problem in BAD])
@pytest.mark.parametrize("build", [build_consistency_pairs, build_gold_pairs])
def test_unusable_votes_are_refused_and_nothing_is_written(tmp_path, build, rows, problem):
    write(tmp_path / "votes.jsonl", rows)
    with pytest.raises(UserError, match=problem):
        build("gsm8k", tmp_path / "votes.jsonl", tmp_path / "out/pairs.json")
    assert not list((tmp_path / "out").glob("*"))


def test_gold_pairs_need_golds(tmp_path):
    row = ballot("1112")
    for one in samples_of(row):
        del one["result"]
    with pytest.raises(UserError, match="Gold pairs need the verdicts"):
        build_gold_pairs("gsm8k", [row])


def test_gold_pairs_are_right_and_wrong_on_every_question_that_has_both(votes, tmp_path):
    made = build_gold_pairs("gsm8k", votes, tmp_path / "gold.json", draws=PairDraws(pairs_per_question=3))
    assert (made.counts.chosen.share, made.counts.rejected.share) == (1.0, 0.0)
    assert made.counts.skipped == {NONE_RIGHT: 0, NONE_WRONG: 1}
    assert {row["id"] for row in read_pairs(made.built.file)} == {0, 1, 2, 4}
    assert last_facts(made.built.file)["pairs"] == "gold"


def weak_rows(questions: int):
    return [
        {
            "id": name,
            "prompt": f"Question: {name}?\nAnswer:",
            "response": f"weak {name}",
            "pred": "127"[name % 3],
        }
        for name in range(questions)
    ]


@settings(max_examples=40)
@given(QUESTIONS, st.integers(0, 10**6))
def test_a_coin_swaps_sides_and_nothing_else(questions, seed):
    votes = [ballot(answers, name) for name, answers in enumerate(questions)]
    rules = PairRules(min_confidence=0.2, negative_confidence=0.2, pairs_per_question=3, seed=seed)
    weak = weak_rows(len(votes))
    try:
        published = build_stage2("gsm8k", weak, votes, rules=rules)
    except UserError:
        assume(False)
    tossed = build_stage2("gsm8k", weak, votes, rules=rules, random_sides=True)
    sides = {}
    pairs = zip(read_pairs(published.built.file), read_pairs(tossed.built.file), strict=True)
    origins = zip(read(published.origins, rows.ANY), read(tossed.origins, rows.ANY), strict=True)
    for (before, after), (origin, flipped) in zip(pairs, origins, strict=True):
        swapped = before["output"] == after["output"][::-1]
        assert swapped or before == after
        assert sides.setdefault(before["id"], swapped) == swapped
        assert (origin["weak_side"] != flipped["weak_side"]) == swapped
        assert {**origin, "weak_side": None} == {**flipped, "weak_side": None}
    assert (tossed.counts.weak_chosen, tossed.counts.pairs) == (
        sum(row["weak_side"] == "chosen" for row in read(tossed.origins, rows.ANY)),
        published.counts.pairs,
    )


def test_the_coin_is_fair_and_of_its_own_generator():
    votes = [ballot("1111111122", name) for name in range(400)]
    weak = [{**row, "pred": "1"} for row in weak_rows(400)]
    tossed = build_stage2("gsm8k", weak, votes, random_sides=True)
    assert 160 < tossed.counts.weak_chosen < 240
    other = build_stage2("gsm8k", weak, votes, rules=PairRules(seed=1), random_sides=True)
    assert [*read(other.origins, rows.ANY)] != [*read(tossed.origins, rows.ANY)]


def test_answers_alone_are_paired_without_their_thinking():
    row = ballot("11112")
    for one in samples_of(row):
        one["response"] = f"<think>hm {one['response']}</think>{one['pred']}"
    made = build_consistency_pairs("gsm8k", [row], response_rule=ResponseRule(train_on="answer"))
    assert next(read_pairs(made.built.file))["output"] == ["1", "2"]
