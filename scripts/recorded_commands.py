"""The commands that record_outputs.py runs, and those that it leaves out.

The list is fixed: it does not follow rewordings of README, docs and help, so that two states of the code
do the same work. Each command is the rest of a line `w2s-factory ...`; a command that begins with `sh: `
is a line for bash. Two lists are files. `recorded/documented.txt` contains the commands of README, docs
and help at the time when the list was written. `recorded/wrong.txt` contains command lines with a
mistake: their exit codes are compared, and they must not write anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import recorded_inputs as inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Plant = Callable[[Path, inputs.Places], None]


@dataclass(frozen=True)
class Case:
    """Some commands run one after the other in a folder of their own.

    Attributes:
        name: What the recording calls it.
        commands: The commands.
        plant: Writes the files they read.
        numbers: Whether the numbers and paths that they print are compared too.
        release: W2S_RELEASE of the commands, a folder in the case's own folder, or "" for none.
    """

    name: str
    commands: tuple[str, ...]
    plant: Plant | None = None
    numbers: bool = False
    release: str = "{release}"

    @property
    def needs(self) -> set[str]:
        """Return which folders outside the tree it reads: "release", "facts"."""
        text = " ".join(self.commands)
        planted = {inputs.gsm8k_sides: "release", inputs.olympic_sides: "release", inputs.answers: "facts"}
        named = {name for name in ("release", "facts") if f"{{{name}}}" in text}
        return named | ({planted[self.plant]} if self.plant in planted else set())


QUICK = "generate --task arithmetic --split dev --model {tree}/data/models/tiny_llama --output-dir out"
QUICK += " --limit 6 --max-tokens 8"

LISTS = Path(__file__).with_name("recorded")
LEFT_OUT = {
    "train ..., export ...": "they train or merge",
    "run FILE without --dry-run": "it trains; its folder is recorded with `-- --dry-run`",
    "run experiment.yaml --executor slurm ...": "it needs a cluster",
    "generate ... --adapter PATH, --engine vllm, --engine openai": "no adapter, vLLM or server is there",
    "generate ... on whole splits": "recorded with --limit 2 --max-tokens 8",
    "fetch without --from, fetch release": "they need a network or a clone of the release",
    "verify-release DIR, verify-release DIR --audit": "recorded with --json, --audit and --html",
    "template install, template uninstall": "they change the environment",
}

SHARED = "{facts}/stage2_{task}"
RELEASED = "{release}/data/llama_factory"
GSM8K_TRAIN_2 = "{release}/data/test/gsm8k_train_2.jsonl"


def building() -> Iterator[Case]:
    """Give `build-data` in all stages, on the release's data and on the embedded task's."""
    raw = "{release}/data/raw"
    for task, split in (("gsm8k", "train_1"), ("gsm8k", "train_2"), ("math", "test")):
        for more in (
            "--output gold.json",
            "--layout release --model some/model",
            "--output-dir out --no-config",
        ):
            command = f"build-data --stage gold --task {task} --input {raw}/{task}/{split}.jsonl {more}"
            yield Case(f"gold {task} {split} {more}", (command,))
    for task, split in (("gsm8k", "train_1"), ("gsm8k", "train_2"), ("gsm8k", "test"), ("math", "test")):
        command = (
            f"build-data --stage test --task {task} --input {raw}/{task}/{split}.jsonl --output test.jsonl"
        )
        yield Case(f"test {task} {split}", (command,))
    weak = f"build-data --stage full-weak --task gsm8k --input {{release}}/{inputs.PUBLISHED}"
    for more in ("", "--weak-name llama2_7b --layout release", "--output weak.json --dataset-name named"):
        yield Case(f"full-weak {more}", (f"{weak} {more}",))
    for stage in ("gold", "test", "full-weak", "1"):
        yield Case(f"embedded {stage}", (f"build-data --stage {stage}", f"build-data --stage {stage}"))
    for number, more in enumerate(
        (
            "--layout release --output-dir out",
            "--pad-to 900 --seed 3",
            "--no-config --iteration 2",
            "--weak-name tiny --preset tiny_base_lora_sft --set max_steps=3 --llamafactory-version 0.6.2",
        )
    ):
        yield Case(f"embedded 1, options {number}", (f"build-data --stage 1 {more}",))
    yield from stage1()
    yield from stage2()


def stage1() -> Iterator[Case]:
    """Give Stage I of the published weak answers, of judged ones, and of other ones."""
    score = f"score --task gsm8k --golds {GSM8K_TRAIN_2} --input icl.jsonl --output icl/results.jsonl"
    sides = f"--weak {{release}}/{inputs.PUBLISHED} --icl icl/results.jsonl --weak-name llama2_7b"
    build = f"build-data --stage 1 --task gsm8k {sides}"
    commands = (score, f"{build} --output-dir folder", f"{build} --output-dir tree --layout release")
    yield Case("stage 1 gsm8k, published", (*commands, "audit tree --json"), inputs.gsm8k_sides)
    olympic = "build-data --stage 1 --task olympic_arena --weak weak.jsonl --icl icl.jsonl"
    olympic += " --weak-name llama3-8b-instruct --output-dir"
    yield Case("stage 1 olympic_arena", (f"{olympic} out",), inputs.olympic_sides)
    for task, pad in (("gsm8k", 400), ("math", 310)):
        folder = SHARED.replace("{task}", task)
        two = f"--weak {folder}/weak_results.jsonl --icl {folder}/t1.0/seed0/results.jsonl"
        build = f"build-data --stage 1 --task {task} {two} --output-dir"
        yield Case(
            f"stage 1 {task}", (f"{build} a", f"{build} b --pad-to {pad}", f"{build} b --pad-to {pad + 1}")
        )


def stage2() -> Iterator[Case]:
    """Give votes and pairs of the published code's two cases, at both settings and in both forms."""
    for task, first in (("gsm8k", 3), ("math", 2)):
        folder = SHARED.replace("{task}", task)
        votes = f"--votes {folder}/expected_majority_voting_results.jsonl"
        vote = f"vote --input {folder}/t1.0 --output"
        yield Case(f"vote {task}", (f"{vote} v/votes.jsonl", f"{vote} t/votes.jsonl --task {task}"))
        for weak in ("weak_results.jsonl", "full_weak.json"):
            build = f"build-data --stage 2 --task {task} --weak {folder}/{weak} {votes} --output paired.json"
            for negative in (0.8, 0.6):
                shared = f"{build} --min-confidence 0.6 --negative-confidence {negative}"
                for more in ("--format release", f"--format columns --samples {folder}/t1.0"):
                    yield Case(f"stage 2 {task} {weak} {negative} {more[:16]}", (f"{shared} {more}",))
        build = f"build-data --stage 2 --task {task} --weak {folder}/weak_results.jsonl {votes}"
        looks = f"--weak {folder}/weak_results.jsonl"
        commands = (
            f"{build} --drop-duplicates --output one/paired.json",
            f"{build} --pairs-per-question 2 --seed 7 --output two/paired.json",
            f"{build} --layout release --weak-name llama2_7b --output-dir tree --model m/m --set seed=3",
            f"{build} --llamafactory-version 0.6.2 --model some/model --preset orpo --output old/paired.json",
            f"build-data --stage 2 --check one/paired.json {looks}",
            f"build-data --stage 2 --output one/paired.json --explain {first}",
            f"build-data --stage 2 --output one/paired.json --explain 5 --task {task} {looks} {votes}",
        )
        yield Case(f"stage 2 {task} options", commands)
    pairs = f"{RELEASED}/gsm8k/train_gsm8k_gemma_2b_iter2_hybrid_paired.json"
    weak = f"{RELEASED}/gsm8k/train_gsm8k_gemma_2b_full_weak.json"
    yield Case("stage 2 check of published pairs", (f"build-data --stage 2 --check {pairs} --weak {weak}",))
    build = "build-data --stage 2 --task arithmetic --weak weak.jsonl --votes votes.jsonl"
    build += " --negative-confidence 0.7"
    commands = (
        "vote --input t1.0 --output votes.jsonl",
        f"{build} --output a/paired.json",
        f"{build} --samples t1.0 --model some/model",
        "evaluate --pass-at 4 t1.0 --json --csv table.csv",
        "audit . --task arithmetic --json",
    )
    yield Case("stage 2 arithmetic", commands, inputs.arithmetic_samples)


