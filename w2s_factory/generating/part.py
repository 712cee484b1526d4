"""An unfinished `output.jsonl`, with the journal that keeps its responses."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError
from w2s_factory.generating.generation_files import JOURNAL, OUTPUT
from w2s_factory.records import ANY, Form, Journal, Outputs, read, require, to_frame, wrong_row
from w2s_factory.records import OUTPUT as OUTPUT_FORM
from w2s_factory.records.journal import has_intact_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from w2s_factory.generating.requests import Completion, Request
    from w2s_factory.records import Id, Output, Source
    from w2s_factory.tasks import Task


ENTRY: Form[dict[str, Any]] = Form(
    "responses",
    {"id": (int, str), "seed": (int,), "text": (str,), "finish": (str,), "tokens": (int, type(None))},
    optional={"error": (str,)},
)
"""An entry of a journal; `error` is the reason why the engine refused the request."""


def noted_date(journal: Path) -> date | None:
    """Return the date that the prompts of a chat have, as a journal notes it; None if it notes none."""
    try:
        header = next(read(journal, ANY))
        return date.fromisoformat(header["settings"]["chat"]["date"])
    except (UserError, StopIteration, ValueError, KeyError, TypeError):  # `Part` reports a broken journal
        return None


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check settings that are known before an engine is started against those of an earlier run.

    Starting an engine takes long, so that a mistake is better found before; `Part` compares all settings.
    A chat is left to it, since its settings depend on the model.

    Args:
        folder: The folder of the files of one seed.
        settings: The settings that are known.

    Raises:
        UserError: An earlier run in this folder had other settings.
    """
    journal = folder / JOURNAL
    try:
        begun = list(islice(read(journal, ANY), 2))
        then = begun[0]["settings"]
        known = {key: then[key] for key in settings if key in then}
        if not has_intact_header(journal):
            return
    except (OSError, UserError, LookupError, TypeError):  # `Part` reports a broken journal
        return
    if "chat" not in then and (len(begun) > 1 or (folder / OUTPUT).exists()):
        _refuse_others(journal, known, {key: settings[key] for key in known})


def failed_in(journal: Path) -> int:
    """Return how many requests of an unfinished generation failed, and were not answered later."""
    last: dict[Any, bool] = {}
    with suppress(UserError):  # the last line of a run that was killed may be half written
        for entry in islice(read(journal, ANY), 1, None):
            last[entry.get("id")] = "error" in entry
    return sum(last.values())


@dataclass(frozen=True)
class Generated:
    """A finished file of responses.

    Attributes:
        file: The `output.jsonl`.
        rows: The number of its responses.
        at_limit: The number of those that were cut at the token limit.
        failed: The number of requests that the engine refused; their `response` is empty.
    """

    file: Path
    rows: int
    at_limit: int
    failed: int = 0

    def to_frame(self) -> pd.DataFrame:
        """Return the responses as a DataFrame."""
        return to_frame(self.file)


