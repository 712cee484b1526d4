"""Which checkpoints are complete and can be read, and what is said of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from checkpoint_files import archive, checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.checkpoints import checkpoints, damage

if TYPE_CHECKING:
    from pathlib import Path


def test_checkpoints_are_found_the_last_first(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-100", "checkpoint-x", "checkpoint-7b", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-11").write_text("")
    assert list(checkpoints(tmp_path)) == [100, 9]
    assert checkpoints(tmp_path / "none") == {}


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_whole_checkpoint_has_no_damage(tmp_path: Path, ranks: int) -> None:
    assert damage(checkpoint(tmp_path, 3, ranks), 3, ranks) is None


def test_a_checkpoint_of_one_process_on_two_devices_is_whole(tmp_path: Path) -> None:
    assert damage(checkpoint(tmp_path, 3), 3, 2) is None  # DataParallel


def test_checkpoints_of_deepspeed_and_of_earlier_torch_are_whole(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 3, 2)
    (made / "optimizer.pt").unlink()
    (made / "global_step3").mkdir()
    archive(made / "global_step3" / "zero_pp_rank_0_mp_rank_00_optim_states.pt")
    (made / "training_args.bin").write_bytes(b"\x80\x02pickled")
    assert damage(made, 3, 2) is None
    (made / "global_step3" / "zero_pp_rank_0_mp_rank_00_optim_states.pt").write_bytes(b"PK")
    assert damage(made, 3, 2) == "global_step3/zero_pp_rank_0_mp_rank_00_optim_states.pt is damaged"


CUT = (
    "adapter_model.safetensors",
    "optimizer.pt",
    "rng_state.pth",
    "training_args.bin",
    "adapter_config.json",
)


@pytest.mark.parametrize("name", CUT)
@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_file_that_is_cut_off_anywhere_is_damage(
    tmp_path_factory: pytest.TempPathFactory, name: str, share: float
) -> None:
    made = checkpoint(tmp_path_factory.mktemp("cut"), 3)
    whole = (made / name).read_bytes()
    (made / name).write_bytes(whole[: int(share * len(whole))])
    assert damage(made, 3, 1) == f"{name} is damaged"


@pytest.mark.parametrize("zeros", [7, 8, 9, 200])
def test_zeros_in_place_of_content_are_damage(tmp_path: Path, zeros: int) -> None:
    for number, name in enumerate(CUT):
        made = checkpoint(tmp_path, number)
        (made / name).write_bytes(bytes(zeros))
        assert damage(made, number, 1) == f"{name} is damaged"


def test_a_changed_bit_of_the_optimizer_is_damage(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 3)
    content = bytearray((made / "optimizer.pt").read_bytes())
    content[content.index(b"numbers")] ^= 1
    (made / "optimizer.pt").write_bytes(content)
    assert damage(made, 3, 1) == "optimizer.pt is damaged"


MISSING = [
    (("trainer_state.json",), "trainer_state.json is missing"),
    (("optimizer.pt",), "the optimizer's state is missing"),
    (("rng_state_1.pth",), "random numbers of a process are missing"),
]


@pytest.mark.parametrize(("names", "problem"), MISSING)
def test_a_file_that_is_missing_is_damage(tmp_path: Path, names: tuple[str, ...], problem: str) -> None:
    made = checkpoint(tmp_path, 3, 2)
    for name in names:
        (made / name).unlink()
    assert str(damage(made, 3, 2)).startswith(problem)


@pytest.mark.parametrize("state", ["{", "[]", "null", '{"global_step": 4}', "{}", ""])
def test_the_state_of_another_step_is_damage(tmp_path: Path, state: str) -> None:
    made = checkpoint(tmp_path, 3)
    (made / "trainer_state.json").write_text(state)
    assert str(damage(made, 3, 1)).startswith("trainer_state.json is missing, cut off or of another step")


def test_a_file_that_cannot_be_read_is_an_error_and_no_damage(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 3)
    (made / "trainer_state.json").unlink()
    (made / "trainer_state.json").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        damage(made, 3, 1)


def test_what_torch_and_safetensors_save_is_whole(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    saved = pytest.importorskip("safetensors.torch")
    made = checkpoint(tmp_path, 3)
    tensors = {"a": torch.ones(3, 5), "b": torch.zeros(0), "c": torch.ones(2, dtype=torch.bfloat16)}
    saved.save_file(tensors, made / "adapter_model.safetensors", metadata={"format": "pt"})
    for name in ("optimizer.pt", "rng_state.pth", "training_args.bin"):
        torch.save({"state": tensors, "step": 3}, made / name)
    assert damage(made, 3, 1) is None
    whole = (made / "optimizer.pt").read_bytes()
    (made / "optimizer.pt").write_bytes(whole[:-30])
    assert damage(made, 3, 1) == "optimizer.pt is damaged"
    assert json.loads((made / "trainer_state.json").read_text())["global_step"] == 3
