"""The grid of docs/stage2.md: its settings, the training of one of them, and the table it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import stage2_grid
import yaml

from w2s_factory.experiment.load import read_experiment
from w2s_factory.llamafactory.preference_methods import METHODS

ROOT = Path(__file__).resolve().parents[2]


def test_it_has_at_most_sixty_settings_each_once():
    names = [setting.name for setting in stage2_grid.grid()]
    assert len(names) == len(set(names)) <= 60


def test_each_method_has_rates_two_betas_and_more_epochs():
    for method in METHODS:
        settings = [setting for setting in stage2_grid.grid() if setting.method == method]
        assert len({setting.rate for setting in settings}) >= 3
        assert len({setting.beta for setting in settings}) == 2
        assert {setting.epochs for setting in settings} == {1, stage2_grid.LONG}


def test_the_margin_of_simpo_follows_its_beta():
    (setting,) = [one for one in stage2_grid.grid() if one.method == "simpo"][-1:]
    assert setting.overrides["simpo_gamma"] == setting.beta / 2


@pytest.mark.parametrize("row", [{"name": "a", "dev": "50.0"}, {"name": "b, c", "dev": ""}])
def test_rows_are_added_and_read(tmp_path, row):
    table = tmp_path / "grid.csv"
    assert stage2_grid.rows_of(table) == []
    stage2_grid.add(row, table)
    stage2_grid.add(row, table)
    assert stage2_grid.rows_of(table) == [row, row]


def test_the_stored_table_has_each_setting_once():
    with (ROOT / "docs" / "stage2_grid.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert names == [setting.name for setting in stage2_grid.grid()]


def test_the_experiment_has_the_best_setting_of_each_method():
    """Prefer the lower rate, SFT term, beta and number of epochs among equals, as docs/stage2.md says."""
    experiment = read_experiment(ROOT / "experiments" / "arithmetic_stage2.yaml")
    order = {
        "learning_rate": "rate",
        "pref_ftx": "sft_term",
        "pref_beta": "beta",
        "num_train_epochs": "epochs",
    }
    rows = stage2_grid.rows_of(ROOT / "docs" / "stage2_grid.csv")
    for name, method in experiment.stage2.methods.preference.items():
        own = [row for row in rows if row["method"] == name]
        best = min(own, key=lambda row: (-float(row["dev"]), *(float(row[key]) for key in order.values())))
        arguments = yaml.safe_load((ROOT / f"llama_factory_configs/{method.preset}.yaml").read_text())
        arguments |= method.overrides
        assert {key: float(best[column]) for key, column in order.items()} == {
            key: float(arguments[key]) for key in order
        }
