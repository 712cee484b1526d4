"""Damaged files of a run: found by their manifests, and restored without repeating what depends on them."""

from __future__ import annotations

import errno
import json
import os
import sys

import pytest

from w2s_factory import records
from w2s_factory.experiment import damage
from w2s_factory.experiment.damage import MISSING, find_damage
from w2s_factory.experiment.plan import Plan
from w2s_factory.experiment.restoration import restore, unreadable
from w2s_factory.experiment.run import carry_out
from w2s_factory.experiment.run_folder import prepare
from w2s_factory.experiment.steps import Step
from w2s_factory.experiment.workflow import snakemake_command
from w2s_factory.llamafactory.dataset_info import sft_entry

NOTE = f"""{sys.executable} -c 'import sys; from w2s_factory.records import note; note(sys.argv[1:])'"""
CHAIN = {
    "a": ([], ["a.txt"], f"echo a >> done; echo 11 > a.txt; {NOTE} a.txt"),
    "b": (["a.txt"], ["b.txt"], f"echo b >> done; cat a.txt > b.txt; {NOTE} b.txt"),
    "c": (["b.txt"], ["c.txt"], f"echo c >> done; cat b.txt > c.txt; {NOTE} c.txt"),
}


def flip(path, place=0, *, keep_time=True):
    """Flip a bit of a file, as a failing disk does: neither size nor time stamp changes."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def run(tmp_path, of_shell):
    folder, plan = tmp_path / "run", of_shell(CHAIN)

    def carried_out(*arguments):
        """Carry out the chain; return the steps done, and the lines printed."""
        printed = []
        command = snakemake_command(plan, folder, jobs=2, executor=None, arguments=arguments)
        carry_out(plan, folder, command, tell=printed.append)
        done = (folder / "done").read_text().split() if (folder / "done").exists() else []
        (folder / "done").unlink(missing_ok=True)
        return done, printed

    assert carried_out()[0] == ["a", "b", "c"]
    carried_out.folder = folder
    return carried_out


@pytest.mark.slow
@pytest.mark.parametrize(
    "keep_time",
    [
        pytest.param(True, id="time stamp restored"),
        pytest.param(False, id="time stamp new"),
    ],
)
def test_a_flipped_bit_repeats_its_step_alone(run, keep_time):
    flip(run.folder / "b.txt", keep_time=keep_time)
    done, printed = run()
    assert done == ["b"]
    assert printed[0] == "b.txt differs from manifest.jsonl next to it; seed0/b is repeated"
    assert (run.folder / "b.txt").read_text() == "11\n"
    assert run() == ([], ["nothing to do: every step is complete"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        (["--until", "seed0_b"], ["b"]),
        (["--forcerun", "seed0_c", "--until", "seed0_c"], ["b", "c"]),
        (["--keep-going", "c.txt"], ["b"]),
    ],
)
def test_what_the_user_selects_is_done_after_the_restoration(run, arguments, steps):
    flip(run.folder / "b.txt")
    assert run(*arguments)[0] == steps
    assert run() == ([], ["nothing to do: every step is complete"])


def test_a_dry_run_reports_damage_and_writes_nothing(run):
    flip(run.folder / "b.txt")
    before = {path: path.stat().st_mtime_ns for path in run.folder.glob("*.*")}
    done, printed = run("-n")
    assert (done, printed) == (
        [],
        ["b.txt differs from manifest.jsonl next to it; seed0/b would be repeated"],
    )
    assert {path: path.stat().st_mtime_ns for path in run.folder.glob("*.*")} == before


@pytest.mark.slow
def test_what_depends_on_a_file_with_new_content_is_repeated(run):
    """The step's own input was edited and noted: the file gets new content, and so does what depends on it."""
    (run.folder / "a.txt").write_text("12\n")
    records.note([run.folder / "a.txt"])
    flip(run.folder / "b.txt")
    assert run()[0] == ["b", "c"]
    assert (run.folder / "c.txt").read_text() == "12\n"


