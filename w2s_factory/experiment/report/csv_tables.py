"""The numbers of a report as tables of plain values, one for each CSV file."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from w2s_factory.building import HeadroomShares
from w2s_factory.experiment.report.models import gap_recovered
from w2s_factory.quantities import PairThresholds
from w2s_factory.scoring.metrics import Difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from w2s_factory.experiment.report.comparisons import Changes, ModelComparison
    from w2s_factory.experiment.report.folder import Artefact
    from w2s_factory.experiment.report.models import Group, ReportedModel
    from w2s_factory.experiment.report.stage_results import Iteration, MeasuredHeadroom, Preferences
    from w2s_factory.experiment.report.training_curves import Timed, TrainingCurves
    from w2s_factory.experiment.report.unfinished import Unfinished

    Rows = list[dict[str, Any]]


def models_table(models: Sequence[ReportedModel]) -> Rows:
    """Return a row for each model; shares are from 0 to 1."""
    return [_model_row(models, model) for model in models]


def unfinished_table(counted: Iterable[Unfinished]) -> Rows:
    """Return a row for each model with responses that ended before an answer; none if there is no such."""
    return [asdict(counts) for counts in counted]


def comparisons_table(compared: Iterable[ModelComparison]) -> Rows:
    """Return a row for each comparison."""
    return [
        {
            "model": comparison.model.key,
            "against": comparison.against.key,
            "any_format": comparison.any_format,
            "seeds": comparison.seeds,
            **_estimate("difference", comparison.difference),
            "verdict": comparison.verdict,
        }
        for comparison in compared
    ]


def stage1_table(iterations: Iterable[Iteration]) -> Rows:
    """Return a row for each iteration and seed."""
    return [
        {
            "iteration": iteration.iteration,
            "seed": iteration.seed,
            "questions": iteration.agreement.questions,
            "kept": iteration.agreement.kept,
            **{
                f"{name}_right": accuracy.share
                for name, accuracy in (
                    ("weak", iteration.weak),
                    ("icl", iteration.icl),
                    ("weak_kept", iteration.agreement.weak_kept),
                    ("icl_kept", iteration.agreement.icl_kept),
                    ("weak_dropped", iteration.agreement.weak_dropped),
                    ("icl_dropped", iteration.agreement.icl_dropped),
                )
            },
            "hybrid_rows": iteration.rows,
        }
        for iteration in iterations
    ]


def stage2_table(preferences: Iterable[Preferences]) -> Rows:
    """Return a row for each seed."""
    return [
        {
            "seed": stage2.seed,
            "questions": stage2.counts.questions,
            "pairs": stage2.counts.pairs,
            "pairs_in_file": stage2.rows,
            "weak_chosen": stage2.counts.weak_chosen,
            "weak_rejected": stage2.counts.weak_rejected,
            "chosen_right": stage2.counts.chosen.share,
            "rejected_right": stage2.counts.rejected.share,
            **{threshold.name: getattr(stage2.rules, threshold.name) for threshold in fields(PairThresholds)},
            **{f"skipped: {reason}": count for reason, count in stage2.counts.skipped.items()},
            **{f"pairs of sampling seed {seed}": count for seed, count in stage2.sources.items()},
        }
        for stage2 in preferences
    ]


def headroom_table(found: Iterable[MeasuredHeadroom]) -> Rows:
    """Return a row for each seed; an accuracy has its interval in further columns."""
    return [
        {
            "seed": measured.seed,
            "split": measured.split,
            **{key: measured.row.get(key) for key in ("questions", "left_out", "k")},
            **{
                name if end == "value" else f"{name}_{end}": (measured.row[name] or {}).get(end)
                for name in HeadroomShares.__dataclass_fields__
                for end in Difference._fields
            },
            **{key: measured.row.get(key) for key in ("pairs", "chosen_right", "rejected_right")},
        }
        for measured in found
    ]


def confidence_table(preferences: Iterable[Preferences]) -> Rows:
    """Return a row for each seed and confidence."""
    return [
        {
            "seed": stage2.seed,
            "confidence": bar.confidence,
            "questions": bar.questions,
            "majority_right": bar.right,
        }
        for stage2 in preferences
        for bar in stage2.bars
    ]


def tags_table(groups: Iterable[Group]) -> Rows:
    """Return a row for each group and model."""
    return [
        {
            "tag": group.tag,
            "value": group.value,
            "questions": group.questions,
            "model": key,
            **_estimate("accuracy", estimate),
        }
        for group in groups
        for key, estimate in group.accuracies.items()
    ]


def changes_table(found: Changes) -> Rows:
    """Return a row for each seed."""
    counts = zip(found.seeds, found.gained, found.lost, found.both, found.neither, strict=True)
    names = ("seed", "wrong_then_right", "right_then_wrong", "right_in_both", "wrong_in_both")
    return [dict(zip(names, row, strict=True)) for row in counts]


def training_table(trainings: Iterable[TrainingCurves]) -> Rows:
    """Return a row for each logged value."""
    return [
        {"model": training.key, "seed": training.seed, "curve": name, "step": step, "value": value}
        for training in trainings
        for name, points in training.curves.items()
        for step, value in points
    ]


def movement_table(trainings: Iterable[TrainingCurves]) -> Rows:
    """Return a row for each preference training and value: the first and the last one logged."""
    return [
        {
            "model": training.key,
            "seed": training.seed,
            "value": name,
            **ends._asdict(),
            "finding": training.movement.finding,
        }
        for training in trainings
        if training.movement is not None
        for name, ends in training.movement.ends.items()
    ]


def times_table(timed: Iterable[Timed]) -> Rows:
    """Return a row for each job that was timed."""
    return [
        {
            "job": timed_job.job.name,
            "kind": timed_job.job.kind,
            "seed": timed_job.job.seed,
            "seconds": timed_job.seconds,
        }
        for timed_job in timed
    ]


def provenance_table(found: Iterable[Artefact]) -> Rows:
    """Return a row for each file that a manifest names."""
    return [
        {
            "file": str(artefact.file),
            "sha256": artefact.line["sha256"],
            "state": artefact.state,
            "seed": artefact.line.get("seed"),
            "command": artefact.command,
            "versions": " ".join(f"{name}={version}" for name, version in artefact.versions.items()),
            "time": artefact.line.get("time"),
        }
        for artefact in found
    ]


def _model_row(models: Sequence[ReportedModel], model: ReportedModel) -> dict[str, Any]:
    drawn = model.sampled
    return {
        "key": model.key,
        "label": model.label,
        "stage": model.stage,
        "iteration": model.iteration,
        "questions": len(model.strict.questions),
        **_estimate("accuracy", model.accuracy),
        **{f"accuracy_seed{seed}": value for seed, value in model.strict.by_seed().items()},
        "any_format": float(model.any_format.right.mean()) if model.any_format else None,
        "k": drawn and drawn.k,
        "pass_at_k": drawn and drawn.passed,
        "maj_at_k": drawn and drawn.majority,
        **_averaged(models, model),
        "pgr": gap_recovered(models, model),
    }


def _averaged(models: Sequence[ReportedModel], model: ReportedModel) -> dict[str, Any]:
    """Return the columns of avg@k; none if no model has it."""
    if all(other.averaged is None for other in models):
        return {}
    found = model.averaged
    value, low, high = found.accuracy if found else (None, None, None)
    return {"avg_k": found and found.k, "avg_at_k": value, "avg_low": low, "avg_high": high}


def _estimate(name: str, estimate: Difference) -> dict[str, float]:
    return {name: estimate.value, "low": estimate.low, "high": estimate.high}
