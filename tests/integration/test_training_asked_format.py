"""Training templates against what generation asks: found for `auto`, refused where they differ."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tiny_training import CHAT, ROWS, training, w2s

from w2s_factory import UserError, make_config
from w2s_factory.llamafactory.asked_format import settle_template
from w2s_factory.llamafactory.datasets import named_datasets
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.jinja_template import write_template_jinja
from w2s_factory.llamafactory.training_config import Config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train


def settled(model: Path, data: Path, *, chat: Path | None = None, **more: Any) -> list[str]:
    """The lines that the user sees."""
    lines: list[str] = []
    config = Config(data / "train.yaml", (), training(model, data, data / "out", **more))
    installation = find_installation(python=sys.executable)
    settle_template(config, named_datasets(config), installation, lines.append, chat=chat)
    return lines


@pytest.mark.parametrize(("template", "more"), [("chatml", {}), ("qwen3", {"enable_thinking": False})])
def test_what_generation_asks_is_trained(
    template: str, more: dict[str, Any], tiny_chat: Path, dataset_dir: Path
) -> None:
    assert settled(tiny_chat, dataset_dir, template=template, **more) == []


@pytest.mark.parametrize(
    ("template", "more", "difference"),
    [
        ("qwen3", {}, "one turn: token 1 of the labels is '<think>'"),  # an empty thinking is trained
        ("chatml", {"enable_thinking": False}, "of the prompt is missing in training and '<think>'"),
    ],
)
def test_another_format_is_refused(
    template: str, more: dict[str, Any], difference: str, tiny_chat: Path, dataset_dir: Path
) -> None:
    with pytest.raises(UserError, match="differs from the model's own chat template") as refused:
        settled(tiny_chat, dataset_dir, template=template, **more)
    assert difference in refused.value.problem
    assert "\n" not in str(refused.value)


def test_a_file_is_what_generation_asks(tiny_chat: Path, dataset_dir: Path, tmp_path: Path) -> None:
    chat = write_template_jinja("mistral", tmp_path / "chat.jinja", model=tiny_chat)
    assert settled(tiny_chat, dataset_dir, chat=chat, template="mistral") == []
    with pytest.raises(UserError, match=rf"vanilla differs from {chat}, in which generation asks"):
        settled(tiny_chat, dataset_dir, chat=chat, template="vanilla")


def test_a_difference_that_only_a_system_prompt_makes(
    tiny_chat: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    chat = tmp_path / "chat.jinja"
    chat.write_text(
        CHAT.replace("message.role +", "('boss' if message.role == 'system' else message.role) +")
    )
    assert settled(tiny_chat, dataset_dir, chat=chat, template="chatml") == []
    index = json.loads((dataset_dir / "dataset_info.json").read_text())
    index["words"]["columns"]["system"] = "system"
    (dataset_dir / "dataset_info.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="one turn with a system prompt"):
        settled(tiny_chat, dataset_dir, chat=chat, template="chatml")


@pytest.mark.parametrize(("thinking", "template"), [(None, "chatml"), ("off", "qwen3")])
def test_auto_finds_the_template(
    thinking: Any, template: str, tiny_chat: Path, dataset_dir: Path, tmp_path: Path
) -> None:
    text = make_config(
        "chat_lora_sft",
        model=tiny_chat,
        output_dir=tmp_path / "out",
        dataset="words",
        dataset_dir=dataset_dir,
        thinking=thinking,
    )
    values = yaml.safe_load(text)
    assert values["template"] == template
    assert values.get("enable_thinking", True) is (thinking is None)
    assert "template: auto" not in text


@pytest.mark.parametrize(
    ("model", "version", "problem"),
    [
        ("tiny_llama", None, 'field "template": auto: the model has no chat template'),
        ("tiny_chat", "0.9.2", "auto is found with the installed LLaMA-Factory .*; the YAML is for 0.9.2"),
    ],
)
def test_auto_that_cannot_be_found(
    model: str, version: str | None, problem: str, dataset_dir: Path, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(UserError, match=problem) as refused:
        make_config(
            "chat_lora_sft",
            model=request.getfixturevalue(model),
            output_dir="out",
            dataset="words",
            dataset_dir=dataset_dir,
            version=version,
        )
    assert "--set template=NAME" in str(refused.value)


def test_a_chat_model_trains(tiny_chat: Path, dataset_dir: Path, tmp_path: Path) -> None:
    long = {"id": 99, "content": "w1 " * 200, "output": "w2"}
    (dataset_dir / "words.json").write_text(json.dumps([*ROWS, long]))
    made = w2s(
        *("make-config", "--preset", "chat_lora_sft", "--model", tiny_chat, "--thinking", "off", "--cpu"),
        *("--dataset", "words", "--dataset-dir", dataset_dir, "--output-dir", "out", "--output", "chat.yaml"),
        *("--set", "cutoff_len=256", "--set", "max_steps=2"),
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    refused = w2s("train", "chat.yaml", "template=llama3", cwd=tmp_path)
    assert refused.returncode == 2
    assert "llama3 differs from the model's own chat template" in refused.stderr
    assert not (tmp_path / "out").exists()

    done = w2s("train", "chat.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 of 13 rows of words are longer than cutoff_len 256" in done.stderr
    adapter = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert set(adapter["target_modules"]) == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }
