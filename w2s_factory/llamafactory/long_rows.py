"""Rows longer than `cutoff_len`: measured, then dropped, refused or left to be cut.

LLaMA-Factory cuts them, and a cut response has lost its answer and its end-of-sequence token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from packaging.version import Version as Number

from w2s_factory import records
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.environment import run_inside

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from w2s_factory.llamafactory.datasets import Dataset
    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.training_config import Config

_TEXT_COLUMNS = {"prompt", "query", "response", "chosen", "rejected"}
_COUNTED_COLUMNS = _TEXT_COLUMNS | {"id"}
_CHANGES_TOKENIZER = ("add_tokens", "add_special_tokens", "new_special_tokens_config", "tokenized_path")


@dataclass(frozen=True)
class LongRow:
    """A row that would be cut.

    Attributes:
        row: Its place in the dataset, from 0.
        name: Its `id`, or `row N` counted from 1.
        tokens: Its length: prompt, response (of a pair, the longer one) and EOS.
        loses_answer: Its response would be cut; otherwise only the end of its prompt.
    """

    row: int
    name: str
    tokens: int
    loses_answer: bool


@dataclass(frozen=True)
class Lengths:
    """What was found of one dataset.

    Attributes:
        dataset: The dataset.
        rows: How many rows training would use.
        long: Those of them that would be cut.
        cutoff_len: The length at which they would be, in tokens.
    """

    dataset: Dataset
    rows: int
    long: tuple[LongRow, ...]
    cutoff_len: int


class CannotCountError(Exception):
    """The lengths of a dataset can't be told; the text says why."""


class _Texts(NamedTuple):
    name: str
    prompt: str
    responses: list[str]


def measure(config: Config, dataset: Dataset, installation: Installation) -> Lengths:
    """Count the rows of a dataset that LLaMA-Factory would cut, with the model's own tokenizer.

    Prompt and response are tokenised apart, without special tokens, and EOS is added: what `vanilla`
    gives. The tokenizer is loaded by the interpreter LLaMA-Factory runs with.

    A row is cut when it is longer than `cutoff_len`. Before 0.8.3 the room is shared out in proportion,
    and rounding can take a token from a row of exactly that length: there such a row counts as long.

    Raises:
        CannotCountError: The dataset, the template or the tokenizer is of a kind that is not counted.
        UserError: A row lacks a column or has something else than text in it.
    """
    _refuse_what_is_not_counted(config, dataset)
    cutoff_len = _cutoff_len(config, installation)
    rows = list(_texts(dataset, config.values.get("max_samples")))
    texts = [text for row in rows for text in (row.prompt, *row.responses)]
    lengths = iter(_token_lengths(config, installation, texts))
    proportional = installation.version is None or Number(installation.version) < Number("0.8.3")
    long = []
    for index, row in enumerate(rows):
        source = next(lengths)
        target = max(next(lengths) for _ in row.responses) + 1  # EOS
        if source + target > cutoff_len - proportional:
            kept = _kept_of_target(source, target, cutoff_len, proportional=proportional)
            long.append(LongRow(index, row.name, source + target, kept < target))
    return Lengths(dataset, len(rows), tuple(long), cutoff_len)


def _kept_of_target(source: int, target: int, cutoff_len: int, *, proportional: bool) -> int:
    """How many of a response's tokens are left (`infer_seqlen`; `infer_max_len` before 0.8.3)."""
    if not proportional and target * 2 < cutoff_len:
        return target
    if not proportional and source * 2 < cutoff_len:
        return cutoff_len - source
    return min(target, int(cutoff_len * (target / (source + target))))


def _cutoff_len(config: Config, installation: Installation) -> int:
    value = config.values.get("cutoff_len")
    if value is None:
        if installation.traits is None:
            raise CannotCountError("cutoff_len is not set, and this LLaMA-Factory's default is not known")
        return installation.traits.cutoff_len
    if type(value) is not int or value < 1:
        raise config.wrong("cutoff_len", f"expected a number of tokens, got {value!r}")
    return value


def _refuse_what_is_not_counted(config: Config, dataset: Dataset) -> None:
    template = config.values.get("template")
    if template != "vanilla":
        raise CannotCountError(f"template {template} adds tokens of its own")
    for key in _CHANGES_TOKENIZER:
        if config.values.get(key):
            raise CannotCountError(f"{key} changes what is trained on")
    if dataset.file is None or dataset.file.suffix not in (".json", ".jsonl"):
        raise CannotCountError("only .json and .jsonl files are counted")
    if dataset.entry.get("formatting", "alpaca") != "alpaca":
        raise CannotCountError(f"the formatting {dataset.entry['formatting']} is not counted")
    others = dataset.columns.keys() - _COUNTED_COLUMNS
    if others or "prompt" not in dataset.columns:
        raise CannotCountError(
            f"rows with columns for {', '.join(sorted(others)) or 'no prompt'} are not counted"
        )


def _texts(dataset: Dataset, max_samples: int | None) -> Iterator[_Texts]:
    """The texts of the rows that training would use."""
    assert dataset.file is not None  # noqa: S101
    columns = dataset.columns
    answers = [columns[role] for role in _answer_roles(dataset)]
    asked = [columns[role] for role in ("prompt", "query") if columns.get(role)]
    form: records.Form[Any] = records.Form(
        f"rows of {dataset.name}", {**dict.fromkeys(asked, (str,)), **dict.fromkeys(answers, (str, list))}
    )
    for number, row in enumerate(islice(records.read(dataset.file, form), max_samples), 1):
        responses = [text for column in answers for text in _flat(row[column])]
        if not responses or not all(isinstance(text, str) for text in responses):
            raise UserError("expected text", file=dataset.file, row=number, field=answers[0])
        prompt = "\n".join(row[column] for column in asked if row[column])
        yield _Texts(str(row.get("id", f"row {number}")), prompt, responses)


def _answer_roles(dataset: Dataset) -> Sequence[str]:
    """`chosen` and `rejected` columns; or `response`, in pairs up to 0.7.1 a list of both."""
    roles = ("chosen", "rejected") if dataset.ranking and "chosen" in dataset.columns else ("response",)
    missing = [role for role in roles if role not in dataset.columns]
    if missing:
        raise CannotCountError(f"its columns name no {missing[0]}")
    return roles


def _flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _token_lengths(config: Config, installation: Installation, texts: list[str]) -> list[int]:
    values = config.values
    options = {
        "use_fast": values.get("use_fast_tokenizer", True),
        "split_special_tokens": values.get("split_special_tokens", False),
        "revision": values.get("model_revision", "main"),
        "cache_dir": values.get("cache_dir"),
    }
    given = {"model": values["model_name_or_path"], "options": options, "texts": texts}
    try:
        lengths: list[int] = run_inside(installation.python, "token_lengths.py", given=given)
    except DelegateError as error:
        raise CannotCountError(f"the tokenizer of {values['model_name_or_path']}: {error.problem}") from None
    return lengths


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
