"""The plan as a table and as a picture, and the commented file it may come from."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.conftest import ROOT
from w2s_factory.errors import UserError
from w2s_factory.experiment.init import write_experiment
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.plan import plan
from w2s_factory.experiment.plan_view import as_table, draw_plan
from w2s_factory.experiment.resources import Resources
from w2s_factory.experiment.spec import Experiment, GenerationSection
from w2s_factory.experiment.workflow_progress import Progress
from w2s_factory.tasks import BUILT_IN

SVG = "{http://www.w3.org/2000/svg}"


def test_the_table_has_every_step_and_what_it_needs(planned):
    small = planned(resources={"train": {"gpus": 2, "threads": 8, "mem": "64GB"}})
    lines = as_table(small).splitlines()
    for step in small.steps:
        assert len([line for line in lines if line.startswith(f"{step.name} ")]) == 1
    train = next(line for line in lines if line.startswith("seed0/train_weak "))
    assert train.endswith("8 threads, gpu 2, mem 64GB")
    assert lines[-1].startswith(f"{len(small.steps)} steps: ")
    assert lines[0] == lines[-1]


@pytest.mark.parametrize("file", sorted(ROOT.glob("experiments/*.yaml")), ids=lambda file: file.stem)
def test_the_table_fits_100_columns_and_leaves_nothing_out(file, monkeypatch):
    monkeypatch.setenv("W2S_RELEASE", "/" + "a_long_folder/" * 12)
    shown = plan(read_experiment(file))
    text = as_table(shown)
    assert max(map(len, text.splitlines())) <= 100
    joined = re.sub(r"/\n +", "/", text)
    for step in shown.steps:
        assert step.writes[0] in joined
        assert step.reads[0] in joined


def test_the_picture_has_every_step_and_an_arrow_for_what_it_waits_for(planned, tmp_path):
    small = planned()
    root = ET.parse(draw_plan(small, tmp_path / "plan.svg")).getroot()
    texts = list(root.iter(f"{SVG}text"))
    assert sorted(text.text for text in texts) == sorted(step.name for step in small.steps)
    writers = {file for step in small.steps for file in step.writes}
    waiting = sum(any(file in writers for file in step.reads) for step in small.steps)
    patches = [group for group in root.iter(f"{SVG}g") if group.get("id", "").startswith("plan-patch")]
    assert len(patches) >= len(small.steps) + waiting
    assert (root.get("width"), root.get("height")) == tuple(root.get("viewBox").split()[2:])


@pytest.mark.parametrize("name", ["arithmetic", "gsm8k_llama2_7b"])
def test_no_two_names_in_a_picture_overlap(name, tmp_path):
    shown = plan(read_experiment(ROOT / f"experiments/{name}.yaml"))
    root = ET.parse(draw_plan(shown, tmp_path / "plan.svg")).getroot()
    rows: dict[float, list[tuple[float, float]]] = {}
    for text in root.iter(f"{SVG}text"):
        half = 0.3 * 11 * len(text.text)  # a monospaced font of this size is this wide
        x = float(text.get("x"))
        rows.setdefault(round(float(text.get("y"))), []).append((x - half, x + half))
    heights = sorted(rows)
    assert all(below - above > 40 for above, below in pairwise(heights))
    width, height = map(float, root.get("viewBox").split()[2:])
    for row in rows.values():
        ends = [end for name in sorted(row) for end in name]
        assert ends == sorted(ends)
        assert 0 < ends[0] < ends[-1] < width
    assert 0 < heights[0] < heights[-1] < height


def test_a_picture_is_the_same_each_time(planned, tmp_path):
    first, second = (draw_plan(planned(), tmp_path / f"{name}.svg").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize("task", BUILT_IN)
def test_a_new_file_is_valid_and_plans(task, tmp_path):
    file = tmp_path / "experiment.yaml"
    write_experiment(task, file)
    planned = plan(read_experiment(file))
    assert planned.experiment.task == task
    assert {model.key for model in planned.contents.models} >= {"dpo", "orpo", "sft_chosen"}
    assert any(model.key == "strong_ceiling" for model in planned.contents.models) is (
        task != "olympic_arena"
    )


def test_a_new_file_for_chat_models_is_valid_and_plans(tmp_path):
    file = tmp_path / "experiment.yaml"
    write_experiment("gsm8k", file, weak="Qwen/Qwen3-0.6B", strong="Qwen/Qwen3-4B", chat=True)
    experiment = read_experiment(file)
    assert (experiment.weak.model, experiment.weak.name) == ("Qwen/Qwen3-0.6B", "Qwen3-0.6B")
    assert [experiment.chat(of) for of in ("weak", "strong")] == ["on", "on"]
    assert experiment.scoring.extract == "auto"
    words = "\n".join(line for step in plan(experiment).steps for line in step.lines())
    assert "--preset chat_lora_sft " in words
    assert "--preset chat_dpo " in words
    assert "chat| " not in file.read_text()
    assert "base| " not in file.read_text()
    with pytest.raises(UserError, match="needs --weak and --strong"):
        write_experiment("gsm8k", tmp_path / "other.yaml", weak="a/b", chat=True)


def test_models_and_tasks_are_named_from_the_new_files_own_folder(tmp_path, monkeypatch):
    (tmp_path / "models/my model").mkdir(parents=True)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "rows.jsonl").write_text('{"question": "1?", "answer": "1", "solution": "1"}\n' * 9)
    task = (
        "rows: rows.jsonl\ncolumns: {solution: solution}\nsplits: {train_1: 0.4, train_2: 0.4, test: 0.2}\n"
    )
    (tmp_path / "own.yaml").write_text(task)
    monkeypatch.chdir(tmp_path)
    write_experiment("./own.yaml", "experiments/new.yaml", weak="models/my model")
    experiment = read_experiment("experiments/new.yaml")
    assert experiment.task == str(tmp_path / "own.yaml")
    assert (experiment.weak.model, experiment.weak.name) == (str(tmp_path / "models/my model"), "my_model")
    golds = plan(experiment).steps[0]
    assert str(tmp_path / "rows.jsonl") in golds.reads
    assert f"--task {tmp_path / 'own.yaml'} --split test" in golds.lines()[0]


def test_only_a_picture_is_replaced_by_one(planned, tmp_path):
    small, mine = planned(), tmp_path / "mine.yaml"
    mine.write_text("name: mine")
    with pytest.raises(UserError, match=r"Name it FILE\.svg"):
        draw_plan(small, mine)
    assert mine.read_text() == "name: mine"
    other = tmp_path / "other.svg"
    other.write_text("notes")
    with pytest.raises(UserError, match=r"other\.svg"):
        draw_plan(small, other)
    assert other.read_text() == "notes"
    picture = draw_plan(small, tmp_path / "plan.svg")
    draw_plan(planned(iterations=1), picture)


def test_a_file_that_is_there_is_kept(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text("mine")
    with pytest.raises(UserError, match="--force"):
        write_experiment("gsm8k", file)
    write_experiment("gsm8k", file, force=True)


def test_the_new_file_explains_every_key(tmp_path):
    write_experiment("gsm8k", tmp_path / "experiment.yaml")
    text = (tmp_path / "experiment.yaml").read_text()
    keys = {
        *Experiment.model_fields,
        *Resources.model_fields,
        *GenerationSection.model_fields,
        "gpus",
        "ids",
        *("pass_at", "avg_at"),
        *("mode", "extract"),
        "deepspeed",
    }
    assert {key for key in keys - {"deepspeed"} if f"{key}:" not in text} == set()


def test_what_is_commented_out_is_what_holds_anyway(tmp_path):
    """Uncommenting the defaults of a section changes nothing."""
    file = tmp_path / "experiment.yaml"
    write_experiment("gsm8k", file)
    before = read_experiment(file)
    for line in (
        "# split: test",
        "# last_iteration: [",
        "# baselines: [",
        "# limit: {",
        "# seeds: [0]",
        "# notes: [",
    ):
        assert line in file.read_text()
        file.write_text(file.read_text().replace(line, line[2:]))
    for line in ("  # samples: 10", "  # temperature: 1.0  #", "  # min_confidence", "  # negative_conf"):
        file.write_text(file.read_text().replace(line, line.replace("# ", "", 1)))
    assert yaml.safe_load(file.read_text())["seeds"] == [0]
    assert read_experiment(file) == before


def test_with_an_executor_only_local_steps_start():
    printed, logs = [], {"seed0_a": "a.log", "seed0_b": "b.log"}
    progress = Progress({}, printed.append, logs, "is submitted")
    for line in ("localrule seed0_a:", "rule seed0_b:", "localrule everything:"):
        progress.take(line)
    assert printed == ["seed0_a starts; its log: a.log", "seed0_b is submitted; its log: b.log"]


def test_progress_counts_and_times_steps():
    printed = []
    progress = Progress({"seed0_a": "seed0/a"}, printed.append)
    lines = ["total        11", "localrule seed0_a:", "    input: x", "Finished jobid: 4 (Rule: seed0_a)"]
    for line in [*lines, "rule seed0_b:", "Error in rule seed0_b, jobid: 3", "Error in rule seed0_b:"]:
        progress.take(line)
    assert printed == ["[ 1/10] seed0/a  0.0 s"]
    assert progress.failed == ["seed0_b"]
    progress.take("__main__.py: error: unrecognized arguments: --nosuchoption\n")
    assert progress.refused == "unrecognized arguments: --nosuchoption"
    progress.take("Finished jobid: 0 (Rule: everything)")
    assert progress.done == 1
