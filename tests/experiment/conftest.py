"""Experiments for tests: a small description, and plans whose steps are plain shell commands."""

from __future__ import annotations

import sys

import pytest
import yaml

from tests.experiment import screens
from tests.experiment.made_runs import ACCURACIES, FEWEST, make_run
from w2s_factory.experiment.plan import Plan, plan
from w2s_factory.experiment.resources import Need
from w2s_factory.experiment.spec import Experiment
from w2s_factory.experiment.steps import Step


@pytest.fixture(scope="session")
def browser():
    """A browser for all tests; the test is skipped where there is none."""
    with screens.started() as screen:
        yield screen


@pytest.fixture(params=screens.SCREENS, ids="-".join)
def screen(request, browser):
    """The browser in each size and mode, one after the other."""
    browser.show(*request.param)
    return browser


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A run of the fewest models that have every part of a report; never changed."""
    folder = tmp_path_factory.mktemp("small")
    kept = {key: ACCURACIES[key] for key in FEWEST}
    make_run(folder, seeds=(0, 1), questions=60, asked=40, accuracies=kept)
    return folder


SMALL = {
    "name": "small",
    "task": "arithmetic",
    "weak": {"name": "w", "model": "some/weak", "train": {"preset": "tiny_lora_sft"}},
    "strong": {"name": "s", "model": "some/strong", "preset": "tiny_lora_sft"},
}


@pytest.fixture
def empty_figures(monkeypatch):
    """Put a report's figures together and leave them empty: matplotlib takes seconds to write them."""
    from matplotlib.figure import Figure

    empty = '<svg viewBox="0 0 1 1">\n</svg>'
    monkeypatch.setattr(Figure, "savefig", lambda _, file, **options: file.write(empty))


def changed(values, **changes):
    """`values` with other values; a dotted name in a dict reaches into sections."""
    return {**values, **changes}


@pytest.fixture(scope="module")
def no_figures():
    """Leave a report's figures out where a module looks at none: putting them together is a third of its work."""
    from w2s_factory import report
    from w2s_factory.experiment.report.figures.all_figures import Drawings

    without = Drawings(**{name: [] if name == "tags" else None for name in Drawings.__dataclass_fields__})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[report.__module__], "draw", lambda _: without)
        yield


@pytest.fixture
def written(tmp_path):
    """Write an experiment file; its path."""

    def write(values=SMALL, **changes):
        path = tmp_path / "experiment.yaml"
        path.write_text(yaml.safe_dump(changed(values, **changes), sort_keys=False))
        return path

    return write


@pytest.fixture
def planned():
    """The plan of the small experiment with other values."""

    def make(**changes):
        return plan(Experiment.model_validate(changed(SMALL, **changes)))

    return make


@pytest.fixture
def of_shell(planned):
    """A plan of steps that are shell commands: {name: (reads, writes, command)}."""

    def make(steps) -> Plan:
        small = planned()
        made = [
            Step(
                name=f"seed0/{name}",
                kind="data",
                seed=0,
                reads=tuple(reads),
                writes=tuple(writes),
                commands=(("bash", "-c", command),),
                need=Need(),
            )
            for name, (reads, writes, command) in steps.items()
        ]
        return Plan(small.experiment, tuple(made), small.contents)

    return make
