"""The comparison of formats before a training, and its results; tests/integration asks LLaMA-Factory itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from w2s_factory.errors import UserError
from w2s_factory.llamafactory import asked_format
from w2s_factory.llamafactory.asked_format import settle_template, with_found_template
from w2s_factory.llamafactory.datasets import Dataset
from w2s_factory.llamafactory.installation import Installation
from w2s_factory.llamafactory.presets import load_preset
from w2s_factory.llamafactory.settings import with_settings, with_thinking
from w2s_factory.llamafactory.template_parity import TemplateComparison, TemplateDifference
from w2s_factory.llamafactory.training_config import Config
from w2s_factory.llamafactory.versions import for_version

DIFFERENCE = TemplateDifference("one turn", "prompt", 3, (7, "a"), (8, "b"), "<s>", False)
ROWS = Dataset("rows", {"file_name": "rows.json"}, None)
WITH_SYSTEM = Dataset("rows", {"columns": {"prompt": "p", "response": "r", "system": "s"}}, None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model with a chat template."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the comparison was asked for; it finds the difference in `found`."""
    seen: dict[str, Any] = {"found": None}

    def check_template(template: str, model: Path, **options: Any) -> TemplateComparison:
        seen.update(options, template=template, model=model)
        return TemplateComparison(template, model, options["thinking"], ("one turn",), {}, seen["found"])

    def find_template(model: Path, **options: Any) -> str:
        seen.update(options, model=model)
        if seen["found"]:
            raise UserError("no template is equal", file=model, hint="Ask otherwise")
        return "qwen3"

    monkeypatch.setattr(asked_format, "check_template", check_template)
    monkeypatch.setattr(asked_format, "find_template", find_template)
    monkeypatch.setattr(asked_format, "find_llamafactory", lambda python: None)
    monkeypatch.setattr(asked_format, "installed_version", lambda python: "0.9.5")
    return seen


def settled(
    model: Any, *datasets: Dataset, chat: Path | None = None, allow: bool = False, **values: Any
) -> tuple[str | None, list[str]]:
    """The difference that is allowed, and the lines that the user sees."""
    lines: list[str] = []
    given = {"stage": "sft", "template": "chatml", "model_name_or_path": str(model)} | values
    config = Config(Path("train.yaml"), (), given)
    installation = Installation(("cli",), Path(sys.executable), "0.9.5")
    return settle_template(config, datasets, installation, lines.append, chat=chat, allow=allow), lines


def test_the_same_format_trains_in_silence(model: Path, asked: dict[str, Any]) -> None:
    assert settled(model, ROWS) == (None, [])
    assert asked["template"] == "chatml"


@pytest.mark.parametrize("values", [{"template": name} for name in ("vanilla", "empty")] + [{"stage": "pt"}])
def test_what_is_asked_without_a_chat_template_is_not_compared(
    values: dict[str, Any], model: Path, asked: dict[str, Any]
) -> None:
    assert settled(model, ROWS, **values) == (None, [])
    assert "template" not in asked


def test_with_a_file_vanilla_is_compared_too(model: Path, asked: dict[str, Any]) -> None:
    settled(model, ROWS, template="vanilla", chat=Path("chat.jinja"))
    assert (asked["template"], asked["chat"]) == ("vanilla", Path("chat.jinja"))


@pytest.mark.parametrize("chat", [None, Path("chat.jinja")])
def test_a_difference_is_refused_in_one_line_or_allowed(
    chat: Path | None, model: Path, asked: dict[str, Any]
) -> None:
    asked["found"] = DIFFERENCE
    with pytest.raises(UserError) as refused:
        settled(model, ROWS, chat=chat)
    named = "the model's own chat template" if chat is None else chat
    said = f"chatml differs from {named}, in which generation asks: {DIFFERENCE}"
    assert refused.value.problem == said
    assert (refused.value.field, refused.value.exit_code) == ("template", 2)
    assert str(refused.value).count("\n") == 0
    assert "--allow-other-template" in str(refused.value)
    assert settled(model, ROWS, chat=chat, allow=True) == (str(DIFFERENCE), [f"Warning: {said}"])


@pytest.mark.parametrize(
    ("values", "datasets", "expected"),
    [
        ({}, [ROWS], ("auto", False)),
        ({"enable_thinking": True}, [ROWS], ("on", False)),
        ({"enable_thinking": False}, [ROWS], ("off", False)),
        ({}, [ROWS, WITH_SYSTEM], ("auto", None)),
        ({"default_system": "Be brief."}, [ROWS], ("auto", True)),
    ],
)
def test_conversations_as_the_rows_are_compared(
    values: dict[str, Any],
    datasets: list[Dataset],
    expected: tuple[str, bool | None],
    model: Path,
    asked: dict[str, Any],
) -> None:
    settled(model, *datasets, **values)
    assert (asked["thinking"], asked["system"]) == expected
    assert asked["several_turns"] is False


def without_template(model: Path) -> Path:
    (model / "tokenizer_config.json").write_text("{}")
    return model


@pytest.mark.parametrize(
    ("change", "values", "reason"),
    [
        (without_template, {}, "the model has no chat template"),
        (lambda _: "owner/model", {}, "no such model folder"),
        (lambda model: model, {"enable_thinking": None}, "the format depends on the row"),
    ],
)
def test_what_cannot_be_compared_is_said(
    change: Any, values: dict[str, Any], reason: str, model: Path, asked: dict[str, Any]
) -> None:
    difference, [note] = settled(change(model), ROWS, **values)
    assert difference is None
    assert note.startswith("Note: whether generation asks in the template chatml is not checked: ")
    assert reason in note


def test_auto_becomes_the_name_that_is_found(model: Path, asked: dict[str, Any]) -> None:
    version = for_version("0.9.5")
    preset = with_thinking(load_preset("chat_lora_sft"), "off", version)
    found = with_found_template(preset, model, [WITH_SYSTEM], version, chat="chat.jinja")
    assert asked["chat"] == "chat.jinja"
    assert found.entries["template"].value == "qwen3"
    assert found.entries.keys() == preset.entries.keys()
    assert (asked["thinking"], asked["system"], asked["several_turns"]) == ("off", None, False)


def test_a_template_that_is_named_is_not_looked_for(model: Path, asked: dict[str, Any]) -> None:
    version = for_version("0.9.5")
    named = with_settings(load_preset("chat_lora_sft"), {"template": "llama3"}, version)
    for preset in (named, load_preset("strong_lora_sft")):
        assert with_found_template(preset, model, [ROWS], version) is preset
    assert "model" not in asked


@pytest.mark.parametrize(
    ("version", "found", "problem"),
    [
        ("0.8.3", None, "auto is found with the installed LLaMA-Factory 0.9.5; the YAML is for 0.8.3"),
        ("0.9.5", DIFFERENCE, "auto: no template is equal. Ask otherwise. Or name a template"),
    ],
)
def test_auto_that_is_not_found(
    version: str, found: Any, problem: str, model: Path, asked: dict[str, Any]
) -> None:
    asked["found"] = found
    with pytest.raises(UserError) as refused:
        with_found_template(load_preset("chat_lora_sft"), model, [ROWS], for_version(version))
    assert problem in str(refused.value)
    assert "--set template=NAME" in str(refused.value)
    assert refused.value.field == "template"
