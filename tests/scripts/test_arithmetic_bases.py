"""The two stored bases: they load, are as large as their cards say, and answer; a few steps repeat."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from w2s_factory.records import TEST, read
from w2s_factory.tasks import get_task

pytestmark = pytest.mark.train

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "data" / "models"
PARAMETERS = {"weak": 330_048, "strong": 1_855_680, "various": 1_781_952}
TASK = get_task("arithmetic")


@pytest.fixture(scope="module", params=PARAMETERS)
def base(request):
    transformers = pytest.importorskip("transformers")
    root = MODELS / f"arithmetic_{request.param}"
    tokenizer = transformers.AutoTokenizer.from_pretrained(root, trust_remote_code=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(root, trust_remote_code=False)
    return request.param, model, tokenizer


def test_it_has_the_parameters_its_card_says(base):
    name, model, _ = base
    count = sum(weight.numel() for weight in model.parameters())
    assert count == PARAMETERS[name]
    assert f"{count:,}" in (MODELS / f"arithmetic_{name}" / "README.md").read_text()
    assert {str(weight.dtype) for weight in model.parameters()} == {"torch.float32"}
    assert model.config.head_dim == 32


def test_they_are_small_and_only_safetensors():
    files = [path for name in PARAMETERS for path in (MODELS / f"arithmetic_{name}").iterdir()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert {path.suffix for path in files} == {".json", ".md", ".safetensors"}


def test_no_token_is_added_and_no_word_of_the_task_is_unknown(base):
    _, _, tokenizer = base
    for row in read(TASK.path(TASK.splits["dev"].test), TEST):
        ids = tokenizer.encode(f"{TASK.prompt(row['question'])} {row['solution']}")
        assert not {0, 1, 2, 3} & set(ids)


def test_it_answers_with_steps_and_a_number(base):
    torch = pytest.importorskip("torch")
    _, model, tokenizer = base
    prompts = [
        TASK.prompt(row["question"]) for row in list(read(TASK.path(TASK.splits["dev"].test), TEST))[:16]
    ]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    with torch.no_grad():
        tokens = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=48,
            do_sample=False,
        )
    answers = tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert sum("####" in answer or "answer" in answer or "So" in answer for answer in answers) >= 8, answers


def pretrained(root, base="weak"):
    command = [sys.executable, str(ROOT / "scripts" / "pretrain_arithmetic.py")]
    command += ["--root", str(root), "--only", base, "--steps", "3"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_base_that_starts_from_another_names_it_where_it_is_missing(tmp_path):
    pytest.importorskip("torch")
    done = pretrained(tmp_path, "various")
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    assert f"starts from {tmp_path / 'arithmetic_strong'}, which is missing" in last
    assert last.endswith("make it with --only strong")
    assert not list(tmp_path.iterdir())


def test_pretraining_repeats_itself(tmp_path):
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    done = [pretrained(tmp_path / run) for run in "ab"]
    assert [process.returncode for process in done] == [0, 0], done
    assert "step 3/3" in done[0].stderr
    one, other = (
        safetensors.load_file(tmp_path / run / "arithmetic_weak" / "model.safetensors") for run in "ab"
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    config = json.loads((tmp_path / "a" / "arithmetic_weak" / "config.json").read_text())
    assert config == json.loads((MODELS / "arithmetic_weak" / "config.json").read_text())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        made = (tmp_path / "a" / "arithmetic_weak" / name).read_bytes()
        assert made == (MODELS / "arithmetic_weak" / name).read_bytes()