@pytest.mark.parametrize("content", ["name: smell\n", "name: [broken", None], ids=["name", "YAML", "no plan"])
def test_a_damaged_copy_of_the_experiment_does_not_end_the_run(planned, tmp_path, content):
    plan, folder = planned(), tmp_path / "run"
    prepare(plan, folder)
    before = (folder / "experiment.yaml").read_text()
    if content is None:
        (folder / "plan.json").unlink()
    else:
        (folder / "experiment.yaml").write_text(content)
    prepare(plan, folder)
    assert (folder / "experiment.yaml").read_text() == before


@pytest.fixture
def step(planned):
    """Return a plan of one step of any kind, with its commands."""
    small = planned()

    def make(kind, writes, *commands):
        need = small.experiment.resources.of(kind)
        made = Step(
            name="seed0/x", kind=kind, seed=0, reads=(), writes=tuple(writes), commands=commands, need=need
        )
        return Plan(small.experiment, (made,), small.contents)

    return make


def noted(folder, command, monkeypatch, *names, **facts):
    """Write files and note them, as a command does."""
    monkeypatch.setattr(sys, "argv", ["w2s-factory", *command])
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}\n")
    records.note([folder / name for name in names], **facts)


SCORE = ("w2s-factory", "score", "--output", "out/results.jsonl")


def test_files_that_snakemake_does_not_know_are_compared(step, tmp_path, monkeypatch):
    plan = step("score", ["out/results.jsonl"], SCORE)
    noted(tmp_path, SCORE[1:], monkeypatch, "out/results.jsonl", "out/metrics.json")
    assert find_damage(plan, tmp_path) == []
    flip(tmp_path / "out/metrics.json")
    [found] = find_damage(plan, tmp_path)
    assert (found.file, found.step.name) == ("out/metrics.json", "seed0/x")
    (tmp_path / "out/metrics.json").unlink()
    [found] = find_damage(plan, tmp_path)
    assert found.problem == MISSING


def test_reading_much_is_announced(step, tmp_path, monkeypatch):
    plan, said = step("score", ["out/results.jsonl"], SCORE), []
    noted(tmp_path, SCORE[1:], monkeypatch, "out/results.jsonl")
    find_damage(plan, tmp_path, said.append)
    assert said == []
    monkeypatch.setattr(damage, "_LARGE", 10)
    find_damage(plan, tmp_path, said.append)
    assert said == ["comparing 0 GB of files with the hashes in their manifests"]


@pytest.mark.parametrize("repeats", [True, False], ids=["a run", "not done"])
def test_a_name_that_only_a_damaged_manifest_has_repeats_its_step_once(step, tmp_path, monkeypatch, repeats):
    plan, said = step("score", ["out/results.jsonl"], SCORE), []
    noted(tmp_path, SCORE[1:], monkeypatch, "out/results.jsonl", "out/metrics.json")
    path = tmp_path / "out/manifest.jsonl"
    path.write_text(path.read_text().replace("metrics.json", "metricz.json"))
    assert restore(plan, tmp_path, lambda _: repeats, {}, said.append)
    assert said == ["out/metricz.json is missing or cannot be read; seed0/x is repeated"]
    assert restore(plan, tmp_path, lambda _: repeats, {}, said.append) is not repeats


def test_a_journal_is_kept_whatever_is_written_from_it(step, tmp_path, monkeypatch):
    """The settings may have changed in the same run, or the package writes other bytes."""
    command = ("w2s-factory", "generate", "--output-dir", "out")
    plan, journal = step("generate", ["out/output.jsonl"], command), tmp_path / "out/output.journal.jsonl"
    noted(tmp_path, command[1:], monkeypatch, "out/output.jsonl")
    journal.write_text("responses")
    flip(tmp_path / "out/output.jsonl")

    def repeat(_):
        (tmp_path / "out/output.jsonl").write_text("other content")
        return True

    assert restore(plan, tmp_path, repeat, {}, lambda _: None)
    assert journal.read_text() == "responses"


