"""Merging the shards of a generation (`merge-shards`), if all are complete, of one run, and distinct."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import UserError
from w2s_factory.generating.generation_files import JOURNAL, OUTPUT, SHARDS, Shard, shard_folder
from w2s_factory.records import OUTPUT as OUTPUT_FORM
from w2s_factory.records import Form, Outputs, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.records import Id, Output

_SHARD = re.compile(r"\d+-of-\d+")

_HEADER: Form[dict[str, Any]] = Form("journals", {"settings": (dict,), "rows": (int,), "questions": (int,)})


def merge_shards(output_dir: str | Path, *, here: bool = False, force: bool = False) -> list[Path]:
    """Merge the shards in `output_dir` and all folders below it, each folder's into its `output.jsonl`.

    Args:
        output_dir: The `output_dir` of the shards' runs.
        here: Merge only the folder's own shards: sampled runs are below greedy ones.
        force: Overwrite files that hold something else.

    Returns:
        The files written.

    Raises:
        UserError: There are no shards; a shard is missing, unfinished, or of another run; or two shards hold
            the same question.
    """
    found = Path(output_dir).glob(SHARDS) if here else Path(output_dir).rglob(SHARDS)
    folders = sorted(path.parent for path in found if path.is_dir())
    if not folders:
        raise UserError("holds no shards", file=output_dir)
    shards = {folder: _all_shards(folder) for folder in folders}
    with Outputs(
        inputs=[part / OUTPUT for parts in shards.values() for part in parts], force=force
    ) as outputs:
        for folder, parts in shards.items():
            outputs.rows(folder / OUTPUT, _joined(folder, parts), OUTPUT_FORM)
            settings = {**_header(parts[0])["settings"], "shard": None, **_dated(parts)}
            outputs.note(inputs=[part / OUTPUT for part in parts], settings=settings)
    return [folder / OUTPUT for folder in folders]


def _all_shards(folder: Path) -> list[Path]:
    """Return the folders of a run's shards, in order."""
    names = sorted(
        path.name
        for path in (folder / SHARDS).glob("*-of-*")
        if path.is_dir() and _SHARD.fullmatch(path.name)
    )
    if not names:
        raise UserError("holds no shards (folders such as 1-of-4)", file=folder / SHARDS)
    counts = {name.rpartition("-of-")[2] for name in names}
    if len(counts) != 1:
        raise UserError(f"shards of several runs overlap ({', '.join(names)})", file=folder / SHARDS)
    of = int(counts.pop())
    parts = [shard_folder(folder, Shard(index, of)) for index in range(1, of + 1)]
    for part in parts:
        _check(part, parts[0])
    return parts


def _check(part: Path, first: Path) -> None:
    if not part.is_dir():
        raise UserError(
            "this shard is missing", file=part, hint="Generate it with the same options as the others"
        )
    if not (part / OUTPUT).exists():
        raise UserError("this shard is not finished", file=part, hint="Start its command again")
    settings, others = _header(part)["settings"], _header(first)["settings"]
    changed = [
        key
        for key in others
        if key != "shard" and _undated(key, settings.get(key)) != _undated(key, others[key])
    ]
    if changed:
        raise UserError(f"this shard was made with another {', '.join(changed)} than {first.name}", file=part)


def _undated(key: str, value: Any) -> Any:
    """Return a setting without the date of a chat: shards that began on two days are of one run."""
    if key != "chat" or not isinstance(value, dict):
        return value
    return {name: fact for name, fact in value.items() if name != "date"}


def _dated(parts: Sequence[Path]) -> dict[str, Any]:
    """Return the setting `chat` with the dates of all shards if they differ; nothing otherwise."""
    chats = [_header(part)["settings"].get("chat") for part in parts]
    dates = sorted({chat["date"] for chat in chats if isinstance(chat, dict) and "date" in chat})
    return {"chat": {**chats[0], "date": dates}} if len(dates) > 1 else {}


def _joined(folder: Path, parts: Sequence[Path]) -> Iterator[Output]:
    seen: set[Id] = set()
    for part in parts:
        for row in read(part / OUTPUT, OUTPUT_FORM):
            if row["id"] in seen:
                raise UserError(f"question {row['id']} is in another shard, too", file=part / OUTPUT)
            seen.add(row["id"])
            yield row
    questions = _header(parts[0])["questions"]
    if len(seen) != questions:
        problem = f"the shards hold {len(seen):,} of {questions:,} questions"
        raise UserError(problem, file=folder / SHARDS)


def _header(part: Path) -> dict[str, Any]:
    header = next(read(part / JOURNAL, _HEADER), None)
    if header is None:
        hint = "Generate the shard again: the same command with --restart"
        raise UserError(
            "expected the settings of a generation, got an empty file", file=part / JOURNAL, hint=hint
        )
    return header
