"""Every number has one declared range, and the same range holds in Python, on the command line, and in files."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import re
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeAlias, get_args

import click
import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import w2s_factory
from w2s_factory import building, generating
from w2s_factory.building.stage1 import Padding
from w2s_factory.cli import COMMANDS
from w2s_factory.cli.options import number
from w2s_factory.errors import UserError
from w2s_factory.experiment.spec import Experiment
from w2s_factory.generating import Generation, Model, Sampling, Shard
from w2s_factory.quantities import PairRules
from w2s_factory.ranges import check, check_arguments, check_fields, declared, is_number, problem, range_of
from w2s_factory.scoring.metrics import paired_bootstrap, wilson_interval
from w2s_factory.tasks import get_task

Whole: TypeAlias = Annotated[int, Ge(1), Le(100)]
Part: TypeAlias = Annotated[float, Gt(0), Lt(1)]

NEVER = [math.nan, math.inf, -math.inf, True, False, "1", None, [1], 10**400, -(10**400)]
"""Values that no declared number takes."""


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        (Whole, "a whole number from 1 to 100"),
        (Annotated[Whole, Ge(2)], "a whole number from 2 to 100"),
        (Annotated[Whole, Le(1_000)], "a whole number from 1 to 100"),
        (Annotated[int, Ge(1), Gt(1), Le(5), Lt(5)], "a whole number above 1 and below 5"),
        (Part, "a number above 0 and below 1"),
        (Annotated[float, Gt(0), Le(10)], "a number above 0 and of at most 10"),
        (Annotated[float, Ge(0)], "a number of at least 0"),
        (Annotated[int, Ge(1), Le(1_000_000)], "a whole number from 1 to 1,000,000"),
        (Annotated[float, Ge(0.25), Le(0.5)], "a number from 0.25 to 0.5"),
    ],
)
def test_a_range_in_words(alias, words):
    assert str(range_of(alias)) == words


@given(st.integers())
def test_a_whole_number_is_in_range_if_its_bounds_hold(value):
    assert (problem(value, Whole) is None) == (1 <= value <= 100)


@given(st.floats() | st.integers() | st.fractions())
def test_a_number_is_in_range_if_its_bounds_hold(value):
    assert (problem(value, Part) is None) == (0 < value < 1)


@pytest.mark.parametrize("value", NEVER, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("alias", [Whole, Part, Literal[-1] | Whole])
def test_some_values_are_never_a_number(alias, value):
    with pytest.raises(UserError, match=r'field "it": expected .*, got ') as caught:
        check(value, alias, "it")
    assert len(str(caught.value)) < 200


def test_infinity_is_never_in_a_range_without_an_upper_bound():
    assert problem(math.inf, Annotated[float, Ge(0)]) == "expected a number of at least 0, got inf"


def test_an_integer_too_long_to_be_written_is_described():
    assert problem(10**5000, Whole).endswith("got an integer of more than 4,300 digits")


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(1)])
def test_integers_of_any_library_are_whole_numbers(value):
    assert problem(value, Whole) is None


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), Fraction(1, 2)])
def test_numbers_of_any_library_are_numbers(value):
    assert problem(value, Part) is None


@pytest.mark.parametrize("value", [1.0, np.float64(1), np.bool_(True)])
def test_what_is_no_integer_is_no_whole_number(value):
    assert problem(value, Whole)


def test_a_union_takes_its_single_values():
    steps = Literal[-1] | Whole
    assert problem(-1, steps) is None
    assert problem(7, steps) is None
    assert problem(None, steps | None) is None
    assert problem(0, steps) == "expected -1 or a whole number from 1 to 100, got 0"


@dataclasses.dataclass
class Numbers:
    whole: Whole
    maybe: Part | None = None
    text: str = ""

    def __post_init__(self) -> None:
        check_fields(self)


def test_a_dataclass_checks_its_numbers():
    assert declared(Numbers) == {"whole": Whole, "maybe": Part | None}
    Numbers(1)
    Numbers(100, 0.5, "x")
    with pytest.raises(UserError, match='field "whole": expected a whole number from 1 to 100, got 0'):
        Numbers(0)
    with pytest.raises(UserError, match=r'field "maybe": expected .*, got 1'):
        Numbers(1, 1)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e300", "0", "101", "1.5", "x", "", "9" * 5000])
def test_an_option_refuses_what_its_number_does(text):
    @click.command()
    @click.option("--it", type=number(Whole))
    def command(it):
        raise AssertionError(it)

    with pytest.raises(click.BadParameter, match="expected a whole number from 1 to 100, got ") as caught:
        command.main(["--it", text], standalone_mode=False)
    assert "--it" in caught.value.format_message()


def test_an_option_shows_its_range():
    @click.command()
    @click.option("--whole", type=number(Whole), help="One.")
    @click.option("--part", type=number(Part), help="Two.")
    def command(whole, part):
        return whole, part

    shown = command.get_help(click.Context(command))
    assert "allowed: 1 to 100" in shown
    assert "allowed: above 0, below 1" in shown
    assert command.main(["--whole", "7", "--part", "0.5"], standalone_mode=False) == (7, 0.5)


def options() -> list[Any]:
    """Every option and argument of every command that takes a number."""
    found = []
    for name in COMMANDS:
        command = importlib.import_module(f"w2s_factory.cli.{name.replace('-', '_')}").command
        for one in [command, *getattr(command, "commands", {}).values()]:
            for parameter in one.params:
                kinds = getattr(parameter.type, "types", [parameter.type])
                if any(isinstance(kind, type(click.INT) | type(click.FLOAT)) for kind in kinds):
                    found.append(pytest.param(parameter, id=f"{name} {parameter.name}"))
    return found


OPTIONS = options()


def test_the_options_that_are_numbers_are_found():
    assert len(OPTIONS) >= 15


@pytest.mark.parametrize("parameter", OPTIONS)
def test_every_option_that_is_a_number_has_a_declared_range(parameter):
    bounds = range_of(parameter.type.alias)
    assert math.isfinite(bounds.low)
    assert math.isfinite(bounds.high)
    for text in ("nan", "inf", "1e300", "9" * 30):
        with pytest.raises(click.BadParameter):
            parameter.type.convert(text, parameter, None)


def sections(model: type[BaseModel], seen: set[type]) -> set[type]:
    """A section of the experiment file and all below it."""
    if model not in seen:
        seen.add(model)
        for field in model.model_fields.values():
            for part in _flat(field.annotation):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    sections(part, seen)
    return seen


def _flat(annotation: Any) -> list[Any]:
    return [annotation, *(inner for part in get_args(annotation) for inner in _flat(part))]


FIELDS = [
    pytest.param(field, id=f"{model.__name__}.{name}")
    for model in sorted(sections(Experiment, set()), key=lambda one: one.__name__)
    for name, field in model.model_fields.items()
    if {int, float} & set(_flat(field.annotation)) and name not in ("ids", "more")
]


def test_the_numbers_of_the_experiment_file_are_found():
    assert len(FIELDS) >= 17


@pytest.mark.parametrize("field", FIELDS)
def test_every_number_of_the_experiment_file_has_a_declared_range(field):
    alias = field.annotation
    if field.metadata and alias in (int, float):
        alias = Annotated[(alias, *field.metadata)]
    [one] = [part for part in _flat(alias) if is_number(part) and range_of_or_none(part)]
    assert math.isfinite(range_of(one).low)
    assert math.isfinite(range_of(one).high)


def range_of_or_none(alias: Any) -> Any:
    try:
        return range_of(alias)
    except TypeError:
        return None


INPUTS = (Sampling, Shard, Generation, PairRules, Padding)
"""The public dataclasses that a caller makes."""


@pytest.mark.parametrize("kind", INPUTS)
def test_every_number_of_a_public_dataclass_has_a_declared_range(kind):
    bare = {field.name for field in dataclasses.fields(kind) if re.search(r"\b(int|float)\b", field.type)}
    assert bare == set()
    assert declared(kind)


def test_every_number_a_public_function_takes_is_a_declared_one():
    functions = [getattr(w2s_factory, name) for name in w2s_factory.__all__]
    bare = {
        f"{function.__name__}({name})"
        for function in functions
        if inspect.isfunction(function)
        for name, parameter in inspect.signature(function).parameters.items()
        if re.search(r"\b(int|float)\b", str(parameter.annotation))
    }
    assert bare == set()


TASK = get_task("arithmetic")
WRONG = [
    (lambda value: Sampling(temperature=value), "temperature", [-3, 101]),
    (lambda value: Sampling(top_p=value), "top_p", [0, 1.1]),
    (lambda value: Sampling(max_tokens=value), "max_tokens", [0, 1.5, 10**9]),
    (lambda value: Sampling(top_k=value), "top_k", [-1, 0.5, 10**9]),
    (lambda value: Sampling(min_p=value), "min_p", [-0.1, 1.1]),
    (lambda value: Sampling(presence_penalty=value), "presence_penalty", [-2.1, 2.1]),
    (lambda value: Sampling(repetition_penalty=value), "repetition_penalty", [0, 101]),
    (lambda value: Shard(value, 3), "index", [0, -1]),
    (lambda value: Shard(1, value), "of", [0, 10**6]),
    (lambda value: Padding(to=value), "to", [0, 2.5]),
    (lambda value: Padding(to=1, seed=value), "seed", [-1, 2**32]),
    (lambda value: PairRules(min_confidence=value), "min_confidence", [-0.1, 1.1]),
    (lambda value: PairRules(negative_confidence=value), "negative_confidence", [-0.1, 1.1]),
    (lambda value: PairRules(pairs_per_question=value), "pairs_per_question", [0, 10**6]),
    (lambda value: PairRules(seed=value), "seed", [-1]),
    (lambda value: generation(limit=value), "limit", [0]),
    (lambda value: generation(seeds=[0, value]), "seeds", [-1]),
    (lambda value: generating.pick_demonstrations(TASK, "none", count=value), "count", [0, 10**6]),
    (lambda value: generating.pick_demonstrations(TASK, "none", seed=value), "seed", [-1]),
    (lambda value: building.build_stage1(TASK, "a", "b", "c", iteration=value), "iteration", [0, 101]),
    (lambda value: w2s_factory.evaluate(["none"], pass_at=value), "pass_at", [0, 10**9]),
    (lambda value: w2s_factory.score_response(TASK, "1", "1", timeout=value), "timeout", [0, -1, 1e300]),
    (lambda value: w2s_factory.score_responses(TASK, ["1"], ["1"], workers=value), "workers", [0, 10**6]),
    (lambda value: w2s_factory.judge("1", "1", timeout=value), "timeout", [0, 1e300]),
    (lambda value: w2s_factory.verify_release("none", workers=value), "workers", [0, 10**6]),
    (lambda value: wilson_interval(1, 2, value), "confidence", [0, 1]),
    (lambda value: paired_bootstrap([True], [True], value), "confidence", [0, 1]),
]


def generation(**changes: Any) -> Generation:
    return Generation(task=TASK, questions=None, model=Model("m"), output_dir=None, **changes)


OPTIONAL = {"limit", "pass_at", "workers"}


@pytest.mark.parametrize(
    ("call", "field", "value"),
    [
        pytest.param(call, field, value, id=f"{number} {field}={str(value)[:20]}")
        for number, (call, field, own) in enumerate(WRONG)
        for value in [*own, *NEVER]
        if not (value is None and field in OPTIONAL)
    ],
)
def test_python_callers_are_told_the_field_the_range_and_the_value(call, field, value):
    with pytest.raises(UserError) as caught:
        call(value)
    assert str(caught.value).startswith(f'field "{field}": expected ')
    assert ", got " in str(caught.value)


def test_a_shard_lies_among_its_parts():
    with pytest.raises(UserError, match="expected i/n with i from 1 to n, got 3/2"):
        Shard(3, 2)
    assert str(Shard(2, 2)) == "2/2"


def started(*, size: Whole = 1, share: Part = 0.5, name: str = "") -> None:
    """A function with declared numbers."""


def test_arguments_are_checked_by_their_annotations():
    check_arguments(started, {"size": 100, "name": 3, "share": 0.1})
    with pytest.raises(UserError, match='field "size": expected a whole number from 1 to 100, got 0'):
        check_arguments(started, {"size": 0})
    with pytest.raises(UserError, match='field "share"'):
        check_arguments(started, {"share": 1.0})
