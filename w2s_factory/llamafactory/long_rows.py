"""Rows longer than `cutoff_len`: counted, then dropped, refused or left as they are.

LLaMA-Factory cuts such rows, and a response that is cut loses its final answer and its EOS token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from packaging.version import Version as Number

from w2s_factory import records
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.installation import run_inside
from w2s_factory.llamafactory.known_templates import VANILLA

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from w2s_factory.llamafactory.datasets import Dataset
    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.training_config import Config

_COUNTED_COLUMNS = {"prompt", "query", "response", "chosen", "rejected", "id"}
_CHANGES_TOKENIZER = ("add_tokens", "add_special_tokens", "new_special_tokens_config", "tokenized_path")

_OF_TEMPLATE = (
    *("template", "default_system", "tool_format", "enable_thinking", "preserve_thinking"),
    *("mask_history", "packing", "neat_packing"),
)
"""Arguments on which the tokens of a row depend under a template other than `vanilla`."""

_FIRST_ENCODING: Final = Number("0.9.2")
"""The release since which rows of other templates are counted, by classes that earlier releases lack."""

_STAGES: Final = ("sft", "dpo", "rm")
"""The stages of which they are counted."""


@dataclass(frozen=True)
class LongRow:
    """A row that would be cut.

    Attributes:
        row: Its position in the dataset, from 0.
        name: Its `id`, or `row N` counted from 1.
        tokens: Its length in tokens: prompt, response (of a pair, the longer one) and EOS.
        loses_answer: Whether its response would be cut; otherwise only the end of its prompt is.
    """

    row: int
    name: str
    tokens: int
    loses_answer: bool


@dataclass(frozen=True)
class Lengths:
    """The rows of one dataset that are too long.

    Attributes:
        dataset: The dataset.
        rows: The number of rows that training would use.
        long: Those of them that would be cut.
        cutoff_len: The length at which they would be cut, in tokens.
    """

    dataset: Dataset
    rows: int
    long: tuple[LongRow, ...]
    cutoff_len: int


class CannotCountError(Exception):
    """The reason why the lengths of a dataset cannot be counted."""


class _Texts(NamedTuple):
    """The texts of a row: its prompt, its response or the two of a pair, and its system prompt."""

    name: str
    prompt: str
    responses: list[str]
    system: str


def measure(config: Config, dataset: Dataset, installation: Installation) -> Lengths:
    """Return the rows of a dataset that LLaMA-Factory would cut, counted with the model's own tokenizer.

    Under `vanilla`, prompt and response are tokenised separately, without special tokens, and EOS is added.
    Under any other template, LLaMA-Factory's own code encodes the rows. The tokenizer is loaded by the
    interpreter that LLaMA-Factory runs with.

    A row is cut when it is longer than `cutoff_len`. Before 0.8.3 the available length is divided in
    proportion to prompt and response, and rounding can take a token from a row of exactly that length, so
    there such a row counts as long.

    Raises:
        CannotCountError: The dataset, the template or the tokenizer is of a kind that is not counted.
        UserError: A row lacks a column, or a column holds something other than text.
    """
    published = config.values.get("template") == VANILLA
    _refuse_what_is_not_counted(
        config, dataset, _COUNTED_COLUMNS if published else _COUNTED_COLUMNS | {"system"}
    )
    if not published:
        _refuse_early(config, installation)
    cutoff_len = _cutoff_len(config, installation)
    rows = list(_texts(dataset, config.values.get("max_samples")))
    long = _long_by_vanilla if published else _long_by_template
    found = long(config, dataset, installation, rows, cutoff_len)
    return Lengths(dataset, len(rows), tuple(found), cutoff_len)


def _refuse_early(config: Config, installation: Installation) -> None:
    """Raise `CannotCountError` for a release or stage of which only rows of `vanilla` are counted."""
    version, template = installation.version, config.values.get("template")
    if version is None or Number(version) < _FIRST_ENCODING:
        name = "this LLaMA-Factory" if version is None else f"LLaMA-Factory {version}"
        raise CannotCountError(
            f"the template {template} adds tokens of its own, which {name} does not report"
        )
    if config.values.get("stage", "sft") not in _STAGES:
        raise CannotCountError(f"with the template {template}, only rows of {', '.join(_STAGES)} are counted")


def _long_by_vanilla(
    config: Config, _dataset: Dataset, installation: Installation, rows: Sequence[_Texts], cutoff_len: int
) -> Iterator[LongRow]:
    """Yield the rows that are cut under `vanilla`."""
    texts = [text for row in rows for text in (row.prompt, *row.responses)]
    lengths = iter(_token_lengths(config, installation, texts))
    proportional = installation.version is None or Number(installation.version) < Number("0.8.3")
    for index, row in enumerate(rows):
        source = next(lengths)
        target = max(next(lengths) for _ in row.responses) + 1  # EOS
        if source + target > cutoff_len - proportional:
            kept = _kept_of_target(source, target, cutoff_len, proportional=proportional)
            yield LongRow(index, row.name, source + target, kept < target)


def _long_by_template(
    config: Config, dataset: Dataset, installation: Installation, rows: Sequence[_Texts], cutoff_len: int
) -> Iterator[LongRow]:
    """Yield the rows that are cut under another template, as LLaMA-Factory's own code cuts them.

    Raises:
        CannotCountError: It cannot encode them.
    """
    values = config.values
    of_template = {key: values[key] for key in _OF_TEMPLATE if key in values}
    given = {
        "model": {"model_name_or_path": values["model_name_or_path"], **_of_tokenizer(config)},
        "data": {**of_template, "cutoff_len": cutoff_len},
        "pairs": dataset.ranking,
        "rows": [{"prompt": row.prompt, "responses": row.responses, "system": row.system} for row in rows],
    }
    try:
        cut: dict[str, tuple[int, bool]] = run_inside(installation.python, "cut_rows.py", given=given)
    except DelegateError as error:
        raise CannotCountError(f"LLaMA-Factory cannot encode them: {error.problem}") from None
    for place, (tokens, loses_answer) in cut.items():
        yield LongRow(int(place), rows[int(place)].name, tokens, loses_answer)


def _kept_of_target(source: int, target: int, cutoff_len: int, *, proportional: bool) -> int:
    """Return how many of a response's tokens LLaMA-Factory keeps.

    It computes this in `infer_seqlen`, and before 0.8.3 in `infer_max_len`.
    """
    if not proportional and target * 2 < cutoff_len:
        return target
    if not proportional and source * 2 < cutoff_len:
        return cutoff_len - source
    return min(target, int(cutoff_len * (target / (source + target))))


def _cutoff_len(config: Config, installation: Installation) -> int:
    """Return the `cutoff_len` of a training: the one it sets, or LLaMA-Factory's default."""
    value = config.values.get("cutoff_len")
    if value is None:
        if installation.traits is None:
            raise CannotCountError("cutoff_len is not set, and this LLaMA-Factory's default is not known")
        return installation.traits.cutoff_len
    if type(value) is not int or value < 1:
        raise config.wrong("cutoff_len", f"expected a number of tokens, got {value!r}")
    return value


