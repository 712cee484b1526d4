"""What is the transformers engine's own: batches, draws, adapters of many kinds, context."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import pytest
from tiny_models import lora, make_adapter

from w2s_factory.errors import UserError
from w2s_factory.generating import Model, Request, Sampling, make_engine
from w2s_factory.generating.engines.vllm_arguments import rank_served

PROMPTS = [
    "Question: What is 1 + 2?\nAnswer:",
    "Question: Why?\nAnswer:",
    "Question: How many pears are there?\nAnswer:",
]
GREEDY = Sampling(max_tokens=12)


def written(folder, adapter=None, sampling=GREEDY, bos="auto", **options):
    engine = make_engine("transformers", Model(str(folder), adapter and str(adapter), bos), options)
    asked = [Request(n, 0, prompt) for n, prompt in enumerate(PROMPTS)]
    done = {one.request.id: one.text for one in engine.complete(engine.batches(asked), sampling)}
    return [done[n] for n in range(len(PROMPTS))]


def test_longest_first_in_batches_of_like_length(tiny):
    engine = make_engine("transformers", Model(str(tiny)), {"batch_size": 2})
    asked = [Request(n, 0, "a " * length) for n, length in enumerate([3, 9, 1, 9, 5])]
    assert [[one.id for one in batch] for batch in engine.batches(asked)] == [[1, 3], [4, 0], [2]]


def test_padding_changes_no_response(tiny):
    assert written(tiny, batch_size=1) == written(tiny, batch_size=3)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.6)])
def test_draws_have_the_models_own_chances(temperature, top_p):
    import torch

    from w2s_factory.generating.engines.token_choice import SeededDraws

    scores = torch.tensor([2.0, 1.0, 0.0, -1.0, -9.0])
    count = 20_000
    draws = SeededDraws(range(count), Sampling(temperature=temperature, top_p=top_p))
    drawn = draws(None, scores.expand(count, -1)).argmax(dim=-1)
    seen = torch.bincount(drawn, minlength=5) / count
    chances = torch.softmax(scores / temperature, dim=-1)
    if top_p < 1:
        assert chances[0] > top_p  # so that one token is the whole nucleus
        chances = torch.tensor([1.0, 0, 0, 0, 0])
    assert torch.allclose(seen, chances, atol=4 * (0.25 / count) ** 0.5)


def test_the_nucleus_holds_the_token_that_crosses_top_p():
    import torch

    from w2s_factory.generating.engines.token_choice import SeededDraws

    scores = torch.log(torch.tensor([0.1, 0.5, 0.4]))
    draws = SeededDraws(range(5000), Sampling(temperature=1.0, top_p=0.7))
    seen = torch.bincount(draws(None, scores.expand(5000, -1)).argmax(dim=-1), minlength=3) / 5000
    assert seen[0] == 0
    assert abs(float(seen[1]) - 5 / 9) < 0.03


def test_bos(tiny, tmp_path):
    engines = {
        bos: make_engine("transformers", Model(str(tiny), bos=bos), {}) for bos in ("auto", "add", "none")
    }
    tokens = {bos: engine.tokens("Question: 1") for bos, engine in engines.items()}
    assert tokens["auto"] == tokens["none"]
    assert tokens["add"] == [(1, "<s>"), *tokens["none"]]
    assert written(tiny, bos="add") != written(tiny, bos="none")
    adding = shutil.copytree(tiny, tmp_path / "adding")
    tokenizer = json.loads((adding / "tokenizer.json").read_text())
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }
    (adding / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert written(adding, bos="auto") == written(tiny, bos="add") == written(adding, bos="add")
    assert written(adding, bos="none") == written(tiny, bos="none")


def test_end_of_sequence_ends_a_response(tiny, tmp_path):
    """A model that always writes end-of-sequence next."""
    import torch
    from transformers import AutoModelForCausalLM

    ending = shutil.copytree(tiny, tmp_path / "ending")
    model = AutoModelForCausalLM.from_pretrained(ending)
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[2] = 1.0
        model.model.norm.weight.fill_(0)
        model.model.norm.weight[0] = 0
    model.save_pretrained(ending)
    engine = make_engine("transformers", Model(str(ending)), {})
    # all scores are equal then, and the first token, padding, is the largest: make it the end instead
    config = json.loads((ending / "generation_config.json").read_text())
    (ending / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": [2, 0]}))
    [done] = engine.complete([[Request(0, 0, PROMPTS[0])]], GREEDY)
    assert (done.text, done.finish, done.tokens) == ("", "stop", 1)


def test_a_stop_text_that_is_a_special_token_ends_a_response(tiny):
    engine = make_engine("transformers", Model(str(tiny)), {})
    assert engine._tokens.special(["Question", "</s>", "<unk>"]) == [2, 3]


def test_the_context_bounds_a_response(tiny):
    engine = make_engine("transformers", Model(str(tiny)), {})
    prompt = "a" + " 1" * 250
    room = 512 - len(engine.tokens(prompt))
    done = {
        one.request.id: one
        for one in engine.complete(
            [[Request(0, 0, prompt), Request(1, 0, "a")]], Sampling(max_tokens=room + 5)
        )
    }
    assert done[0].tokens <= room
    long, short = Request(7, 0, "a" + " 1" * 600), Request(8, 0, "a")
    [refused] = engine.unanswerable([long, short])
    assert (refused.request, refused.finish, refused.text) == (long, "error", "")
    assert (
        refused.error == f"the prompt has {len(engine.tokens(long.prompt)):,} tokens, the model's context 512"
    )
    alone = list(engine.complete([[short]], GREEDY))
    assert list(engine.complete([[long, short], [long]], GREEDY)) == [refused, *alone, refused]


def test_a_prompt_beyond_the_tokenizers_limit_is_refused_without_a_warning_of_transformers(tiny, caplog):
    engine = make_engine("transformers", Model(str(tiny)), {})
    engine._tokens.tokenizer.model_max_length = 100
    long = Request(0, 0, "a" + " 1" * 600)
    with warnings_of_transformers(caplog):
        assert [one.finish for one in engine.unanswerable([long])] == ["error"]
        assert caplog.records == []
        engine._tokens.tokenizer(long.prompt)  # which warns by default
    assert "Token indices sequence length" in caplog.text


@contextmanager
def warnings_of_transformers(caplog):
    from transformers.utils import logging

    logger = logging.get_logger("transformers")
    logger.addHandler(caplog.handler)
    try:
        yield
    finally:
        logger.removeHandler(caplog.handler)


TARGETS = {"target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
MERGED = {
    "lora": lora,
    "dora": lambda: lora(use_dora=True),
    "loha": lambda: adapter_kind("LoHaConfig", r=4, **TARGETS),
    "lokr": lambda: adapter_kind("LoKrConfig", r=4, **TARGETS),
    "ia3": lambda: adapter_kind(
        "IA3Config",
        target_modules=["q_proj", "down_proj"],
        feedforward_modules=["down_proj"],
        task_type="CAUSAL_LM",
    ),
    "oft": lambda: adapter_kind("OFTConfig", r=0, oft_block_size=16, **TARGETS),
}
BESIDE = {
    "prompt tuning": lambda: adapter_kind("PromptTuningConfig", task_type="CAUSAL_LM", num_virtual_tokens=4)
}


def adapter_kind(name, **settings):
    """Return a configuration of peft by its class's name."""
    import peft

    return getattr(peft, name)(**settings)


