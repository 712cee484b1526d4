"""YAML that people write is read in one way, and what is written reads the same everywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from w2s_factory.errors import UserError
from w2s_factory.records.yaml_files import Loader, dump_yaml, parse_value, read_yaml

texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    st.from_regex(r"[-+]?\d{1,6}(\.\d{0,3})?[eE][-+]?\d{1,3}", fullmatch=True),
    st.sampled_from(
        ["1e5", "12e4567", "no", "null", "2024-01-01", "0x10", "1_000", ".inf", "a: b", "# c", "~"]
    ),
)


@given(texts)
@example("\x85")
@example("a\u2028b\nc")
def test_a_text_that_is_written_is_read_as_the_same_text(text):
    written = dump_yaml({"key": text})
    assert yaml.load(written, Loader) == {"key": text}
    assert yaml.safe_load(written) == {"key": text}


@pytest.mark.parametrize("text", ["1e5", "12e4567", "2e-7", "+3E4"])
def test_omegaconf_reads_it_as_text_too(text):
    omegaconf = pytest.importorskip("omegaconf")
    assert omegaconf.OmegaConf.create(dump_yaml({"key": text}))["key"] == text


def bomb() -> str:
    names = "abcdefghij"
    lines = [f"{b}: &{b} [{','.join(['*' + a] * 9)}]" for a, b in pairwise(names)]
    return "\n".join(["a: &a [x,x,x,x,x,x,x,x,x]", *lines]) + "\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (bomb(), "expected at most 100,000 values, got more through its aliases"),
        ("a: &a [*a]\n", "contains itself"),
        ("a: &a {b: *a}\n", "contains itself"),
        ("a: 1\na: 2\n", ":2: field \"a\": duplicate key"),
        ("b: [{a: 1, a: 2}]\n", "duplicate key"),
        ("? [x]\n: y\n", "expected a key that is text"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ("- a\n", "expected `key: value` lines"),
        ("a: [\n", "is not YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "is not YAML"),
        ("x: " + "a" * 2**20, "expected at most 1,048,576 bytes"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, complaint):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_aliases_within_reason_are_values_like_others(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1}\nb: *a\nc: *a\n")
    assert read_yaml(path).values == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}


def test_what_is_not_a_regular_file_is_not_opened(tmp_path):
    (tmp_path / "a.yaml").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="not a regular file"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize("text", ["[" * 5000, "a: [", "!!python/none x"])
def test_a_value_that_is_not_yaml(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_value(text)