def test_a_step_that_snakemake_repeats_is_not_compared(step, tmp_path, monkeypatch):
    plan = step("score", ["out/results.jsonl"], SCORE)
    noted(tmp_path, SCORE[1:], monkeypatch, "out/results.jsonl", "out/metrics.json")
    flip(tmp_path / "out/metrics.json")
    (tmp_path / "out/results.jsonl").unlink()
    assert find_damage(plan, tmp_path) == []


def test_files_of_other_commands_and_without_a_line_are_not_compared(step, tmp_path, monkeypatch):
    plan = step("score", ["out/results.jsonl"], SCORE)
    noted(tmp_path, ["demos"], monkeypatch, "out/mine.json")
    (tmp_path / "out/results.jsonl").write_text("{}\n")
    flip(tmp_path / "out/mine.json")
    assert find_damage(plan, tmp_path) == []


MAKE = ("w2s-factory", "make-config", "--output", "configs/x.yaml")
TRAIN = ("w2s-factory", "train", "configs/x.yaml")


def trained(step, tmp_path, monkeypatch):
    plan = step("train", ["models/x/manifest.jsonl"], MAKE, TRAIN)
    noted(tmp_path, MAKE[1:], monkeypatch, "configs/x.yaml")
    (tmp_path / "models/x").mkdir(parents=True)
    (tmp_path / "models/x/adapter_config.json").write_text("{}")
    files = {"adapter_config.json": records.content_hash(tmp_path / "models/x/adapter_config.json")}
    noted(tmp_path, TRAIN[1:], monkeypatch, "models/x/adapter_model.safetensors", files=files)
    assert find_damage(plan, tmp_path) == []
    return plan


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_weights_are_compared_with_what_belongs_to_them(step, tmp_path, monkeypatch, name):
    plan = trained(step, tmp_path, monkeypatch)
    flip(tmp_path / "models/x" / name)
    [found] = find_damage(plan, tmp_path)
    assert (found.file, found.command) == (f"models/x/{name}", None)
    (tmp_path / "models/x" / name).unlink()
    assert [found.problem for found in find_damage(plan, tmp_path)] == [MISSING]


def test_a_config_is_written_again_without_its_training(step, tmp_path, monkeypatch):
    plan = trained(step, tmp_path, monkeypatch)
    flip(tmp_path / "configs/x.yaml")
    [found] = find_damage(plan, tmp_path)
    assert (found.file, found.command) == ("configs/x.yaml", MAKE)


@pytest.mark.parametrize("name", ["", "..", "a/b", "x\0", 7])
def test_names_that_a_damaged_manifest_has_are_not_looked_for(step, tmp_path, monkeypatch, name):
    plan = trained(step, tmp_path, monkeypatch)
    path = tmp_path / "models/x/manifest.jsonl"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "files": {name: "0"}}) + "\n" + json.dumps({**said, "file": name}))
    assert [damage.file for damage in find_damage(plan, tmp_path)] == (["models/x/7"] if name == 7 else [])


@pytest.mark.parametrize("also_damaged", [False, True], ids=["a file of another command", "and the weights"])
def test_files_of_other_commands_in_a_folder_of_weights_do_not_count(
    step, tmp_path, monkeypatch, also_damaged
):
    plan, said, repeated = trained(step, tmp_path, monkeypatch), [], []
    noted(tmp_path, ["make-config", "--output", "models/x/merge.yaml"], monkeypatch, "models/x/merge.yaml")
    flip(tmp_path / "models/x/merge.yaml")
    if also_damaged:
        flip(tmp_path / "models/x/adapter_model.safetensors")
    assert (
        restore(plan, tmp_path, lambda steps: repeated.extend(steps) or True, {}, said.append) is also_damaged
    )
    assert [step.name for step in repeated] == ["seed0/x"] * also_damaged
    assert (
        "1 training is repeated, which takes as long as before: seed0/x; Ctrl-C stops" in said
    ) is also_damaged


