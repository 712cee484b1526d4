"""Rows of data sets on the Hugging Face Hub, by the package `datasets`."""

from __future__ import annotations

from typing import Any

from w2s_factory.errors import DelegateError
from w2s_factory.packages import missing_extra
from w2s_factory.terminal import first_line


def load(where: str, config: str | None, split: str, *, otherwise: str, **options: Any) -> Any:
    """Return a split as `datasets` loads it; code that comes with a data set is never run.

    Args:
        where: A name on the hub, or a local folder.
        config: The configuration; None for the only one.
        split: The name of the split.
        otherwise: What to name in place of the hub without a network, for the hint.
        options: Further arguments of `datasets.load_dataset`.

    Raises:
        UserError: `datasets` is missing.
        DelegateError: The split can't be loaded.
    """
    try:
        import datasets  # noqa: PLC0415  heavy, and needed for nothing else
    except ImportError:
        raise missing_extra("hub", "datasets") from None
    try:
        return datasets.load_dataset(where, config, split=split, **options)
    except Exception as error:  # noqa: BLE001  the hub fails in many ways
        text = first_line(str(error))
        raise DelegateError(
            f"{where} ({split}) can't be loaded ({type(error).__name__}: {text})",
            hint=f"Offline? Name a local folder with {otherwise}",
        ) from None
