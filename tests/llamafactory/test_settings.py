from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory import UserError
from w2s_factory.llamafactory.arguments import renamed, translated
from w2s_factory.llamafactory.presets import Entry, load_preset
from w2s_factory.llamafactory.settings import as_yaml, parsed_settings, with_settings, with_thinking
from w2s_factory.llamafactory.versions import for_version


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1e-4", 0.0001),
        ("a=3E5", 300000.0),
        ("a=1.5", 1.5),
        ("a=true", True),
        ("a=cosine", "cosine"),
        ("a=x=y", "x=y"),
        ("a=", None),
        ("a='no'", "no"),
        ("a=''", ""),
        ("a=[q_proj, v_proj]", ["q_proj", "v_proj"]),
        ("a={num_cycles: 2}", {"num_cycles": 2}),
        ("a=010", 10),
        ("a=-07", -7),
        ("a=2024-01-01", "2024-01-01"),
        ("a=12:30", "12:30"),
        ("a=a: b", "a: b"),
        ("a=- b", "- b"),
        ("a= a #1 ", "a #1"),
        ("a='a: b'", "a: b"),
    ],
)
def test_values(text, value):
    parsed = parsed_settings([text])
    assert parsed == {"a": value}
    assert type(parsed["a"]) is type(value)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["a"], 'expected key=value, got "a"'),
        (["=1"], "expected key=value"),
        ([""], "expected key=value"),
        (["a=[1"], r'"\[1" is not YAML'),
        (["a=!!python/object/apply:os.getcwd []"], "is not YAML"),
        (["a=1", "a=1"], "is set twice"),
    ],
)
def test_bad_texts(texts, problem):
    with pytest.raises(UserError, match=problem):
        parsed_settings(texts)


PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))


def nested(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)


@given(st.recursive(PLAIN, nested))
def test_a_value_is_one_line_that_reads_back(value):
    text = as_yaml(value)
    assert len(text.splitlines()) <= 1
    assert yaml.safe_load(f"key: {text}  # comment") == {"key": value}


def apply(preset, number, settings):
    version, chosen = for_version(number), load_preset(preset)
    return with_settings(translated(chosen, version), renamed(settings, chosen, version), version)


def test_in_place_and_added():
    done = apply("strong_lora_sft", "0.9.5", {"learning_rate": 3e-5, "max_samples": 100})
    before = [line.key for line in load_preset("strong_lora_sft").lines if isinstance(line, Entry)]
    assert [line.key for line in done.lines if isinstance(line, Entry)] == [*before, "max_samples"]
    assert (
        str(done.entries["learning_rate"])
        == "learning_rate: 3.0e-05  # set; the preset has 1.0e-4 (recalled)"
    )
    assert str(done.entries["max_samples"]) == "max_samples: 100  # set"


@pytest.mark.parametrize(
    ("preset", "number", "given_name", "written"),
    [
        ("dpo", "0.6.2", "pref_beta", "dpo_beta"),
        ("dpo", "0.6.2", "dpo_beta", "dpo_beta"),
        ("dpo", "0.9.5", "dpo_beta", "pref_beta"),
        ("orpo", "0.6.2", "pref_beta", "orpo_beta"),
        ("orpo", "0.8.3", "orpo_beta", "pref_beta"),
    ],
)
def test_preference_arguments_go_by_any_version_s_name(preset, number, given_name, written):
    assert apply(preset, number, {given_name: 0.5}).entries[written].value == 0.5


