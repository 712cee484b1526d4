from __future__ import annotations

import pytest

from w2s_factory import UserError
from w2s_factory.llamafactory.versions import FAMILIES, RELEASES, for_version

TABLE = [
    # number, package, vanilla, training, overrides, pair form, methods, cutoff_len
    ("0.5.0", "llmtuner", "vanilla", "python src/train_bash.py", False, "release", {"dpo"}, 1024),
    ("0.6.1", "llmtuner", "vanilla", "python src/train_bash.py", False, "release", {"dpo"}, 1024),
    ("0.6.2", "llmtuner", "vanilla", "python src/train_bash.py", False, "release", {"dpo", "orpo"}, 1024),
    ("0.6.3", "llmtuner", "fewshot", "python src/train_bash.py", False, "release", {"dpo", "orpo"}, 1024),
    ("0.7.0", "llmtuner", "fewshot", "python src/train_bash.py", False, "release", {"dpo", "orpo"}, 1024),
    ("0.7.1", "llamafactory", "fewshot", "llamafactory-cli train", False, "release", {"dpo", "orpo"}, 1024),
    (
        "0.8.2",
        "llamafactory",
        "fewshot",
        "llamafactory-cli train",
        False,
        "columns",
        {"dpo", "orpo", "simpo"},
        1024,
    ),
    (
        "0.8.3",
        "llamafactory",
        "empty",
        "llamafactory-cli train",
        False,
        "columns",
        {"dpo", "orpo", "simpo"},
        1024,
    ),
    (
        "0.9.1",
        "llamafactory",
        "empty",
        "llamafactory-cli train",
        False,
        "columns",
        {"dpo", "orpo", "simpo"},
        2048,
    ),
    (
        "0.9.2",
        "llamafactory",
        None,
        "llamafactory-cli train",
        False,
        "columns",
        {"dpo", "orpo", "simpo"},
        2048,
    ),
    (
        "0.9.5",
        "llamafactory",
        None,
        "llamafactory-cli train",
        True,
        "columns",
        {"dpo", "orpo", "simpo"},
        2048,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_facts(row):
    number, *facts = row
    version = for_version(number)
    assert version.number == number
    assert [
        version.package,
        version.vanilla,
        version.train,
        version.overrides,
        version.pair_form,
        set(version.methods),
        version.cutoff_len,
    ] == facts
    assert version.command_line is version.train.startswith("llamafactory-cli")


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("0.8", "0.8.3"),
        ("0.8.x", "0.8.3"),
        ("0.9.x", "0.9.5"),
        ("0.6", "0.6.3"),
        ("0.9.4.post1", "0.9.4"),
        ("0.9.5.dev0", "0.9.5"),
        ("v0.7.1", "0.7.1"),
    ],
)
def test_series_and_variants(asked, got):
    assert for_version(asked).number == got


@pytest.mark.parametrize("asked", ["", "new", "0.4.0", "0.9.6", "0.8.9", "1.0", "0", "0.4.x", "x", "0.8.3.x"])
def test_unknown_versions_name_the_known_ones(asked):
    with pytest.raises(UserError, match=r"that this package knows\. Known versions: 0\.5\.0, .*0\.9\.5") as error:
        for_version(asked)
    assert "\n" not in str(error.value)


def test_releases_are_in_order_and_stand_once():
    assert len(set(RELEASES)) == len(RELEASES)
    assert list(RELEASES) == sorted(RELEASES)
    assert all(
        for_version(release).releases == family.releases for family in FAMILIES for release in family.releases
    )
