"""Rows longer than `cutoff_len`: LLaMA-Factory cuts them, and a cut response has lost its answer and EOS."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.version import Version as Number

from w2s_factory import records
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.llamafactory.environment import run_inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.training_data import Dataset

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