@pytest.mark.parametrize(
    ("preset", "number", "settings", "problem"),
    [
        ("strong_lora_sft", "0.9.5", {"learning_rat": 1}, r'"learning_rat".*Did you mean "learning_rate"'),
        ("strong_lora_sft", "0.8.3", {"ray_num_workers": 1}, "LLaMA-Factory 0.8.3 has no such argument"),
        ("strong_lora_sft", "0.5.0", {"pref_beta": 1}, "LLaMA-Factory 0.5.0 has no such argument"),
        ("export", "0.9.5", {"learning_rate": 1}, "has no such argument for export"),
        ("strong_lora_sft", "0.9.5", {"output_dir": "x"}, "Use --output-dir"),
        ("strong_lora_sft", "0.9.5", {"model_name_or_path": "x"}, "Use --model"),
        ("strong_lora_sft", "0.9.5", {"stage": "dpo"}, "Choose another preset"),
        ("dpo", "0.9.5", {"pref_loss": "orpo"}, "Choose another preset"),
        ("dpo", "0.6.2", {"pref_loss": "orpo"}, "Choose another preset"),
        ("strong_lora_sft", "0.9.5", {"template": None}, "must name a template"),
        (
            "strong_lora_sft",
            "0.9.5",
            {"learning_rate": "fast"},
            "expected a number above 0 and of at most 10, got 'fast'",
        ),
        (
            "strong_lora_sft",
            "0.9.5",
            {"learning_rate": True},
            "expected a number above 0 and of at most 10, got True",
        ),
        (
            "strong_lora_sft",
            "0.9.5",
            {"learning_rate": float("nan")},
            "expected a number above 0 and of at most 10, got nan",
        ),
        ("strong_lora_sft", "0.9.5", {"lora_rank": 8.5}, "expected a whole number from 1 to 65,536, got 8.5"),
        (
            "strong_lora_sft",
            "0.9.5",
            {"seed": "0x10"},
            "expected a whole number from 0 to 4,294,967,295, got '0x10'",
        ),
        ("strong_lora_sft", "0.9.5", {"lora_target": None}, "expected text, got null"),
        ("strong_lora_sft", "0.9.5", {"lora_target": ["q_proj"]}, r"expected text, got \[q_proj\]"),
        ("strong_lora_sft", "0.9.5", {"lora_target": {"q": 1}}, "expected text, got {q: 1}"),
        ("strong_lora_sft", "0.9.5", {"save_strategy": True}, "expected text, got true"),
        ("strong_lora_sft", "0.9.5", {"save_strategy": ""}, "expected text, got ''"),
        ("strong_lora_sft", "0.9.5", {"finetuning_type": "lorra"}, "expected lora, full, freeze, got lorra"),
        ("strong_lora_sft", "0.9.5", {"template": ""}, "must name a template"),
        ("strong_lora_sft", "0.9.5", {"template": "empty"}, r"does not train EOS .* empty.*vanilla"),
        ("strong_lora_sft", "0.9.2", {"template": "empty"}, "does not train EOS .* empty"),
        ("strong_lora_sft", "0.7.1", {"template": "empty"}, "does not train EOS .* empty"),
        ("strong_lora_sft", "0.9.5", {"bf16": "yes please"}, "expected true or false"),
        ("strong_lora_sft", "0.9.5", {"bf16": 1}, "expected true or false, got 1"),
        ("strong_lora_sft", "0.9.5", {"report_to": "wandbb"}, 'no tracker "wandbb".*"wandb"'),
    ],
)
def test_refused(preset, number, settings, problem):
    with pytest.raises(UserError, match=problem):
        apply(preset, number, settings)


@pytest.mark.parametrize(
    ("preset", "number", "settings"),
    [
        ("strong_lora_sft", "0.9.1", {"template": "empty"}),
        ("strong_lora_sft", "0.8.0", {"template": "empty"}),
        ("strong_lora_sft", "0.9.5", {"template": "fewshot"}),
        ("export", "0.9.5", {"template": "empty"}),
        ("strong_lora_sft", "0.9.5", {"finetuning_type": "freeze"}),
        ("strong_lora_sft", "0.9.5", {"learning_rate": 1}),
        ("strong_lora_sft", "0.9.5", {"run_name": "a: b"}),
        ("strong_lora_sft", "0.5.0", {"report_to": "wandb"}),
        ("strong_lora_sft", "0.9.5", {"report_to": ["tensorboard", "mlflow"]}),
    ],
)
def test_allowed(preset, number, settings):
    entries = apply(preset, number, settings).entries
    assert {key: entries[key].value for key in settings} == settings


@pytest.mark.parametrize("word", ["no", "Yes", "off"])
def test_words_yaml_takes_for_true_and_false_stay_words(word):
    settings = parsed_settings([f"save_strategy={word}"])
    assert settings == {"save_strategy": word}
    assert yaml.safe_load(f"save_strategy: {as_yaml(word)}") == settings


@pytest.mark.parametrize(("thinking", "value"), [("on", True), ("off", False)])
def test_thinking_is_set_after_the_template_where_the_version_knows_it(thinking, value):
    preset = load_preset("chat_lora_sft")
    lines = with_thinking(preset, thinking, for_version("0.9.3")).lines
    place = lines.index(preset.entries["template"])
    assert (lines[place + 1].key, lines[place + 1].value) == ("enable_thinking", value)
    older = with_thinking(preset, thinking, for_version("0.9.2")).lines
    assert older[place + 1].startswith("# enable_thinking is left out: ")
    assert [line for line in older if line != older[place + 1]] == list(preset.lines)
    assert with_thinking(preset, None, for_version("0.9.5")) is preset


def test_thinking_that_contradicts_a_setting_is_refused():
    version = for_version("0.9.5")
    preset = with_settings(load_preset("chat_lora_sft"), {"enable_thinking": False}, version)
    assert with_thinking(preset, "off", version) is preset
    with pytest.raises(UserError, match='"--thinking": contradicts enable_thinking: false'):
        with_thinking(preset, "on", version)
    with pytest.raises(UserError, match='the preset "export" does not train'):
        with_thinking(load_preset("export"), "off", version)
