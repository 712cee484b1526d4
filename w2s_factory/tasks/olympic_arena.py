"""OlympicArena (Huang et al. 2024): olympiad problems in six sciences, judged by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from w2s_factory.answers.judge.notation import boxed, normalised
from w2s_factory.answers.judge.structured_gold import hub_gold, is_structured, read_gold
from w2s_factory.errors import UserError
from w2s_factory.records import OLYMPIC_RAW
from w2s_factory.tasks.base import Task
from w2s_factory.tasks.fields import Split
from w2s_factory.tasks.published_task import PUBLISHED_STOP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.records import Test

SUBJECTS = ("Math", "Physics", "Chemistry", "Biology", "Geography", "Astronomy")
"""The paper's subjects, in the release's order."""

UNJUDGED = ("CODE", "OT")
"""Types of answers that rules cannot judge; the release leaves them out."""

PUBLISHED_ROWS = {"train_2": 6020, "test": 313}

PUBLISHED_DEMONSTRATIONS = ("Biology_1120", "Physics_971", "Math_609", "Biology_16")
"""The ids of the release's demonstrations. By mistake it shows all four answers below the last question."""

_TAGGED = ("subject", "answer_type", "unit", "answer_sequence", "type_sequence", "language", "modality")


class OlympicArena(Task):
    """OlympicArena, whose prompts come with the raw rows and whose answers are compared by the judge."""

    teaches_gold: ClassVar[bool] = False
    compares_responses: ClassVar[bool] = True
    slow_comparison: ClassVar[bool] = True

    def prompt(self, question: str) -> str:
        """Return the zero-shot prompt; the question is the row's own prompt, with its instructions."""
        return f"{question}\n\nAnswer:"

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:
        """Return a row of the hub in the test form, with its id; a gold of several quantities is one text.

        The answer is empty if it is not public.

        Raises:
            UserError: The answer or its types are not valid.
        """
        return {  # type: ignore[typeddict-unknown-key]  # the form, with an id
            "id": raw["id"],
            "source": tag,
            "question": raw["prompt"].replace("\n\nproblem:\n", "\n\nQuestion: "),
            "solution": raw.get("solution") or "",
            "answer": _gold(raw),
            "tag": {key: raw.get(key) for key in _TAGGED},
        }

    def gold_output(self, raw: Mapping[str, Any]) -> str:
        """Raise an error: the hub has no solutions that a model could be taught."""
        raise UserError(
            f"task {self.name} has no gold solutions ({raw['id']})", hint="Use an existing weak model"
        )

    def extract(self, response: str, answer_key: str | None = None) -> str:
        r"""Return the content of the first `\boxed{...}` of a response, or the whole response."""
        if answer_key is not None:
            raise UserError(
                f"answers of {self.name} are read from \\boxed{{}}, not after a key", field="--answer-key"
            )
        return boxed(response)

    def normalise(self, answer: str) -> str:
        """Return the form in which the judge compares an answer; it holds no `$`."""
        return normalised(answer)

    def normalise_gold(self, answer: str) -> str | None:
        """Return a gold as one text: an answer, or the text of a `Gold`, which no normalised answer equals.

        It is None if the gold is empty, which means that the hub does not publish it.

        Raises:
            UserError: It begins like the text of a `Gold` and is not one.
        """
        if not answer.strip():
            return None
        return read_gold(answer).text() if is_structured(answer) else normalised(answer)

    def is_answer(self, gold: str) -> bool:
        """Return whether a gold is one quantity without a stated type."""
        return not is_structured(gold)

    def equal(self, answer: str, reference: str) -> bool:
        """Return the judge's verdict, found in this process and without limits."""
        from w2s_factory.answers.judge.verdict import equal  # noqa: PLC0415  most uses compare nothing

        return equal(answer, reference)

    def comparison(self) -> Comparison:
        """Return the judge as a comparison: texts and plain numbers at once, other answers in workers."""
        from w2s_factory.answers.comparison import need_parser  # noqa: PLC0415
        from w2s_factory.answers.judge.verdict import COMPARISON  # noqa: PLC0415

        need_parser()
        return COMPARISON

    @property
    def folder(self) -> str:
        """The task's folder in the release."""
        return "olympicarena"

    @property
    def stem(self) -> str:
        """The task's name in the names of the release's files."""
        return "olympic"

    def dataset_name(self, name: str) -> str:
        """Return a dataset's name, with underscores instead of hyphens except for pairs, as published."""
        return name if name.endswith("_paired") else name.replace("-", "_")


def _gold(raw: Mapping[str, Any]) -> str:
    try:
        return hub_gold(raw.get("answer"), raw.get("type_sequence"))
    except UserError as error:
        raise UserError(f"{error.problem} ({raw['id']})", field=error.field) from None


TASK = OlympicArena(
    name="olympic_arena",
    raw_form=OLYMPIC_RAW,
    strong_model="meta-llama/Meta-Llama-3-70B",
    splits={
        "train_2": Split(
            "data/raw/olympicarena/train_2.jsonl",
            "data/test/olympicarena_train_2.jsonl",
            "OLYMPICARENA_TRAIN_2",
        ),
        "test": Split("data/raw/olympicarena/test.jsonl", "data/test/olympicarena.jsonl", "OLYMPICARENA"),
    },
    strong_preset="strong_lora_sft_math",  # it has 3 epochs, as recalled from the paper
    answer_key=r"\boxed{",
    max_tokens=2048,
    stop=PUBLISHED_STOP,
    pairs_per_question=3,
    strip_response=False,
    demonstration_end="\n\n\n",
)