@pytest.mark.parametrize("kind", [*MERGED, *BESIDE])
def test_adapters_of_every_kind(kind, tiny, tmp_path):
    from w2s_factory.generating.engines.weights import merged_folder

    adapter = make_adapter(tmp_path / "adapter", tiny, (MERGED | BESIDE)[kind]())
    plain, adapted = written(tiny), written(tiny, adapter)
    assert adapted != plain
    assert adapted == [text for prompt in PROMPTS for text in peft_writes(tiny, adapter, prompt)]
    assert (rank_served(adapter) is not None) == (kind == "lora")
    if kind in BESIDE:
        with pytest.raises(UserError, match="can't be merged"), merged_folder(tiny, adapter):
            pass
    else:
        with merged_folder(tiny, adapter) as folder:
            assert written(folder) == adapted
        assert not folder.exists()


def test_no_weights_nor_index_of_a_sharded_base_lie_beside_a_merged_model(tiny, lora_adapter, tmp_path):
    from transformers import AutoModelForCausalLM

    from w2s_factory.generating.engines.weights import merged_folder

    sharded = shutil.copytree(tiny, tmp_path / "sharded", ignore=shutil.ignore_patterns("*.safetensors"))
    AutoModelForCausalLM.from_pretrained(tiny).save_pretrained(sharded, max_shard_size="100KB")
    (sharded / "pytorch_model.bin").write_bytes(b"pickled")
    assert (sharded / "model.safetensors.index.json").is_file()
    with merged_folder(sharded, lora_adapter) as folder:
        weights = {"config.json", "generation_config.json", "model.safetensors"}
        assert {file.name for file in folder.iterdir()} == weights | {
            "tokenizer.json",
            "tokenizer_config.json",
        }
        assert written(folder) == written(tiny, lora_adapter) == written(sharded, lora_adapter)