def test_weights_whose_manifest_cannot_be_read_are_trained_again(step, tmp_path, monkeypatch):
    plan = trained(step, tmp_path, monkeypatch)
    flip(tmp_path / "models/x/manifest.jsonl")
    assert [found.file for found in find_damage(plan, tmp_path)] == ["models/x/manifest.jsonl"]


DATASET = "seed0/data/llama_factory/arithmetic/train_arithmetic_w_x.json"
BUILD = ("w2s-factory", "build-data", "--layout", "release", "--output", DATASET)
ENTRY = sft_entry(DATASET.removeprefix("seed0/"))


def never(steps):
    raise AssertionError(steps)


@pytest.mark.parametrize(
    "content",
    ["{broken", "{}", json.dumps({"arithmetic_w_x": {**ENTRY, "columns": {}}}), None],
    ids=["not JSON", "no entry", "another entry", "no index"],
)
def test_an_index_is_written_again_from_its_datasets(step, tmp_path, content):
    plan = step("data", [DATASET], BUILD)
    (tmp_path / DATASET).parent.mkdir(parents=True)
    (tmp_path / DATASET).write_text('[{"id": 0, "content": "q", "output": "a"}]')
    index = tmp_path / "seed0/dataset_info.json"
    if content is not None:
        index.write_text(content)
    (tmp_path / "seed0/data/llama_factory/dataset_info.json").write_text(
        json.dumps({"arithmetic_w_x": ENTRY})
    )
    kept, dry_said, said = index.with_name("dataset_info.json.damaged"), [], []
    assert restore(plan, tmp_path, never, {}, dry_said.append, dry=lambda: True)
    assert dry_said == ["seed0/dataset_info.json does not fit its datasets; it would be written again"]
    assert (index.read_text() if index.exists() else None) == content
    assert restore(plan, tmp_path, never, {}, said.append)
    assert json.loads(index.read_text()) == {"arithmetic_w_x": ENTRY}
    assert (kept.read_text() if kept.exists() else None) == ("{broken" if content == "{broken" else None)
    assert (kept.name in said[-1]) is kept.exists()
    assert not restore(plan, tmp_path, never, {}, said.append)


def test_entries_of_other_datasets_are_kept(step, tmp_path):
    plan = step("data", [DATASET], BUILD)
    (tmp_path / DATASET).parent.mkdir(parents=True)
    (tmp_path / DATASET).write_text('[{"id": 0, "content": "q", "output": "a"}]')
    (tmp_path / "seed0/dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}')
    restore(plan, tmp_path, never, {}, lambda _: None)
    assert set(json.loads((tmp_path / "seed0/dataset_info.json").read_text())) == {"mine", "arithmetic_w_x"}


@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        (".snakemake/metadata/x", b'{"rule": "a"}', True),
        (".snakemake/metadata/@x/y", b'{"rule": "\xff"}', False),
        (".snakemake/metadata/x", b'{"rule": ', False),
        ("benchmarks/seed0/x.tsv", b"s\th:m:s\n1.5\t0:00:01\n", True),
        ("benchmarks/seed0/x.tsv", b"s\th:m:s\n1.x\t0:00:01\n", False),
        ("benchmarks/seed0/x.tsv", b"", False),
    ],
)
def test_records_that_would_end_every_run_are_deleted(step, tmp_path, name, content, kept):
    plan = step("score", ["out/results.jsonl"], SCORE)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(content)
    assert unreadable(plan, tmp_path) == ([] if kept else [tmp_path / name])
    assert restore(plan, tmp_path, never, {}, lambda _: None, dry=lambda: True) is not kept
    assert (tmp_path / name).exists()
    assert restore(plan, tmp_path, never, {}, lambda _: None) is not kept
    assert (tmp_path / name).exists() is kept


def test_records_that_the_disk_does_not_return_are_kept(step, tmp_path, monkeypatch):
    plan, path = step("score", ["out/results.jsonl"], SCORE), tmp_path / ".snakemake/metadata/x"
    path.parent.mkdir(parents=True)
    path.write_text("{")

    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(type(path), "read_bytes", fail)
    assert unreadable(plan, tmp_path) == []
