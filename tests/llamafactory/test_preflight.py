"""Every row is a configuration LLaMA-Factory would trip over, and the line our user gets instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.preflight import check_export, check_training
from w2s_factory.llamafactory.training_config import read_config
from w2s_factory.llamafactory.versions import for_version

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = {
    "file_name": "rows.json",
    "ranking": True,
    "columns": {"prompt": "p", "chosen": "c", "rejected": "r"},
}
OLD_PAIRS = {"file_name": "rows.json", "ranking": True, "columns": {"prompt": "p", "response": "o"}}
INFO = {
    "rows": {"file_name": "rows.json"},
    "pairs": PAIRS,
    "old_pairs": OLD_PAIRS,
    "lost": {"file_name": "lost.json"},
    "nameless": {},
    "log": {"file_name": "trainer_log.jsonl"},
    "hub": {"hf_hub_url": "org/data"},
    **{
        f"columns_{number}": {"file_name": "rows.json", "columns": columns}
        for number, columns in enumerate((None, ["prompt"], {"prompt": ["content"]}, {"prompt": 3}))
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.json").write_text("[]")
    (tmp_path / "dataset_info.json").write_text(json.dumps(INFO))
    return tmp_path


def config(folder: Path, **changes: Any):
    values = {
        "stage": "sft",
        "do_train": True,
        "template": "vanilla",
        "model_name_or_path": "org/model",
        "dataset": "rows",
        "dataset_dir": str(folder),
        "output_dir": str(folder / "out"),
    } | changes
    file = folder / "train.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not ...}))
    return read_config(file)


WRONG = [
    ({"stage": ...}, "stage", "expected one of pt, sft"),
    ({"stage": "stf"}, "stage", "got 'stf'"),
    ({"do_train": ...}, "do_train", "nothing would be trained"),
    ({"template": ...}, "template", "is not set"),
    ({"template": None}, "template", "may train without EOS"),
    ({"output_dir": ...}, "output_dir", "expected the folder for the trained weights"),
    ({"model_name_or_path": ...}, "model_name_or_path", "expected a model's name or folder"),
    ({"model_name_or_path": "out", "output_dir": "./out"}, "output_dir", "is also model_name_or_path"),
    ({"adapter_name_or_path": "a,b", "output_dir": "b"}, "output_dir", "is also adapter_name_or_path"),
    ({"model_name_or_path": "./nowhere"}, "model_name_or_path", "no such folder: ./nowhere"),
    (
        {"model_name_or_path": "~/nowhere"},
        "model_name_or_path",
        "no such folder: ~/nowhere. Write it without ~",
    ),
    ({"adapter_name_or_path": "org/a,/nowhere"}, "adapter_name_or_path", "no such folder: /nowhere"),
    ({"deepspeed": "nowhere.json"}, "deepspeed", "no such file"),
    ({"deepspeed": {"bf16": {}}, "use_cpu": True}, "use_cpu", "trains without DeepSpeed. Remove it"),
    ({"deepspeed": {"bf16": {}}, "no_cuda": "true"}, "no_cuda", "trains without DeepSpeed"),
    ({"dataset": ...}, "dataset", "no dataset to train on"),
    (
        {"dataset": "rows,typo"},
        "dataset",
        r'no dataset "typo" in .*dataset_info\.json. It holds: rows, pairs',
    ),
    ({"dataset": "lost"}, "dataset", "lost.json does not exist"),
    ({"dataset": "nameless"}, "dataset", "has no file_name"),
    *[({"dataset": f"columns_{number}"}, "dataset", "`columns` must be an object") for number in range(4)],
    ({"dataset": 3}, "dataset", "expected names, got 3"),
    ({"dataset": [3]}, "dataset", "expected names"),
    ({"dataset": {"a": 1}}, "dataset", "expected names"),
    ({"eval_dataset": 3}, "eval_dataset", "expected names, got 3"),
    ({"adapter_name_or_path": 3}, "adapter_name_or_path", "expected names, got 3"),
    *[
        ({"max_samples": wrong}, "max_samples", "expected a whole number from 1")
        for wrong in ("abc", -1, 0, 1.5, True)
    ],
    ({"learning_rate": -1}, "learning_rate", "expected a number above 0 and of at most 10, got -1"),
    ({"num_train_epochs": "many"}, "num_train_epochs", "expected a number above 0 .*, got 'many'"),
    ({"max_steps": 0}, "max_steps", "expected -1 or a whole number from 1 to 1,000,000,000, got 0"),
    ({"dataset_dir": "nowhere"}, "dataset_dir", "no dataset_info.json in nowhere .*write it absolute"),
    ({"dataset_dir": 3}, "dataset_dir", "expected the path"),
    ({"dataset": "pairs"}, "dataset", "holds preference pairs, which sft does not train on"),
    ({"stage": "dpo"}, "dataset", "does not hold preference pairs, which dpo trains on.*ranking: true"),
    ({"eval_dataset": "pairs"}, "eval_dataset", "holds preference pairs, which sft does not train on"),
    ({"eval_dataset": "typo"}, "eval_dataset", 'no dataset "typo"'),
    ({"export_dir": "merged"}, "export_dir", "Use w2s-factory export"),
    ({"stage": "dpo", "dataset": "old_pairs"}, "dataset", "has one list column .*0.9.5 needs chosen"),
]


@pytest.mark.parametrize(("changes", "field", "problem"), WRONG)
def test_what_llamafactory_would_trip_over(
    changes: dict[str, Any], field: str, problem: str, folder: Path
) -> None:
    with pytest.raises(UserError, match=problem) as wrong:
        check_training(config(folder, **changes), for_version("0.9.5"))
    assert wrong.value.field == field
    assert wrong.value.exit_code == 2


def test_a_training_does_not_write_to_its_data(folder: Path) -> None:
    (folder / "trainer_log.jsonl").write_text("[]")
    with pytest.raises(UserError, match=r"trainer_log\.jsonl, a file of 'log', would be overwritten"):
        check_training(config(folder, dataset="log", output_dir=str(folder)))
    assert check_training(config(folder, dataset="rows", output_dir=str(folder)))


def test_pair_columns_fit_the_version(folder: Path) -> None:
    split, listed = (config(folder, stage="dpo", dataset=name) for name in ("pairs", "pairs"))
    assert [dataset.name for dataset in check_training(split, for_version("0.9.5"))] == ["pairs"]
    with pytest.raises(
        UserError, match=r"has chosen and rejected columns; LLaMA-Factory 0\.6\.2 needs one list"
    ):
        check_training(listed, for_version("0.6.2"))
    assert check_training(config(folder, stage="dpo", dataset="old_pairs"), for_version("0.6.2"))


def test_what_is_right_gives_the_datasets(folder: Path) -> None:
    rows, hub = check_training(config(folder, dataset=["rows", "hub"]))
    assert rows.file == folder / "rows.json"
    assert rows.columns["response"] == "output"
    assert hub.file is None
    assert check_training(config(folder, dataset_dir="ONLINE")) == []


def test_a_training_configuration_is_not_exported(folder: Path) -> None:
    with pytest.raises(UserError, match="Use w2s-factory train"):
        check_export(config(folder))
    with pytest.raises(UserError, match="export_dir"):
        check_export(config(folder, do_train=...))


UNREADABLE = [
    ("train.json", "{}", "is not a .yaml file"),
    ("train.yaml", "a: [", "is not YAML"),
    ("train.yaml", "- a", "expected `key: value` lines"),
    ("train.yaml", "1: a", "expected `key: value` lines"),
    ("train.yaml", "", "expected `key: value` lines"),
]


@pytest.mark.parametrize(("name", "text", "problem"), UNREADABLE)
def test_unreadable_files(name: str, text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=problem):
        read_config(tmp_path / name)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("learning_rate=1e-5", "learning_rate", 1e-5),
        ("learning_rate=1.5E-5", "learning_rate", 1.5e-5),
        ("bf16=true", "bf16", True),
        ("seed=7", "seed", 7),
        ("dataset=a,b", "dataset", "a,b"),
        ("report_to=[a, b]", "report_to", ["a", "b"]),
        ("note=x=y", "note", "x=y"),
        ("template=null", "template", None),
        ("run_name=2024-01-01", "run_name", "2024-01-01"),
        ("version=1.2.3", "version", "1.2.3"),
        ("outer.inner=2", "outer", {"kept": 1, "inner": 2}),
    ],
)
def test_overrides_are_read_as_llamafactory_reads_them(
    override: str, key: str, value: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("seed: 1\nouter: {kept: 1}\n")
    values = read_config(tmp_path / "a.yaml", [override]).values
    assert values[key] == value
    omegaconf = pytest.importorskip("omegaconf")
    file = omegaconf.OmegaConf.load(tmp_path / "a.yaml")
    merged = omegaconf.OmegaConf.merge(file, omegaconf.OmegaConf.from_cli([override]))
    assert omegaconf.OmegaConf.to_container(merged) == values


@pytest.mark.parametrize("override", ["--seed", "seed", "=1", "a b=1", "seed=[1"])
def test_what_is_no_override(override: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("seed: 1\n")
    with pytest.raises(UserError, match=r"key=value|not YAML"):
        read_config(tmp_path / "a.yaml", [override])


def test_a_name_below_a_folder_that_is_here_is_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    check_training(config(folder, model_name_or_path="models/weak"))
    (folder / "models").mkdir()
    with pytest.raises(UserError, match="no such folder: models/weak"):
        check_training(config(folder, model_name_or_path="models/weak"))
    (folder / "models/weak").mkdir()
    check_training(config(folder, model_name_or_path="models/weak"))
