"""The check of GPUs: what it does without any, what it calls passed and failed, and its page."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import try_gpus
from click.testing import CliRunner

from w2s_factory.cli import group

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gpu.md"


def test_without_a_gpu_all_is_marked_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(try_gpus, "visible_devices", lambda _python: [])
    assert try_gpus.main(["--output", str(tmp_path / "result.json")]) == 0
    assert "torch sees no GPU here" in capsys.readouterr().out
    report = json.loads((tmp_path / "result.json").read_text())
    assert report["gpus"] == []
    assert [check["name"] for check in report["checks"]] == [check.name for check in try_gpus.CHECKS]
    assert {(check["state"], check["reason"]) for check in report["checks"]} == {
        ("not run", "torch sees no GPU")
    }


def test_what_the_machine_does_not_fit_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(try_gpus, "version", lambda name: None)
    monkeypatch.setattr(try_gpus, "tried", lambda check, _folder: try_gpus.Result(check.name, "passed"))
    found = {result.name: result for result in try_gpus.check_all([], ["H200"], tmp_path)}
    assert found["bf16-dpo"].state == "passed"
    assert found["ddp"].reason == "needs 2 GPUs, and torch sees 1"
    assert found["qlora"].reason == "not installed: bitsandbytes"


@pytest.mark.parametrize(
    ("installed", "reason"),
    [("0.24.0", None), ("0.24.1+cu129", None), ("0.24", None), ("0.28.0", "needs vllm 0.24, not 0.28.0")],
)
def test_vllm_must_be_of_the_version_that_the_page_names(
    monkeypatch: pytest.MonkeyPatch, installed: str, reason: str | None
) -> None:
    monkeypatch.setattr(try_gpus, "version", lambda name: installed)
    [check] = [check for check in try_gpus.CHECKS if check.name == "vllm"]
    assert try_gpus.reason_not_to(check, 1) == reason
    assert "`vllm` 0.24 in the training environment" in PAGE.read_text()


VLLM = (
    "(EngineCore pid=9) INFO 11-22 08:00:00 [core.py:93] Initializing a V1 LLM engine (v{version}) with config: "
    "model='m', dtype=torch.bfloat16, tensor_parallel_size={size}, pipeline_parallel_size=1, device_config={device}, x"
)


@pytest.mark.parametrize(
    ("said", "shows"),
    [
        ({"version": "0.24.0", "size": 2, "device": "cuda"}, True),
        ({"version": "0.28.0", "size": 2, "device": "cuda"}, False),
        ({"version": "0.24.0", "size": 1, "device": "cuda"}, False),
        ({"version": "0.24.0", "size": 2, "device": "cpu"}, False),
    ],
)
def test_vllm_must_say_that_it_computes_on_two_gpus(said: dict[str, object], shows: bool) -> None:
    found = re.search(try_gpus.of_vllm(2), VLLM.format(**said))
    assert (found is not None) is shows


def test_each_generation_must_show_more_than_its_responses() -> None:
    generations = [check for check in try_gpus.CHECKS if check.config is None]
    assert [len(check.shown) for check in generations] == [2, 2, 2]


# a command that ignores SIGTERM, and whose child holds the output open in a session of its own
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_command_ends_with_its_processes_after_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_gpus, "SECONDS", 10)
    monkeypatch.setattr(try_gpus, "GRACE", 1)
    began = time.monotonic()
    code, output = try_gpus.ended([sys.executable, "-c", STUBBORN], dict(os.environ))
    assert code == 124
    assert time.monotonic() - began < 200
    assert not psutil.pid_exists(int(output)) or psutil.Process(int(output)).status() == "zombie"


FAKE = try_gpus.Check("fake", (r"^number  ?\S+$",), "demos --help")


@pytest.mark.parametrize(
    ("check", "state", "reason"),
    [
        (replace(FAKE, shown=("^Usage: ", "demonstrations")), "passed", None),
        (replace(FAKE, shown=("^Usage: ", "^no such line$")), "failed", "no line matches ^no such line$"),
        (replace(FAKE, run="train {folder}/no.yaml"), "failed", "exit code 2: .*no.yaml"),
    ],
)
def test_lines_and_exit_codes_decide(
    check: try_gpus.Check, state: str, reason: str | None, tmp_path: Path
) -> None:
    result = try_gpus.tried(check, tmp_path)
    assert result.state == state, result
    assert (reason is None) is (result.reason is None)
    if reason is not None:
        assert re.match(reason.replace("^no", "."), result.reason or "") or reason in str(result.reason)
    assert (tmp_path / "fake.log").read_text()


@pytest.mark.parametrize("check", try_gpus.CHECKS, ids=lambda check: check.name)
def test_the_commands_of_each_check_are_valid(check: try_gpus.Check, tmp_path: Path) -> None:
    try_gpus.write_data(tmp_path)
    *made, (command, *words) = check.commands(tmp_path)
    for line in made:
        done = CliRunner().invoke(group, line, standalone_mode=False)
        assert done.exception is None, done.output
        assert "bf16: true" in (tmp_path / f"{check.name}.yaml").read_text()
    with group.get_command(None, command).make_context(command, words):
        pass


def test_the_page_has_a_row_for_each_check() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| (not run|passed.*) \|$", PAGE.read_text(), re.M)
    assert [name for name, _ in rows] == [check.name for check in try_gpus.CHECKS]
