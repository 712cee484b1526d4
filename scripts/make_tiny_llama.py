"""Build `data/models/tiny_llama/`: a Llama of random weights with a word-level tokenizer for `arithmetic`.

`make data` runs this script. The weights are drawn by Python's own generator, so that they do not depend
on the version of torch. The tokenizer's words are those of `data/arithmetic/`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

import torch
from arithmetic.tokens import CONTEXT, make_tokenizer, save_tokenizer, texts
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

SEED = 20240718
DEVIATION = 0.05
ROOT = Path(__file__).resolve().parent.parent / "data" / "models" / "tiny_llama"


def make_model(vocab_size: int) -> LlamaForCausalLM:
    """A Llama of about 0.13 million parameters, all but the norms drawn from a normal distribution."""
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    random = Random(SEED)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            if weight.dim() > 1:
                drawn = [random.gauss(0, DEVIATION) for _ in range(weight.numel())]
                weight.copy_(torch.tensor(drawn).view_as(weight))
    return model


def make(root: Path) -> None:
    """Write model and tokenizer into `root`; the model card there is written by hand."""
    tokenizer = make_tokenizer(texts())
    save_tokenizer(tokenizer, root)
    disable_progress_bar()
    make_model(tokenizer.get_vocab_size()).save_pretrained(root)


def main() -> None:
    """Parse the command line and make the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where to write (default: %(default)s)")
    options = parser.parse_args()
    make(options.root)
    print(f"wrote {options.root}")


if __name__ == "__main__":
    main()