VERSIONS = ("0.5.0", "0.6.2", "0.7.1", "0.8.3", "0.9.5")
SUPERVISED = (
    *("strong_lora_sft", "strong_lora_sft_math", "strong_lora_sft_ray", "strong_lora_sft_zero3"),
    *("tiny_base_full_sft", "tiny_base_lora_sft", "tiny_lora_sft", "weak_full_sft", "weak_full_sft_zero3"),
)
PREFERENCE = ("dpo", "orpo", "simpo", "tiny_base_dpo", "tiny_base_orpo", "tiny_base_simpo")


def configs() -> Iterator[Case]:
    """Give `make-config` with every preset for each version, and with its options."""

    def made(name: str, preset: str, version: str, more: str) -> Case:
        command = f"make-config --preset {preset} --model model --output-dir out --output new/a.yaml"
        return Case(name, (f"{command} --llamafactory-version {version} {more}",), inputs.configs)

    for version in VERSIONS:
        pairs = "pairs" if version >= "0.8" else "ranked"
        for preset in SUPERVISED:
            yield made(f"config {preset} {version}", preset, version, "--dataset toy --dataset-dir data")
        for preset in PREFERENCE:
            more = f"--dataset {pairs} --dataset-dir data --adapter adapter"
            yield made(f"config {preset} {version}", preset, version, more)
        yield made(f"config export {version}", "export", version, "--adapter adapter --set export_size=4")
        yield made(
            f"config cpu {version}", "tiny_lora_sft", version, "--dataset toy --dataset-dir data --cpu"
        )
        dpo = f"--dataset {pairs} --dataset-dir data --adapter adapter --reference"
        for reference in ("base", "m-plus"):
            yield made(f"config dpo {reference} {version}", "dpo", version, f"{dpo} {reference}")
        start = f"--dataset {pairs} --dataset-dir data --start"
        yield made(f"config orpo base {version}", "orpo", version, f"{start} base")
        yield made(f"config orpo m-plus {version}", "orpo", version, f"{start} m-plus --adapter adapter")
    named = "--dataset toy --dataset-dir data --set learning_rate=2e-5 --set num_train_epochs=3 --set seed=1"
    yield made("config settings", "strong_lora_sft", "0.9.5", named)
    yield made("config two adapters", "export", "0.8.3", "--adapter adapter --adapter later")