def peft_writes(base, adapter, prompt):
    """Greedy decoding by peft itself, unmerged and unpadded."""
    import peft
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    ids = tokenizer(prompt, return_tensors="pt")
    rows = model.generate(
        input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], max_new_tokens=12, do_sample=False
    )
    return tokenizer.batch_decode(rows[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)


def test_adapters_of_other_models(tiny, wrong_adapter, deeper_adapter):
    with pytest.raises(UserError, match=r"does not fit the model .*expected .* of shape"):
        written(tiny, wrong_adapter)
    with pytest.raises(UserError, match=r"does not fit the model .*no such tensor as .*layers\.2"):
        written(tiny, deeper_adapter)


def cut(file):
    file.write_bytes(file.read_bytes()[:200])


def configured(**values):
    def change(folder):
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    return change


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            lambda folder: (folder / "adapter_config.json").write_text("{"),
            "not an adapter that peft can read",
        ),
        (
            lambda folder: (folder / "adapter_config.json").write_text("[]"),
            "not an adapter that peft can read",
        ),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "what kind of adapter"),
        (configured(peft_type="NOPE"), "a kind that peft does not know \\('NOPE'\\)"),
        (configured(r="eight"), "does not fit the model .*TypeError"),
        (configured(target_modules=["nothing"]), "does not fit the model .*nothing"),
        (
            lambda folder: (folder / "adapter_model.safetensors").unlink(),
            r"holds no adapter_model.safetensors",
        ),
        (
            lambda folder: cut(folder / "adapter_model.safetensors"),
            r"adapter_model.safetensors: cannot be read",
        ),
        (
            lambda folder: (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin"),
            "Only safetensors are read",
        ),
    ],
)
def test_adapters_that_are_broken(tiny, lora_adapter, tmp_path, harm, message):
    from w2s_factory.generating.engines.weights import merged_folder

    adapter = shutil.copytree(lora_adapter, tmp_path / "adapter")
    harm(adapter)
    with pytest.raises(UserError, match=message):
        written(tiny, adapter)
    with pytest.raises(UserError, match=message), merged_folder(tiny, adapter):
        pass


@pytest.mark.parametrize("rank", ["eight", None])
def test_a_rank_that_is_none_is_not_served(lora_adapter, tmp_path, rank):
    adapter = shutil.copytree(lora_adapter, tmp_path / "adapter")
    configured(r=rank)(adapter)
    assert rank_served(adapter) is None


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", b"", "the model cannot be loaded"),
        ("model.safetensors", b"\xff" * 200, "the model cannot be loaded"),
        ("config.json", b"[]", "cannot be loaded"),
        ("tokenizer.json", b"{}", "the tokenizer cannot be loaded"),
        ("tokenizer_config.json", b"[]", "the tokenizer cannot be loaded"),
    ],
)
def test_models_that_are_broken(tiny, tmp_path, file, content, message):
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / file).write_bytes(content)
    with pytest.raises(UserError, match=message):
        written(broken)


def test_an_adapter_counts_in_the_settings(tiny, lora_adapter):
    base, adapted = (
        make_engine("transformers", Model(str(tiny), one), {}).settings() for one in (None, str(lora_adapter))
    )
    assert base["adapter"] is None
    assert base["model"] == adapted["model"]
    assert adapted["adapter"].startswith("sha256:")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "many"}, "batch_size"),
        ({"dtype": "float8"}, "auto or one of"),
        ({"device": 0}, "device"),
    ],
)
def test_options_that_cannot_be(tiny, option, message):
    with pytest.raises(UserError, match=message):
        make_engine("transformers", Model(str(tiny)), option)


def test_weights_that_are_not_safetensors_are_refused(tiny, tmp_path):
    pickled = shutil.copytree(tiny, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        written(pickled)
