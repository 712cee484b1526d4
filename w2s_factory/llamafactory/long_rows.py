"""What is done about rows longer than `cutoff_len`: drop them, refuse them, or let them be cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from w2s_factory import records
from w2s_factory.errors import UserError
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.lengths import CannotCountError, Lengths, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.training_data import Dataset

OnLong: TypeAlias = Literal["drop", "error", "cut"]
_ANY: records.Form[dict[str, Any]] = records.Form("rows", {})
_NAMED = 5
_OURS = {"purpose": "rows that fit cutoff_len"}


def settle_long_rows(
    config: Config,
    datasets: Sequence[Dataset],
    installation: Installation,
    on_long: OnLong,
    say: Callable[[str], None],
) -> tuple[Config, dict[str, int]]:
    """Count the rows that would be cut, say how many there are, and do what was asked about them.

    `drop` writes the rows that fit, and a `dataset_info.json`, to `OUTPUT_DIR.data` beside the output
    folder, over what an earlier training left there, and never over anything else. Nothing is written
    where every row fits.

    Args:
        config: The training configuration.
        datasets: Its datasets.
        installation: The LLaMA-Factory that will train.
        on_long: What to do.
        say: Takes a line for the user.

    Returns:
        The configuration to train with, and the number of rows dropped from each dataset that lost any.

    Raises:
        UserError: `error`, and a row is too long or lengths can't be counted; `drop`, and no row would
            be left, or `OUTPUT_DIR.data` holds what no training left there.
    """
    found = [_measured(config, dataset, installation, on_long, say) for dataset in datasets]
    long = [lengths for lengths in found if lengths is not None and lengths.long]
    for lengths in long:
        _report(config, lengths, on_long, say)
    if on_long != "drop" or not long:
        return config, {}
    folder = _write_fitting(config, datasets, long)
    say(f"Training reads {folder} instead")
    dropped = {lengths.dataset.name: len(lengths.long) for lengths in long}
    return config.with_overrides(f"dataset_dir={json.dumps(str(folder))}"), dropped


def _measured(
    config: Config, dataset: Dataset, installation: Installation, on_long: OnLong, say: Callable[[str], None]
) -> Lengths | None:
    try:
        return measure(config, dataset, installation)
    except CannotCountError as error:
        problem = f"lengths of {dataset.name} are not counted: {error}"
    if on_long == "error":
        raise UserError(problem, hint="Train as it is with --on-long cut")
    say(f"Note: {problem}; LLaMA-Factory cuts what is too long")
    return None


def _report(config: Config, lengths: Lengths, on_long: OnLong, say: Callable[[str], None]) -> None:
    names = ", ".join(row.name for row in lengths.long[:_NAMED])
    names += ", …" if len(lengths.long) > _NAMED else ""
    losing = sum(row.loses_answer for row in lengths.long)
    what = (
        f"{len(lengths.long)} of {lengths.rows} rows of {lengths.dataset.name} are longer than "
        f"cutoff_len {lengths.cutoff_len} (longest {max(row.tokens for row in lengths.long)}; ids {names})"
    )
    if on_long == "error":
        raise config.wrong("cutoff_len", what, "Raise cutoff_len, or see --on-long")
    if on_long == "drop":
        say(f"{what}: dropped")
    else:
        say(f"{what}: {losing} lose the end of the response, {len(lengths.long) - losing} that of the prompt")


def _write_fitting(config: Config, datasets: Sequence[Dataset], long: Sequence[Lengths]) -> Path:
    output_dir = Path(config.values["output_dir"]).absolute()
    folder = output_dir.with_name(f"{output_dir.name}.data")
    by_name = {lengths.dataset.name: lengths for lengths in long}
    files = {
        dataset.name: folder / f"{place}_{dataset.file.name}"
        for place, dataset in enumerate(datasets)
        if dataset.name in by_name and dataset.file is not None
    }
    info = {dataset.name: _entry(dataset, files.get(dataset.name, dataset.file)) for dataset in datasets}
    _refuse_foreign(config, datasets, folder / INDEX, info, files.values())
    sources = [dataset.file for dataset in datasets if dataset.name in files and dataset.file is not None]
    with records.Outputs(inputs=sources, reads=[config.path]) as outputs:
        outputs.index(folder / INDEX, info, replace=True)  # first in place: it says whose the others are
        for name, file in files.items():
            if not outputs.rows(file, _fitting(by_name[name]), replace=True):
                raise config.wrong("cutoff_len", f"no row of {name} would be left")
        outputs.note(**_OURS)
    return folder


def _entry(dataset: Dataset, file: Path | None) -> dict[str, Any]:
    return {**dataset.entry} | ({} if file is None else {"file_name": str(file)})


def _refuse_foreign(
    config: Config,
    datasets: Sequence[Dataset],
    index: Path,
    info: Mapping[str, Any],
    files: Collection[Path],
) -> None:
    """Refuse to write into a folder whose index no training left there, or that is itself trained on."""
    folder = index.parent.resolve()
    used = [dataset.file.resolve() for dataset in datasets if dataset.file is not None]
    used.append(Path(config.values.get("dataset_dir", "data")).resolve() / INDEX)
    if index.exists():
        ours = records.noted(index, **_OURS) or records.read_object(index) == info
    else:
        ours = not any(file.exists() for file in files)
    overwritten = [file.resolve() for file in (index, *files)]  # where a link points to
    if not ours or any(file.is_relative_to(folder) or file in overwritten for file in used):
        raise config.wrong(
            "output_dir",
            f"the rows that fit would be written to {index.parent}, which holds other data",
            "Choose another output_dir, or see --on-long",
        )


def _fitting(lengths: Lengths) -> Iterator[dict[str, Any]]:
    assert lengths.dataset.file is not None  # noqa: S101  its rows were read from it
    too_long = {row.row for row in lengths.long}
    for place, row in enumerate(records.read(lengths.dataset.file, _ANY)):
        if place < lengths.rows and place not in too_long:
            yield row
