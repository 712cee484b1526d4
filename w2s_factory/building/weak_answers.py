"""The weak model's answers for Stage II: read from its results or full weak data, and judged by the votes."""

from __future__ import annotations

from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from w2s_factory.building.joining import (
    SAME_SPLIT,
    distinct_rows,
    naming_questions,
)
from w2s_factory.building.pairs import WeakAnswer, judge_votes, majority_answer
from w2s_factory.building.prompt_form import zero_shot
from w2s_factory.building.response_rule import ResponseRule, trainable_texts
from w2s_factory.building.voted_samples import check_vote, found_otherwise
from w2s_factory.errors import UserError
from w2s_factory.records import ANY, OUTPUT, SFT, VOTE, RowIndex, StoredRows, read, together
from w2s_factory.scoring.noted_way import noted_way
from w2s_factory.scoring.unused_markers import check_markers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from w2s_factory.answers.thinking import Markers
    from w2s_factory.building.pairs import Judged
    from w2s_factory.quantities import PairRules
    from w2s_factory.records import Form, Id, RowSource, Sample, Vote
    from w2s_factory.tasks import Task


class WeakAnswers:
    """The weak model's responses with their final answers, from its results or from its full weak data.

    Full weak data has no `pred`; there the final answers are found in the responses. Answers and ids are in
    memory, responses are read again.

    Args:
        task: The task.
        source: The results or the full weak data.
        response_rule: How responses are read.
        votes: The votes; answers of full weak data are found as those were.

    Attributes:
        numbers: The number of each response, from 0, by id.

    Raises:
        UserError: The file is neither, or has a duplicate id.
    """

    def __init__(self, task: Task, source: RowSource, response_rule: ResponseRule, votes: RowSource) -> None:
        self._full_weak = is_full_weak(source)
        form: Form[Any] = SFT if self._full_weak else response_rule.form(task)
        self._rule = (
            response_rule.of_full_weak(source, votes) if self._full_weak else response_rule.of(source)
        )
        self._rows = RowIndex(source, form)
        self.numbers = self._rows.numbers
        check_markers(self._rule.markers, [(source, map(self._as_output, self._rows.rows()))])
        self._preds: list[str] = []
        self._compared: list[str] = []
        for rows in together(map(self._as_output, self._rows.rows()), lambda row: len(row["response"])):
            answers = self._rule.answers(
                task, rows, source, scored=not self._full_weak, first=len(self._preds)
            )
            self._preds += (answer.pred for answer in answers)
            self._compared += (answer.compared for answer in answers)

    def _as_output(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._full_weak:
            return {"id": row["id"], "prompt": row["content"], "response": row["output"]}
        return row

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], WeakAnswer]]:
        """Yield a function that returns a response by its number.

        Raises:
            UserError: The file has changed since it was first read.
        """
        with self._rows.opened() as row:
            yield lambda number: self._answer(self._as_output(row(number)), number)

    @contextmanager
    def prompts(self) -> Iterator[Callable[[int], str]]:
        """Yield a function that returns the prompt of a response by its number.

        Raises:
            UserError: The file has changed since it was first read.
        """
        with self._rows.opened() as row:
            yield lambda number: self._as_output(row(number))["prompt"]

    def _answer(self, row: Mapping[str, Any], number: int) -> WeakAnswer:
        pred = self._preds[number]
        result = row.get("result") if row.get("pred", pred) == pred else None
        return WeakAnswer(row["prompt"], self._rule.text(row), pred, self._compared[number], result)


def weak_texts(source: RowSource, markers: Markers | None = None) -> dict[Id, set[str]]:
    """Return the texts of the weak model's responses by id, also from outputs that were never scored.

    Each response has those on which a model may be trained: the whole one, and its answer.

    Args:
        source: The outputs, results or full weak data.
        markers: The markers of thinking; None for those by which the responses were scored.

    Raises:
        UserError: The file is neither outputs nor full weak data, or has a duplicate id.
    """
    markers = noted_way(source).markers if markers is None else markers
    if is_full_weak(source):
        rows: Iterator[Mapping[str, Any]] = (
            {"id": row["id"], "response": row["output"]} for _, row in distinct_rows(source, SFT)
        )
    else:
        rows = (row for _, row in distinct_rows(source, OUTPUT))
    return {row["id"]: {row["response"], *trainable_texts(row, markers)} for row in rows}


