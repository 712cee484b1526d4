from __future__ import annotations

import re

import pytest
import yaml

from tests.conftest import ROOT
from w2s_factory.errors import UserError
from w2s_factory.experiment.checked_plan import plan_experiment
from w2s_factory.experiment.load import read_experiment
from w2s_factory.shipped import shipped

SMALL_TEXT = """\
name: small
task: arithmetic
weak: {name: w, model: some/weak}
strong:
  name: s
  model: some/strong
"""


@pytest.mark.parametrize(
    ("added", "line", "field", "words"),
    [
        ("  presett: dpo", 7, "strong.presett", 'Did you mean "preset"?'),
        ("stagee2: {}", 7, "stagee2", 'Did you mean "stage2"?'),
        ("stage2:\n  sampels: 2", 8, "stage2.sampels", 'Did you mean "samples"?'),
        ("stage2:\n  methods:\n    dop:", 9, "stage2.methods.dop", 'Did you mean "dpo"?'),
        ("stage2:\n  methods:\n    dpo:\n      referenc: base", 10, "stage2.methods.dpo.referenc", '"reference"'),
        ("zzz: 1", 7, "zzz", "Known: name, task"),
        ("iterations: two", 7, "iterations", "expected a whole number from 1 to 100, got 'two'"),
        ("iterations: 0", 7, "iterations", "expected a whole number from 1 to 100, got 0"),
        ("seeds: [0, -1]", 7, "seeds.1", "expected a whole number from 0 to 100,000, got -1"),
        ("iterations: 100000", 7, "iterations", "expected a whole number from 1 to 100, got 100000"),
        ("iterations: true", 7, "iterations", "got True"),
        ("iterations: .nan", 7, "iterations", "got nan"),
        ("seeds: [" + "1, " * 200 + "1]", 7, "seeds", "expected at most 100 items, got "),
        ("limit: 0", 7, "limit", "expected `key: value` lines, got 0"),
        ("notes: one", 7, "notes", "expected a list, got 'one'"),
        ("notes: [1]", 7, "notes.0", "expected text, got 1"),
        ("release: 3", 7, "release", "expected text, got 3"),
        ("presets: []", 7, "presets", "expected `key: value` lines, got []"),
        ("demonstrations: {correct_only: 3}", 7, "demonstrations.correct_only", "expected true or false, got 3"),
        ("limit: {split: 0}", 7, "limit.split", "expected a whole number from 1 to 1,000,000,000, got 0"),
        ("demonstrations: {ids: [1, 2, 1]}", 7, "demonstrations.ids.2", "expected different ids, got 1 again"),
        ("demonstrations: {count: 0}", 7, "demonstrations.count", "from 1 to 1,000, got 0"),
        ("stage2: {samples: 1}", 7, "stage2.samples", "from 2 to 10,000, got 1"),
        ("stage2: {temperature: .inf}", 7, "stage2.temperature", "above 0 and of at most 100, got inf"),
        ("stage2: {min_confidence: 1.5}", 7, "stage2.min_confidence", "a number from 0 to 1, got 1.5"),
        ("stage2: {negative_confidence: 0.5}", 7, "stage2.negative_confidence", "min_confidence (0.6), got 0.5"),
        ("evaluation: {pass_at: {k: 1000000000}}", 7, "evaluation.pass_at.k", "from 1 to 10,000"),
        ("generation: {shards: 1000000}", 7, "generation.shards", "from 1 to 10,000"),
        ("resources: {train: {gpus: -1}}", 7, "resources.train.gpus", "from 0 to 1,024, got -1"),
        ("resources: {data: {threads: 0}}", 7, "resources.data.threads", "from 1 to 4,096, got 0"),
        ("resources: {data: {mem: lots}}", 7, "resources.data.mem", "a number and its unit (64GB, 12h)"),
        ("  overrides: {max_steps: 0}", 7, "strong.overrides.max_steps", "expected -1 or a whole number from 1"),
        ("  overrides:\n    learning_rate: -1", 8, "strong.overrides.learning_rate", "above 0 and of at most 10"),
        ("  overrides: {num_train_epochs: many}", 7, "strong.overrides.num_train_epochs", "got 'many'"),
        ("stage2:\n  methods:\n    dpo: {overrides: {pref_beta: 0}}", 9,
         "stage2.methods.dpo.overrides.pref_beta", "above 0"),
        ("seeds: [1, 1]", 7, "seeds", "expected different seeds"),
        ("seeds: []", 7, "seeds", "expected at least 1 item, got 0"),
        ("split: tset", 7, "split", "It has train_1, train_2, dev, test"),
        ("baselines: [weak_floor, ceiling]", 7, "baselines.1", "strong_ceiling"),
        ("last_iteration: [weak]", 7, "last_iteration", "expected hybrid"),
        ("  preset: dpoo", 7, "strong.preset", 'Did you mean "dpo"?'),
        ("environments: {train: /env/bin/python}", 1, None, "llamafactory.version"),
        ("resources: {train: {gpu: 1}}", 7, "resources.train.gpu", 'Did you mean "gpus"?'),
        ("name: other", 7, "name", "duplicate key"),
        ("split: train_2", 7, "split", "that no model is trained on"),
        ("? [a, b]\n: c", 7, None, "a key that is text"),
        ("limit: 0b_", None, None, "YAML cannot read"),
        ("presets: &a {s: *a}", None, None, "contains itself"),
        ("[", 8, None, "is not YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path, added, line, field, words):
    file = tmp_path / "experiment.yaml"
    file.write_text(f"{SMALL_TEXT}{added}\n")
    with pytest.raises(UserError) as caught:
        read_experiment(file)
    assert (caught.value.line, caught.value.field) == (line, field)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}:{line}: " if line else f"{file}: ")


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "-x", "a/b", "../up", "l{a}", ""])
@pytest.mark.parametrize("section", ["", "weak", "strong"])
def test_a_name_stays_in_its_folder(written, section, name):
    changed = {section: {"name": name, "model": "some/model"}} if section else {"name": name}
    with pytest.raises(UserError, match=r":\d+: field .*name.*expected letters") as caught:
        read_experiment(written(**changed))
    assert caught.value.line


