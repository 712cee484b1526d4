"""Running a generation: request the missing responses, keep each one as it comes, write the files."""

from __future__ import annotations

import datetime
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.thinking import split_thinking
from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating.answer_stops import AnswerStops
from w2s_factory.generating.engines import make_engine
from w2s_factory.generating.engines.contract import Contracted
from w2s_factory.generating.failures import Failures, ids_shown
from w2s_factory.generating.generation_files import JOURNAL, OUTPUT, journals, seed_folder, shard_folder
from w2s_factory.generating.generation_progress import UNIT
from w2s_factory.generating.new_questions import new_questions
from w2s_factory.generating.part import Generated, Part, check_settings, noted_date
from w2s_factory.processes import progress_bar, say
from w2s_factory.quantities import MAX_FAILURES, FailedShare
from w2s_factory.ranges import check

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from tqdm import tqdm

    from w2s_factory.generating.chat_settings import Chat
    from w2s_factory.generating.generation import Generation


def generate(
    generation: Generation,
    *,
    restart: bool = False,
    restart_if_changed: bool = False,
    retry_failed: bool = False,
    max_failures: FailedShare = MAX_FAILURES,
    tell: Callable[[str], None] = say,
) -> list[Generated]:
    """Generate responses into `output_dir`, continuing where an earlier call with the same settings ended.

    Each response is written to a journal next to its `output.jsonl` when it is finished. `output.jsonl` is
    written when all responses are there: rows of id, prompt and response in the order of the questions. A
    request that the engine refuses, such as one with too long a prompt, has an empty response and an `error`.

    Args:
        generation: The model, questions and settings.
        restart: Delete the responses of an earlier run.
        restart_if_changed: Delete them only if the earlier run had other settings; else continue it.
        retry_failed: Request again what failed in an earlier call.
        max_failures: The share of requests, rounded up to whole ones, that may fail; one more ends the run,
            and so does the failure of all.
        tell: Called with a line of text for the user before or after the work.

    Returns:
        The files, one for each seed.

    Raises:
        UserError: An input is missing, an earlier run had other settings, the disk is full ...
        DelegateError: The engine failed, or refused too many requests. In either case every finished
            response is kept.
    """
    check(max_failures, FailedShare, "max_failures")
    _tell_given_away(generation, tell)
    if not (restart or restart_if_changed):
        _check_settings(generation)
    with ExitStack() as stack:
        engine = stack.enter_context(closing(_engine(generation)))
        chat = _chat(generation, engine, restart=restart)
        parts: dict[int, Part] = {}
        for seed in generation.seeds:
            restarts = {"restart": restart, "restart_if_changed": restart_if_changed}
            part = _part(generation, engine, chat, seed, retry_failed=retry_failed, **restarts)
            parts[seed] = stack.enter_context(closing(part))
            if damaged := part.journal.damaged:
                lines = "1 damaged line" if damaged == 1 else f"{damaged:,} damaged lines"
                tell(f"{part.journal.path}: dropped {lines}; missing responses are requested again")
        failures = Failures(list(parts.values()), max_failures, generation.shown)
        if not all(part.complete for part in parts.values()):
            stops = AnswerStops(generation.sampling, chat)
            _complete(generation, engine, parts, stops, failures, tell)
        if failures.count:
            tell(f"{failures}; they count as unanswered, and --retry-failed requests them again")
        if chat is not None and chat.settings.switch:
            _tell_missing_thinking(chat, parts.values(), tell)
        if chat is None:
            _tell_new_questions(generation, parts.values(), tell)
        return [_write(generation, engine, part) for part in parts.values()]


@dataclass(frozen=True)
class Preview:
    """The first prompt and the settings of a run that has not started.

    Attributes:
        prompt: The first prompt; in a chat the rendered conversation, or its turns if a server renders it.
        tokens: Its tokens, as ids and names; None if only a server knows them.
        settings: All settings that decide the responses.
        requests: The number of all requests.
        files: The files that would be written.
    """

    prompt: str
    tokens: list[tuple[int, str]] | None
    settings: dict[str, Any]
    requests: int
    files: list[Path]


def preview(generation: Generation, *, tell: Callable[[str], None] = say) -> Preview:
    """Return the first prompt and the settings of a run, without loading weights or writing anything.

    Raises:
        UserError: An input is missing or wrong, as far as this can be known without weights or a server.
    """
    _tell_given_away(generation, tell)
    with closing(_engine(generation)) as engine:
        chat = _chat(generation, engine)
        requests = generation.requests(generation.seeds[0], chat)
        if not requests:
            problem = f"this part of the {len(generation.all_questions):,} questions is empty"
            raise UserError(problem, field="--shard", hint="Use fewer parts")
        return Preview(
            prompt=requests[0].prompt,
            tokens=engine.tokens(requests[0].prompt),
            settings=generation.settings(engine.settings(), generation.seeds[0], chat),
            requests=len(requests) * len(generation.seeds),
            files=[_folder(generation, seed) / OUTPUT for seed in generation.seeds],
        )