def scoring() -> Iterator[Case]:
    """Give `score` in each mode, `evaluate`, and `demos`."""
    published = f"--golds {GSM8K_TRAIN_2} --input some.jsonl"
    some = f"sh: head -n 3000 {{release}}/{inputs.PUBLISHED} > some.jsonl"
    for mode in ("published", "symbolic", "math-verify"):
        command = f"score --task gsm8k {published} --partial --mode {mode} --output out/results.jsonl"
        yield Case(f"score gsm8k {mode}", (some, command))
        command = f"score --task math --golds math/golds.jsonl --input math/output.jsonl --mode {mode}"
        yield Case(
            f"score math {mode}", (f"{command} --timeout 60 --output out/results.jsonl",), inputs.answers
        )
    compare = "--compare published,symbolic,math-verify"
    yield Case(
        "score gsm8k compare", (some, f"score --task gsm8k {published} --partial {compare}"), numbers=True
    )
    command = f"score --task math --golds math/golds.jsonl --input math/output.jsonl --timeout 60 {compare}"
    yield Case("score math compare", (command,), inputs.answers, numbers=True)
    command = "score --task olympic_arena --golds judged/golds.jsonl --input judged/output.jsonl"
    yield Case("score judged", (f"{command} --timeout 60 --output out/results.jsonl",), inputs.answers)
    command = f"score --task gsm8k {published} --partial --answers any --output out/results.jsonl"
    yield Case("score gsm8k any", (some, command))
    command = "score --task gsm8k --golds golds.jsonl --input output.jsonl"
    commands = (
        f"{command} --output keyed/results.jsonl",
        f"{command} --output any/results.jsonl --answers any",
        f"{command} --output other/results.jsonl --answer-key 'It is'",
    )
    yield Case("score formats", commands, inputs.any_format)
    example = "{tree}/data/arithmetic"
    command = f"score --task arithmetic --golds {example}/golds/train_2.jsonl"
    command += f" --input {example}/examples/icl_results.jsonl"
    commands = (
        f"{command} --output keyed/results.jsonl",
        f"{command} --answers any --output any/results.jsonl",
    )
    yield Case("score arithmetic", commands)
    yield from evaluating()
    full, results = f"{RELEASED}/gsm8k/train_gsm8k_gemma_2b_full_weak.json", f"{{release}}/{inputs.PUBLISHED}"
    stage1 = f"{RELEASED}/olympicarena/train_olympic_llama3-8b-instruct_iter1_weak.json"
    ids = "--ids Biology_1120,Physics_971,Math_609,Biology_16"
    commands = (
        f"demos --task gsm8k --from {full} --output a/demos.json",
        f"demos --task gsm8k --from {full} --seed 7 --count 2 --output b/demos.json",
        f"demos --task gsm8k --from {results} --seed 24 --correct-only --output c/demos.json",
        f"demos --task gsm8k --from {results} --ids 2619,456,102,3037 --output d/demos.json",
        f"demos --task olympic_arena --from {stage1} {ids} --question Biology_16 --output e/demos.json",
    )
    yield Case("demos", commands)