def test_a_mistyped_key_is_named_rather_than_the_one_that_is_missing(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(SMALL_TEXT.replace("strong:", "strnog:"))
    with pytest.raises(UserError, match=r'field "strnog": is not a known key. Did you mean "strong"'):
        read_experiment(file)


def test_a_training_yaml_is_recognised(tmp_path):
    file = tmp_path / "training.yaml"
    file.write_text("stage: sft\nmodel_name_or_path: some/model\n")
    with pytest.raises(UserError, match="start it with w2s-factory train"):
        read_experiment(file)


@pytest.mark.parametrize("presets", [["smoke"], "smoke", {"smoke": 3}])
def test_presets_that_are_none_are_refused(written, presets):
    with pytest.raises(UserError, match="presets"):
        read_experiment(written(presets=presets), "smoke")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        (
            {"evaluation": {"pass_at": {"models": ["iter2_hybird_ft"]}}},
            "evaluation.pass_at.models",
            'Did you mean "iter2_hybrid_ft"?',
        ),
        ({"generation": {"engine": "vlmm"}}, "generation.engine", 'Did you mean "vllm"?'),
        ({"strong": {"name": "s", "model": "m", "preset": "dpo"}}, "strong.preset", "of the stage sft"),
        (
            {"stage2": {"methods": {"dpo": {"preset": "tiny_lora_sft"}}}},
            "stage2.methods.dpo.preset",
            "of the stage dpo",
        ),
        (
            {"stage2": {"methods": {"orpo": {"preset": "tiny_base_dpo"}}}},
            "stage2.methods.orpo.preset",
            "expected a preset of the method orpo, got tiny_base_dpo of the method dpo",
        ),
        (
            {"strong": {"name": "s", "model": "m", "overrides": {"seed": 3}}},
            "strong.overrides.seed",
            "`seeds`",
        ),
    ],
)
def test_what_would_fail_hours_later_is_refused_when_planned(written, changes, field, words):
    file = written(**changes)
    with pytest.raises(UserError) as caught:
        plan_experiment(file)
    assert caught.value.field == field
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_the_releases_root_from_the_environment_lies_below_the_working_folder(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("W2S_RELEASE", "given")
    assert read_experiment(written()).release == str(tmp_path.parent / "given")
    assert read_experiment(written(release="named")).release == str(tmp_path / "named")


@pytest.mark.parametrize(
    ("weak", "words"),
    [
        ({"name": "w"}, "needs a model, or results"),
        ({"name": "w", "results": "r.jsonl", "train": {}}, "no model for it"),
        ({"name": "w", "model": "a/b", "adapter": "c/d", "train": {}}, "already trained"),
        ({"model": "a/b"}, "is missing"),
    ],
)
def test_a_weak_model_that_cannot_answer_is_refused(written, weak, words):
    with pytest.raises(UserError, match=words):
        read_experiment(written(weak=weak))


def test_an_unknown_task_is_told_at_its_line(written):
    with pytest.raises(UserError, match=r':2: field "task": no task "arithmetc". Did you mean "arithmetic"'):
        read_experiment(written(task="arithmetc"))


def test_a_missing_file_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(UserError, match="w2s-factory init"):
        read_experiment(tmp_path / "none.yaml")


def test_a_preset_is_laid_over_the_file(written):
    presets = {"smoke": {"iterations": 1, "limit": {"split": 3}, "stage2": False}}
    file = written(iterations=3, limit={"train_2": 5}, stage2={"samples": 4}, presets=presets)
    plain, smoke = read_experiment(file), read_experiment(file, "smoke")
    assert (plain.iterations, plain.limit.split, plain.stage2.samples) == (3, None, 4)
    assert (smoke.iterations, smoke.limit.split, smoke.limit.train_2, smoke.stage2) == (1, 3, 5, None)


def test_a_mistake_in_a_preset_is_told_at_its_line(written):
    file = written(presets={"smoke": {"iteration": 1}})
    with pytest.raises(UserError) as caught:
        read_experiment(file, "smoke")
    line = file.read_text().splitlines()[caught.value.line - 1]
    assert line.strip() == "iteration: 1"


def test_an_unknown_preset_is_refused(written):
    with pytest.raises(UserError, match=r'no preset "smoek". Did you mean "smoke"'):
        read_experiment(written(presets={"smoke": {}}), "smoek")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weak": {"name": "w", "model": "m", "train": {"preset": "weak_full_sft"}}}, "leave out train"),
        ({}, "has no strong_ceiling"),
    ],
)
def test_a_task_without_gold_has_nothing_trained_on_it(written, changes, message):
    plain = {"task": "olympic_arena", "weak": {"name": "w", "model": "m"}}
    with pytest.raises(UserError, match=message):
        read_experiment(written(**plain | changes))
    assert read_experiment(written(**plain, baselines=["weak_icl"])).task == "olympic_arena"


