"""The tiny Llama: the same weights and tokenizer again, and text that survives the tokenizer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.records import RESULT, TEST, read, read_object
from w2s_factory.tasks import get_task

pytestmark = pytest.mark.train

ROOT = Path(__file__).resolve().parents[2]
TASK = get_task("arithmetic")
SHIPPED = TASK.example.model
TARGETS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.fixture(scope="module")
def tokenizer():
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(SHIPPED, trust_remote_code=False)


def test_made_again_it_is_the_same(tmp_path):
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    command = [sys.executable, str(ROOT / "scripts" / "make_tiny_llama.py"), "--root", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (SHIPPED / name).read_bytes()
    made, shipped = (safetensors.load_file(folder / "model.safetensors") for folder in (tmp_path, SHIPPED))
    assert made.keys() == shipped.keys()
    assert all(torch.equal(made[name], shipped[name]) for name in shipped)


def test_it_loads_and_has_what_lora_targets():
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED, trust_remote_code=False)
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    assert names >= TARGETS
    files = [path.name for path in SHIPPED.iterdir()]
    assert sum((SHIPPED / name).stat().st_size for name in files) < 1024**2
    assert not [name for name in files if name.endswith((".bin", ".pt", ".py"))]


def texts():
    for split in TASK.splits.values():
        for row in read(TASK.path(split.test), TEST):
            yield TASK.prompt(row["question"])
            yield f"{TASK.prompt(row['question'])} {row['solution']}\n\n"
            yield row["solution"]
    for path in (TASK.example.weak, TASK.example.icl):
        yield from (row["response"] for row in read(path, RESULT))


def test_decoding_gives_back_every_text_of_the_task(tokenizer):
    for text in texts():
        ids = tokenizer.encode(text)
        assert tokenizer.unk_token_id not in ids, text
        assert tokenizer.decode(ids) == text


WORDS = sorted(
    {word.removeprefix("▁") for word in read_object(SHIPPED / "tokenizer.json")["model"]["vocab"]}
    - {"", "\n", "<pad>", "<s>", "</s>", "<unk>"}
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", " ", "  ", "\n", "\n\n\n"]), st.sampled_from(WORDS), st.sampled_from(" \n")
        )
    )
)
def test_decoding_gives_back_any_text_of_its_words(tokenizer, pieces):
    text = "".join("".join(piece) for piece in pieces)
    ids = tokenizer.encode(text)
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_digits_are_single_and_nothing_is_added(tokenizer):
    tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode("Tom has 129 pens.\n"))
    assert tokens == ["Tom", "▁has", "▁", "1", "2", "9", "▁pens", ".", "\n"]


def test_special_tokens(tokenizer):
    assert (tokenizer.pad_token, tokenizer.bos_token, tokenizer.eos_token) == ("<pad>", "<s>", "</s>")
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)


def test_an_unknown_word_is_unknown(tokenizer):
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("Tom has zebras")) == ["Tom", "▁has", "<unk>"]