def _engine(generation: Generation) -> Contracted:
    engine = make_engine(generation.engine, generation.model, generation.engine_options)
    return Contracted(generation.engine, engine)


def _chat(generation: Generation, engine: Contracted, *, restart: bool = False) -> Chat | None:
    """Return the chat as the engine's model takes it; None outside a chat.

    All parts of an output, shards and seeds, are asked with one date, that of the part begun first. With
    `restart`, those to be started over do not count.
    """
    if generation.chat is None:
        return None
    own = [_folder(generation, seed) / JOURNAL for seed in generation.seeds]
    others = journals(generation.output_dir, generation.sampling.temperature)
    begun = [*([] if restart else own), *(file for file in others if file not in own)]
    noted = next(filter(None, map(noted_date, begun)), None)
    date = generation.chat.date or noted or datetime.date.today()
    return engine.start_chat(replace(generation.chat, date=date))


def _folder(generation: Generation, seed: int) -> Path:
    folder = seed_folder(generation.output_dir, generation.sampling.temperature, seed)
    return shard_folder(folder, generation.shard)


def _check_settings(generation: Generation) -> None:
    """Refuse to continue a run with other settings, as far as they are known without the engine."""
    if generation.chat is not None:
        return
    for seed in generation.seeds:
        check_settings(_folder(generation, seed), generation.settings({}, seed))


def _part(generation: Generation, engine: Contracted, chat: Chat | None, seed: int, **restarts: bool) -> Part:
    return Part(
        _folder(generation, seed),
        generation.requests(seed, chat),
        generation.settings(engine.settings(), seed, chat),
        questions=len(generation.all_questions),
        inputs=generation.inputs,
        **restarts,
    )


def _complete(
    generation: Generation,
    engine: Contracted,
    parts: dict[int, Part],
    stops: AnswerStops,
    failures: Failures,
    tell: Callable[[str], None],
) -> None:
    """Have the engine complete the missing requests; write each part's file when the part is complete."""
    unfinished = [part for part in parts.values() if not part.complete]
    with _progress(parts.values()) as bar:
        try:
            for completion in engine.unanswerable([each for part in unfinished for each in part.missing]):
                bar.update(parts[completion.request.seed].take(completion))
            failures.check(UserError)
            batches = [batch for part in unfinished for batch in part.batches(engine.batches(part.requests))]
            for completion in engine.complete(batches, stops.sampling):
                part = parts[completion.request.seed]
                bar.update(part.take(stops.applied(completion)))
                failures.check(DelegateError)
                if part.complete:
                    _write(generation, engine, part)
        except BaseException:
            bar.close()
            tell(
                f"{bar.n:,} of {bar.total:,} responses are kept; "
                "the same command, without --restart, continues from there"
            )
            raise
    missing = [request.id for part in parts.values() for request in part.missing]
    if missing:
        problem = f"complete left {len(missing):,} requests unanswered (id {ids_shown(missing)})"
        raise DelegateError(f"engine {generation.engine}: {problem}")


def _write(generation: Generation, engine: Contracted, part: Part) -> Generated:
    return part.write(
        generation.task,
        packages=engine.packages,
        model=generation.model.name,
        adapter=generation.model.adapter,
    )


def _progress(parts: Collection[Part]) -> tqdm[Any]:
    """Return a progress bar of all responses; those of an earlier run count as done."""
    total = sum(len(part.requests) for part in parts)
    return progress_bar(total, sum(part.finished for part in parts), UNIT)


def _tell_given_away(generation: Generation, tell: Callable[[str], None]) -> None:
    """Report demonstrations of questions that are asked, whose answers they give away."""
    if generation.given_away:
        ids = ", ".join(map(str, generation.given_away))
        done = (
            "are left out of those prompts"
            if generation.exclude_demos
            else "are kept, as published; see --exclude-demos"
        )
        tell(f"demonstrations give away the answers to questions of this run (id {ids}); they {done}")


def _tell_new_questions(generation: Generation, parts: Iterable[Part], tell: Callable[[str], None]) -> None:
    """Report that many responses go on with questions of the model's own."""
    texts, stop = [text for part in parts for text in part.texts], generation.sampling.stop
    if line := new_questions(generation.task, generation.all_questions, texts, stop):
        tell(line)


def _tell_missing_thinking(chat: Chat, parts: Iterable[Part], tell: Callable[[str], None]) -> None:
    """Report that no response has any thinking, although it was asked for; a server may ignore the switch.

    Responses cut at the token limit do not count: they may have no end of thinking.
    """
    ended = [response for part in parts for response in part.ended]
    thoughts = (
        split_thinking(text, opened=request.opens_thinking, markers=chat.known_markers).thinking
        for request, text in ended
    )
    if ended and not any(thought.strip() for thought in thoughts):
        tell(
            f"none of the {len(ended):,} responses that ended by themselves has any thinking, although "
            "--thinking on asks for it: the model or its server may have no such switch, or mark thinking "
            "otherwise (--reasoning-start, --reasoning-end)"
        )
