"""The samples of each question in a majority file, with their texts and classes of equal answers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from w2s_factory.building.joining import naming_questions
from w2s_factory.errors import UserError
from w2s_factory.ranges import Share, problem
from w2s_factory.records import VOTE, StoredRows, together
from w2s_factory.scoring.answer_classes import AnswerClasses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from w2s_factory.building.response_rule import ResponseRule
    from w2s_factory.records import Id, Place, RowSource, Sample, Vote
    from w2s_factory.tasks import Task


@dataclass(frozen=True)
class VotedSamples:
    """The samples of one question, those with the majority answer first.

    Attributes:
        vote: The vote on the question.
        texts: The text of each sample that is trained on; None if there is none.
        answers: For each sample the first answer of its class of equal answers; "" if it has no answer.
    """

    vote: Vote
    texts: tuple[str | None, ...]
    answers: tuple[str, ...]

    @property
    def majority(self) -> range:
        """The numbers of the samples with the majority answer."""
        return range(len(self.vote["pos_responses"]))

    def trainable(self, numbers: Sequence[int]) -> list[int]:
        """Return those of some samples that have a text to train on."""
        return [number for number in numbers if self.texts[number] is not None]


def samples_of(vote: Vote) -> list[Sample]:
    """Return the samples of a vote, those with the majority answer first."""
    return [*vote["pos_responses"], *vote["neg_responses"]]


class VotedQuestions:
    """The votes of a majority file, which are read again whenever they are needed.

    Args:
        votes: The majority file.
        response_rule: How responses are read.

    Attributes:
        limits: The number of comparisons that a limit of time or memory ended, after `classified`.

    Raises:
        UserError: The file cannot be read or holds no votes, has a duplicate id, a confidence is not a share,
            or a vote has no majority.
    """

    def __init__(self, votes: RowSource, response_rule: ResponseRule) -> None:
        self._file, self._rule = votes, response_rule.of(votes)
        self._votes: StoredRows[Vote] = StoredRows(votes, VOTE)
        self.limits = 0
        seen: set[Id] = set()
        for place, vote in self._votes.scan():
            if vote["id"] in seen:
                raise place.error(f"duplicate id {vote['id']!r}", field="id")
            seen.add(vote["id"])
            check_vote(place, vote)
        if not seen:
            raise UserError("holds no majority votes", file=votes)

    def __iter__(self) -> Iterator[Vote]:
        return self._votes.rows()

    def text(self, sample: Sample) -> str | None:
        """Return the text of a sample that is trained on; None if there is none."""
        return self._rule.text(sample)

    def as_written(self) -> Iterator[VotedSamples]:
        """Yield the samples of each question, whose classes are those of answers with the same text."""
        for vote in self:
            samples = samples_of(vote)
            texts = tuple(map(self.text, samples))
            yield VotedSamples(vote, texts, tuple(sample["pred"] for sample in samples))

    def classified(self, task: Task) -> Iterator[VotedSamples]:
        """Yield the samples of each question with the classes of answers that are equal to the task.

        Answers are compared as the response rule names, else in the way that the votes' manifest notes;
        those of samples with nothing to train on count as missing.

        Raises:
            UserError: The task's comparison fails, or answers are not found as they were for the votes; names
                the question.
        """
        classes = AnswerClasses(task, self._rule.rule(task) if self._rule.reads_again else None)
        for votes in together(self, _length):
            answers = self._answers(task, votes)
            with naming_questions(_compared(votes, answers), self._file):
                firsts = classes.firsts(answers)
            self.limits = classes.limits
            for vote, own in zip(votes, firsts, strict=True):
                yield VotedSamples(vote, tuple(map(self.text, samples_of(vote))), tuple(own))

    def _answers(self, task: Task, votes: Sequence[Vote]) -> list[list[str]]:
        """Return the texts by which the answers of each vote's samples are compared.

        Raises:
            UserError: Another answer is found in a sample than the one that was voted on.
        """
        rows: list[dict[str, Any]] = [
            {"id": vote["id"], **sample} for vote in votes for sample in samples_of(vote)
        ]
        found = self._rule.answers(task, rows, self._file)
        for row, answer in zip(rows, found, strict=True):
            if self._rule.reads_again and answer.pred != row["pred"] and self._rule.text(row) is not None:
                raise found_otherwise(row, answer.pred, self._file)
        compared = (answer.compared for answer in found)
        return [list(islice(compared, len(samples_of(vote)))) for vote in votes]


def _length(vote: Vote) -> int:
    return sum(len(sample["response"]) for sample in samples_of(vote))


def _compared(
    votes: Sequence[Vote], answers: Sequence[Sequence[str]]
) -> Iterator[tuple[Id, tuple[str, str]]]:
    """Yield all pairs of answers that may have been compared, with the id of their question."""
    for vote, texts in zip(votes, answers, strict=True):
        yield from ((vote["id"], (first, second)) for first, second in product(texts, texts))


def found_otherwise(sample: dict[str, Any], pred: str, file: RowSource) -> UserError:
    """Return the error that another answer is found in a sample than the one that was voted on."""
    return UserError(
        f"id {sample['id']!r}: the votes are on {sample['pred'] or 'no answer'!r}, "
        f"where {pred or 'no answer'!r} is found now",
        file=file,
        field="pred",
        hint="Vote with the same --extract: w2s-factory vote",
    )


def check_vote(place: Place, vote: Vote) -> None:
    """Check what the form of a vote does not: its confidence and its samples.

    Raises:
        UserError: The confidence is not a share, or the vote has no majority or a wrong sample.
    """
    if wrong := problem(vote["confidence"], Share):
        raise place.error(wrong, field="confidence")
    if not vote["pos_responses"]:
        raise place.error("expected at least one majority response, got none", field="pos_responses")
    for pool in ("pos_responses", "neg_responses"):
        if not all(map(_is_sample, vote[pool])):
            raise place.error(
                "expected objects with response and pred (text) and result (true or false)", field=pool
            )


def _is_sample(sample: Any) -> bool:
    """Return whether a value is a `Sample`, whose `result` is missing if the gold is not known."""
    if not isinstance(sample, dict):
        return False
    texts = (sample.get("response"), sample.get("pred"))
    return all(isinstance(text, str) for text in texts) and isinstance(sample.get("result", False), bool)