class Part:
    """The responses to the requests of one seed.

    Args:
        folder: The folder for the files.
        requests: All requests, in the order of the file.
        settings: The settings that decide the responses.
        questions: The number of questions in all shards together.
        inputs: The files from which the prompts are built.
        restart: Delete the responses of an earlier run.
        restart_if_changed: Delete them if the earlier run had other settings, or its settings are not known.
        retry_failed: Take the requests that failed in an earlier run for missing ones.

    Attributes:
        failed: The reasons why requests failed, by id.

    Raises:
        UserError: An earlier run in this folder had other settings or cannot be identified, another process
            is writing there, or the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        requests: Sequence[Request],
        settings: Mapping[str, Any],
        *,
        questions: int,
        inputs: Sequence[Source] = (),
        restart: bool = False,
        restart_if_changed: bool = False,
        retry_failed: bool = False,
    ) -> None:
        self.file, self.requests, self._settings = folder / OUTPUT, requests, settings
        self._inputs = inputs
        journal = folder / JOURNAL
        Outputs(inputs=inputs).claim(self.file, journal)  # before one of them is deleted
        unknown = self.file.exists() and not journal.exists()
        if unknown and not (restart or restart_if_changed):
            raise UserError("exists without a journal of its settings", file=self.file, hint=_ELSEWHERE)
        header = {"settings": settings, "rows": len(requests), "questions": questions}
        self.journal = Journal(journal, header, restart=restart, drop_broken=restart_if_changed)
        try:
            if restart or unknown:
                self.file.unlink(missing_ok=True)  # it would be taken for the file of this run
            self._continue(header, restart_if_changed=restart_if_changed)
        except BaseException:
            self.close()
            raise
        self._rows: dict[Id, dict[str, Any]] = {}
        self.failed: dict[Id, str] = {}
        for row in self._journal_rows(drop_others=restart_if_changed):
            self._keep(row)
        self._may_replace = any("error" in row for row in self.journal.rows)
        if retry_failed:
            self._rows = {name: row for name, row in self._rows.items() if name not in self.failed}
            self.failed = {}

    def _keep(self, row: dict[str, Any]) -> None:
        """Keep an entry unless its request has a response; a failure is replaced by what came later."""
        name = row["id"]
        if name in self._rows and name not in self.failed:
            return
        self._rows[name] = row
        self.failed.pop(name, None)
        if (reason := row.get("error")) is not None:
            self.failed[name] = reason

    def _continue(self, header: Mapping[str, Any], *, restart_if_changed: bool) -> None:
        """Continue the journal's run, or start over if it had other settings and this is allowed."""
        try:
            self._check()
        except UserError:
            begun = self.journal.rows or self.file.exists()
            if begun and not restart_if_changed:
                raise
            self.journal.start_over(header)
            self.file.unlink(missing_ok=True)

    def _journal_rows(self, *, drop_others: bool) -> list[dict[str, Any]]:
        """Return the responses in the journal; `drop_others` drops entries that are not of this run.

        Raises:
            UserError: An entry is not a response to one of the requests, without `drop_others`.
        """
        ids = {request.id for request in self.requests}
        if drop_others:
            return [row for row in self.journal.rows if not wrong_row(row, ENTRY) and row["id"] in ids]
        for line, row in enumerate(self.journal.rows, 2):
            try:
                require(row, ENTRY)
                if row["id"] not in ids:
                    raise UserError(f"the id {row['id']!r} is not in the questions", field="id")
            except UserError as error:
                self.close()
                problem = f"{error.problem}; this is not an entry of this run"
                raise UserError(
                    problem, file=self.journal.path, line=line, field=error.field, hint=_ELSEWHERE
                ) from None
        return self.journal.rows

    def close(self) -> None:
        """Write the journal to the disk and release its lock."""
        self.journal.close()

    @property
    def finished(self) -> int:
        """The number of responses that are there."""
        return len(self._rows)

    @property
    def complete(self) -> bool:
        """Whether all responses are there."""
        return self.finished == len(self.requests)

    @property
    def missing(self) -> list[Request]:
        """The requests without a response, of which it is not known that they fail."""
        return [request for request in self.requests if request.id not in self._rows]

    @property
    def texts(self) -> list[str]:
        """The texts that the model wrote, without those of failed requests."""
        return [row["text"] for name, row in self._rows.items() if name not in self.failed]

    @property
    def ended(self) -> Iterator[tuple[Request, str]]:
        """The requests whose responses ended by themselves, with the texts that the model wrote."""
        for request in self.requests:
            row = self._rows.get(request.id)
            if row is not None and row["finish"] == "stop":
                yield request, row["text"]

    def batches(self, batches: Iterable[Sequence[Request]]) -> list[Sequence[Request]]:
        """Return those of the batches in which a response is missing."""
        return [batch for batch in batches if any(request.id not in self._rows for request in batch)]

    def take(self, completion: Completion) -> bool:
        """Keep a response; return False if it was there already, from an interrupted batch."""
        request = completion.request
        if request.id in self._rows:
            return False
        row: dict[str, Any] = {
            "id": request.id,
            "seed": request.seed,
            "text": completion.text,
            "finish": completion.finish,
            "tokens": completion.tokens,
        }
        if completion.error is not None:
            row["error"] = completion.error
        self.journal.append(row)
        self._keep(row)
        return True

    def write(self, task: Task, **facts: Any) -> Generated:
        """Write `output.jsonl` in the order of the questions, and its manifest line with further facts."""
        at_limit = sum(row["finish"] == "length" for row in self._rows.values())
        producer = f"the engine, or written_response of the task {task.name}"
        with Outputs(inputs=self._inputs, remedy=_NOT_ITS_JOURNAL) as outputs:
            rows = (self._output(task, request) for request in self.requests)
            outputs.rows(self.file, rows, OUTPUT_FORM, producer=producer, replace=self._may_replace)
            if self.failed:
                facts["failed"] = len(self.failed)
            outputs.note(settings=self._settings, rows=self.finished, at_limit=at_limit, **facts)
        self.journal.finish()
        return Generated(self.file, self.finished, at_limit, len(self.failed))

    def _output(self, task: Task, request: Request) -> Output:
        row = _asked(request)
        if (reason := self.failed.get(request.id)) is not None:
            row["error"] = reason
            return row
        text = self._rows[request.id]["text"]
        try:
            row["response"] = _chat_response(task, text) if request.turns else task.written_response(text)
        except UserError as error:
            raise error.at(file=self.file, name=request.id) from error
        if request.opens_thinking:
            row["prompt_opens_thinking"] = True
        return row

    def _check(self) -> None:
        then = self.journal.header.get("settings")
        if not isinstance(then, dict):
            raise UserError("is not a journal of generate", file=self.journal.path, hint=_ELSEWHERE)
        _refuse_others(self.journal.path, then, self._settings)