def _refuse_what_is_not_counted(config: Config, dataset: Dataset, counted: Collection[str]) -> None:
    """Raise `CannotCountError` for a tokenizer or dataset of a kind that is not counted."""
    for key in _CHANGES_TOKENIZER:
        if config.values.get(key):
            raise CannotCountError(f"{key} changes the tokenizer or the texts")
    if dataset.file is None or dataset.file.suffix not in (".json", ".jsonl"):
        raise CannotCountError("only rows in .json and .jsonl files are counted")
    if dataset.entry.get("formatting", "alpaca") != "alpaca":
        raise CannotCountError(f"rows with the formatting {dataset.entry['formatting']} are not counted")
    others = dataset.columns.keys() - counted
    if others or "prompt" not in dataset.columns:
        raise CannotCountError(
            f"rows with columns for {', '.join(sorted(others)) or 'no prompt'} are not counted"
        )


def _texts(dataset: Dataset, max_samples: int | None) -> Iterator[_Texts]:
    """Yield the texts of the rows that training would use.

    Raises:
        UserError: A row lacks a column, or a column holds something other than text.
    """
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
        system = row.get(columns.get("system")) or ""
        if not isinstance(system, str):
            raise UserError("expected text", file=dataset.file, row=number, field=columns["system"])
        yield _Texts(str(row.get("id", f"row {number}")), prompt, responses, system)


def _answer_roles(dataset: Dataset) -> Sequence[str]:
    """Return the roles of the columns with responses: `chosen` and `rejected`, or `response`.

    In pairs for LLaMA-Factory up to 0.7.1, `response` is a list of both.
    """
    roles = ("chosen", "rejected") if dataset.ranking and "chosen" in dataset.columns else ("response",)
    missing = [role for role in roles if role not in dataset.columns]
    if missing:
        raise CannotCountError(f"its entry names no column for {missing[0]}")
    return roles