def evaluating() -> Iterator[Case]:
    """Give `evaluate` as a table, JSON and CSV."""
    gsm8k, math = (SHARED.replace("{task}", task) for task in ("gsm8k", "math"))
    one, two = f"{gsm8k}/weak_results.jsonl", f"{gsm8k}/t1.0/seed0"
    for name, arguments in {
        "two": f"{one} {two}",
        "gap": f"{one} {two} --floor 0.2 --ceiling {gsm8k}/t1.0/seed1/results.jsonl",
        "paper": f"{{release}}/{inputs.PUBLISHED} --beside-paper gsm8k llama2_7b",
        "pass": f"--pass-at 10 {gsm8k}/t1.0 --task gsm8k",
        "pass at 3": f"--pass-at 3 {math}/t1.0 --task math",
        "math": f"{math}/weak_results.jsonl {math}/t1.0/seed3 --beside-paper math gemma_2b",
    }.items():
        commands = (f"evaluate {arguments}", f"evaluate {arguments} --json --csv table.csv")
        yield Case(f"evaluate {name}", commands, numbers=True)
    tagged = f"evaluate {math}/weak_results.jsonl --golds golds.jsonl --by level"
    commands = (
        "sh: head -n 329 {release}/data/test/math.jsonl > golds.jsonl",
        f"{tagged} --by subject",
        f"{tagged} --json --csv table.csv",
    )
    yield Case("evaluate by tags", commands, numbers=True)


EXPERIMENTS = (
    *("arithmetic", "gsm8k_gemma_2b", "gsm8k_gemma_2b_careful", "gsm8k_llama2_7b", "gsm8k_mistral_7b"),
    *("math_gemma_2b", "math_llama2_7b", "math_mistral_7b", "olympic_arena_llama3_8b_instruct"),
)