def _refuse_others(journal: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to continue a run that was started with other settings."""
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    if changed:
        problem = f"was started with other settings: {_differences(then, now, changed)}"
        raise UserError(problem, file=journal, hint=_ELSEWHERE, topic="other-settings")


def _asked(request: Request) -> Output:
    """Return the row of a request without a response; in a chat its prompt is the user's turn alone."""
    if not request.turns:
        return {"id": request.id, "prompt": request.prompt, "response": ""}
    row: Output = {"id": request.id, "prompt": request.user_turn, "response": ""}
    if request.system is not None:
        row["system"] = request.system
    return row


def _chat_response(task: Task, text: str) -> str:
    """Return a response in a chat as it is written: the whole text, thinking included.

    A task's own `written_response` does not apply, as it may cut what ends a base model's response.
    """
    return text.strip() if task.strip_response else text


_ELSEWHERE = "Name another --output-dir, or start over with --restart"
_NOT_ITS_JOURNAL = f"It or its journal was changed: delete it to write it from the journal. {_ELSEWHERE}"


_HASHED: Final[Mapping[str, str]] = {
    "task_file": "the task file has changed",
    "questions": "the questions have changed",
    "demonstrations": "the demonstrations have changed",
    "prompts": "the prompts have changed",
}
"""Sentences for settings that are hashes, which a user cannot compare."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], changed: Sequence[str]) -> str:
    """Return the settings that changed: those that can be read first, then in words those that are hashes.

    A number of rows that differs can be read, too.
    """
    same = {key: _HASH.sub("", str(then.get(key))) == _HASH.sub("", str(now.get(key))) for key in changed}
    hashed = [key for key in changed if key in _HASHED and same[key]]
    read = [key for key in changed if key not in hashed]
    values = [f"{key} was {_shown(then, key)}, is {_shown(now, key)}" for key in read]
    return "; ".join([*values, *(_HASHED[key] for key in hashed)])


def _shown(settings: Mapping[str, Any], key: str) -> str:
    """Return a setting for a message, with hashes shortened."""
    return re.sub(r"((?:sha256:|\b)[0-9a-f]{8})[0-9a-f]{40,}", r"\1...", json.dumps(settings.get(key)))