def _flat(value: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def _token_lengths(config: Config, installation: Installation, texts: list[str]) -> list[int]:
    """Return the length of each text in tokens of the model that the training starts from.

    Raises:
        CannotCountError: Its tokenizer cannot be loaded.
    """
    model, chosen = config.values["model_name_or_path"], _of_tokenizer(config)
    options = {
        "use_fast": chosen["use_fast_tokenizer"],
        "split_special_tokens": chosen["split_special_tokens"],
        "revision": chosen["model_revision"],
        "cache_dir": chosen["cache_dir"],
    }
    given = {"model": model, "options": options, "texts": texts}
    try:
        lengths: list[int] = run_inside(installation.python, "token_lengths.py", given=given)
    except DelegateError as error:
        raise CannotCountError(f"the tokenizer of {model}: {error.problem}") from None
    return lengths


def _of_tokenizer(config: Config) -> dict[str, Any]:
    """Return the arguments that choose the tokenizer of a training, besides its model."""
    values = config.values
    return {
        "use_fast_tokenizer": values.get("use_fast_tokenizer", True),
        "split_special_tokens": values.get("split_special_tokens", False),
        "model_revision": values.get("model_revision", "main"),
        "cache_dir": values.get("cache_dir"),
    }


OnLong: TypeAlias = Literal["drop", "error", "cut"]
"""The choice between dropping long rows, refusing to train, and leaving them to be cut."""

_ANY: records.Form[dict[str, Any]] = records.Form("rows", {})

_NAMED = 5
"""The number of long rows that a message names."""

_OURS = {"purpose": "rows that fit cutoff_len"}
"""The mark in the manifest of a folder that an earlier training wrote."""


def settle_long_rows(
    config: Config,
    datasets: Sequence[Dataset],
    installation: Installation,
    on_long: OnLong,
    say: Callable[[str], None],
) -> tuple[Config, dict[str, int]]:
    """Count the rows that would be cut, report their number, and drop, refuse or leave them.

    `drop` writes the rows that fit, and a `dataset_info.json`, to `OUTPUT_DIR.data` next to the output
    folder. It replaces what an earlier training left there, and never anything else. Nothing is written
    where every row fits.

    Args:
        config: The training configuration.
        datasets: Its datasets.
        installation: The LLaMA-Factory that will train.
        on_long: The choice between `drop`, `error` and `cut`.
        say: The function that shows a line to the user.

    Returns:
        The configuration to train with, and the number of rows dropped from each dataset that lost any.

    Raises:
        UserError: With `error`, a row is too long or lengths cannot be counted. With `drop`, no row
            would be left, or `OUTPUT_DIR.data` holds something that no training left there.
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
    """Return the long rows of a dataset; None, after a note to the user, where they cannot be counted."""
    try:
        return measure(config, dataset, installation)
    except CannotCountError as error:
        problem = f"the rows of {dataset.name} that are too long are not counted: {error}"
    if on_long == "error":
        raise UserError(problem, hint="Train without counting them with --on-long cut")
    say(f"Note: {problem}; LLaMA-Factory cuts them")
    return None


def _report(config: Config, lengths: Lengths, on_long: OnLong, say: Callable[[str], None]) -> None:
    """Report the long rows of a dataset to the user.

    Raises:
        UserError: They are to be refused.
    """
    names = ", ".join(row.name for row in lengths.long[:_NAMED])
    names += ", …" if len(lengths.long) > _NAMED else ""
    losing = sum(row.loses_answer for row in lengths.long)
    found = (
        f"{len(lengths.long)} of {lengths.rows} rows of {lengths.dataset.name} are longer than "
        f"cutoff_len {lengths.cutoff_len} (longest {max(row.tokens for row in lengths.long)}; ids {names})"
    )
    if on_long == "error":
        raise config.wrong("cutoff_len", found, "Raise cutoff_len, or see --on-long", topic="rows-too-long")
    if on_long == "drop":
        say(f"{found}: dropped")
    else:
        cut_prompts = len(lengths.long) - losing
        say(f"{found}: {losing} lose the end of the response, {cut_prompts} the end of the prompt")


def _write_fitting(config: Config, datasets: Sequence[Dataset], long: Sequence[Lengths]) -> Path:
    """Write the rows that fit, with an index of all datasets; return the folder.

    Raises:
        UserError: No row of a dataset would be left, or the folder holds other data.
    """
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
        outputs.index(folder / INDEX, info, replace=True)  # written first, since it marks the folder as ours
        for name, file in files.items():
            if not outputs.rows(file, _fitting(by_name[name]), replace=True):
                raise config.wrong("cutoff_len", f"no row of {name} would be left")
        outputs.note(**_OURS)
    return folder


def _entry(dataset: Dataset, file: Path | None) -> dict[str, Any]:
    """Return the entry of a dataset with another file; None keeps its own source."""
    return {**dataset.entry} | ({} if file is None else {"file_name": str(file)})


def _refuse_foreign(
    config: Config,
    datasets: Sequence[Dataset],
    index: Path,
    info: Mapping[str, Any],
    files: Collection[Path],
) -> None:
    """Refuse to write into a folder that no earlier training wrote, or that holds data of this training."""
    folder = index.parent.resolve()
    used = [dataset.file.resolve() for dataset in datasets if dataset.file is not None]
    used.append(Path(config.values.get("dataset_dir", "data")).resolve() / INDEX)
    if index.exists():
        ours = records.noted(index, **_OURS) or records.read_object(index) == info
    else:
        ours = not any(file.exists() for file in files)
    overwritten = [file.resolve() for file in (index, *files)]  # links are followed
    if not ours or any(file.is_relative_to(folder) or file in overwritten for file in used):
        raise config.wrong(
            "output_dir",
            f"the rows that fit would be written to {index.parent}, which holds other data",
            "Choose another output_dir, or see --on-long",
        )


def _fitting(lengths: Lengths) -> Iterator[dict[str, Any]]:
    """Yield the rows of a dataset that training would use and that are not too long."""
    assert lengths.dataset.file is not None  # noqa: S101  its rows were read from it
    too_long = {row.row for row in lengths.long}
    for place, row in enumerate(records.read(lengths.dataset.file, _ANY)):
        if place < lengths.rows and place not in too_long:
            yield row