def test_a_bare_key_switches_a_method_on_and_false_switches_it_off(written):
    methods = {"dpo": None, "orpo": False, "sft_chosen": {}}
    found = read_experiment(written(stage2={"methods": methods})).stage2.methods
    assert list(found.preference) == ["dpo"]
    assert found.sft_chosen is not None


def test_folders_are_named_from_the_file_on(written, tmp_path, monkeypatch):
    monkeypatch.setenv("W2S_RELEASE", str(tmp_path / "published"))
    (tmp_path / "models/here").mkdir(parents=True)
    weak = {"name": "w", "model": "models/here", "results": "{release}/outputs/r.jsonl"}
    (tmp_path.parent / "s").mkdir(exist_ok=True)
    found = read_experiment(written(weak=weak, strong={"name": "s", "model": "../s"}))
    assert found.weak.model == str(tmp_path / "models/here")
    assert found.weak.results == str(tmp_path / "published/outputs/r.jsonl")
    assert found.strong.model == str(tmp_path.parent / "s")
    assert read_experiment(written()).strong.model == "some/strong"


def test_the_resolved_copy_reads_as_the_same(written):
    first = read_experiment(written(stage2={"methods": {"dpo": None}}, generation={"options": {"a": 1}}))
    copy = yaml.safe_load(yaml.safe_dump(first.model_dump(mode="json", exclude_defaults=True)))
    assert read_experiment(written(copy)) == first