def experiments() -> Iterator[Case]:
    """Give every ready experiment's plan and run folder, and what runs and models give without training."""
    named = [(name, "") for name in EXPERIMENTS]
    named += [("arithmetic", f" --preset {preset}") for preset in ("dev", "smoke", "three_seeds")]
    for name, preset in named:
        file = f"run {{tree}}/experiments/{name}.yaml{preset}"
        commands = (f"{file} --dry-run", f"{file} --output-dir made --jobs 2 -- --dry-run")
        yield Case(f"run {name}{preset}", commands, inputs.whole_release, numbers=True, release="whole")
    stages = ("gold", "test", "full-weak", "1", "1 --iteration 2", "2")
    commands = (
        "run {tree}/experiments/arithmetic.yaml --preset smoke --output-dir made --jobs 2 -- --dry-run",
        "sh: cp -r answers/* made",
        *(f"sh: cd made && w2s-factory build-data --stage {stage}" for stage in stages),
        "sh: cd made && w2s-factory audit w2s-data --json",
    )
    yield Case("build-data in a run", commands, inputs.run_answers)
    for task in ("gsm8k", "math", "arithmetic", "olympic_arena"):
        init = (f"init --task {task} --output experiment.yaml", "run experiment.yaml --dry-run")
        yield Case(f"init {task}", init, inputs.whole_release, release="whole")
    commands = ("report runs/gsm8k", "report runs/gsm8k --output page.html")
    yield Case("report", commands, inputs.made_run)
    sampled = f"{QUICK} --samples 2 --temperature 1.0"
    commands = (f"{sampled} --shard 1/2", f"{sampled} --shard 2/2", "merge-shards out", "merge-shards out")
    yield Case("generate, sampled in shards", commands)
    commands = (QUICK, QUICK)
    yield Case("generate, greedy and again", commands)
    yield Case("fetch olympic_arena", ("fetch olympic_arena --from FOLDER --output-dir DIR",), inputs.hub)


def releases() -> Iterator[Case]:
    """Give what is said of the published release, and pairs converted there and back."""
    yield Case("verify-release", ("verify-release {release} --json --audit --html release.html",))
    yield Case("audit", ("audit {release} --json",))
    for stem in ("gsm8k/train_gsm8k_llama2_7b_iter2", "math/train_math_llama2_7b_iter1"):
        commands = (
            f"convert-pairs {RELEASED}/{stem}_hybrid_paired.json --format columns --output columns.json",
            "convert-pairs columns.json --format release --output release.json",
            "convert-pairs release.json --format chosen --output chosen.json",
            *(f"convert-pairs release.json --llamafactory-version {version} --output v{version}.json"
              for version in ("0.7.1", "0.9.5")),
        )  # fmt: skip
        yield Case(f"convert-pairs {stem}", commands)


COMMANDS = (
    *(
        "build-data",
        "convert-pairs",
        "make-config",
        "train",
        "export",
        "demos",
        "generate",
        "merge-shards",
        "score",
    ),
    *("vote", "evaluate", "init", "run", "report", "fetch", "verify-release", "audit", "template", "doctor"),
    *("template install", "template status", "template uninstall"),
)


def cases() -> list[Case]:
    """Return every case, the longest first, so that two at a time end together."""
    found = [*releases(), *experiments(), *scoring(), *building(), *configs()]
    for line in LISTS.joinpath("documented.txt").read_text("utf-8").splitlines():
        found.append(
            Case(f"documented: {line}", (line,), inputs.examples, numbers=line.startswith("evaluate"))
        )
    for line in LISTS.joinpath("wrong.txt").read_text("utf-8").splitlines():
        found.append(Case(f"wrong: {line}", (line,), inputs.mistakes, release=""))
    helps = tuple(f"{command} --help" for command in COMMANDS)
    found.append(Case("help", ("--help", "-h", "", "--version", *helps)))
    return found
