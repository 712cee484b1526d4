"""Makers of small real models and adapters."""

from __future__ import annotations

import shutil
from itertools import pairwise

from w2s_factory.shipped import shipped

SHIPPED = shipped("data", "models", "tiny_llama")


def make_model(folder, *, layers=2, hidden=64, seed=0):
    """A random Llama with the shipped tokenizer: heads of 32, which vLLM wants on a CPU, and clear choices."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(AutoTokenizer.from_pretrained(SHIPPED)),
        hidden_size=hidden,
        intermediate_size=128,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        dtype="float32",
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(SHIPPED / name, folder)
    return folder


def make_adapter(folder, base, config, *, seed=1):
    """An adapter of random weights, so that it changes what the model writes."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.normal_(0, 0.3)
    model.save_pretrained(folder)
    return folder


def lora(**options):
    from peft import LoraConfig

    usual = {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    return LoraConfig(**usual | options)


THINKING = """\
{%- for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- if enable_thinking is defined and not enable_thinking %}{{ '<think></think>' }}{% endif %}
{%- endif %}"""
"""A chat template with a switch for thinking, of tokens that `make_chat_model` adds."""

THINKING_OPENED = "<s>" + THINKING.replace(
    "%}{{ '<think></think>' }}", "%}{{ '<think></think>' }}{% else %}<think>"
)
"""The same with a BOS token, and with the start of thinking in the prompt."""

CHAT_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<think>", "</think>")
WRITES = (
    "<|assistant|>",
    "<think>",
    "there",
    "\N{LOWER ONE EIGHTH BLOCK}and",
    "\N{LOWER ONE EIGHTH BLOCK}together",
    "</think>",
    "5",
    "<|end|>",
)
"""Tokens that the chat model writes after the start of its turn, wherever in it the prompt ends."""


def make_chat_model(folder, template=THINKING, *, special=True, writes=WRITES, eos="<|end|>"):
    """A Llama whose next token depends on the last one alone: it writes `writes`, and then ends its turn.

    Its layers add nothing, so that embedding and output layer are a table of successors. It runs in every
    engine.
    """
    import torch
    from tokenizers import AddedToken
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    tokenizer.add_tokens([AddedToken(text, special=special, normalized=False) for text in CHAT_TOKENS])
    tokenizer.chat_template = template
    tokenizer.eos_token = eos
    ids = tokenizer.convert_tokens_to_ids
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=8,
        num_key_value_heads=1,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=ids(eos),
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if "norm" in name else 0.0)
        for token in range(len(tokenizer)):
            model.model.embed_tokens.weight[token, token] = 1.0
        for last, following in pairwise(writes):
            model.lm_head.weight[ids(following), ids(last)] = 1.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
