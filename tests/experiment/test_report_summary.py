"""The answer in one sentence: a claim is made where the numbers carry it, and only there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from w2s_factory.experiment.report.comparisons import compare, comparisons
from w2s_factory.experiment.report.models import ReportedModel, Verdicts, gap_recovered, share_right
from w2s_factory.experiment.report.summary import answer

QUESTIONS = 400
MINUS = "\N{MINUS SIGN}"


def verdicts(*shares, seeds=None, first=0, once=None):
    """A row for each share: its first questions are right."""
    right = np.array([[place < share * QUESTIONS for place in range(QUESTIONS)] for share in shares])
    return Verdicts(
        tuple(seeds or range(len(shares))),
        tuple(range(first, first + QUESTIONS)),
        right,
        len(shares) == 1 if once is None else once,
    )


def model(key, *shares, any_format=None, **where):
    stage = (
        "stage1"
        if key.startswith("iter")
        else "stage2"
        if key in {"dpo", "orpo", "sft_chosen"}
        else "baseline"
    )
    strict = verdicts(*shares, **where)
    return ReportedModel(
        key=key,
        label={"iter1_hybrid_ft": "Stage I hybrid", "dpo": "DPO"}.get(key, key),
        stage=stage,
        iteration=1 if stage == "stage1" else None,
        strict=strict,
        accuracy=share_right(strict.right),
        any_format=None if any_format is None else verdicts(any_format),
        sampled=None,
        m_plus=key == "iter1_hybrid_ft",
        method=key if stage == "stage2" else None,
    )


FLOOR, CEILING, HYBRID = ("weak_floor", 0.5), ("strong_ceiling", 0.9), ("iter1_hybrid_ft", 0.8)

CASES = [
    ([("weak_floor", 0.5)], ["There is no answer yet: no hybrid model"]),
    (
        [FLOOR, HYBRID, CEILING],
        [
            "Stage I hybrid reached 80.0% [",
            "30.0 points [",
            "] above the weak model (50.0%), recovering 75% of the gap to the strong ceiling (90.0%).",
        ],
    ),
    ([HYBRID], ["with no weak floor to compare it with, with no strong ceiling to compare it with."]),
    ([("weak_floor", 0.8), HYBRID], ["no gain here over the weak model (80.0%): 0.0 points [0.0, 0.0]"]),
    (
        [("weak_floor", 0.85), HYBRID, CEILING],
        [
            f"no gain here over the weak model (85.0%): {MINUS}5.0 points",
            "recovering nothing of the gap",
            f"PGR {MINUS}1.00",
        ],
    ),
    ([CEILING, ("weak_floor", 0.9), HYBRID], ["(90.0%) leaves no gap to recover"]),
    (
        [FLOOR, HYBRID, ("full_weak_ft", 0.6), ("weak_icl", 0.85)],
        ["; it beat full weak fine-tuning; no gain here over weak ICL."],
    ),
    (
        [FLOOR, HYBRID, ("full_weak_ft", 0.6), ("weak_icl", 0.7)],
        ["; it beat full weak fine-tuning and weak ICL."],
    ),
    ([FLOOR, HYBRID, ("dpo", 0.7)], [f"; no gain here from DPO: {MINUS}10.0 points ["]),
    (
        [FLOOR, HYBRID, ("dpo", 0.9)],
        ["; DPO added 10.0 points [", "], without a control to compare it with."],
    ),
    (
        [FLOOR, HYBRID, ("dpo", 0.9), ("sft_chosen", 0.9)],
        [
            "; DPO added 10.0 points [",
            "but no gain here over SFT on the chosen responses (0.0 points [0.0, 0.0]).",
        ],
    ),
    (
        [FLOOR, HYBRID, ("dpo", 0.9), ("sft_chosen", 0.8)],
        ["; DPO added 10.0 points [", ", a gain over SFT on the chosen responses (+10.0 points [", " too."],
    ),
    ([FLOOR, ("iter1_hybrid_ft", 0.8, 0.82, 0.81), CEILING], ["(mean of 3 seeds), 31.0 points ["]),
]


@pytest.mark.parametrize(("models", "said"), CASES, ids=range(len(CASES)))
def test_the_answer(models, said):
    sentence = answer([model(*one) for one in models])
    place = 0
    for part in said:
        assert part in sentence[place:], sentence
        place = sentence.index(part, place) + len(part)
    assert sentence.endswith(".")


def test_zero_shot_counts_in_both_formats():
    models = [model(*FLOOR), model(*HYBRID), model("strong_zero_shot", 0.3, any_format=0.85)]
    sentence = answer(models)
    assert "it beat the strong model's zero-shot answers in the task's format; " in sentence
    assert "no gain here over the strong model's zero-shot answers in any format" in sentence
    both = answer([*models[:2], model("strong_zero_shot", 0.3, any_format=0.4)])
    assert "it beat the strong model's zero-shot answers, in the task's format and in any." in both
    found = [(one.any_format, one.verdict) for one in comparisons(models) if one.against.key != "weak_floor"]
    assert found == [(False, "higher"), (True, "lower")]


def test_other_questions_are_not_compared():
    other = model("weak_floor", 0.5, first=7)
    assert compare(model(*HYBRID), other) is None
    assert "on other questions or seeds than the weak model" in answer([model(*HYBRID), other])


def test_seeds_are_paired_and_a_single_repetition_stands_for_all():
    three = model("iter1_hybrid_ft", 0.8, 0.9, 0.7, seeds=[0, 1, 2])
    two = model("weak_floor", 0.5, 0.6, seeds=[1, 2])
    assert compare(three, two).difference.value == pytest.approx((0.9 - 0.5 + 0.7 - 0.6) / 2)
    assert compare(three, two).seeds == 2
    one = model("weak_floor", 0.5, seeds=[5])
    assert compare(three, one).difference.value == pytest.approx(0.3)
    assert compare(one, three).difference.value == pytest.approx(-0.3)
    assert compare(three, model("weak_floor", 0.5, 0.5, seeds=[8, 9])) is None
    so_far = model("weak_floor", 0.5, seeds=[1], once=False)
    assert compare(three, so_far).difference.value == pytest.approx(0.4)
    assert compare(three, so_far).seeds == 1


def test_questions_are_paired_by_id_not_by_row():
    hybrid = model(*HYBRID)
    turned = Verdicts(
        hybrid.strict.seeds, hybrid.strict.questions[::-1], hybrid.strict.right[:, ::-1], once=True
    )
    same = ReportedModel(**{**hybrid.__dict__, "strict": turned})
    assert compare(hybrid, same).difference == (0, 0, 0)


def test_pgr_needs_a_gap():
    final = model("dpo", 0.6)
    assert gap_recovered([model(*FLOOR), model(*CEILING)], final) == pytest.approx(0.25)
    assert gap_recovered([model(*FLOOR)], final) is None
    assert gap_recovered([model("weak_floor", 0.9), model(*CEILING)], final) is None


def test_pgr_is_of_common_seeds_and_questions():
    floor, ceiling = model("weak_floor", 0.5, 0.1, seeds=[0, 1]), model(*CEILING)
    assert gap_recovered([floor, ceiling], model("dpo", 0.6, seeds=[0], once=False)) == pytest.approx(0.25)
    assert gap_recovered([floor, ceiling], model("dpo", 0.6, seeds=[7], once=False)) is None
    assert gap_recovered([floor, ceiling], model("dpo", 0.6, first=5)) is None


def test_no_other_hybrid_takes_the_place_of_m_plus():
    first = dataclasses.replace(model(*HYBRID), m_plus=False)
    said = answer([model(*FLOOR), first, model("dpo", 0.9)])
    assert "DPO" not in said
    assert "the hybrid of the last iteration is not evaluated yet" in said
    assert "DPO" in answer([model(*FLOOR), model(*HYBRID), model("dpo", 0.9)])
