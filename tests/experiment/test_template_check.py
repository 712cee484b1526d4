"""The check before a run: a model trained in another format than it is asked in is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiment.conftest import SMALL
from w2s_factory.errors import UserError
from w2s_factory.experiment import template_check
from w2s_factory.experiment.checked_plan import plan_experiment
from w2s_factory.llamafactory.template_parity import TemplateComparison, TemplateDifference

OTHER = TemplateDifference(
    conversation="one turn",
    part="prompt",
    position=7,
    trained=(5, "a"),
    asked=(6, "b"),
    before="user\n",
    same_text=False,
)


@pytest.fixture
def compared(monkeypatch):
    """Comparisons that were asked for; each finds the difference that is set, or none."""
    asked = []

    def check(template, folder, **settings):
        asked.append((template, Path(folder).name, settings))
        found = check.difference
        return TemplateComparison(template, Path("own.jinja"), settings["thinking"], ("one turn",), {}, found)

    check.difference = None
    check.asked = asked
    monkeypatch.setattr(template_check, "check_template", check)
    monkeypatch.setattr(template_check, "find_llamafactory", lambda python: None)
    monkeypatch.setattr(template_check, "tokenizer_folder", Path)
    return check


def models(weak="vanilla", strong="vanilla"):
    train = {"preset": "tiny_lora_sft", "overrides": {"template": weak}}
    return {
        "weak": {**SMALL["weak"], "train": train},
        "strong": {**SMALL["strong"], "overrides": {"template": strong}},
    }


def test_the_published_prompt_needs_no_comparison(written, compared):
    plan_experiment(written())
    assert compared.asked == []


@pytest.mark.parametrize("template", ["vanilla", "fewshot"])
def test_a_template_that_adds_nothing_needs_no_comparison(written, compared, template):
    plan_experiment(written(**models(strong=template)))
    assert compared.asked == []


def test_each_model_is_compared_once(written, compared):
    stage2 = {"methods": {"dpo": {}, "sft_chosen": {}}}
    path = written(**models("llama3", "qwen3"), stage2=stage2, generation={"thinking": "on", "system": "x"})
    plan_experiment(path)
    assert [(template, folder) for template, folder, _ in compared.asked] == [
        ("llama3", "weak"),
        ("qwen3", "strong"),
    ]
    settings = compared.asked[1][2]
    assert (settings["thinking"], settings["chat"], settings["system"]) == ("on", "auto", True)


def test_a_difference_is_refused_and_with_force_a_warning(written, compared):
    compared.difference = OTHER
    path = written(**models(strong="qwen3"))
    with pytest.raises(UserError) as caught:
        plan_experiment(path)
    assert caught.value.field == "strong.overrides.template"
    assert "token 7 of the prompt is 'a' (5) in training and 'b' (6) in generation" in str(caught.value)
    assert "\n" not in str(caught.value)
    told = []
    planned = plan_experiment(path, force=True, tell=told.append)
    assert ["qwen3 differs from what the strong model is asked" in line for line in told] == [True]
    trained = {step.name: step.lines() for step in planned.steps if step.kind == "train"}
    assert trained["seed0/train_iter1_hybrid"][1].endswith("--force --allow-other-template")
    assert trained["seed0/train_weak"][1].endswith("--force")  # with vanilla there is nothing to allow


def test_training_on_answers_is_compared_without_thinking(written, compared):
    plan_experiment(written(**models(strong="qwen3"), train_on="answer", generation={"thinking": "on"}))
    assert [settings["thinking"] for _, _, settings in compared.asked] == ["off"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {**models(strong="qwen3"), "generation": {"chat": "off"}},
            "trained in the chat template qwen3, but",
        ),
        (
            {**models(), "generation": {"chat": "on"}},
            "the weak model is asked in a chat, but trained with vanilla",
        ),
    ],
)
def test_only_one_of_training_and_asking_is_a_chat(written, compared, changes, message):
    with pytest.raises(UserError, match=message):
        plan_experiment(written(**changes))
    assert compared.asked == []


@pytest.mark.parametrize(
    ("changes", "field", "words", "hint"),
    [
        (
            {"generation": {"chat": "on"}},
            "weak.train.preset",
            "trained with vanilla, which the preset tiny_lora_sft sets",
            "Remove chat: on, or train with a chat preset such as chat_lora_sft; ",
        ),
        (
            {**models(strong="qwen3"), "generation": {"chat": "off"}},
            "strong.overrides.template",
            "trained in the chat template qwen3, but",
            "Remove chat: off, or train with the template vanilla; ",
        ),
    ],
)
def test_a_contradiction_names_the_key_that_was_written_and_the_way_out(
    written, compared, changes, field, words, hint
):
    with pytest.raises(UserError) as refused:
        plan_experiment(written(**changes))
    assert refused.value.field == field
    assert words in refused.value.problem
    assert refused.value.hint.startswith(hint)


def test_auto_trains_no_other_template_than_the_models_own(written, compared, tmp_path):
    (tmp_path / "own.jinja").write_text("x")
    path = written(**models("auto", "auto"), generation={"chat": "own.jinja"})
    with pytest.raises(UserError, match=r"asked in .*own.jinja, but auto trains its own chat template"):
        plan_experiment(path)


def test_a_model_that_is_not_in_a_folder_is_noted_and_at_the_start_of_a_run_refused(written, monkeypatch):
    monkeypatch.setattr(template_check, "find_llamafactory", lambda python: None)
    told = []
    path = written(**models(strong="auto"))
    plan_experiment(path, tell=told.append)
    assert ["is not checked: some/strong: no such model folder" in line for line in told] == [True]
    with pytest.raises(UserError, match="auto: no such model folder: some/strong"):
        plan_experiment(path, ahead=False)
