"""The parallelism of a training: what is asked for, what the kept lines of the log say, and the comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory import parallelism
from w2s_factory.llamafactory.installation import Installation
from w2s_factory.llamafactory.parallelism import (
    LOG,
    RAY_CPUS,
    Asked,
    Parallelism,
    asked_parallelism,
    check_parallelism,
    device_count,
    reported_parallelism,
)
from w2s_factory.llamafactory.preflight import check_deepspeed
from w2s_factory.llamafactory.presets import load_preset
from w2s_factory.llamafactory.settings import on_cpu
from w2s_factory.llamafactory.template import STARTUP
from w2s_factory.llamafactory.training_config import Config

ZERO_3 = {"deepspeed": {"zero_optimization": {"stage": 3}}}
BATCH = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
MEETING = {"NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
ON = {"FORCE_TORCHRUN": "1"}


def asked(
    values: dict[str, Any], environ: dict[str, str], version: str = "0.9.5", ray_cpus: int | None = None
) -> Asked:
    config = Config(Path("train.yaml"), (), values)
    installation = Installation(("llamafactory-cli",), Path("python"), version)
    return asked_parallelism(config, installation, environ, ray_cpus)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch):
    """Say how many devices torch sees; counting them must not happen without this."""

    def see(count: int | None) -> None:
        def visible_devices(_python: Path) -> list[str]:
            assert count is not None, "torch was imported"
            return ["GPU"] * count

        monkeypatch.setattr(parallelism, "visible_devices", visible_devices)

    see(None)
    return see


ASKED = [
    # what plain trainings ask for stays open, and torch is not imported to find out
    ({}, {}, None, Asked(rows=8)),
    (BATCH, {"NNODES": "1", "NODE_RANK": "0", "NPROC_PER_NODE": "1"}, None, Asked(rows=8)),
    ({**BATCH, "auto_find_batch_size": True}, {}, None, Asked()),
    # torchrun
    (BATCH, ON | {"NPROC_PER_NODE": "2"}, None, Asked(ON, ranks=2, rows=8)),
    (BATCH, {"NPROC_PER_NODE": "2"}, None, Asked(ON, ranks=2, rows=8)),
    (BATCH, ON | {"NPROC_PER_NODE": "gpu"}, None, Asked(ON, rows=8)),
    (BATCH, ON, 4, Asked(ON, ranks=4, rows=8)),
    (BATCH, ON, 0, Asked(ON | {"NPROC_PER_NODE": "1"}, ranks=1, rows=8)),
    (BATCH, MEETING, 8, Asked(ON, ranks=16, rows=8)),
    (BATCH, MEETING, 0, Asked(ON | {"NPROC_PER_NODE": "1"}, ranks=2, rows=8)),
    (
        BATCH,
        {"RDZV_ID": "1", "MIN_NNODES": "1", "MAX_NNODES": "4", "NODE_RANK": "3"} | ON,
        2,
        Asked(ON, rows=8),
    ),
    # DeepSpeed on one device, on several, on the CPU
    (ZERO_3 | BATCH, {}, 1, Asked(ON, "DeepSpeed ZeRO-3", ranks=1, rows=8)),
    (ZERO_3 | BATCH, {}, 8, Asked(ON, "DeepSpeed ZeRO-3", ranks=8, rows=8)),
    (
        ZERO_3 | BATCH,
        {"NPROC_PER_NODE": "2"},
        0,
        Asked(ON | {"DS_ACCELERATOR": "cpu"}, "DeepSpeed ZeRO-3", ranks=2, rows=8),
    ),
    ({"deepspeed": {}}, {}, None, Asked(rows=8)),
    ({"deepspeed": {"bf16": {}}}, {}, 1, Asked(ON, "DeepSpeed ZeRO-0", ranks=1, rows=8)),
    # Ray
    ({"ray_num_workers": 2} | BATCH, {}, None, Asked({"USE_RAY": "1"}, None, True, 2, 8)),
    ({"ray_init_kwargs": {}}, {"USE_RAY": "True"}, None, Asked({"USE_RAY": "1"}, None, True, 1, 8)),
    (BATCH, {"USE_RAY": "y"}, None, Asked({"USE_RAY": "1"}, None, True, 1, 8)),
    (
        {"ray_num_workers": 2} | ZERO_3,
        {},
        None,
        Asked({"USE_RAY": "1"}, "DeepSpeed ZeRO-3", True, 2, 8),
    ),
]


@pytest.mark.parametrize(("values", "environ", "seen", "expected"), ASKED)
def test_what_a_config_needs_is_set(
    values: dict[str, Any], environ: dict[str, str], seen: int | None, expected: Asked, devices
) -> None:
    devices(seen)
    assert asked(values, environ) == expected


def test_an_early_version_starts_no_torchrun(devices) -> None:
    assert asked(ZERO_3, MEETING | {"NODE_RANK": "9"}, "0.7.1") == Asked(engine="DeepSpeed ZeRO-3", rows=8)


def test_ray_cpus_are_handed_on(devices) -> None:
    variables = asked({"ray_num_workers": 2}, {}, ray_cpus=1).variables
    assert variables == {"USE_RAY": "1", RAY_CPUS: "1"}


REFUSED = [
    ({}, {"NODE_RANK": "1"}, "NODE_RANK", "Add NNODES=2"),
    ({}, MEETING | {"NNODES": "two"}, "NNODES", "expected a number of machines, got 'two'"),
    ({}, MEETING | {"NNODES": "0"}, "NNODES", "expected a number of machines"),
    ({}, MEETING | {"NODE_RANK": "2"}, "NODE_RANK", "expected a number from 0 to 1, got '2'"),
    ({}, MEETING | {"NODE_RANK": "-1"}, "NODE_RANK", "expected a number from 0 to 1"),
    *(
        ({}, {key: text for key, text in MEETING.items() if key != name}, name, f"Add {name}=")
        for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    ),
    ({}, {"NNODES": "2", "RDZV_ID": "1", "MASTER_ADDR": "a"}, "MASTER_PORT", "Add MASTER_PORT=29500"),
    ({"ray_num_workers": 2}, {"USE_RAY": "0"}, "USE_RAY", "Set USE_RAY=1"),
    ({"ray_num_workers": 2}, ON, "FORCE_TORCHRUN", "env -u FORCE_TORCHRUN"),
    ({"ray_num_workers": 2}, {"NNODES": "2"}, "NNODES", "env -u NNODES"),
    ({}, {"USE_RAY": "1", "NODE_RANK": "1"}, "NODE_RANK", "env -u NODE_RANK"),
]


@pytest.mark.parametrize(("values", "environ", "field", "text"), REFUSED)
def test_contradictions_are_refused_with_the_line_to_add(
    values: dict[str, Any], environ: dict[str, str], field: str, text: str, devices
) -> None:
    with pytest.raises(UserError) as refused:
        asked(values, environ)
    assert refused.value.field == field
    assert text in str(refused.value)


def test_ray_cpus_without_ray_are_refused(devices) -> None:
    with pytest.raises(UserError, match="Ray does not train this"):
        asked({}, {}, ray_cpus=1)


# Logs as LLaMA-Factory 0.9.5 and transformers 5.6 write them, and accelerate's state as they set it.
TRAINING = """
import logging, sys, types

