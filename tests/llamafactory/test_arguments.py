"""Training arguments that are numbers: refused when a config is made, and before a training is started."""

from __future__ import annotations

import math

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.arguments import NUMBERS, TABLE, argument_problem
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.presets import load_preset, preset_names
from w2s_factory.records import read_object

WRONG = [
    ("learning_rate", -1),
    ("learning_rate", 0),
    ("learning_rate", "fast"),
    ("num_train_epochs", 0),
    ("num_train_epochs", "many"),
    ("per_device_train_batch_size", 0),
    ("per_device_train_batch_size", 1.5),
    ("gradient_accumulation_steps", 0),
    ("max_steps", 0),
    ("max_steps", -2),
    ("warmup_ratio", 1.1),
    ("weight_decay", -0.1),
    ("pref_beta", 0),
    ("lora_rank", 0),
    ("cutoff_len", 0),
    ("cutoff_len", None),
    ("max_samples", 0),
    ("seed", -1),
]


def test_every_name_is_one_of_llamafactorys():
    table = read_object(TABLE)
    assert NUMBERS.keys() - {*table["always"], *table["training"]} == set()


@pytest.mark.parametrize("name", preset_names())
def test_the_presets_are_in_range(name):
    entries = load_preset(name).entries
    problems = {key: argument_problem(key, entry.value) for key, entry in entries.items()}
    assert {key: problem for key, problem in problems.items() if problem} == {}


@pytest.mark.parametrize("name", preset_names())
def test_every_number_of_a_preset_has_a_range(name):
    numbers = {key for key, entry in load_preset(name).entries.items() if type(entry.value) in (int, float)}
    assert numbers - NUMBERS.keys() == set()


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "x", [1]])
@pytest.mark.parametrize("argument", NUMBERS)
def test_what_is_no_number_is_refused(argument, value):
    assert argument_problem(argument, value).startswith("expected ")


@pytest.mark.parametrize(("argument", "value"), WRONG)
def test_a_config_is_not_made_with_it(argument, value, tmp_path):
    with pytest.raises(UserError, match=r"expected .* number") as caught:
        make_config(
            "dpo",
            model="org/model",
            output_dir=tmp_path,
            dataset="d",
            dataset_dir=tmp_path,
            settings={argument: value},
            ahead=True,
        )
    assert caught.value.field == argument


@pytest.mark.parametrize(
    ("argument", "value"),
    [("max_steps", -1), ("max_steps", 5), ("max_samples", None), ("warmup_steps", 0.1), ("lora_alpha", None)],
)
def test_what_means_something_stays_allowed(argument, value):
    assert argument_problem(argument, value) is None


def test_what_is_not_listed_is_left_to_llamafactory():
    assert argument_problem("report_to", "none") is None
