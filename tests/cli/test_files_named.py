"""Every command: no input as an output, `-` as stdout or refused, what is no JSON, a disk that takes nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from tests.conftest import ROOT
from w2s_factory.cli import COMMANDS, group
from w2s_factory.cli.exit import fail
from w2s_factory.cli.options import TO_STDOUT
from w2s_factory.errors import UserError
from w2s_factory.records import content_hash

DATA = ROOT / "data" / "arithmetic"


def call(*words):
    return group.main(list(map(str, words)), prog_name="w2s-factory", standalone_mode=False)


def rows(path, *values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a small file of every kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["w2s-factory"])
    answers = {"id": 0, "prompt": "Question: p\nAnswer:", "response": "#### 1"}
    rows(tmp_path / "raw.jsonl", {"id": "arithmetic_0", "question": "p", "answer": "so\n#### 1"})
    test = {
        "source": "ARITHMETIC_TRAIN_2",
        "question": "p",
        "solution": "so\n#### 1",
        "answer": "1",
        "tag": {"n": 1},
    }
    rows(tmp_path / "golds.jsonl", test)
    rows(tmp_path / "output.jsonl", answers)
    result = {**answers, "pred": "1", "gold": "1", "result": True}
    rows(tmp_path / "weak.jsonl", result)
    rows(tmp_path / "icl.jsonl", result)
    for seed, pred in enumerate("112"):
        right = {"pred": pred, "gold": "1", "result": pred == "1", "response": f"#### {pred}"}
        rows(tmp_path / f"t1.0/seed{seed}/results.jsonl", {**answers, **right})
    sides = {name: [{"response": f"#### {n}", "pred": n}] for name, n in (("pos", "1"), ("neg", "2"))}
    vote = {"id": 0, "prompt": answers["prompt"], "gold": "1", "confidence": 0.9}
    vote |= {f"{name}_responses": samples for name, samples in sides.items()}
    rows(tmp_path / "votes.jsonl", vote)
    pair = {"id": 0, "instruction": "i", "input": "", "output": ["a", "b"]}
    (tmp_path / "pairs.json").write_text(json.dumps([pair]))
    (tmp_path / "sft.json").write_text(json.dumps([{"id": 0, "content": "c", "output": "o"}]))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"sft": {"file_name": "sft.json"}}))
    return tmp_path


SCORE = "score --task arithmetic --golds golds.jsonl --input output.jsonl"
BUILD = "build-data --task arithmetic --no-config --stage"
TEST = "build-data --task arithmetic --stage test --split train_2 --input raw.jsonl"
CONFIG = "make-config --preset strong_lora_sft --model org/m --output-dir out --dataset sft --dataset-dir ."
READERS = [
    (SCORE, "--output", ("golds.jsonl", "output.jsonl")),
    ("vote --input t1.0", "--output", ("t1.0/seed0/results.jsonl", "t1.0/seed2/results.jsonl")),
    ("demos --task arithmetic --from output.jsonl --count 1", "--output", ("output.jsonl",)),
    ("evaluate weak.jsonl --floor icl.jsonl --ceiling 0.5", "--csv", ("icl.jsonl",)),
    ("evaluate weak.jsonl icl.jsonl", "--csv", ("weak.jsonl", "icl.jsonl")),
    ("evaluate weak.jsonl --golds golds.jsonl --by n", "--csv", ("golds.jsonl",)),
    ("evaluate --pass-at 1 t1.0", "--csv", ("t1.0/seed0/results.jsonl",)),
    ("convert-pairs pairs.json --format columns", "--output", ("pairs.json",)),
    ("convert-pairs pairs.json --format chosen", "--output", ("pairs.json",)),
    (f"{BUILD} gold --input raw.json", "--output", ("raw.json",)),
    (TEST, "--output", ("raw.jsonl",)),
    (f"{BUILD} full-weak --input weak.json", "--output", ("weak.json",)),
    (f"{BUILD} 2 --weak weak.json --votes votes.json", "--output", ("weak.json", "votes.json")),
    (CONFIG, "--output", ("data.yaml", "dataset_info.json")),
]


@pytest.mark.parametrize("kind", ["itself", "link", "hard link"])
@pytest.mark.parametrize(
    ("words", "option", "target"),
    [(words, option, target) for words, option, targets in READERS for target in targets],
)
def test_no_command_writes_to_a_file_it_reads(words, option, target, kind, here):
    for name in ("raw", "weak", "votes"):  # datasets are named .json
        (here / f"{name}.json").write_bytes((here / f"{name}.jsonl").read_bytes())
    (here / "data.yaml").write_bytes((here / "sft.json").read_bytes())
    (here / "dataset_info.json").write_text(json.dumps({"sft": {"file_name": "data.yaml"}}))
    before = {path: content_hash(path) for path in here.rglob("*") if path.is_file()}
    named = Path(target)
    if kind != "itself":
        named = Path("other" + (".yaml" if words == CONFIG else named.suffix))
        os.link(target, named) if kind == "hard link" else named.symlink_to(target)
    elif words == CONFIG and target == "dataset_info.json":
        return  # a config is named .yaml
    with pytest.raises(UserError, match="is read by this command, which would overwrite it"):
        call(*words.split(), option, named, "--force")
    assert {path: content_hash(path) for path in before} == before
    assert {path.name for path in here.rglob("*") if path.is_file()} <= {path.name for path in before} | {
        named.name
    }


def test_generate_throws_no_input_away(here, tmp_path):
    rows(
        tmp_path / "out/output.jsonl",
        {"source": "", "question": "p", "solution": "", "answer": "", "tag": {}},
    )
    before = content_hash(tmp_path / "out/output.jsonl")
    words = ["generate", "--task", "arithmetic", "--engine", "transformers", "--restart"]
    words += ["--model", ROOT / "data/models/tiny_llama", "--output-dir", "out"]
    with pytest.raises(UserError, match="is read by this command"):
        call(*words, "--questions", "out/output.jsonl")
    assert content_hash(tmp_path / "out/output.jsonl") == before
    (tmp_path / "out/output.jsonl").rename(tmp_path / "out/output.journal.jsonl")
    with pytest.raises(UserError, match="is read by this command"):
        call(*words, "--questions", "out/output.journal.jsonl")
    assert content_hash(tmp_path / "out/output.journal.jsonl") == before


def test_shards_are_not_merged_onto_one_of_them(here):
    header = {"settings": {}, "rows": 1, "questions": 1}
    for name in ("output.journal.jsonl", "output.jsonl"):
        row = header if "journal" in name else {"id": 0, "prompt": "p", "response": "r"}
        rows(here / "run/shards/1-of-1" / name, row)
    (here / "run/output.jsonl").symlink_to("shards/1-of-1/output.jsonl")
    with pytest.raises(UserError, match="is read by this command"):
        call("merge-shards", "run", "--force")


PRINTERS = [
    (SCORE, ("--output",), 1),
    ("vote --input t1.0", ("--output",), 1),
    ("demos --task arithmetic --from output.jsonl --count 1", ("--output",), 1),
    ("convert-pairs pairs.json --format columns", ("--output",), 1),
    ("convert-pairs pairs.json --format chosen", ("--output",), 1),
    ("build-data --task arithmetic --stage gold --input raw.jsonl", ("--output",), 1),
    (TEST, ("--output",), 1),
    ("build-data --task arithmetic --stage full-weak --input weak.jsonl", ("--output",), 1),
    ("build-data --task arithmetic --stage 2 --weak weak.jsonl --votes votes.jsonl", ("--output",), 1),
    ("evaluate weak.jsonl icl.jsonl", ("--csv",), 3),
]


@pytest.mark.parametrize(("words", "option", "count"), PRINTERS)
def test_rows_go_to_stdout_alone_and_nothing_is_written_beside(words, option, count, here, capfd):
    before = sorted(here.rglob("*"))
    call(*words.split(), *option, "-")
    printed, said = capfd.readouterr()
    assert len(printed.splitlines()) == count
    assert sorted(here.rglob("*")) == before
    assert "Wrote" not in said + printed
    assert "next" not in (said + printed).lower()
    if option == ("--output",):
        suffix = ".json" if words.startswith(("build-data", "convert-pairs")) else ".jsonl"
        suffix = ".jsonl" if "--stage test" in words else suffix
        call(*words.split(), *option, f"file{suffix}")
        text = (here / f"file{suffix}").read_text()
        written = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]
        assert [json.loads(line) for line in printed.splitlines()] == written


def test_what_is_printed_is_read_by_the_next_command(here, capfd):
    call(*SCORE.split(), "--output", "-")
    (here / "printed.jsonl").write_text(capfd.readouterr().out)
    call("evaluate", "printed.jsonl")
    call(*f"{BUILD} 1 --weak printed.jsonl --icl icl.jsonl --output-dir made".split())


@pytest.mark.parametrize(
    "more", ["--model=m", "--preset=dpo", "--layout=release", "--dataset-name=d", "--set=a=1"]
)
def test_what_is_for_files_beside_the_rows_is_refused(more, here):
    with pytest.raises(UserError, match="rows on the standard output have neither index nor config"):
        call(
            *[
                "build-data",
                "--task",
                "arithmetic",
                "--stage",
                "gold",
                "--input",
                "raw.jsonl",
                "--output",
                "-",
            ],
            more,
        )


def test_two_outputs_do_not_share_stdout(here):
    with pytest.raises(click.UsageError, match="--json and --csv - both print"):
        call("evaluate", "weak.jsonl", "--json", "--csv", "-")


def paths():
    """Every parameter of every command that names a file or folder."""
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        for inner in command.commands.values() if isinstance(command, click.Group) else [command]:
            for parameter in inner.params:
                if isinstance(parameter.type, click.Path) or getattr(parameter.type, "func", None) is Path:
                    yield name, inner, parameter


PARAMETERS = list(paths())


@pytest.mark.parametrize(
    ("name", "command", "parameter"), PARAMETERS, ids=lambda each: getattr(each, "name", each)
)
def test_a_dash_is_stdout_where_rows_are_written_and_refused_elsewhere(name, command, parameter):
    if (name, parameter.name) in TO_STDOUT:
        assert str(parameter.process_value(click.Context(command), "-")) == "-"
        return
    with pytest.raises(UserError, match=r"from the standard input|to the standard output"):
        parameter.process_value(click.Context(command), ("-",) if parameter.nargs == -1 else "-")


def test_csv_is_called_csv_and_can_be_converted(here):
    (here / "golds.csv").write_text("source,question,solution,answer\nA,p,s,007\n")
    with pytest.raises(UserError, match=r"golds\.csv: this is CSV, expected JSON rows") as wrong:
        call(*SCORE.replace("golds.jsonl", "golds.csv").split(), "--output", "r.jsonl")
    command = str(wrong.value).partition("Convert it: ")[2].replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, check=True)
    assert json.loads((here / "golds.jsonl").read_text())["answer"] == "007"


def test_a_yaml_may_begin_with_a_byte_order_mark(here):
    call("init", "--task", "arithmetic", "--output", "experiment.yaml")
    (here / "experiment.yaml").write_bytes(b"\xef\xbb\xbf" + (here / "experiment.yaml").read_bytes())
    call("run", "experiment.yaml", "--dry-run")


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_loops_of_links_are_named(here, force):
    (here / "loop").symlink_to("loop")
    for words in (
        "init --task arithmetic --output loop",
        f"{SCORE} --output loop",
        f"{SCORE} --output loop/r.jsonl",
    ):
        with pytest.raises(UserError, match=r"loop.*Too many levels of symbolic links"):
            call(*words.split(), *force)
    with pytest.raises(UserError, match="loop: cannot be read"):
        call(*SCORE.replace("output.jsonl", "loop").split(), "--output", "r.jsonl")


ERRORS = [
    (OSError(errno.ENOSPC, "No space left on device", "some/file"), "some/file: No space left on device", 2),
    (PermissionError(errno.EACCES, "Permission denied", b"file"), "file: Permission denied", 2),
    (OSError(errno.ENOSPC, "No space left on device"), "the system: No space left on device", 2),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "the system: Cannot allocate memory", 1),
    (RuntimeError("Symlink loop from '/a/b'"), "/a/b: Too many levels of symbolic links", 2),
    (RuntimeError("other"), "RuntimeError: other (unexpected; --debug shows the traceback)", 1),
]


@pytest.mark.parametrize(("error", "line", "code"), ERRORS)
def test_what_the_system_says_of_a_file_is_the_users_to_fix(error, line, code, capsys):
    with pytest.raises(SystemExit) as left:
        fail(error)
    assert left.value.code == code
    assert capsys.readouterr().err == f"Error: {line}\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("words", "full"),
    [("--help", "stdout"), (f"{SCORE} --output r.jsonl", "stdout"), (f"{SCORE} --output -", "stdout"),
     ("vote --input nowhere --output v.jsonl", "stderr")],
)  # fmt: skip
def test_full_outputs_end_in_exit_code_2(words, full, unbuffered, here):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as device:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, full: device}
        command = [sys.executable, "-m", "w2s_factory", *words.split()]
        done = subprocess.run(command, **streams, text=True, env=environment, check=False)
    assert done.returncode == 2
    if full == "stdout":
        assert done.stderr.splitlines()[-1].startswith("Error: standard output: ")
        assert "Traceback" not in done.stderr
        assert "ignored" not in done.stderr
    assert not list(here.glob(".*.part"))


def test_a_closed_stdout_is_no_place_for_rows(here):
    command = f"{sys.executable} -m w2s_factory {SCORE} --output - >&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, text=True, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (2, "Error: standard output: is closed\n")


def test_a_config_is_still_yaml(here):
    call(*CONFIG.split(), "--output", "train.yaml")
    assert yaml.safe_load((here / "train.yaml").read_text())["dataset"] == "sft"