@pytest.mark.parametrize("file", sorted(ROOT.glob("experiments/*.yaml")), ids=lambda file: file.stem)
def test_the_experiments_are_valid_with_each_preset(file):
    assert plan_experiment(file).experiment.name == file.stem
    for preset in yaml.safe_load(file.read_text()).get("presets", {}):
        plan_experiment(file, preset)


def test_an_experiment_of_the_package_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_experiment("gsm8k_llama2_7b").weak.name == "llama2_7b"
    with pytest.raises(UserError, match="no such file"):
        read_experiment("gsm8k_llama2_8b")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"strong": {"name": "s", "model": "a/b", "overrides": {"learning_rat": 1}}},
         "strong.overrides.learning_rat", 'Did you mean "learning_rate"'),
        ({"stage2": {"methods": {"dpo": {"overrides": {"bf16": 1}}}}},
         "stage2.methods.dpo.overrides.bf16", "expected true or false"),
        ({"stage2": {"methods": {"simpo": {}}}, "llamafactory": {"version": "0.6.2"}},
         "stage2.methods.simpo", "0.6.2"),
        ({"weak": {"name": "w", "model": "a/b", "train": {"overrides": {"dataset": "mine"}}}},
         "weak.train.overrides.dataset", "has an option of its own"),
    ],
)  # fmt: skip
def test_a_training_that_cannot_be_is_told_before_anything_runs(written, changes, field, words):
    file = written(**changes)
    with pytest.raises(UserError) as caught:
        plan_experiment(file)
    assert (caught.value.field, caught.value.file) == (field, file)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("arithmetik", 'Did you mean "arithmetic"?'),
        ("gsm8k_lama2_7b", 'Did you mean "gsm8k_llama2_7b"?'),
        ("myexperiment", 'Did you mean "my_experiment.yaml"?'),
        ("my_experimnt.yaml", 'Did you mean "my_experiment.yaml"?'),
        ("inside/on.yaml", 'Did you mean "inside/one.yaml"?'),
        (
            "qqqqq",
            "Write one with w2s-factory init (see w2s-factory init --help). The package has: arithmetic,",
        ),
        ("nowhere/qqqqq.yaml", "Write one with w2s-factory init (see w2s-factory init --help)."),
    ],
)
def test_the_nearest_experiment_is_suggested(tmp_path, monkeypatch, name, meant):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()
    for file in ("my_experiment.yaml", "inside/one.yaml"):
        (tmp_path / file).write_text("")
    with pytest.raises(UserError, match=re.escape(meant)):
        read_experiment(name)


def test_a_bare_name_that_means_two_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = shipped("experiments", "arithmetic.yaml").read_text()
    (tmp_path / "arithmetic.yaml").write_text(own)
    (tmp_path / "arithmetic").mkdir()
    assert read_experiment("arithmetic").name == "arithmetic"
    (tmp_path / "arithmetic.yaml").write_text(own + "\n# mine\n")
    with pytest.raises(UserError, match=r"which differ\. Name one of them: arithmetic.yaml"):
        read_experiment("arithmetic")
    assert read_experiment("arithmetic.yaml", models_there=False).name == "arithmetic"


