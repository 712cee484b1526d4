"""The commands and Python examples of README and docs, run in order in one folder per page; the examples of the help.

A page's folder holds what a clone holds, and nothing else: each command reads what those before it wrote. A page
marks a command that cannot run everywhere with a comment that gives the reason, `# needs REASON` (see NEEDS).
Such a command is parsed, and what later commands read of its output is written by a stand-in. A block that names a file is written to it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import yaml
from click.testing import CliRunner

import w2s_factory
from tests.conftest import ROOT
from tests.experiment.made_runs import ACCURACIES, FEWEST, make_run
from w2s_factory.cli import COMMANDS, group

NEEDS = {
    "minutes of training",
    "a GPU",
    "several GPUs",
    "a Slurm cluster",
    "the network",
    "the network, and the extra hub",
    "LLaMA-Factory",
    "vLLM",
    "the release",
    "another environment",
}
"""The reasons a page may give for a command that is not run here."""

A_FILE = "to be written"
"""The mark of a block that names the file whose content it is: ```yaml towns.yaml."""

ENGINE = """\
[w2s_factory.engines]
answering = tests.answering_engine:Answering
"""
"""The entry point of an engine that stands in for models: it answers at once."""

CLONE = ("data", "experiments", "scripts", "llama_factory_configs")
"""What the reader of a page has: the pages say that commands run in a clone of the repository."""

PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]
PAGES.remove("docs/design.md")


class Step(NamedTuple):
    """A command line, Python block or file of a page, and the reason why it is not run here, if there is one."""

    kind: str
    text: str
    needs: str | None


def steps_of(page: str) -> list[Step]:
    """Return the command lines, Python blocks and files of a page, in order."""
    steps = []
    blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    for language, file, block in blocks:
        if file:
            steps.append(Step(file, block, A_FILE))
            continue
        if language not in ("sh", "python"):
            continue
        if language == "python":
            steps.append(Step("a block of Python", block, reason(block)))
            continue
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if words := shlex.split(line, comments=True):
                steps.append(Step(words[0], shlex.join(words), reason(line)))
    return [with_variables(step) for step in steps]


def reason(text: str) -> str | None:
    found = re.search(r"# needs (.*)$", text, re.M)
    return found and found[1].strip()


def with_variables(step: Step) -> Step:
    """Name the program of a line that begins with environment variables."""
    if step.kind == "a block of Python" or step.needs == A_FILE:
        return step
    words = (word for word in shlex.split(step.text) if not re.match(r"[A-Z0-9_]+=", word))
    return step._replace(kind=next(words))


def invoke(words: list[str]) -> None:
    done = CliRunner().invoke(group, words, standalone_mode=False)
    assert done.exception is None, f"w2s-factory {shlex.join(words)}: {done.exception}\n{done.output}"


def parsed(words: list[str]) -> dict:
    """Parse a command line strictly: options, their types and ranges, and what is required."""
    command, name, rest = group, "w2s-factory", words
    while isinstance(command, click.Group) and rest:
        name, command, rest = command.resolve_command(click.Context(command), rest)
    with command.make_context(name, list(rest)) as context:
        return context.params


def empty_weights(config: str, overrides: tuple[str, ...], **_) -> None:
    """Write the files of a trained adapter or model without weights, which the engine `answering` does not read."""
    settings = yaml.safe_load(Path(config).read_text()) | dict(value.split("=", 1) for value in overrides)
    folder, base = Path(settings["output_dir"]), settings["model_name_or_path"]
    folder.mkdir(parents=True)
    if settings["finetuning_type"] == "full":
        shutil.copy(Path(base, "config.json"), folder)
    else:
        adapter = {"peft_type": "LORA", "base_model_name_or_path": base, "r": settings["lora_rank"]}
        (folder / "adapter_config.json").write_text(json.dumps(adapter))


def simulated_run(file: str, output_dir: str | None = None, preset: str | None = None, **_) -> None:
    """Write the folder of a complete run, whose answers are simulated; started again, a run has nothing to do."""
    name = yaml.safe_load(Path(file).read_text())["name"]
    folder = Path(output_dir or "runs/" + "_".join(filter(None, [name, preset])))
    if not folder.exists():
        folder.mkdir(parents=True)
        kept = {key: ACCURACIES[key] for key in FEWEST}
        make_run(folder, questions=40, asked=30, seeds=(0,), accuracies=kept)
        write_plan(folder)


def write_plan(folder: Path) -> None:
    """Write the plan of a run whose other files are there: a step for each job, which writes its log."""
    jobs = json.loads((folder / "contents.json").read_text())["jobs"]
    same = {"reads": [], "local": True, "threads": 1, "resources": {}, "commands": "true"}
    steps = [
        {
            "rule": f"rule_{number}",
            "log": job["log"],
            "benchmark": job["benchmark"],
            "writes": [job["log"]],
            **same,
        }
        for number, job in enumerate(jobs)
    ]
    (folder / "plan.json").write_text(json.dumps({"steps": steps}))


def small_benchmark(source: str, output_dir: Path, **_) -> None:
    """Fetch a benchmark from a folder of the hub's form that holds questions of the embedded task."""
    if source != "olympic_arena":
        return
    rows = [
        json.loads(line) for line in Path("data/arithmetic/golds/dev.jsonl").read_text().splitlines()[:12]
    ]
    asked = {"answer_type": "NV", "language": "EN", "subject": "Math"}
    Path("hub/Math").mkdir(parents=True)
    for split in ("val", "test"):
        questions = [
            asked
            | {"id": f"Math_{n}", "prompt": f"\n\nproblem:\n{row['question']}", "answer": [row["answer"]]}
            for n, row in enumerate(rows)
        ]
        Path(f"hub/Math/{split}.json").write_text(json.dumps(questions))
    invoke(["fetch", source, "--from", "hub", "--output-dir", str(output_dir)])


OWN_ENGINES = {"replay"}
"""Engines that a page defines: they answer themselves."""


def installed(folder: str) -> None:
    """Install a package of one module into a folder on the path, as pip does: with its entry points."""
    project = tomllib.loads(Path(folder, "pyproject.toml").read_text())["project"]
    place = Path("plugins", f"{project['name'].replace('-', '_')}-{project['version']}.dist-info")
    place.mkdir()
    points = "".join(
        f"[{entry_group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for entry_group, entries in project["entry-points"].items()
    )
    (place / "entry_points.txt").write_text(points)
    for module in Path(folder).glob("*.py"):
        shutil.copy(module, "plugins")


STAND_INS = {"train": empty_weights, "run": simulated_run, "fetch": small_benchmark}
"""Writers of what later commands read, in place of commands that are marked."""


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The working folder of a page's reader."""
    for name in CLONE:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "plugins/answering-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "plugins/answering-1.0.dist-info/entry_points.txt").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path / "plugins")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("W2S_RELEASE", raising=False)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_in_order(clone, monkeypatch, page):
    for step in steps_of(page):
        if step.needs == A_FILE:
            Path(step.kind).parent.mkdir(exist_ok=True)
            Path(step.kind).write_text(step.text)
        elif step.kind == "a block of Python":
            code = compile(step.text, page, "exec")
            if step.needs is None:
                exec(code, {"__name__": "documentation"})
        elif step.kind == "w2s-factory":
            with monkeypatch.context() as patch:
                take(step, patch)
        else:
            other_program(step)


def take(step: Step, patch: pytest.MonkeyPatch) -> None:
    """Run a command of ours, or, if it is marked, parse it and write what later ones read."""
    words = shlex.split(step.text)
    start = words.index("w2s-factory")
    for variable in words[:start]:
        patch.setenv(*variable.split("=", 1))
    words = words[start + 1 :]
    given = parsed(words)
    if words[0] == "generate" and given["engine"] not in OWN_ENGINES:
        invoke([*words, "--engine", "answering"])
    elif step.needs is None:
        invoke(words)
    elif words[0] in STAND_INS:
        STAND_INS[words[0]](**given)


def other_program(step: Step) -> None:
    """Check a line that runs another program: it is the set-up, or marked; its script or target exists."""
    words = [word for word in shlex.split(step.text) if not re.match(r"[A-Z0-9_]+=", word)]
    assert step.needs or words in (
        ["make", "setup-light"],
        ["make", "setup"],
        ["source", ".venv/bin/activate"],
    ), step
    if words[:2] == ["pip", "install"] and words[2].startswith("./"):
        installed(words[2])
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)
    for word in words:
        assert not word.startswith("scripts/") or (ROOT / word).is_file()


def test_the_pages_give_known_reasons_for_few_commands():
    needs = [step.needs for page in PAGES for step in steps_of(page)]
    assert set(needs) == {None, A_FILE, *NEEDS}
    assert needs.count(None) > 60


def test_the_chain_of_the_readme_has_both_stages():
    readme = [step.text.split()[1] for step in steps_of("README.md") if step.kind == "w2s-factory"]
    assert readme[-14:] == [
        *("generate", "score", "demos", "generate", "score", "build-data", "train"),
        *("generate", "score", "vote", "build-data", "make-config", "train", "evaluate"),
    ]


@pytest.mark.train
@pytest.mark.timeout(1800)
def test_the_step_by_step_chain_of_the_readme_runs_as_written(clone, monkeypatch):
    """The small models answer, and LLaMA-Factory trains."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    commands = [shlex.split(step.text)[1:] for step in steps_of("README.md") if step.kind == "w2s-factory"]
    for words in commands[[words[0] for words in commands].index("generate") :]:
        subprocess.run([sys.executable, "-m", "w2s_factory", *words], check=True)
    assert Path("stage2/dpo/adapter_model.safetensors").is_file()


def test_a_block_of_commands_is_fenced():
    for page in PAGES:
        unfenced = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.M | re.S)
        assert not re.search(r"^    (W2S\w+=\S+ )?w2s-factory", unfenced, re.M), page


def spans() -> list[tuple[str, str]]:
    """Return the commands that stand in the sentences and tables of the pages."""
    return [
        (page, span)
        for page in PAGES
        for span in re.findall(r"`w2s-factory ([^`…]* [^`…]*)`", (ROOT / page).read_text())
    ]


@pytest.mark.parametrize(("page", "span"), spans())
def test_a_command_in_a_sentence_is_understood(page, span):
    words = shlex.split(span)
    command = words[0]
    assert command in COMMANDS
    found = group.get_command(None, command)
    if isinstance(found, click.Group):
        found = found.get_command(None, words[1])
    options = {name for parameter in found.params for name in parameter.opts}
    options |= {"--help"}
    assert {word for word in words if word.startswith("--")} <= options


PROMPT = "Question: How many?\nAnswer:"
OUTPUT = {"id": 0, "prompt": PROMPT, "response": "2.\n#### 2"}
RESULT = OUTPUT | {"pred": "2", "gold": "2", "result": True}
RAW = {"id": "gsm8k_0", "question": "How many?", "answer": "<<1+1=2>>2.\n#### 2"}
TAG = {"subject": "Algebra", "level": 2, "unique_id": "test/algebra/1.json"}
TEST = {"source": "GSM8K", "question": "How many?", "solution": "#### 2", "answer": "2", "tag": TAG}
PAIR = {"id": 0, "instruction": PROMPT, "input": "", "output": ["2.\n#### 2", "3.\n#### 3"]}
DEMONSTRATIONS = (102, 456, 2619, 3037)
FILES = {
    "raw/gsm8k/train_1.jsonl": RAW,
    **dict.fromkeys(("results.jsonl", "weak.jsonl", "icl.jsonl"), RESULT),
    **dict.fromkeys(("weak/results.jsonl", "strong/results.jsonl"), RESULT),
    "outputs/results.jsonl": RESULT,
    **{f"outputs/t1.0/seed{seed}/output.jsonl": OUTPUT for seed in range(10)},
    **{f"outputs/t1.0/seed{seed}/results.jsonl": RESULT for seed in range(10)},
    "output.jsonl": OUTPUT,
    "mytask.yaml": {"rows": "towns.jsonl"},
    "towns.jsonl": {"question": "What is the capital of Peru?", "answer": "Lima"},
    "full_weak.json": [{"id": row, "content": PROMPT, "output": "2.\n#### 2"} for row in DEMONSTRATIONS],
    "published/paired.json": PAIR,
    "data/test/gsm8k_train_2.jsonl": TEST,
    "data/test/math.jsonl": TEST,
}
"""The files that examples in the help of commands name, of one row each: every example is run alone."""

PARSED = {
    *("train", "export", "template", "doctor", "generate", "merge-shards", "run", "status", "report"),
    *("fetch", "verify-release", "audit"),
}
"""Commands whose help examples are parsed: they train, need a model, or change an environment."""


def help_examples() -> list[list[str]]:
    texts = "".join(CliRunner().invoke(group, [name, "--help"]).output for name in COMMANDS)
    lines = re.findall(r"^\s+(w2s-factory .*)$", re.sub(r"\\\n\s*", " ", texts), re.M)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_every_help_has_an_example():
    assert {words[0] for words in help_examples()} == set(COMMANDS)


@pytest.mark.parametrize("words", help_examples(), ids=lambda words: " ".join(words)[:70])
def test_an_example_of_the_help(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name, row in ({} if words[0] == "init" else FILES).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    if words[0] in PARSED:
        parsed(words)
    else:
        invoke(words)


def test_the_tasks_of_the_documentation_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for step in steps_of("docs/tasks.md"):
        if step.needs == A_FILE:
            Path(step.kind).write_text(step.text)
    [block] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/tasks.md").read_text(), re.M | re.S)
    exec(compile(block, "docs/tasks.md", "exec"), {"__name__": "documentation"})
    assert block.count("\nassert ") == 4


def test_the_public_names_of_the_pages_exist():
    text = "".join((ROOT / page).read_text() for page in PAGES)
    names = set(re.findall(r"w2s(?:_factory)?\.([a-zA-Z]\w+)\(", text))
    assert len(names) > 5
    assert names <= set(w2s_factory.__all__)
    assert all(getattr(w2s_factory, name) for name in w2s_factory.__all__)
