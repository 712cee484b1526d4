"""Try on this machine's GPUs what docs/gpu.md lists, and write the result as JSON.

    python scripts/try_gpus.py [--only NAME ...] [--output FILE] [--list]

Each check runs commands of w2s-factory with the embedded task and its small model, and looks for lines in
their output. A check that the machine does not fit (too few GPUs, a package is missing) is marked "not run",
with the reason. The exit code is 1 if a check failed, and 0 otherwise, also if none could be run.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from w2s_factory.errors import DelegateError
from w2s_factory.llamafactory.preflight import visible_devices
from w2s_factory.processes import kill_family

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "data" / "models" / "arithmetic_strong"
QUESTIONS = ROOT / "data" / "arithmetic" / "train_1.jsonl"
ROWS = 400
ASKED = 50
SECONDS = 900
"""Time limit of one command."""

GRACE = 60
"""Seconds that a command has to end its processes after the time limit, before all are killed."""

MARK = "W2S_FACTORY_GPU_CHECK"
"""The environment variable by which the processes of a command are found."""

VERSIONS = ("torch", "transformers", "llamafactory", "vllm", "deepspeed", "ray", "bitsandbytes", "flash-attn")
"""Packages whose versions are noted."""


@dataclass(frozen=True)
class Check:
    """A trial on GPUs.

    Attributes:
        name: Its name, for `--only`.
        shown: Regular expressions, each of which a line of the output must match.
        config: The arguments of make-config, in addition to model, data and folders; none for a generation.
        run: The command of w2s-factory, after the YAML is made; `{folder}` is the working folder.
        packages: Distributions that it needs in addition to torch and LLaMA-Factory; with the beginning of
            the version after `==` where only that one was promised (`vllm==0.24`).
        devices: The number of GPUs that it uses; no more are visible to it.
    """

    name: str
    shown: tuple[str, ...]
    run: str
    config: str | None = None
    packages: tuple[str, ...] = ()
    devices: int = 1

    def commands(self, folder: Path) -> list[list[str]]:
        """Return the command lines, without their first word."""
        run = [word.format(folder=folder, model=MODEL) for word in self.run.split()]
        if self.config is None:
            return [run]
        files = ["--output-dir", folder / self.name, "--output", folder / f"{self.name}.yaml"]
        made = ["make-config", *self.config.split(), "--model", MODEL, "--dataset-dir", folder, *files]
        return [[*map(str, made), "--set", "max_steps=20", "--set", "logging_steps=5"], run]


def training(
    name: str, config: str, *shown: str, devices: int = 1, engine: str, more: str = "", **rest: Any
) -> Check:
    """Return the check of a training in bf16 on some GPUs, whose last lines must name the engine."""
    at_end = rf"^Engine: {engine}, ranks {devices} \(cuda\), total batch size \d+$"
    return Check(
        name,
        (r"device: cuda:\d.* compute dtype: torch\.bfloat16", *shown, r"^Trained: ", at_end),
        f"train {{folder}}/{name}.yaml{more}",
        config,
        devices=devices,
        **rest,
    )


def generation(
    name: str, options: str, *shown: str, devices: int = 1, packages: tuple[str, ...] = ()
) -> Check:
    """Return the check of a generation: a response to each question, and lines that show the GPU."""
    asked = f"generate --task arithmetic --split dev --limit {ASKED} --model {{model}}"
    wrote = rf"^Wrote .*\({ASKED} responses"
    run = f"{asked} {options} --output-dir {{folder}}/{name}"
    return Check(name, (*shown, wrote), run, None, packages, devices)


def of_vllm(devices: int) -> str:
    """Return the line in which vLLM 0.24 says on how many GPUs it computes."""
    return (
        r"Initializing a V1 LLM engine \(v0\.24\.[^)]*\) with config: "
        rf".*tensor_parallel_size={devices},.* device_config=cuda"
    )


SFT = "--preset strong_lora_sft --dataset rows"
CHECKS = (
    training("bf16-lora-sft", SFT, engine="one process"),
    training("bf16-full-sft", "--preset weak_full_sft --dataset rows", engine="one process"),
    training("bf16-dpo", "--preset dpo --dataset pairs", engine="one process"),
    training("bf16-orpo", "--preset orpo --dataset pairs", engine="one process"),
    training(
        "qlora",
        f"{SFT} --set quantization_bit=4",
        r"Quantizing model to 4 bit with bitsandbytes",
        engine="one process",
        packages=("bitsandbytes",),
    ),
    training(
        "flash-attention",
        f"{SFT} --set flash_attn=fa2",
        r"Using FlashAttention-2",
        engine="one process",
        packages=("flash-attn",),
    ),
    training(
        "zero3-one-device",
        "--preset strong_lora_sft_zero3 --dataset rows",
        engine="DeepSpeed ZeRO-3",
        packages=("deepspeed",),
    ),
    # on a device that torch names, loading fails where there is none; bfloat16 is chosen only on a GPU
    generation(
        "transformers", "--engine transformers --engine-option device=cuda:0", r'"dtype": ?"bfloat16"'
    ),
    generation("vllm", "--engine vllm", of_vllm(1), packages=("vllm==0.24",)),
    training("ddp", SFT, engine="DDP", devices=2),
    training(
        "zero3",
        "--preset strong_lora_sft_zero3 --dataset rows",
        engine="DeepSpeed ZeRO-3",
        devices=2,
        packages=("deepspeed",),
    ),
    training(
        "zero3-full",
        "--preset weak_full_sft_zero3 --dataset rows",
        engine="DeepSpeed ZeRO-3",
        devices=2,
        packages=("deepspeed",),
    ),
    training(
        "ray",
        "--preset strong_lora_sft_ray --dataset rows",
        engine="DDP under Ray",
        devices=2,
        more=" --ray-cpus 1",
        packages=("ray", "aiohttp-cors"),
    ),
    generation(
        "tensor-parallel",
        "--engine vllm --engine-option tensor_parallel_size=2",
        of_vllm(2),
        devices=2,
        packages=("vllm==0.24",),
    ),
)


@dataclass
class Result:
    """The outcome of a check: `passed`, `failed` or `not run`."""

    name: str
    state: str
    reason: str | None = None
    seconds: float | None = None
    commands: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def reason_not_to(check: Check, devices: int) -> str | None:
    """Return why the machine does not fit a check; None if it does."""
    if devices < check.devices:
        return f"needs {check.devices} GPUs, and torch sees {devices}" if devices else "torch sees no GPU"
    wanted = [package.partition("==")[::2] for package in check.packages]
    missing = [name for name, _ in wanted if version(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    others = [f"{name} {of}, not {version(name)}" for name, of in wanted if not is_of(version(name), of)]
    return f"needs {', '.join(others)}" if others else None


def is_of(installed: str | None, series: str) -> bool:
    """Return whether a version is of a series (`0.24`); all are of the empty one."""
    return not series or f"{installed}.".startswith(f"{series}.")


def tried(check: Check, folder: Path) -> Result:
    """Return the result of a check, which is run."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(check.devices)))
    environ = {**os.environ, "CUDA_VISIBLE_DEVICES": ",".join(visible.split(",")[: check.devices])}
    environ["VLLM_LOGGING_LEVEL"] = "INFO"  # it then says its version, and on which devices it computes
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environ.get("PYTHONPATH")]))
    result, output, began = Result(check.name, "passed"), "", time.monotonic()
    for words in check.commands(folder):
        result.commands.append(shlex.join(["w2s-factory", *words]))
        code, written = ended([sys.executable, "-m", "w2s_factory", *words], environ)
        output += written
        if code != 0:
            result.state, result.reason = "failed", f"exit code {code}: {last_line(written)}"
            break
    else:
        manifests = sorted((folder / check.name).rglob("manifest.jsonl"))
        output += "".join(manifest.read_text("utf-8") for manifest in manifests)
        found = [re.search(f"(?m){pattern}", output) for pattern in check.shown]
        result.shown = [match[0] for match in found if match]
        lacking = [pattern for pattern, match in zip(check.shown, found, strict=True) if not match]
        if lacking:
            result.state, result.reason = "failed", f"no line matches {'; '.join(lacking)}"
    (folder / f"{check.name}.log").write_text(output, "utf-8")
    result.seconds = round(time.monotonic() - began, 1)
    return result


def ended(command: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Return the exit code and all output of a command; after the time limit, code 124.

    The output is read from a file: a process that outlives the command would hold a pipe open.
    """
    with tempfile.TemporaryFile() as written:
        process = subprocess.Popen(
            command, env={**environ, MARK: str(os.getpid())}, stdout=written, stderr=subprocess.STDOUT
        )
        try:
            code = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()  # which ends the training's processes, too
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=GRACE)
            kill_family(MARK, str(os.getpid()))
            process.wait()
            code = 124
        written.seek(0)
        return code, written.read().decode("utf-8", "replace")


def last_line(output: str) -> str:
    """Return the last line with text."""
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no output")


def write_data(folder: Path) -> None:
    """Write the datasets `rows` and `pairs`; a pair rejects the answer to another question."""
    with QUESTIONS.open(encoding="utf-8") as file:
        found = [json.loads(line) for line in itertools.islice(file, ROWS)]
    rows = [{"content": row["question"], "output": row["answer"]} for row in found]
    others = [*rows[1:], rows[0]]
    pairs = [
        {"content": row["content"], "chosen": row["output"], "rejected": other["output"]}
        for row, other in zip(rows, others, strict=True)
    ]
    columns = {"prompt": "content", "response": "output"}
    sides = {"prompt": "content", "chosen": "chosen", "rejected": "rejected"}
    index = {
        "rows": {"file_name": "rows.json", "columns": columns},
        "pairs": {"file_name": "pairs.json", "ranking": True, "columns": sides},
    }
    for name, content in (("rows", rows), ("pairs", pairs), ("dataset_info", index)):
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")


def version(name: str) -> str | None:
    """Return the version of a distribution; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def gpus() -> list[str]:
    """Return the names of the GPUs that torch sees; none where torch cannot be imported."""
    try:
        return visible_devices(Path(sys.executable))
    except DelegateError as error:
        print(error, file=sys.stderr)
        return []


def check_all(names: list[str], devices: list[str], folder: Path) -> list[Result]:
    """Return the results of the checks of these names, or of all; print each as it is known."""
    write_data(folder)
    results = []
    for check in CHECKS:
        if names and check.name not in names:
            continue
        reason = reason_not_to(check, len(devices))
        result = tried(check, folder) if reason is None else Result(check.name, "not run", reason)
        results.append(result)
        print(f"{result.name:18} {result.state:8} {result.reason or ''}".rstrip(), flush=True)
    return results


def main(arguments: list[str] | None = None) -> int:
    """Run the checks that fit this machine; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    known = [check.name for check in CHECKS]
    parser.add_argument(
        "--only", nargs="+", choices=known, default=[], metavar="NAME", help="only these checks"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="the JSON file; by default none")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there, and keep logs and weights")
    parser.add_argument("--list", action="store_true", help="print the commands of the checks, and run none")
    given = parser.parse_args(arguments)
    if given.list:
        for check in CHECKS:
            for words in check.commands(Path("FOLDER")):
                print(f"{check.name}: {shlex.join(['w2s-factory', *words])}")
        return 0
    devices = gpus()
    if not devices:
        print("torch sees no GPU here, so that nothing is run")
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = check_all(given.only, devices, folder.absolute())
    if given.output is not None:
        report = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "gpus": devices,
            "versions": {name: version(name) for name in VERSIONS},
            "checks": [vars(result) for result in results],
        }
        given.output.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return int(any(result.state == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
