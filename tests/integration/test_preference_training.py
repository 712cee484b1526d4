"""DPO, ORPO and SimPO of a tiny model with the installed LLaMA-Factory, from pairs built here."""

from __future__ import annotations

import json

import pytest
from tiny_training import WORDS, w2s

pytestmark = pytest.mark.train

PAIRS = [
    {
        "id": number,
        "instruction": " ".join(WORDS[number : number + 3]),
        "input": "",
        "output": [" ".join(WORDS[number + 3 : number + 6]), " ".join(WORDS[number : number + 2])],
    }
    for number in range(8)
]


def succeed(*arguments, cwd):
    done = w2s(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture
def pairs(tmp_path, dataset_dir):
    """A published pair file, converted, in a folder with its index."""
    (tmp_path / "published.json").write_text(json.dumps(PAIRS))
    succeed("convert-pairs", "published.json", "--output", "data/pairs.json", cwd=tmp_path)
    return dataset_dir


@pytest.fixture
def m_plus(tmp_path, config):
    """An adapter that has learnt something, so that it differs from its base."""
    succeed("train", config, "learning_rate=0.05", cwd=tmp_path)
    return tmp_path / "out"


def trained(preset, tmp_path, tiny_llama, *options) -> list[dict]:
    """Train three steps and return what the trainer logged at each."""
    output = tmp_path / preset
    succeed(
        *("make-config", "--preset", preset, "--model", tiny_llama, "--dataset", "pairs", "--cpu"),
        *("--dataset-dir", "data", "--output-dir", output, "--output", f"{preset}.yaml"),
        *("--set", "logging_steps=1", "--set", "max_steps=3", "--set", "save_strategy=no", *options),
        cwd=tmp_path,
    )
    succeed("train", f"{preset}.yaml", cwd=tmp_path)
    log = json.loads((output / "trainer_state.json").read_text())["log_history"]
    return [step for step in log if "loss" in step]


@pytest.mark.parametrize("preset", ["orpo", "simpo"])
def test_it_trains(tmp_path, tiny_llama, pairs, preset):
    steps = trained(preset, tmp_path, tiny_llama)
    assert len(steps) == 3
    assert (tmp_path / preset / "adapter_model.safetensors").exists()


@pytest.mark.parametrize(("reference", "is_policy"), [("m-plus", True), ("base", False)])
def test_the_reference_of_dpo(tmp_path, tiny_llama, pairs, m_plus, reference, is_policy):
    """Before the first step the policy is M_plus: rewards against M_plus are zero, against the base not."""
    first = trained("dpo", tmp_path, tiny_llama, "--adapter", m_plus, "--reference", reference)[0]
    rewards = [float(first[f"rewards/{side}"]) for side in ("chosen", "rejected")]
    assert all(abs(reward) < 1e-6 for reward in rewards) == is_policy
    assert all(abs(reward) > 1e-3 for reward in rewards) == (not is_policy)


def test_published_pairs_are_refused_with_the_way_to_convert_them(tmp_path, tiny_llama, pairs):
    """The release's own index entry and file, given to a LLaMA-Factory that reads columns."""
    entry = {
        "file_name": "../published.json",
        "ranking": True,
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    }
    index = json.loads((pairs / "dataset_info.json").read_text())
    succeed(
        *("make-config", "--preset", "dpo", "--model", tiny_llama, "--dataset", "pairs", "--cpu"),
        *("--dataset-dir", "data", "--output-dir", "out", "--output", "dpo.yaml"),
        cwd=tmp_path,
    )
    (pairs / "published.json").write_text(json.dumps(PAIRS))
    index["pairs"] = entry | {"file_name": "published.json"}
    (pairs / "dataset_info.json").write_text(json.dumps(index))
    refused = w2s("train", "dpo.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "convert-pairs" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
