"""`vanilla` in the real template modules of the versions before the installed one, from PyPI."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from w2s_factory.llamafactory.template import STARTUP

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.install

# Imports the template module alone: the rest of an old LLaMA-Factory needs libraries of its day.
ASK = """
import importlib, json, os, sys, types
root, package = sys.argv[1:]
for name in (package, package + ".data", package + ".extras"):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [os.path.join(root, *name.split("."))]
import w2s_vanilla_hook
w2s_vanilla_hook.install()
module = importlib.import_module(package + ".data.template")
templates = module.TEMPLATES if hasattr(module, "TEMPLATES") else module.templates
vanilla = templates["vanilla"]

class Tokenizer:
    bos_token_id, eos_token_id = 101, 102
    def encode(self, text, add_special_tokens):
        assert add_special_tokens is False
        return [ord(letter) for letter in text]

messages = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"}]
prompt, response = vanilla.encode_oneturn(Tokenizer(), messages)
eos = [102] if vanilla.efficient_eos else []
print(json.dumps([list(prompt), list(response) + eos]))
"""


@pytest.mark.parametrize(
    "release",
    [
        *(f"llmtuner=={number}" for number in ("0.5.0", "0.6.2", "0.6.3", "0.7.0")),
        *(f"llamafactory=={number}" for number in ("0.7.1", "0.8.0", "0.8.3", "0.9.1", "0.9.2", "0.9.3")),
    ],
)
def test_vanilla_is_prompt_response_eos(release: str, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", release]
    if subprocess.run([*pip, "-d", tmp_path], check=False, capture_output=True).returncode != 0:
        pytest.skip(f"{release} can't be had from the package index")
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    printed = subprocess.check_output(
        [sys.executable, "-c", ASK, tmp_path, release.partition("=")[0]],
        env={"PYTHONPATH": str(STARTUP)},
        text=True,
    )
    assert json.loads(printed) == [[97, 98], [99, 100, 102]]
