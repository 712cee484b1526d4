"""Real training: by `w2s-factory train`, and by plain `llamafactory-cli` once vanilla is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from tiny_training import ROWS, training, w2s

TWO_RANKS = {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": "2"}


@pytest.fixture(scope="module")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own that sees our packages, so that installing into it touches nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    site = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], text=True
    )
    Path(site.strip(), "ours.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    torchrun = folder / "bin" / "torchrun"
    torchrun.write_text(f"#!{python}\nfrom torch.distributed.run import main\nmain()\n")
    torchrun.chmod(0o755)
    return python


def adapter_is_there(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file() and (folder / "adapter_model.safetensors").is_file()


@pytest.mark.train
@pytest.mark.parametrize("variables", [{}, TWO_RANKS], ids=["one process", "two ranks"])
def test_w2s_factory_train(config: Path, variables: dict[str, str], tmp_path: Path) -> None:
    done = w2s("train", config, "max_steps=1", cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert f"Trained: adapter in {tmp_path / 'out'}" in done.stdout
    assert "train metrics" in done.stdout + done.stderr  # LLaMA-Factory's own output
    assert adapter_is_there(tmp_path / "out")
    [line] = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    noted = json.loads(line)
    assert noted["file"] == "adapter_model.safetensors"
    assert noted["config"]["max_steps"] == 1
    assert noted["llamafactory"]
    assert {Path(given["file"]).name for given in noted["inputs"]} == {"train.yaml", "words.json"}


@pytest.mark.train
def test_template_install_then_plain_llamafactory(config: Path, fresh_python: Path, tmp_path: Path) -> None:
    def llamafactory(**variables: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(fresh_python.parent), os.environ["PATH"]])
        return subprocess.run(
            [fresh_python, "-m", "llamafactory.cli", "train", config],
            cwd=tmp_path,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    before = llamafactory()
    assert before.returncode != 0
    assert "Template vanilla does not exist" in before.stderr
    assert "is not known" in w2s("template", "status", "--python", fresh_python, cwd=tmp_path).stdout

    for _ in range(2):
        assert w2s("template", "install", "--python", fresh_python, cwd=tmp_path).returncode == 0
    assert "is known" in w2s("template", "status", "--python", fresh_python, cwd=tmp_path).stdout
    after = llamafactory(**TWO_RANKS)
    assert after.returncode == 0, after.stderr
    assert adapter_is_there(tmp_path / "out")

    removed = w2s("template", "uninstall", "--python", fresh_python, cwd=tmp_path).stdout
    assert removed.count("Removed") == 2
    assert "is not known" in w2s("template", "status", "--python", fresh_python, cwd=tmp_path).stdout


@pytest.mark.train
def test_long_rows_are_dropped_then_the_rest_trains_and_is_merged(
    tiny_llama: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    long = {"id": 99, "content": "w1 " * 30, "output": "w2"}
    source = json.dumps([*ROWS, long])
    (dataset_dir / "words.json").write_text(source)
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump(training(tiny_llama, dataset_dir, tmp_path / "out")))

    refused = w2s("train", config, "--on-long", "error", cwd=tmp_path)
    assert refused.returncode == 2
    assert "1 of 13 rows of words are longer than cutoff_len 16 (longest 32; ids 99)" in refused.stderr
    assert not (tmp_path / "out").exists()

    done = w2s("train", config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "dropped" in done.stderr
    kept = json.loads((tmp_path / "out.data" / "0_words.json").read_text())
    assert kept == ROWS
    assert (dataset_dir / "words.json").read_text() == source
    assert json.loads((tmp_path / "out" / "manifest.jsonl").read_text())["rows_dropped"] == {"words": 1}

    again = w2s("train", config, cwd=tmp_path)
    assert again.returncode == 2
    assert "holds trained weights" in again.stderr

    merge = tmp_path / "merge.yaml"
    merge.write_text(
        yaml.safe_dump(
            {
                "model_name_or_path": str(tiny_llama),
                "adapter_name_or_path": str(tmp_path / "out"),
                "template": "vanilla",
                "finetuning_type": "lora",
                "export_dir": str(tmp_path / "merged"),
            }
        )
    )
    merged = w2s("export", merge, cwd=tmp_path)
    assert merged.returncode == 0, merged.stderr
    assert f"Merged: model in {tmp_path / 'merged'}" in merged.stdout
    refused = w2s("export", merge, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
