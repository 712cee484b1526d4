"""A delegate that fails: scripts that exit as LLaMA-Factory does on its bad days."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory import launch
from w2s_factory.records import content_hash

LEAVES_WEIGHTS = """
import json, os, struct, sys, yaml
out = yaml.safe_load(open(sys.argv[2]))["output_dir"]
os.makedirs(out, exist_ok=True)
json.dump({"base_model_name_or_path": BASE}, open(out + "/adapter_config.json", "w"))
header = json.dumps({"lora_A": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
open(out + "/adapter_model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + BYTES)
"""


@pytest.fixture
def delegate(tmp_path: Path):
    def make(code: str) -> Path:
        script = tmp_path / "llamafactory-cli"
        script.write_text(f"#!{sys.executable}\n{code}\n")
        script.chmod(0o755)
        return script

    return make


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.json").write_text('[{"content": "a", "output": "b"}]')
    entry = {"file_name": "rows.json", "columns": {"prompt": "content", "response": "output"}}
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps({"rows": entry}))
    return write(tmp_path)


def write(folder: Path, **more: Any) -> Path:
    values = {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": "some/model",
        "template": "fewshot",
        "add_special_tokens": "<mark>",  # so lengths are not counted, and no tokenizer is needed
        "dataset": "rows",
        "dataset_dir": str(folder / "data"),
        "output_dir": str(folder / "out"),
        **more,
    }
    file = folder / "train.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not ...}))
    return file


@pytest.mark.parametrize("code", [1, 2, 3, 77])
def test_the_exit_code_is_kept(code: int, config: Path, delegate) -> None:
    with pytest.raises(DelegateError, match=f"failed with exit code {code}") as failed:
        launch.train(config, llamafactory_cli=delegate(f"raise SystemExit({code})"))
    assert failed.value.exit_code == code


def test_a_signal_that_ended_it_is_named(config: Path, delegate) -> None:
    with pytest.raises(DelegateError, match="was ended by SIGKILL") as failed:
        launch.train(config, llamafactory_cli=delegate("import os; os.kill(os.getpid(), 9)"))
    assert failed.value.exit_code == 137


def test_success_without_weights_is_a_failure(config: Path, delegate) -> None:
    with pytest.raises(DelegateError, match=r"left no adapter_model.safetensors") as failed:
        launch.train(config, llamafactory_cli=delegate(""))
    assert failed.value.exit_code == 1


OLD_WEIGHTS = [
    ({}, [], False, False),
    ({"overwrite_output_dir": True}, [], False, False),
    ({"overwrite_output_dir": True}, ["overwrite_output_dir=false"], False, False),
    ({}, ["overwrite_output_dir=true"], False, True),
    ({}, [], True, True),
    ({"overwrite_output_dir": False}, [], True, True),
    ({}, ["resume_from_checkpoint=out/checkpoint-1"], False, True),
    ({"resume_from_checkpoint": "out/checkpoint-1"}, [], False, True),
]


@pytest.mark.parametrize(("values", "overrides", "force", "starts"), OLD_WEIGHTS)
def test_trained_weights_are_overwritten_only_when_asked(
    values: dict[str, Any],
    overrides: list[str],
    force: bool,
    starts: bool,
    config: Path,
    delegate,
    tmp_path: Path,
) -> None:
    config = write(tmp_path, **values)
    out = tmp_path / "out"
    out.mkdir()
    (out / "adapter_config.json").write_text("{}")
    (out / "adapter_model.safetensors").write_bytes(b"old")
    expected = (
        pytest.raises(DelegateError, match="were there before")
        if starts
        else pytest.raises(UserError, match=r"holds trained weights.*--force")
    )
    with expected:
        launch.train(config, overrides, llamafactory_cli=delegate(""), force=force)


WEIGHTS = [
    ("'other/model'", "bytes(4)", "is for other/model, not for some/model"),
    ("'some/model'", "bytes(3)", "cannot be loaded"),
    ("'some/model'", "b'\\x00\\x00\\xc0\\x7f'", "1 of 1 tensors .* contain NaN"),
    ("'some/model'", "bytes(4)", None),
]


@pytest.mark.train
@pytest.mark.parametrize(("base", "data", "problem"), WEIGHTS)
def test_weights_must_load(
    base: str, data: str, problem: str | None, config: Path, delegate, tmp_path: Path
) -> None:
    pytest.importorskip("safetensors")
    cli = delegate(LEAVES_WEIGHTS.replace("BASE", base).replace("BYTES", data))
    if problem is None:
        trained = launch.train(config, llamafactory_cli=cli)
        assert trained.weights is not None
        assert (trained.weights.kind, trained.weights.tensors) == ("adapter", 1)
        return
    with pytest.raises(DelegateError, match=problem):
        launch.train(config, llamafactory_cli=cli)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


SAYS_HOW = """
import logging
for name, line in (
    ("llamafactory.hparams.parser", "Process rank: 0, world size: 1, device: cpu:0, distributed training: False"),
    ("transformers.trainer", "  Total train batch size (w. parallel, distributed & accumulation) = 8"),
):
    logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger(name).info(line)
"""


def test_a_training_in_another_way_is_a_failure(tmp_path: Path, config: Path, delegate, w2s) -> None:
    cli = delegate(SAYS_HOW + LEAVES_WEIGHTS.replace("BASE", "'some/model'").replace("BYTES", "bytes(4)"))
    config = write(tmp_path, per_device_train_batch_size=4)
    done = w2s("train", config, "--llamafactory-cli", cli, code=1)
    assert "total batch size: expected 4, got 8" in done.stderr
    assert f"{tmp_path / 'out'} is from that training" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_machines_that_cannot_meet_are_refused_before_the_start(
    config: Path, delegate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNODES", "2")
    monkeypatch.setenv("NODE_RANK", "0")
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(UserError, match=r"2 machines cannot find one another.*Add MASTER_PORT=29500"):
        launch.train(config, llamafactory_cli=delegate("raise SystemExit(77)"))


VARIABLES = """
import json, os
names = ("FORCE_TORCHRUN", "NPROC_PER_NODE", "DS_ACCELERATOR", "USE_RAY")
json.dump({{name: os.environ[name] for name in names if name in os.environ}}, open({file!r}, "w"))
raise SystemExit(77)
"""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        (
            {"deepspeed": {"zero_optimization": {"stage": 3}}},
            {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": "1", "DS_ACCELERATOR": "cpu"},
        ),
        ({"ray_num_workers": 2}, {"USE_RAY": "1"}),
    ],
)
def test_the_process_gets_the_variables_that_its_config_needs(
    values: dict[str, Any],
    expected: dict[str, str],
    config: Path,
    delegate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FORCE_TORCHRUN", "NPROC_PER_NODE", "DS_ACCELERATOR", "USE_RAY", "NNODES", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for check in ("check_deepspeed", "check_ray"):
        monkeypatch.setattr(launch, check, lambda *_: None)
    monkeypatch.setattr("w2s_factory.llamafactory.parallelism.visible_devices", lambda _python: [])
    seen = tmp_path / "seen"
    with pytest.raises(DelegateError, match="exit code 77"):
        launch.train(write(tmp_path, **values), llamafactory_cli=delegate(VARIABLES.format(file=str(seen))))
    assert json.loads(seen.read_text()) == expected


@pytest.mark.train
def test_a_finished_training_is_told_whatever_becomes_of_its_manifest(
    config: Path, delegate, tmp_path: Path, w2s
) -> None:
    pytest.importorskip("safetensors")
    cli = delegate(LEAVES_WEIGHTS.replace("BASE", "'some/model'").replace("BYTES", "bytes(4)"))
    words = ["train", config, "--llamafactory-cli", cli]
    done = w2s(*words, "run_name=2024-01-01", "hf_hub_token=S3CRET")
    assert "not recorded" not in done.stderr
    manifest = tmp_path / "out" / "manifest.jsonl"
    assert json.loads(manifest.read_text())["config"]["run_name"] == "2024-01-01"
    assert "S3CRET" not in manifest.read_text()
    manifest.unlink()
    manifest.mkdir()
    done = w2s(*words, "--force")
    trained, engine, *_ = done.stdout.splitlines()
    assert trained == f"Trained: adapter in {tmp_path / 'out'}"
    assert engine == "Engine: not reported by LLaMA-Factory's log"
    assert done.stderr.splitlines()[-1].startswith("warning: the training was not recorded in the manifest: ")
    assert str(manifest) in done.stderr


@pytest.mark.train
def test_the_manifest_has_the_hashes_of_what_belongs_to_the_weights(
    config: Path, delegate, tmp_path: Path
) -> None:
    pytest.importorskip("safetensors")
    more = """
for name in ("tokenizer.json", "chat_template.jinja", "merges.txt", "README.md", "trainer_log.jsonl",
             "trainer_state.json", "all_results.json"):
    open(out + "/" + name, "w").write(name)
os.makedirs(out + "/checkpoint-1.json")
"""
    cli = delegate(LEAVES_WEIGHTS.replace("BASE", "'some/model'").replace("BYTES", "bytes(4)") + more)
    launch.train(config, llamafactory_cli=cli)
    files = json.loads((tmp_path / "out/manifest.jsonl").read_text())["files"]
    belonging = {"adapter_config.json", "tokenizer.json", "chat_template.jinja", "merges.txt"}
    assert set(files) == belonging
    assert files["tokenizer.json"] == content_hash(tmp_path / "out/tokenizer.json")


ARGUMENTS = """
import json, shutil, sys
json.dump(sys.argv[1:], open({file!r}, "w"))
shutil.copy(sys.argv[2], {copy!r})
"""


@pytest.mark.parametrize(
    ("version", "passed_through"), [("0.9.5", True), ("0.9.3", True), ("0.9.2", False), (None, False)]
)
def test_overrides_are_passed_on_or_merged(
    version: str | None,
    passed_through: bool,
    config: Path,
    delegate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("w2s_factory.llamafactory.installation.installed_version", lambda _python: version)
    seen, copy = tmp_path / "seen", tmp_path / "copy"
    with pytest.raises(DelegateError, match="left no"):
        launch.train(
            config,
            ["learning_rate=1e-5", "max_steps=3"],
            llamafactory_cli=delegate(ARGUMENTS.format(file=str(seen), copy=str(copy))),
        )
    verb, file, *overrides = json.loads(seen.read_text())
    assert verb == "train"
    if passed_through:
        assert (file, overrides) == (str(config), ["learning_rate=1e-5", "max_steps=3"])
        return
    assert overrides == []
    merged = yaml.safe_load(copy.read_text())
    assert merged == yaml.safe_load(config.read_text()) | {"learning_rate": 1e-5, "max_steps": 3}
    assert not Path(file).exists()


def test_blanks_in_a_path_are_kept_from_llamafactorys_torchrun(
    config: Path, delegate, tmp_path: Path
) -> None:
    seen, copy = tmp_path / "seen", tmp_path / "copy"
    blank = config.rename(tmp_path / "my train.yaml")
    with pytest.raises(DelegateError, match="left no"):
        launch.train(blank, llamafactory_cli=delegate(ARGUMENTS.format(file=str(seen), copy=str(copy))))
    assert " " not in "".join(json.loads(seen.read_text()))
    assert yaml.safe_load(copy.read_text()) == yaml.safe_load(blank.read_text())


def test_a_checkouts_script_takes_the_file_alone(config: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    (source / "llmtuner").mkdir(parents=True)
    (source / "llmtuner" / "__init__.py").write_text('__version__ = "0.6.2"\n')
    (source / "train_bash.py").write_text("import sys; sys.exit(len(sys.argv))")
    with pytest.raises(DelegateError) as failed:
        launch.train(config, ["seed=1"], llamafactory_cli=source / "train_bash.py")
    assert failed.value.exit_code == 2  # the script and one YAML, the override merged into it


# As LLaMA-Factory under torchrun: the command, torchrun, and ranks in sessions of their own that
# nobody ends when the two are killed.
FAMILY = """
import os, signal, subprocess, sys, time
rank = "import signal, sys, time; {deaf}; open(sys.argv[1], 'w').write('up'); time.sleep(60)"
torchrun = (
    "import subprocess, sys, time\\n"
    "for name in ('a', 'b'):\\n"
    "    subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2] + name], start_new_session=True)\\n"
    "time.sleep(60)"
)
subprocess.run([sys.executable, "-c", torchrun, rank, {folder!r}])
"""


WITH_LITTLE_PATIENCE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # even where the tests run in the background
import w2s_factory.processes as running
running.GRACE = 1
from w2s_factory.cli import main
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("deaf", ["pass", "signal.signal(signal.SIGINT, signal.SIG_IGN)"])
def test_an_interrupt_ends_every_process(
    deaf: str, number: int, code: int, config: Path, delegate, tmp_path: Path
) -> None:
    cli = delegate(FAMILY.format(deaf=deaf, folder=f"{tmp_path}/rank_"))
    ours = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WITH_LITTLE_PATIENCE,
            *("train", config, "--llamafactory-cli", cli),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    ranks = [tmp_path / "rank_a", tmp_path / "rank_b"]
    until = time.monotonic() + 20
    while not all(rank.exists() for rank in ranks) and time.monotonic() < until:
        time.sleep(0.05)
    family = psutil.Process(ours.pid).children(recursive=True)
    assert len(family) == 4
    os.kill(ours.pid, number)
    _, errors = ours.communicate(timeout=30)
    assert ours.returncode == code, errors
    assert "Traceback" not in errors.partition("Error: ")[2]
    alive = [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert alive == []


@pytest.mark.slow
def test_a_training_that_needs_a_gpu_is_not_started_without_one(
    tmp_path, config, delegate, monkeypatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write(tmp_path, bf16=True)
    with pytest.raises(
        UserError, match=r"true needs a GPU, and torch sees none here\..* use_cpu=true bf16=false"
    ) as refused:
        launch.train(config, llamafactory_cli=delegate("raise SystemExit(77)"))
    assert refused.value.field == "bf16"
    with pytest.raises(DelegateError, match="failed with exit code 77"):
        launch.train(config, ["use_cpu=true"], llamafactory_cli=delegate("raise SystemExit(77)"))
