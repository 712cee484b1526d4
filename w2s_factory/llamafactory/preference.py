"""What preference training starts from and is held against: M_plus, or the base beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from w2s_factory.llamafactory.presets import Preset

Model: TypeAlias = Literal["m-plus", "base"]
"""M_plus, the model Stage I made, or the strong base it was trained from."""

_NEVER_MERGED = ("quantization_bit", "quantization_method", "deepspeed")


def preference_settings(
    preset: Preset,
    adapters: Sequence[str | Path],
    settings: Mapping[str, Any],
    *,
    reference: Model | None = None,
    start: Model | None = None,
) -> dict[str, Any]:
    """The settings that give DPO its reference, ORPO and SimPO their start.

    LLaMA-Factory's reference, with LoRA and no `ref_model`, is the model with its adapter disabled. With
    `create_new_adapter` M_plus's adapter is merged first and a new one trained, so the reference is
    M_plus; without it M_plus's own adapter is trained on, and the reference is the base. The release
    does not say which it used.

    Args:
        preset: The preset chosen.
        adapters: M_plus's adapter on its base; none if the model is M_plus merged, or the base.
        settings: The user's settings.
        reference: DPO's; `m-plus` if None.
        start: ORPO's and SimPO's: `base` takes no adapter.

    Raises:
        UserError: The preset has no use for the option, the adapter that it needs is missing or one
            that it excludes is given, or LLaMA-Factory would not merge the adapter.
    """
    _check(preset, adapters, reference, start)
    if preset.method is None or not adapters:
        return {}
    if reference == "base":
        return {"create_new_adapter": False}
    for key in _NEVER_MERGED:
        if settings.get(key) is not None:
            raise UserError(
                "LLaMA-Factory does not merge an adapter then, and the base would be the reference",
                field=key,
                hint="Merge M_plus first (preset export) and name the merged model with --model",
            )
    return {}


def _check(
    preset: Preset, adapters: Sequence[str | Path], reference: Model | None, start: Model | None
) -> None:
    if reference is not None and preset.method != "dpo":
        raise UserError(f'the preset "{preset.name}" has no reference model', field="--reference")
    if start is not None and preset.method not in ("orpo", "simpo"):
        raise UserError(f'the preset "{preset.name}" has no such choice', field="--start")
    if reference == "base" and not adapters:
        raise UserError(
            "the reference would be the model itself",
            field="--reference",
            hint="Name the base with --model and M_plus's adapter with --adapter",
        )
    if start == "base" and adapters:
        raise UserError("a start from the base takes no adapter", field="--start", hint="Leave out --adapter")