def test_a_preset_file_is_found_from_the_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = shipped("experiments", "arithmetic.yaml").read_text()
    text = text.replace("../data/models", str(shipped("data", "models")))
    (tmp_path / "here").mkdir()
    (tmp_path / "here/e.yaml").write_text(text.replace("preset: tiny_base_lora_sft", "preset: ./mine.yaml"))
    mine = tmp_path / "here/mine.yaml"
    with pytest.raises(UserError, match=r"e.yaml:\d+: .*here/mine.yaml: no such file"):
        plan_experiment("here/e.yaml")
    mine.write_text(shipped("llama_factory_configs", "tiny_base_lora_sft.yaml").read_text())
    steps = [step for step in plan_experiment("here/e.yaml").steps if str(mine) in step.reads]
    assert steps
    assert all(
        str(mine) in command for step in steps for command in step.commands if "make-config" in command
    )
    mine.write_text(mine.read_text() + "learning_rat: 1\n")
    with pytest.raises(UserError, match=r"here/mine.yaml:\d+: field \"learning_rat\""):
        plan_experiment("here/e.yaml")


@pytest.mark.parametrize(
    ("changes", "line", "field", "engine"),
    [
        ({"weak": {"name": "w", "model": "./gone"}}, "model: ./gone", "weak.model", None),
        ({"weak": {"name": "w", "model": "a/b", "adapter": "/gone"}}, "adapter: /gone", "weak.adapter", None),
        ({"strong": {"name": "s", "model": "models/gone"}}, "model: models/gone", "strong.model", None),
        ({"strong": {"name": "s", "model": "/gone"}}, "model: /gone", "strong.model", "openai"),
    ],
)
def test_a_model_folder_that_is_missing_is_told_at_its_line(written, tmp_path, changes, line, field, engine):
    (tmp_path / "models").mkdir()
    file = written(**changes, generation={"engine": engine})
    with pytest.raises(UserError, match=r"no such folder: .*/gone") as caught:
        read_experiment(file)
    assert caught.value.field == field
    assert file.read_text().splitlines()[caught.value.line - 1].strip() == line
    read_experiment(file, models_there=False)


def test_a_server_may_call_its_model_a_folder(written):
    weak = {"name": "w", "model": "/models/weak"}
    assert read_experiment(written(weak=weak, generation={"engine": "openai"})).weak.model == "/models/weak"


ROWS = "question,answer,why\n" + "".join(f"q{number},{number},#### {number}\n" for number in range(10))
OWN_TASK = "rows: rows.csv\ncolumns: {solution: why}\nsplits: {train_1: 0.4, train_2: 0.3, test: 0.3}\n"


@pytest.mark.parametrize(
    ("text", "rows", "message"),
    [
        (OWN_TASK + "prompt: '{{ nope }}'\n", ROWS, r'own.yaml:4: field "prompt": needs "nope"'),
        (
            OWN_TASK + "prompt: '{% if 0 %}{% endif %}'\n",
            ROWS,
            r'own.yaml:4: field "prompt": renders an empty text',
        ),
        (OWN_TASK.replace("why}", "whi}"), ROWS, r'own.yaml:2: field "columns.solution": .*no column "whi"'),
        (OWN_TASK, ROWS.replace("q7,", " ,"), r'rows.csv:9: field "question": is blank'),
    ],
)
def test_rows_of_a_task_file_are_checked_before_the_first_step(written, tmp_path, text, rows, message):
    (tmp_path / "own.yaml").write_text(text)
    (tmp_path / "rows.csv").write_text(rows)
    with pytest.raises(UserError, match=message) as error:
        plan_experiment(written(task="./own.yaml"))
    assert "\n" not in str(error.value)


def test_an_experiment_with_a_task_file_is_planned(written, tmp_path):
    (tmp_path / "own.yaml").write_text(OWN_TASK)
    (tmp_path / "rows.csv").write_text(ROWS)
    assert plan_experiment(written(task="./own.yaml")).experiment.the_task.name == "own"
