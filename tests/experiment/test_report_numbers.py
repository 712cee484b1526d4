"""What the report computes and how it looks, piece by piece: intervals, labels, colours, words."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import paired_bootstrap, wilson_interval
from w2s_factory.experiment.report import models, wording
from w2s_factory.experiment.report.figures import palette
from w2s_factory.experiment.report.figures.accuracy import spread
from w2s_factory.experiment.report.figures.stage_data import border
from w2s_factory.shipped import shipped

MINUS = "\N{MINUS SIGN}"


def test_one_seed_has_the_intervals_of_evaluate():
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 1, 80)) < 0.7
    assert models.share_right(first)[1:] == wilson_interval(int(first.sum()), 80)
    assert models.difference(first, second) == paired_bootstrap(first[0].tolist(), second[0].tolist())


def test_all_right_on_all_seeds_is_not_certain():
    assert models.share_right(np.ones((3, 50), dtype=bool))[1:] == wilson_interval(50, 50)


@pytest.mark.parametrize("of_seeds", [0.0, 0.03])
def test_intervals_over_seeds_and_questions_cover_the_truth(of_seeds):
    generator = np.random.default_rng(1)
    hits, runs = 0, 60
    for _ in range(runs):
        chances = 0.7 + generator.normal(0, of_seeds, (3, 1)) + generator.normal(0, 0.1, (1, 200))
        found = models.share_right(generator.random((3, 200)) < chances)
        hits += found.low <= 0.7 <= found.high
    assert hits / runs >= 0.9


def test_seeds_that_differ_make_the_interval_wider():
    same = np.tile(np.arange(100) < 70, (3, 1))
    apart = np.array([np.arange(100) < right for right in (50, 70, 90)])
    one, other = models.share_right(same), models.share_right(apart)
    assert one.value == other.value == pytest.approx(0.7)
    assert other.high - other.low > 1.5 * (one.high - one.low)


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.2))
def test_labels_keep_their_order_and_distance(places, gap):
    places = sorted(places)
    moved = spread(places, gap)
    assert len(moved) == len(places)
    assert all(high - low >= gap * 0.999 for low, high in pairwise(moved))
    if all(high - low >= gap for low, high in pairwise(places)):
        assert moved == pytest.approx(places)


@pytest.mark.parametrize(
    ("places", "threshold", "expected"),
    [
        ([0.5, 0.6, 0.7], 0.6, 0.55),
        ([1 / 3, 2 / 3, 1.0], 0.7, 5 / 6),
        ([1 / 3, 2 / 3, 1.0], 2 / 3, 0.5),
        ([0.8, 0.9], 0.6, 0.6),
        ([], 0.6, 0.6),
    ],
)
def test_a_threshold_stands_left_of_the_first_bar_it_counts(places, threshold, expected):
    assert border(places, threshold) == pytest.approx(expected)


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("mode", ["LIGHT", "DARK"])
def test_all_text_and_lines_have_contrast(mode):
    """WCAG 2.2 AA: 4.5 for text; all these colours write labels somewhere."""
    colours = getattr(palette, mode)
    for name in colours.keys() - {"paper", "panel", "line"}:
        for background in ("paper", "panel"):
            low, high = sorted([luminance(colours[name]), luminance(colours[background])])
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, background)


def test_both_modes_have_the_same_names_and_no_colour_twice():
    assert palette.LIGHT.keys() == palette.DARK.keys()
    assert len(set(palette.LIGHT.values())) == len(palette.LIGHT)


def test_the_page_uses_only_colours_of_the_palette():
    folder = shipped("experiment", "report", "templates")
    text = "".join(path.read_text() for path in folder.iterdir())
    assert len(text) > 1000
    assert set(re.findall(r"var\(--(\w+)\)", text)) <= palette.LIGHT.keys()
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=[;\s}])", text)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.percent(0.8466), "84.7%"),
        (wording.percent(None), ""),
        (wording.points(-0.0144), f"{MINUS}1.4"),
        (wording.points(0.0003), "0.0"),
        (wording.points(-0.0003), "0.0"),
        (wording.ratio(-0.126), f"{MINUS}0.13"),
        (wording.ratio(None), ""),
        (wording.joined([]), ""),
        (wording.joined(["a"]), "a"),
        (wording.joined(["a", "b", "c"], "or"), "a, b or c"),
        (wording.duration(4.26), "4.3 s"),
        (wording.duration(59.7), "1 min 00 s"),
        (wording.duration(3599.9), "1 h 00 min"),
        (wording.duration(7621), "2 h 07 min"),
    ],
)
def test_words(said, expected):
    assert said == expected
