"""What is the vllm engine's own: its arguments, several devices, adapters, and vLLM's server over HTTP."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tiny_models import lora, make_adapter

from w2s_factory.errors import UserError
from w2s_factory.generating import Model, Request, Sampling, make_engine
from w2s_factory.generating.engines.vllm_arguments import NOT_DECIDING
from w2s_factory.tasks import get_task

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[3]
GREEDY = Sampling(max_tokens=16)


def asked(count=8):
    return [Request(n, 0, get_task("arithmetic").prompt(f"What is {n} + 2?")) for n in range(count)]


def written(engine, count=8):
    try:
        done = {one.request.id: one.text for one in engine.complete(engine.batches(asked(count)), GREEDY)}
    finally:
        engine.close()
    return [done[n] for n in range(count)]


def in_transformers(tiny, adapter=None):
    return written(make_engine("transformers", Model(str(tiny), adapter and str(adapter)), {}))


@pytest.mark.parametrize(
    "options",
    [
        {"tensor_parallel_size": 4, "data_parallel_size": 2},
        {"tensor_parallel_size": 8, "pipeline_parallel_size": 2, "max_model_len": 4096},
        {"gpu_memory_utilization": 0.85, "enforce_eager": True, "dtype": "bfloat16"},
    ],
)
def test_arguments_are_what_vllms_own_parser_makes_of_them(tiny, lora_adapter, vllm_options, options):
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    engine = make_engine("vllm", Model(str(tiny), str(lora_adapter)), options)
    line = [
        "--model",
        str(tiny),
        "--load-format",
        "safetensors",
        "--disable-log-stats",
        "--enable-lora",
        "--max-lora-rank",
        "8",
    ]
    for name, value in options.items():
        line += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    parsed = AsyncEngineArgs.from_cli_args(
        AsyncEngineArgs.add_cli_args(FlexibleArgumentParser()).parse_args(line)
    )
    ours, untouched = engine.arguments(tiny), AsyncEngineArgs(model=str(tiny))
    named = {"model", "load_format", "disable_log_stats", "enable_lora", "max_lora_rank", *options}
    assert {name: getattr(ours, name) for name in named} == {name: getattr(parsed, name) for name in named}
    others = {field.name for field in dataclasses.fields(ours)} - named
    assert all(getattr(ours, name) == getattr(untouched, name) for name in others)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"tensor_parallel": 2}, 'no option "tensor_parallel". Did you mean "tensor_parallel_size"'),
        ({"trust_remote_code": True}, 'no option "trust_remote_code"'),
        ({"adapter": "beside"}, "auto, served, merged"),
    ],
)
def test_arguments_that_are_refused(tiny, vllm_options, option, message):
    with pytest.raises(UserError, match=message):
        make_engine("vllm", Model(str(tiny)), option)


def test_arguments_that_decide_texts_are_settings(tiny, vllm_options):
    def settings(**options):
        return make_engine("vllm", Model(str(tiny)), options).settings()

    assert settings(tensor_parallel_size=2, enforce_eager=True) == settings()
    assert settings(dtype="float32")["dtype"] == "float32"
    assert settings(quantization="fp8", dtype="float16")["engine_args"] == {"quantization": "fp8"}


def test_arguments_called_not_deciding_exist(vllm_options):
    from vllm.engine.arg_utils import AsyncEngineArgs

    assert {field.name for field in dataclasses.fields(AsyncEngineArgs)} >= NOT_DECIDING


@pytest.mark.parametrize("way", ["auto", "merged"])
def test_a_lora(tiny, lora_adapter, vllm_options, way):
    engine = make_engine("vllm", Model(str(tiny), str(lora_adapter)), vllm_options | {"adapter": way})
    assert engine.settings()["adapter_is"] == ("served" if way == "auto" else "merged")
    assert written(engine) == in_transformers(tiny, lora_adapter) != in_transformers(tiny)


@pytest.mark.parametrize("kind", ["dora", "loha"])
def test_an_adapter_vllm_does_not_know_is_merged(tiny, tmp_path, vllm_options, kind):
    import peft

    loha = peft.LoHaConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    adapter = make_adapter(tmp_path / "adapter", tiny, loha if kind == "loha" else lora(use_dora=True))
    engine = make_engine("vllm", Model(str(tiny), str(adapter)), vllm_options)
    assert engine.settings()["adapter_is"] == "merged"
    assert written(engine) == in_transformers(tiny, adapter) != in_transformers(tiny)
    with pytest.raises(UserError, match="can't serve an adapter of this kind"):
        make_engine("vllm", Model(str(tiny), str(adapter)), vllm_options | {"adapter": "served"})


def test_a_learned_prompt_cannot_be_merged(tiny, tmp_path, vllm_options):
    import peft

    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    adapter = make_adapter(tmp_path / "adapter", tiny, config)
    with pytest.raises(UserError, match="can't be merged, as vLLM needs it"):
        written(make_engine("vllm", Model(str(tiny), str(adapter)), vllm_options))


@pytest.mark.parametrize("way", ["auto", "merged"])
def test_an_adapter_of_another_model(tiny, wrong_adapter, vllm_options, way):
    with pytest.raises(UserError, match="does not fit the model"):
        written(make_engine("vllm", Model(str(tiny), str(wrong_adapter)), vllm_options | {"adapter": way}))


@pytest.mark.parametrize("option", ["data_parallel_size=2", "tensor_parallel_size=2"])
def test_two_devices(tiny, tmp_path, vllm_flags, option):
    """Two processes on the CPU stand for two devices."""
    files = []
    for name, options in {
        "one": ["--engine", "transformers"],
        "two": ["--engine", "vllm", *vllm_flags, "--engine-option", option],
    }.items():
        command = [
            sys.executable,
            "-m",
            "w2s_factory",
            "generate",
            "--task",
            "arithmetic",
            "--split",
            "dev",
            "--limit",
            "12",
        ]
        command += [
            "--max-tokens",
            "16",
            "--model",
            str(tiny),
            "--output-dir",
            str(tmp_path / name),
            *options,
        ]
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        files.append(tmp_path / name / "output.jsonl")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_adapter_on_the_server(tiny, lora_adapter, vllm_server):
    engine = make_engine("openai", Model("adapted"), {"base_url": vllm_server.url})
    assert written(engine) == in_transformers(tiny, lora_adapter)


def test_an_adapter_that_the_server_loads(tiny, lora_adapter, vllm_server):
    engine = loading_at(vllm_server, lora_adapter)
    before = offered(vllm_server)
    texts = [one.text for one in engine.complete(engine.batches(asked(1)), GREEDY)]
    [name] = offered(vllm_server) - before
    assert name.startswith(f"{lora_adapter.name}-")
    second = loading_at(vllm_server, lora_adapter)
    assert written(second) == in_transformers(tiny, lora_adapter)
    assert offered(vllm_server) == before
    assert written(engine) == in_transformers(tiny, lora_adapter)  # loaded again
    assert texts == in_transformers(tiny, lora_adapter)[:1]
    assert offered(vllm_server) == before


def test_an_adapter_whose_rank_the_server_does_not_take(tiny, vllm_server, tmp_path):
    adapter = make_adapter(tmp_path / "wide", tiny, lora(r=32))
    engine = loading_at(vllm_server, adapter)
    with pytest.raises(UserError, match="not load the adapter") as raised:
        written(engine)
    assert "--max-lora-rank 32" in raised.value.hint
    assert "\n" not in str(raised.value)


def loading_at(server, adapter):
    options = {"base_url": server.url, "load_adapters": True}
    return make_engine("openai", Model("tiny", str(adapter)), options)


def offered(server):
    import openai

    with openai.OpenAI(base_url=server.url, api_key="none") as client:
        return {model.id for model in client.models.list()}


def test_the_server_killed_and_started_again(tiny, vllm_server, tmp_path):
    """The client's run ends complete, no row twice, none missing, and as if nothing had happened."""
    questions = 120
    files = {}
    for name in ("undisturbed", "disturbed"):
        folder = tmp_path / name
        command = [
            sys.executable,
            "-m",
            "w2s_factory",
            "generate",
            "--task",
            "arithmetic",
            "--split",
            "dev",
            "--limit",
            str(questions),
        ]
        command += [
            "--max-tokens",
            "64",
            "--model",
            "tiny",
            "--engine",
            "openai",
            "--base-url",
            vllm_server.url,
        ]
        command += [
            "--engine-option",
            "concurrency=4",
            "--engine-option",
            "retries=40",
            "--output-dir",
            str(folder),
        ]
        client = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
        journal = folder / "output.journal.jsonl"
        if name == "disturbed":
            reached = threading.Event()
            while not reached.wait(0.01) and client.poll() is None:
                if journal.exists() and journal.read_bytes().count(b"\n") > 20:
                    reached.set()
            vllm_server.kill()
            assert journal.read_bytes().count(b"\n") - 1 < questions
            vllm_server.start()
        assert client.wait() == 0
        files[name] = (folder / "output.jsonl").read_bytes()
        ids = [json.loads(line)["id"] for line in journal.read_text().splitlines()[1:]]
        assert sorted(ids) == list(range(questions))
    assert files["disturbed"] == files["undisturbed"]
