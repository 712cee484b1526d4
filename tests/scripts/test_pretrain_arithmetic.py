"""The web and the bases: seeded, the task's questions kept out, the stored models as their cards say."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from arithmetic import pretraining_documents
from arithmetic.problems import Earlier, Problem, Step, compute
from arithmetic.stories import draw_problem

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "data" / "models"
MIXES = (
    pretraining_documents.HURRIED,
    pretraining_documents.IMPATIENT,
    pretraining_documents.RESTLESS,
    pretraining_documents.LOOSE,
    pretraining_documents.VARIOUS,
)
LINE = re.compile(r"(\d+) ([-+x]) (\d+) = (\d+)\.")


def some_documents(seed, count=400, held_out=frozenset(), mix=pretraining_documents.HURRIED):
    return list(islice(pretraining_documents.documents(Random(seed), mix, held_out), count))


def test_the_web_is_drawn_by_its_seed():
    assert some_documents(3) == some_documents(3)
    assert some_documents(3) != some_documents(4)


def test_no_question_of_the_task_is_in_the_web():
    questions = pretraining_documents.task_questions()
    assert len(questions) == 4000
    text = "\n".join(some_documents(1, 3000, questions))
    assert not [question for question in questions if question in text]


def test_held_out_questions_would_be_drawn_otherwise():
    (question,) = re.findall(r"Problem: (.*)\n", "\n".join(some_documents(5)))[:1]
    assert not [text for text in some_documents(5, held_out={question}) if question in text]


def problems(seed, count=300):
    random = Random(seed)
    return [draw_problem(random) for _ in range(count)]


def test_a_careful_author_is_right_line_by_line():
    random = Random(0)
    author = pretraining_documents.Author(
        pretraining_documents.TASK_FORM,
        pretraining_documents.TASK_ENDING,
        pretraining_documents.careful(random),
    )
    for problem in problems(1):
        *lines, last = author.write(problem, random).partition("Answer: ")[2].split("\n")
        assert len(lines) == len(problem.steps)
        found = [LINE.fullmatch(line).groups() for line in lines]
        for left, sign, right, result in found:
            assert compute(int(left), sign, int(right)) == int(result)
        assert last == f"#### {found[-1][3]}"


def test_a_direct_author_gives_the_right_result_alone():
    random = Random(0)
    author = pretraining_documents.Author(
        "{question}\n", "Total: {result}", pretraining_documents.direct(random)
    )
    for problem in problems(2):
        result = pretraining_documents.solve(problem, pretraining_documents.careful(random), random)[
            -1
        ].result
        assert author.write(problem, random) == f"{problem.question}\nTotal: {result}"


SEVENTEEN = Problem("", (Step(17, "+", 25), Step(Earlier(0), "-", 12)))
MISTAKES = [
    (pretraining_documents.Habits(), ["17 + 25 = 42.", "42 - 12 = 30."]),
    (pretraining_documents.Habits(carries=1.0), ["17 + 25 = 32.", "32 - 12 = 20."]),
    (pretraining_documents.Habits(signs=1.0), ["17 + 25 = 42.", "42 + 12 = 54."]),
    (pretraining_documents.Habits(last=1.0), ["17 + 25 = 42."]),
]


@pytest.mark.parametrize(("habits", "lines"), MISTAKES)
def test_habits_whose_mistake_is_certain(habits, lines):
    assert [str(line) for line in pretraining_documents.solve(SEVENTEEN, habits, Random(0))] == lines


def test_slips_come_as_often_as_said():
    random, habits, right = (
        Random(0),
        pretraining_documents.Habits(slips=0.25),
        pretraining_documents.solve(SEVENTEEN, pretraining_documents.Habits(), Random(0)),
    )
    wrong = (
        sum(pretraining_documents.solve(SEVENTEEN, habits, random)[0] != right[0] for _ in range(4000)) / 4000
    )
    assert abs(wrong - 0.25) < 0.03


@pytest.mark.parametrize("mix", MIXES)
def test_kinds_of_authors_are_shares_of_100(mix):
    assert sum(mix.task_form.values()) == sum(mix.other_forms.values()) == 100


def test_documents_come_in_the_forms_as_often_as_said():
    texts = some_documents(2, 4000)
    assert (
        abs(
            sum(text.startswith("Question: ") for text in texts) / 4000
            - pretraining_documents.TASK_FORM_SHARE
        )
        < 0.03
    )


@pytest.mark.parametrize("mix", MIXES)
def test_every_step_of_any_author_is_a_line(mix):
    for text in some_documents(7, 300, mix=mix):
        for line in re.findall(r".* = .*", text):
            written = line.rpartition(": ")[2]
            assert re.fullmatch(r"-?\d+ [-+x] -?\d+ = -?\d+\.", written), line


def test_who_varies_answers_hastily_as_often_as_said_and_else_rightly():
    random = Random(0)
    author = pretraining_documents.Author(
        "{question}\n", "#### {result}", pretraining_documents.various(random)
    )
    written = [(problem, author.write(problem, random).split("\n", 1)[1]) for problem in problems(4, 6000)]
    openings = {way.opening for way in pretraining_documents.RIGHT_WAYS}
    for steps, share in pretraining_documents.HASTY_SHARE.items():
        answers = [(problem, text) for problem, text in written if len(problem.steps) == steps]
        hasty = [text for _, text in answers if text.startswith(pretraining_documents.HASTY.opening)]
        assert abs(len(hasty) / len(answers) - share) < 0.04
        for opening in openings - {""}:
            seen = sum(text.startswith(opening) for _, text in answers) / len(answers)
            assert abs(seen - (1 - share) / len(openings)) < 0.04
    for problem, text in written:
        if not text.startswith(pretraining_documents.HASTY.opening):
            right = pretraining_documents.solve(problem, pretraining_documents.Habits(), random)[-1].result
            assert text.endswith(f"\n#### {right}")
