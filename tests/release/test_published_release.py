"""What is said of the published release itself: classes, demonstrations, and every known defect with its counts."""

from __future__ import annotations

import pytest

from w2s_factory.release import audit, verify_release

pytestmark = [pytest.mark.release, pytest.mark.slow]

SFT = "data/llama_factory"


@pytest.fixture(scope="module")
def found(release):
    return verify_release(release)


@pytest.fixture(scope="module")
def audited(release):
    return audit(release, published=True)


def test_nothing_differs(found):
    assert [
        (one.name, one.difference) for one in [*found.files, *found.draws] if one.kind == "different"
    ] == []


def test_every_file_is_classified_and_reasons_are_given(found):
    assert len(found.files) == 77
    assert [
        one.name for one in found.files if one.kind in ("not reproducible", "not checked") and not one.reason
    ] == []


def test_what_is_there_is_reproduced_where_its_sources_are(found):
    kinds = {one.name: one.kind for one in found.files}
    stage1 = [name for name in kinds if "_iter" in name and not name.endswith("_paired.json")]
    assert {kinds[name] for name in stage1} <= {"reproduced", "absent"}
    tests = [name for name in kinds if name.startswith("data/test/")]
    assert {kinds[name] for name in [*tests, f"{SFT}/dataset_info.json"]} <= {"reproduced", "absent"}


def test_the_random_demonstrations_are_drawn_again(found):
    draws = {one.name: one.kind for one in found.draws}
    assert draws["demonstrations gsm8k gemma_2b, random (used)"] in ("reproduced", "not checked")


EXPECTED = [
    ("split-overlap", "data/raw/gsm8k/train_1.jsonl; ", 279),
    ("repeated-questions", "data/raw/gsm8k/train_1.jsonl", 7000 - 6873),
    ("repeated-questions", "data/raw/gsm8k/train_2.jsonl", 7000 - 6850),
    ("odd-golds", "data/raw/gsm8k/train_2.jsonl", 3),
    ("empty-agreements", f"{SFT}/gsm8k/train_gsm8k_llama2_7b_iter1", 8),
    ("empty-agreements", f"{SFT}/gsm8k/train_gsm8k_llama2_7b_iter2", 11),
    ("empty-agreements", f"{SFT}/gsm8k/train_gsm8k_mistral_7b_iter1", 2),
    ("duplicates", f"{SFT}/math/train_math_llama2_7b_iter1_hybrid_paired.json", 20),
    ("duplicates", f"{SFT}/math/train_math_gemma_2b_iter1_hybrid_paired.json", 22),
    ("duplicates", f"{SFT}/math/train_math_mistral_7b_iter1_hybrid_paired.json", 36),
    ("mislabelled-pairs", f"{SFT}/gsm8k/train_gsm8k_gemma_2b_iter2_hybrid_paired.json", 2341),
    ("index-folder", f"{SFT}/dataset_info.json", 3),
    ("index-names", f"{SFT}/dataset_info.json", 1),
    ("index-base", f"{SFT}/dataset_info.json", 51),
    ("olympic-demonstrations", f"{SFT}/olympicarena", 3),
]


@pytest.mark.parametrize(("check", "where", "count"), EXPECTED)
def test_a_known_defect(release, audited, check, where, count):
    first = where.partition(";")[0]
    if not any(path.as_posix().startswith(str(release / first)) for path in release.rglob("*")):
        pytest.skip(f"not in this copy of the release: {first}")
    counts = [one.count for one in audited.findings if one.check == check and one.where.startswith(where)]
    assert counts == [count]


def test_whose_responses_the_pairs_of_math_llama2_hold(release, audited):
    if not (release / SFT / "math/train_math_llama2_7b_iter1_hybrid_paired.json").exists():
        pytest.skip("not in this copy of the release")
    (one,) = [
        one for one in audited.findings if one.check == "mislabelled-pairs" and "math_llama2_7b" in one.where
    ]
    assert "307" in one.text
    assert " 5 " in one.text


def test_padding_is_seen_in_padded_sets_alone(audited):
    padded = {one.where.partition(",")[0] for one in audited.findings if one.check == "padding"}
    assert padded <= {f"{SFT}/math/train_math_{weak}_iter1_weak.json" for weak in ("gemma_2b", "mistral_7b")}
