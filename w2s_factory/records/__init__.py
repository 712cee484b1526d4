"""The rows on disk: their keys, and reading and writing them in the release's own bytes.

Nothing else in the package parses or writes rows. A row is a plain `dict` with its keys in the order of the
file, typed as one of the `TypedDict` classes of `rows`; keys that are not declared there are kept.
"""

from __future__ import annotations

from w2s_factory.records.journal import Journal
from w2s_factory.records.manifest import NAME as MANIFEST
from w2s_factory.records.manifest import Hashed, Source, content_hash, last_facts, note, noted
from w2s_factory.records.outputs import Outputs, is_same_file, is_stdout, write
from w2s_factory.records.preference_rows import as_columns, as_pair, read_pairs
from w2s_factory.records.reader import Place, PlacedTable, read, read_object, read_placed, require, to_frame
from w2s_factory.records.row_index import RowIndex, StoredRows, text_digest, together
from w2s_factory.records.rows import (
    ANSWERED,
    ANY,
    COLUMN_PAIR,
    DEMONSTRATION,
    GSM8K_RAW,
    MATH_RAW,
    OLYMPIC_RAW,
    OUTPUT,
    PAIR,
    RESULT,
    SFT,
    TEST,
    VOTE,
    ColumnPair,
    Demonstration,
    Form,
    Gsm8kRaw,
    Id,
    MathRaw,
    Output,
    Pair,
    PairForm,
    Result,
    Sample,
    Sft,
    Test,
    Vote,
    wrong_row,
)
from w2s_factory.records.tables import RowsLike, RowSource, Table, plain_value, rows_of

__all__ = [
    "ANSWERED",
    "ANY",
    "COLUMN_PAIR",
    "DEMONSTRATION",
    "GSM8K_RAW",
    "MANIFEST",
    "MATH_RAW",
    "OLYMPIC_RAW",
    "OUTPUT",
    "PAIR",
    "RESULT",
    "SFT",
    "TEST",
    "VOTE",
    "ColumnPair",
    "Demonstration",
    "Form",
    "Gsm8kRaw",
    "Hashed",
    "Id",
    "Journal",
    "MathRaw",
    "Output",
    "Outputs",
    "Pair",
    "PairForm",
    "Place",
    "PlacedTable",
    "Result",
    "RowIndex",
    "RowSource",
    "RowsLike",
    "Sample",
    "Sft",
    "Source",
    "StoredRows",
    "Table",
    "Test",
    "Vote",
    "as_columns",
    "as_pair",
    "content_hash",
    "is_same_file",
    "is_stdout",
    "last_facts",
    "note",
    "noted",
    "plain_value",
    "read",
    "read_object",
    "read_pairs",
    "read_placed",
    "require",
    "rows_of",
    "text_digest",
    "to_frame",
    "together",
    "write",
    "wrong_row",
]
