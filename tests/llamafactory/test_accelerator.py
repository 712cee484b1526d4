"""Trainings that need a GPU: found out before LLaMA-Factory is started, and only where it matters."""

from __future__ import annotations

import json
import shlex
import venv
from pathlib import Path
from typing import Any

import pytest

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory import preflight
from w2s_factory.llamafactory.arguments import TABLE
from w2s_factory.llamafactory.preflight import (
    GPU_ONLY,
    check_accelerator,
    check_quantizer,
    cpu_arguments,
    gpu_only,
)
from w2s_factory.llamafactory.presets import load_preset, preset_names
from w2s_factory.llamafactory.settings import ON_CPU
from w2s_factory.llamafactory.training_config import Config, read_config
from w2s_factory.records import read_object


def config(**values: Any) -> Config:
    return Config(Path("train.yaml"), (), values)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch):
    """Say what torch sees; the list of programs that were run to find out."""
    asked: list[str] = []

    def sees(*devices: str) -> list[str]:
        def run_inside(python: Path, program: str, *, arguments: Any) -> dict[str, Any]:
            asked.append(f"{program} {' '.join(arguments)}")
            return {"devices": list(devices), "vanilla": None}

        monkeypatch.setattr(preflight, "run_inside", run_inside)
        return asked

    monkeypatch.delenv("USE_RAY", raising=False)
    return sees


NEEDS = [
    ({"bf16": True}, "bf16"),
    *(({"bf16": text}, "bf16") for text in ("true", "True", "yes", "1", 1)),
    ({"fp16": True}, "fp16"),
    ({"fp16": True, "use_cpu": True}, "fp16"),
    ({"pure_bf16": True, "use_cpu": True}, "pure_bf16"),
    ({"quantization_bit": 4}, "quantization_bit"),
    ({"deepspeed": "ds.json", "bf16": False}, "deepspeed"),
]
GOES = [
    {},
    {"bf16": False},
    {"bf16": True, "use_cpu": True},
    {"bf16": True, "no_cuda": True},
    {"bf16": True, "use_cpu": "true"},
    {"bf16": "false", "fp16": "no"},
    {"quantization_bit": None, "deepspeed": None},
    {"flash_attn": "fa2"},  # LLaMA-Factory warns and trains without
]


@pytest.mark.parametrize(("values", "key"), NEEDS)
def test_without_a_gpu_it_is_refused(torch, values: dict[str, Any], key: str) -> None:
    torch()
    with pytest.raises(UserError, match=r"needs a GPU, and torch sees none here. .*cpu: true") as refused:
        check_accelerator(config(**values), Path("python"))
    assert refused.value.field == key


@pytest.mark.parametrize(("values", "key"), NEEDS)
def test_with_one_it_is_not(torch, values: dict[str, Any], key: str) -> None:
    assert gpu_only(values) == key
    asked = torch("H200")
    check_accelerator(config(**values), Path("python"))
    assert asked == ["imports_work.py torch"]


@pytest.mark.parametrize("values", GOES)
def test_torch_is_not_asked_where_no_gpu_is_needed(torch, values: dict[str, Any]) -> None:
    asked = torch()
    check_accelerator(config(**values), Path("python"))
    assert asked == []


def test_rays_workers_are_elsewhere(torch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_RAY", "1")
    asked = torch()
    check_accelerator(config(bf16=True), Path("python"))
    assert asked == []


def test_a_torch_that_is_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_inside(*_: Any, **__: Any) -> None:
        raise DelegateError("no module named torch")

    monkeypatch.setattr(preflight, "run_inside", run_inside)
    with pytest.raises(
        DelegateError, match=r"torch cannot be imported by python \(no module named torch\).*doctor"
    ):
        check_accelerator(config(bf16=True), Path("python"))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_without_deepspeed_goes_on_a_cpu_with_the_option(name: str) -> None:
    values = {key: entry.value for key, entry in load_preset(name).entries.items()} | ON_CPU
    assert gpu_only(values) == next((key for key in ("deepspeed", "quantization_bit") if key in values), None)


@pytest.fixture(scope="module")
def without_bitsandbytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty environment."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("method", [None, "bnb", "bitsandbytes"])
def test_a_quantised_training_needs_bitsandbytes(
    method: str | None, without_bitsandbytes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, asked = without_bitsandbytes, config(quantization_bit=4, quantization_method=method)
    monkeypatch.delenv("USE_RAY", raising=False)
    with pytest.raises(UserError, match="needs the package bitsandbytes") as refused:
        check_quantizer(asked, python)
    assert (refused.value.field, refused.value.hint) == (
        "quantization_bit",
        f"{python} -m pip install bitsandbytes",
    )
    monkeypatch.setenv("USE_RAY", "1")
    check_quantizer(asked, python)


@pytest.mark.parametrize(
    "values", [{}, {"quantization_bit": None}, {"quantization_bit": 4, "quantization_method": "hqq"}]
)
def test_any_other_training_does_not(values: dict[str, Any], without_bitsandbytes: Path) -> None:
    check_quantizer(config(**values), without_bitsandbytes)


def test_every_argument_is_one_of_llamafactorys() -> None:
    table = read_object(TABLE)
    assert GPU_ONLY.keys() - {*table["always"], *table["training"]} == set()


@pytest.mark.parametrize(("values", "key"), NEEDS)
def test_the_command_of_the_refusal_needs_no_gpu(torch, values: dict[str, Any], key: str, tmp_path) -> None:
    torch()
    file = tmp_path / "train.yaml"
    file.write_text(json.dumps(values))
    with pytest.raises(UserError) as refused:
        check_accelerator(read_config(file), Path("python"))
    command = str(refused.value.hint).partition("CPU: ")[2].partition(";")[0]
    ours, verb, named, *overrides = shlex.split(command)
    assert (ours, verb, named) == ("w2s-factory", "train", str(file))
    check_accelerator(read_config(file, overrides), Path("python"))


def test_a_training_that_needs_no_gpu_needs_no_arguments() -> None:
    assert cpu_arguments({"bf16": False}) == []
