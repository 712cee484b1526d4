"""OlympicArena (Huang et al. 2024): olympiad problems in six sciences, judged by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from w2s_factory.answers.judge.notation import boxed, normalised
from w2s_factory.answers.judge.structured_gold import hub_gold, is_structured, read_gold
from w2s_factory.errors import UserError
from w2s_factory.records import OLYMPIC_RAW
from w2s_factory.tasks.base import Split, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.answers.comparison import Comparison
    from w2s_factory.records import Test

SUBJECTS = ("Math", "Physics", "Chemistry", "Biology", "Geography", "Astronomy")
"""Those of the paper, in the release's order."""

UNJUDGED = ("CODE", "OT")
"""Types of answer that rules can't judge; the release drops them."""

PUBLISHED_ROWS = {"train_2": 6020, "test": 313}

PUBLISHED_DEMONSTRATIONS = ("Biology_1120", "Physics_971", "Math_609", "Biology_16")
"""Whose answers the release shows, all four below the question of the last: a defect of the release."""

_TAGGED = ("subject", "answer_type", "unit", "answer_sequence", "type_sequence", "language", "modality")


class OlympicArena(Task):
    """OlympicArena's form: the prompt comes with the row, and answers are compared by the judge."""

    teaches_gold: ClassVar[bool] = False
    compares_responses: ClassVar[bool] = True
    slow_comparison: ClassVar[bool] = True

    def prompt(self, question: str) -> str:
        """The zero-shot prompt; a question is the row's own prompt, which says what is asked and how."""
        return f"{question}\n\nAnswer:"

    def test_row(self, raw: Mapping[str, Any], tag: str) -> Test:
        """A hub row in the test form, with its id; a gold of several quantities is one text (`Gold`).

        A row whose answer is not public has an empty one.

        Raises:
            UserError: Its gold or its types are none.
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
        """The hub has no solutions to be taught."""
        raise UserError(
            f"{raw['id']} has no solution: {self.name} has none", hint="Its weak model is as it is"
        )

    def extract(self, response: str, answer_key: str | None = None) -> str:
        r"""What the first `\boxed{...}` of a response holds, else the whole response."""
        if answer_key is not None:
            raise UserError(f"answers of {self.name} are boxed: they have no other key", field="--answer-key")
        return boxed(response)

    def normalise(self, answer: str) -> str:
        """The form in which the judge compares an answer; it holds no `$`."""
        return normalised(answer)

    def normalise_gold(self, answer: str) -> str | None:
        """A gold: an answer, or the text of a `Gold`, which begins with a `$` as no normalised answer does.

        An empty one is not known: the hub does not publish it.

        Raises:
            UserError: It begins as the text of a `Gold` and is none.
        """
        if not answer.strip():
            return None
        return read_gold(answer).text() if is_structured(answer) else normalised(answer)

    def is_answer(self, gold: str) -> bool:
        """Whether a gold is one quantity of no stated type."""
        return not is_structured(gold)

    def equal(self, pred: str, gold: str) -> bool:
        """The automatic judge's verdict, in this process and without a limit."""
        from w2s_factory.answers.judge.verdict import equal  # noqa: PLC0415  most uses compare nothing

        return equal(pred, gold)

    def comparison(self) -> Comparison:
        """The automatic judge: text and plain numbers at once, the rest in workers."""
        from w2s_factory.answers.comparison import need_parser  # noqa: PLC0415
        from w2s_factory.answers.judge.verdict import COMPARISON  # noqa: PLC0415

        need_parser()
        return COMPARISON

    @property
    def folder(self) -> str:
        """The release's folder."""
        return "olympicarena"

    @property
    def stem(self) -> str:
        """What the release's files call the task."""
        return "olympic"

    def dataset_name(self, name: str) -> str:
        """With underscores (`olympic_llama3_8b_instruct_iter1_hybrid`), but for pairs, as published."""
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
    strong_preset="strong_lora_sft_math",  # its 3 epochs, recalled for this task, too
    answer_key=r"\boxed{",
    max_tokens=2048,
    stop=("Question", "Answer", "<|eot_id|>"),
    pairs_per_question=3,
    strip_response=False,
    demonstration_end="\n\n\n",
)
