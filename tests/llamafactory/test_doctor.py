from __future__ import annotations

import json
import venv
from pathlib import Path

import pytest

from w2s_factory.cli.doctor import _as_json
from w2s_factory.llamafactory.doctor import Diagnosis, diagnose
from w2s_factory.llamafactory.template import template_status


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an empty environment."""
    venv.create(tmp_path / "env", symlinks=True)
    return tmp_path / "env" / "bin" / "python"


def add(python: Path, name: str, version: str, code: str = "") -> None:
    """Install a distribution of one module."""
    site = template_status(python).site_packages
    (site / f"{name}.py").write_text(code)
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def by_subject(findings: list[Diagnosis]) -> dict[str, Diagnosis]:
    return {finding.subject: finding for finding in findings}


def test_an_empty_environment(python: Path) -> None:
    found = by_subject(diagnose(python))
    assert {subject: finding.state for subject, finding in found.items()} == {
        "Python": "fine",
        "torch": "broken",
        "LLaMA-Factory": "broken",
        "vanilla": "missing",
        "vLLM": "missing",
        "bitsandbytes": "missing",
        "GPU": "missing",
    }
    fix = found["torch"].fix
    assert fix is not None
    words = fix.split()
    assert words[:5] == [str(python), "-m", "pip", "install", "-c"]
    assert "torchaudio==" in Path(words[5]).read_text()


@pytest.mark.parametrize(
    ("versions", "explained"),
    [
        (
            {"torch": "2.15.0", "torchvision": "0.30.0", "torchaudio": "2.11.0"},
            "torchaudio 2.11.0 needs another version of torch",
        ),
        (
            {"torch": "2.11.0+cpu", "torchvision": "0.25.0", "torchaudio": "2.11.0"},
            "torchvision 0.25.0 needs another version of torch",
        ),
    ],
)
def test_torch_and_a_companion_of_another_torch(
    versions: dict[str, str], explained: str, python: Path
) -> None:
    problem = "Detected that PyTorch and torchaudio were compiled with different CUDA versions"
    for name, version in versions.items():
        add(python, name, version, f"raise RuntimeError({problem!r})" if name == "torchaudio" else "")
    torch = by_subject(diagnose(python))["torch"]
    assert torch.state == "broken"
    assert explained in torch.detail
    assert problem in torch.detail
    assert "torch torchvision torchaudio" in str(torch.fix)


def test_bitsandbytes_is_reported_with_its_version(python: Path) -> None:
    add(python, "bitsandbytes", "0.49.0")
    found = by_subject(diagnose(python))["bitsandbytes"]
    assert (found.state, found.detail) == ("fine", "0.49.0")


def test_the_exit_code_says_that_training_cannot_work(python: Path, w2s) -> None:
    done = w2s("doctor", "--json", "--python", python, code=1)
    assert [finding["subject"] for finding in json.loads(done.stdout)][:2] == ["Python", "torch"]
    assert "\x1b" not in w2s("doctor", "--python", python, code=1).stdout


def test_json_does_not_say_where_home_is(monkeypatch) -> None:
    """A path at the beginning of a word is one that a shell expands; one in quotes is left as it is."""
    monkeypatch.setenv("HOME", "/home/me")
    fix = (
        "/home/me/.venv/bin/python -m pip install -c /home/me/c.txt '/home/me/a b' /data/home/me/x /home/men"
    )
    shown = _as_json([Diagnosis("torch", "broken", "3.11 (/home/me/.venv/bin/python)", fix)])
    [finding] = json.loads(shown)
    assert finding["detail"] == "3.11 (~/.venv/bin/python)"
    assert (
        finding["fix"]
        == "~/.venv/bin/python -m pip install -c ~/c.txt '/home/me/a b' /data/home/me/x /home/men"
    )
    assert list(finding) == ["subject", "state", "detail", "fix"]


def test_json_holds_no_environment_variable(monkeypatch, python: Path, w2s) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-secret-token")
    assert "a-secret-token" not in w2s("doctor", "--json", "--python", python, code=1).stdout


@pytest.mark.train
def test_this_environment_trains(w2s) -> None:
    pytest.importorskip("llamafactory")
    done = w2s("doctor", "--json")
    states = {finding["subject"]: finding["state"] for finding in json.loads(done.stdout)}
    assert states["torch"] == states["LLaMA-Factory"] == "fine"


def test_the_earlier_name_of_the_fix_still_works():
    with pytest.deprecated_call():
        assert Diagnosis("torch", "broken", "not installed", "pip install torch").mend == "pip install torch"