class JoinedVotes:
    """Each vote with the weak model's response to its question, in the order of the votes.

    They are read again whenever they are iterated over.

    Args:
        task: The task.
        weak: The weak model's results or full weak data.
        votes: The majority file.
        response_rule: How responses are read; the published way if None.

    Raises:
        UserError: A vote has no weak response or a weak response no vote, they answer different questions,
            an id is a duplicate, a confidence is not a share, or a vote has no majority.
    """

    def __init__(
        self, task: Task, weak: RowSource, votes: RowSource, response_rule: ResponseRule | None = None
    ) -> None:
        self._weak = WeakAnswers(task, weak, response_rule or ResponseRule(), votes)
        self._votes: StoredRows[Vote] = StoredRows(votes, VOTE)
        self._partners = array("q")
        numbers = self._weak.numbers
        taken = bytearray(len(numbers))
        with self._weak.prompts() as weak_prompt:
            for place, vote in self._votes.scan():
                name = vote["id"]
                number = numbers.get(name)
                if number is None:
                    raise place.error(f"the id {name!r} is not in {weak}", field="id", hint=SAME_SPLIT)
                if taken[number]:
                    raise place.error(f"duplicate id {name!r}", field="id")
                check_vote(place, vote)
                taken[number] = True
                self._partners.append(number)
                if zero_shot(task, vote["prompt"], weak_prompt(number)) is None:
                    problem = f"the id {name!r} is that of another question in {weak}"
                    raise place.error(problem, field="prompt", hint=SAME_SPLIT)
        left = next((name for name, number in numbers.items() if not taken[number]), None)
        if left is not None:
            raise UserError(f"the id {left!r} of {weak} has no vote", file=votes, hint=SAME_SPLIT)
        numbers.clear()  # the partners are enough from now on

    def __iter__(self) -> Iterator[tuple[WeakAnswer, Vote]]:
        with self._weak.opened() as weak:
            for number, vote in zip(self._partners, self._votes.rows(), strict=True):
                yield weak(number), vote


class Judgements:
    """The judgements of weak answers by the votes on their questions, as the task compares answers.

    They are drawn again, with the same outcome, whenever they are iterated over.

    Args:
        task: The task that says when two answers are equal.
        questions: The questions, which can be iterated over several times.
        rules: The thresholds, the number of pairs and the seed.
        votes: The file of the votes, for messages.
        response_rule: How responses are read; the published way if None.

    Attributes:
        limits: The number of comparisons that a limit of time or memory ended.

    Raises:
        UserError: The task's comparison fails; names the question.
    """

    def __init__(
        self,
        task: Task,
        questions: Iterable[tuple[WeakAnswer, Vote]],
        rules: PairRules,
        votes: RowSource,
        response_rule: ResponseRule | None = None,
    ) -> None:
        self._questions, self._rules, self._votes = questions, rules, votes
        self._response_rule = (response_rule or ResponseRule()).of(votes)
        self._majorities = _majority_answers(task, questions, votes, self._response_rule)
        with self._naming_questions():
            self._equal = self._response_rule.equality(task, (texts for _, texts in self._texts()))
        self.limits = len(self._equal.limited)

    def __iter__(self) -> Iterator[Judged]:
        def same(weak: WeakAnswer, vote: Vote) -> bool:
            return self._equal(weak.compared, self._majority(vote))

        def text(sample: Sample) -> str | None:
            return self._response_rule.text(sample)

        with self._naming_questions():
            yield from judge_votes(
                self._questions, self._rules, same, text, unlike=self._response_rule.train_on == "answer"
            )

    def _majority(self, vote: Vote) -> str:
        """Return the text by which a vote's majority answer is compared."""
        return majority_answer(vote) if self._majorities is None else self._majorities[vote["id"]]

    def _texts(self) -> Iterator[tuple[Id, tuple[str, str]]]:
        """Yield the id of each question with the two texts compared."""
        return ((vote["id"], (weak.compared, self._majority(vote))) for weak, vote in self._questions)

    def _naming_questions(self) -> AbstractContextManager[None]:
        return naming_questions(self._texts(), self._votes)


def _majority_answers(
    task: Task, questions: Iterable[tuple[WeakAnswer, Vote]], file: RowSource, response_rule: ResponseRule
) -> dict[Id, str] | None:
    """Return the text by which each vote's majority answer is compared, by id; None if it is as voted.

    Raises:
        UserError: Answers are found again, and not as they were for a vote; names its id.
    """
    if not response_rule.reads_again:
        return None
    found: dict[Id, str] = {}
    majorities: Iterator[dict[str, Any]] = (
        {"id": vote["id"], **vote["pos_responses"][0]} for _, vote in questions
    )
    for samples in together(majorities, lambda sample: len(sample["response"])):
        answers = response_rule.answers(task, samples, file, first=len(found))
        for sample, answer in zip(samples, answers, strict=True):
            if answer.pred != sample["pred"]:
                raise found_otherwise(sample, answer.pred, file)
            found[sample["id"]] = answer.compared
    return found


def is_full_weak(source: RowSource) -> bool:
    """Return whether the first row of a file is one of full weak data."""
    return "content" in next(read(source, ANY), {})