class AcceleratorState:
    _shared_state = {{}}
    distributed_type = types.SimpleNamespace(value={kind!r})
    deepspeed_plugin = types.SimpleNamespace(zero_stage={stage!r})

sys.modules["accelerate.state"] = types.SimpleNamespace(AcceleratorState=AcceleratorState)
for name in ("llamafactory", "transformers"):
    logging.getLogger(name).propagate = False
    logging.getLogger(name).setLevel(logging.INFO)
ours, theirs = logging.getLogger("llamafactory.hparams.parser"), logging.getLogger("transformers.trainer")
sys.modules["ray"] = types.SimpleNamespace(is_initialized=lambda: {ray} == "worker")
if {ray} == "driver":
    ours.info("Using ray.remote mode with 2 workers for distributed training.")
for rank in range({ranks}):
    spread = {ranks} > 1
    ours.info(f"Process rank: {{rank}}, world size: {ranks}, device: cpu:0, distributed training: {{spread}}, compute dtype: None")
AcceleratorState._shared_state["initialised"] = True
theirs.info("***** Running training *****")
theirs.info("  Total train batch size (w. parallel, distributed & accumulation) = 1,{batch}")
"""


def log(folder: Path, **facts: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRAINING.format(**facts | {"ray": repr(facts["ray"])})],
        env={"PYTHONPATH": str(STARTUP), LOG: str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )


REPORTED = [
    (("NO", None, "", 1), "one process, ranks 1 (cpu), total batch size 1,024"),
    (("MULTI_CPU", None, "", 2), "DDP, ranks 2 (cpu), total batch size 1,024"),
    (("DEEPSPEED", 3, "", 2), "DeepSpeed ZeRO-3, ranks 2 (cpu), total batch size 1,024"),
    (("DEEPSPEED", 2, "", 1), "DeepSpeed ZeRO-2, ranks 1 (cpu), total batch size 1,024"),
    (("FSDP", None, "", 4), "FSDP, ranks 4 (cpu), total batch size 1,024"),
    (("MULTI_GPU", None, "driver", 2), "DDP under Ray, ranks 2 (cpu), total batch size 1,024"),
    (("MULTI_GPU", None, "worker", 2), "DDP under Ray, ranks 2 (cpu), total batch size 1,024"),  # 0.9.4
]


@pytest.mark.parametrize(("facts", "text"), REPORTED)
def test_the_hook_keeps_what_the_log_says(facts: tuple[Any, ...], text: str, tmp_path: Path) -> None:
    kind, stage, ray, ranks = facts
    done = log(tmp_path, kind=kind, stage=stage, ray=ray, ranks=ranks, batch="024")
    assert str(reported_parallelism(tmp_path)) == text
    assert done.stderr == ""


def test_a_folder_that_another_machine_lacks_disturbs_nothing(tmp_path: Path) -> None:
    done = log(tmp_path / "not here", kind="NO", stage=None, ray="", ranks=1, batch="024")
    assert done.stderr == ""
    assert str(reported_parallelism(tmp_path)) == "not reported by LLaMA-Factory's log"


def test_a_log_of_an_early_version_leaves_open_what_it_does_not_say(tmp_path: Path) -> None:
    early = {
        "message": "Process rank: 0, device: cuda:0, n_gpu: 1\n  distributed training: True, compute dtype: x"
    }
    (tmp_path / "1.jsonl").write_text(json.dumps(early | {"accelerate": None, "ray": False}) + "\n")
    found = reported_parallelism(tmp_path)
    assert found == Parallelism(device="cuda")
    assert str(found) == "not reported, number of ranks not reported (cuda), total batch size not reported"


@pytest.mark.parametrize("said", ["True", "False"])  # 0.5.0 says True of one process, 0.7.0 False
def test_one_process_on_two_gpus_is_named_and_not_an_error(said: str, tmp_path: Path) -> None:
    lines = (
        f"Process rank: 0, device: cuda:0, n_gpu: 2\n  distributed training: {said}, compute dtype: x",
        "  Total train batch size (w. parallel, distributed & accumulation) = 16",
    )
    kept = [
        {"message": text, "accelerate": {"type": "NO", "zero_stage": None}, "ray": False} for text in lines
    ]
    (tmp_path / "1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    found = reported_parallelism(tmp_path)
    assert str(found) == "DataParallel over 2 devices, ranks 1 (cuda), total batch size 16"
    assert found.spread == {"engine": "DataParallel", "ranks": 1, "batch": 16, "copies": 2}
    check_parallelism(asked(BATCH, {}, "0.7.0"), found, tmp_path)
    with pytest.raises(DelegateError, match="total batch size: expected 8, got 16"):
        check_parallelism(Asked(rows=4), found, tmp_path)


@pytest.mark.parametrize(
    "cut", ['{"message": "Process rank: 1, wor', "\udcff", "[]", '{"message": "x"}', "null"]
)
def test_a_line_that_was_cut_off_is_left_out(cut: str, tmp_path: Path) -> None:
    log(tmp_path, kind="MULTI_CPU", stage=None, ray="", ranks=2, batch="024")
    (tmp_path / "other.jsonl").write_bytes(cut.encode("utf-8", "surrogateescape"))
    assert str(reported_parallelism(tmp_path)) == "DDP, ranks 2 (cpu), total batch size 1,024"


COUNTED = [
    # the numbers of the devices do not matter, only how many there are
    ({}, {"CUDA_VISIBLE_DEVICES": "4,5"}, 2, 2),
    ({}, {}, 8, 8),
    ({}, {}, 0, 1),
    ({}, {"NPROC_PER_NODE": "1"}, None, 1),
    ({}, ON | {"NPROC_PER_NODE": "gpu"}, 4, 4),
    ({}, ON | {"NPROC_PER_NODE": "cpu"}, None, os.cpu_count()),
    ({}, MEETING | {"NPROC_PER_NODE": "gpu"}, 4, 8),
    ({}, MEETING | {"NODE_RANK": "0"}, 8, 16),
    ({}, MEETING | {"NPROC_PER_NODE": "3"}, None, 6),
    ({"ray_num_workers": 3}, {}, None, 3),
]


@pytest.mark.parametrize(("values", "environ", "seen", "expected"), COUNTED)
def test_devices_are_counted(
    values: dict[str, Any], environ: dict[str, str], seen: int | None, expected: int, devices
) -> None:
    devices(seen)
    assert device_count(asked(values, environ), environ, Path("python")) == expected


AS_ASKED = Parallelism("DeepSpeed ZeRO-3", True, 2, 16, "cpu")
COMPARED = [
    (AS_ASKED, None),
    (Parallelism(), None),  # the log says nothing
    (Parallelism(ray=True), None),  # Ray's workers are on other machines
    (Parallelism("DDP", True, 2, 16), "engine: expected DeepSpeed ZeRO-3, got DDP"),
    (Parallelism("DeepSpeed ZeRO-2", True, 2, 16), "engine: expected DeepSpeed ZeRO-3, got DeepSpeed ZeRO-2"),
    (Parallelism("DeepSpeed ZeRO-3", False, 2, 16), "Ray: expected used, got not used"),
    (Parallelism("DeepSpeed ZeRO-3", True, 1, 8), "ranks: expected 2, got 1"),
    (Parallelism("DeepSpeed ZeRO-3", True, 2, 8), "total batch size: expected 16, got 8"),
]


@pytest.mark.parametrize(("found", "problem"), COMPARED)
def test_a_training_in_another_way_is_an_error(found: Parallelism, problem: str | None) -> None:
    wanted = Asked({}, "DeepSpeed ZeRO-3", True, 2, 8)
    if problem is None:
        check_parallelism(wanted, found, Path("out"))
        return
    with pytest.raises(DelegateError, match="in another way than the configuration says") as failed:
        check_parallelism(wanted, found, Path("out"))
    assert problem in str(failed.value)
    assert "out is from that training" in str(failed.value)


def test_deepspeed_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USE_RAY", raising=False)
    pytest.importorskip("llamafactory")
    try:
        import deepspeed  # noqa: F401
    except ImportError:
        with pytest.raises(
            UserError, match=r"needs the package deepspeed.* -m pip install -c .*constraints\.txt"
        ):
            check_deepspeed(Config(Path("train.yaml"), (), ZERO_3), Path(sys.executable))
    check_deepspeed(Config(Path("train.yaml"), (), {}), Path(sys.executable))


@pytest.mark.parametrize(
    ("preset", "settings", "expected"),
    [
        ("strong_lora_sft", {}, {"use_cpu": True, "bf16": False}),
        ("strong_lora_sft", {"deepspeed": "ds.json"}, {"bf16": False}),
        ("strong_lora_sft_zero3", {}, {"bf16": False}),
        ("strong_lora_sft_zero3", {"deepspeed": None}, {"use_cpu": True, "bf16": False}),
        ("strong_lora_sft_ray", {}, {"use_cpu": True, "bf16": False}),
    ],
)
def test_cpu_leaves_deepspeed_in_use(preset: str, settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert on_cpu(load_preset(preset), settings) == expected
