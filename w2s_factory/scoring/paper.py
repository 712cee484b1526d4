"""The paper's numbers as a table, with the performance gap recovered."""

from __future__ import annotations

from typing import Any

from w2s_factory.published import published_results
from w2s_factory.scoring.metrics import performance_gap_recovered


def paper_rows(task: str, weak_name: str) -> list[dict[str, Any]]:
    """A row for each model the paper has under this weak model; shares from 0 to 1.

    PGR is computed from the paper's own floor and ceiling; None where it has no ceiling (OlympicArena).

    Raises:
        UserError: The paper has no such task, or no such weak model in it.
    """
    numbers = published_results(task, weak_name)
    floor, ceiling = numbers["weak_floor"].accuracy, numbers.get("strong_ceiling")
    return [
        {
            "paper": name,
            "accuracy": number.accuracy,
            "pgr": ceiling and performance_gap_recovered(number.accuracy, floor, ceiling.accuracy),
            "pass_at_10": number.pass_at_10,
            "source": number.source,
        }
        for name, number in numbers.items()
    ]
