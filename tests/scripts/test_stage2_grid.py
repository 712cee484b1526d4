"""The grid of docs/stage2.md: its settings, the training of one of them, and the table it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stage2_grid
import yaml

from tests import commands
from w2s_factory.experiment.load import read_experiment
from w2s_factory.llamafactory.policy_movement import movement
from w2s_factory.llamafactory.preference_methods import METHODS

ROOT = Path(__file__).resolve().parents[2]
STORED = stage2_grid.rows_of(ROOT / "docs/stage2_grid.csv")


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
    settings = [setting for setting in stage2_grid.grid() if setting.method == "simpo"]
    assert len({setting.beta for setting in settings}) == 2
    for setting in settings:
        assert setting.overrides["simpo_gamma"] == setting.beta / 2


@pytest.mark.parametrize("method", METHODS)
def test_the_yaml_of_a_setting_trains_it(tmp_path, method):
    setting = next(setting for setting in stage2_grid.grid() if setting.method == method)
    (tmp_path / "seed0/models").mkdir(parents=True)
    (tmp_path / stage2_grid.MODEL).symlink_to(ROOT / "data/models/arithmetic_various")
    pair = {"instruction": "Question: 1 + 1?", "input": "", "chosen": "2", "rejected": "3"}
    (tmp_path / "seed0/pairs.json").write_text(json.dumps([pair]))
    columns = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
    entry = {"file_name": "pairs.json", "ranking": True, "columns": columns}
    (tmp_path / "seed0/dataset_info.json").write_text(json.dumps({stage2_grid.PAIRS: entry}))
    make, train, ask, score = stage2_grid.commands(setting)
    done = commands.run(*make[3:], folder=tmp_path)
    assert done.returncode == 0, done.stderr
    arguments = yaml.safe_load((tmp_path / train[4]).read_text())
    assert {key: float(arguments[key]) for key in setting.overrides} == setting.overrides
    assert Path(arguments["output_dir"]) == tmp_path / ask[ask.index("--adapter") + 1]
    assert score[score.index("--input") + 1].startswith(ask[ask.index("--output-dir") + 1])


def test_the_row_of_a_setting_has_its_movement_and_accuracy(tmp_path):
    setting = stage2_grid.Setting("dpo", 1e-3, 0.1, 0.0)
    answers, trained = (tmp_path / f"grid/{kind}/{setting.name}" for kind in ("outputs", "models"))
    answers.mkdir(parents=True)
    trained.mkdir(parents=True)
    (answers / "results.jsonl").write_text('{"result": true}\n{"result": false}\n{"result": true}\n')
    log = [{"step": step, "loss": 0.7 - step / 100, "rewards/margins": step / 50} for step in (5, 10, 30)]
    (trained / "trainer_state.json").write_text(json.dumps({"log_history": log}))
    row = stage2_grid.result(setting, tmp_path)
    assert (row["name"], row["rate"], row["last logged step"], row["dev"]) == (setting.name, 1e-3, 30, "66.7")
    assert (row["loss, first"], row["loss, last"]) == ("0.65", "0.4")
    assert (row["reward margin, first"], row["reward margin, last"]) == ("0.1", "0.6")
    assert row["log-probability of chosen, first"] == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "--jobs: expected at least 1, got 0"),
        ([], "expected the folder of a finished run"),
        (["--output", "README.md"], "expected a table of this program"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(tmp_path, monkeypatch, capsys, options, message):
    if "--output" in options:
        (tmp_path / stage2_grid.MODEL).mkdir(parents=True)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["", str(tmp_path), *options])
    with pytest.raises(SystemExit) as caught:
        stage2_grid.main()
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_finished_grid_is_said_to_be_finished(tmp_path, monkeypatch, capsys):
    (tmp_path / stage2_grid.MODEL).mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["", str(tmp_path)])
    stage2_grid.main()
    assert "has all 43 settings; name another --output" in capsys.readouterr().out


@pytest.mark.parametrize("row", [{"name": "a", "dev": "50.0"}, {"name": "b, c", "dev": ""}])
def test_rows_are_added_and_read(tmp_path, row):
    table = tmp_path / "grid.csv"
    assert stage2_grid.rows_of(table) == []
    stage2_grid.add(row, table)
    stage2_grid.add(row, table)
    assert stage2_grid.rows_of(table) == [row, row]


def test_the_stored_table_has_each_setting_once():
    assert [row["name"] for row in STORED] == [setting.name for setting in stage2_grid.grid()]


def test_the_page_has_the_accuracies_of_the_stored_table():
    """Each row of the page: beta and SFT term (ORPO: beta alone), the four rates, more epochs."""
    section = (ROOT / "docs/stage2.md").read_text().partition("## What the grid found")[2]
    lines = [line for line in section.partition("\n\n- ")[0].splitlines() if line.startswith("| ")]
    method, found = "", {}
    for line in lines[1:]:
        name, values, *shares = (cell.strip(" *") for cell in line.strip("|").split("|"))
        method = name.lower() or method
        beta, _, term = values.partition(", ")
        for place, share in enumerate(shares):
            rate, epochs = (stage2_grid.RATES[place], 1) if place < 4 else (stage2_grid.LONG_RATE, 3)
            if share:
                found[stage2_grid.Setting(method, rate, float(beta), float(term or 0), epochs).name] = share
    assert found == {row["name"]: row["dev"] for row in STORED}


def test_of_dpo_those_that_left_the_accuracy_as_it_was_are_named():
    named = set()
    for row in STORED:
        if row["method"] == "dpo":
            ends = [(5, float(row["reward margin, first"])), (30, float(row["reward margin, last"]))]
            curves = {"rewards/chosen": ends, "rewards/margins": ends}
            if movement(curves, {"stage": "dpo", "pref_beta": float(row["beta"])}).hardly_moved:
                named.add(row["name"])
    assert named == {row["name"] for row in STORED if row["method"] == "dpo" and row["rate"] == "0.0001"}
    assert {float(row["dev"]) for row in STORED if row["name"] in named} == {28.0}


def test_the_experiment_has_the_best_setting_of_each_method():
    """Prefer the lower rate, SFT term, beta and number of epochs among equals, as docs/stage2.md says."""
    experiment = read_experiment(ROOT / "experiments" / "arithmetic_stage2.yaml")
    order = {
        "learning_rate": "rate",
        "pref_ftx": "sft_term",
        "pref_beta": "beta",
        "num_train_epochs": "epochs",
    }
    for name, method in experiment.stage2.methods.preference.items():
        own = [row for row in STORED if row["method"] == name]
        best = min(own, key=lambda row: (-float(row["dev"]), *(float(row[key]) for key in order.values())))
        arguments = yaml.safe_load((ROOT / f"llama_factory_configs/{method.preset}.yaml").read_text())
        arguments |= method.overrides
        assert {key: float(best[column]) for key, column in order.items()} == {
            key: float(arguments[key]) for key in order
        }
