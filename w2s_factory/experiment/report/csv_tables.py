"""The numbers of a report as tables of plain values, one for each CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2s_factory.experiment.report.models import gap_recovered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from w2s_factory.experiment.report.comparisons import Changes, ModelComparison
    from w2s_factory.experiment.report.folder import Artefact
    from w2s_factory.experiment.report.models import Group, ReportedModel
    from w2s_factory.experiment.report.stage_results import Iteration, Preferences
    from w2s_factory.experiment.report.training_curves import Timed, TrainingCurves
    from w2s_factory.scoring.metrics import Difference

    Rows = list[dict[str, Any]]


def models_table(models: Sequence[ReportedModel]) -> Rows:
    """A row for each model; shares from 0 to 1."""
    return [_model_row(models, model) for model in models]


def comparisons_table(compared: Iterable[ModelComparison]) -> Rows:
    """A row for each comparison."""
    return [
        {
            "model": one.model.key,
            "against": one.against.key,
            "any_format": one.any_format,
            "seeds": one.seeds,
            **_estimate("difference", one.difference),
            "verdict": one.verdict,
        }
        for one in compared
    ]


def stage1_table(iterations: Iterable[Iteration]) -> Rows:
    """A row for each iteration and seed."""
    return [
        {
            "iteration": one.iteration,
            "seed": one.seed,
            "questions": one.agreement.questions,
            "kept": one.agreement.kept,
            **{
                f"{name}_right": accuracy.share
                for name, accuracy in (
                    ("weak", one.weak),
                    ("icl", one.icl),
                    ("weak_kept", one.agreement.weak_kept),
                    ("icl_kept", one.agreement.icl_kept),
                    ("weak_dropped", one.agreement.weak_dropped),
                    ("icl_dropped", one.agreement.icl_dropped),
                )
            },
            "hybrid_rows": one.rows,
        }
        for one in iterations
    ]


def stage2_table(preferences: Iterable[Preferences]) -> Rows:
    """A row for each seed."""
    return [
        {
            "seed": one.seed,
            "questions": one.counts.questions,
            "pairs": one.counts.pairs,
            "pairs_in_file": one.rows,
            "weak_chosen": one.counts.weak_chosen,
            "weak_rejected": one.counts.weak_rejected,
            "chosen_right": one.counts.chosen.share,
            "rejected_right": one.counts.rejected.share,
            "min_confidence": one.rules.min_confidence,
            "negative_confidence": one.rules.negative_confidence,
            **{f"skipped: {reason}": count for reason, count in one.counts.skipped.items()},
            **{f"pairs of sampling seed {seed}": count for seed, count in one.sources.items()},
        }
        for one in preferences
    ]


def confidence_table(preferences: Iterable[Preferences]) -> Rows:
    """A row for each seed and confidence."""
    return [
        {
            "seed": one.seed,
            "confidence": bar.confidence,
            "questions": bar.questions,
            "majority_right": bar.right,
        }
        for one in preferences
        for bar in one.bars
    ]


def tags_table(groups: Iterable[Group]) -> Rows:
    """A row for each group and model."""
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
    """A row for each seed."""
    counts = zip(found.seeds, found.gained, found.lost, found.both, found.neither, strict=True)
    names = ("seed", "wrong_then_right", "right_then_wrong", "right_in_both", "wrong_in_both")
    return [dict(zip(names, row, strict=True)) for row in counts]


def training_table(trainings: Iterable[TrainingCurves]) -> Rows:
    """A row for each logged value."""
    return [
        {"model": one.key, "seed": one.seed, "curve": name, "step": step, "value": value}
        for one in trainings
        for name, points in one.curves.items()
        for step, value in points
    ]


def times_table(timed: Iterable[Timed]) -> Rows:
    """A row for each job that was timed."""
    return [
        {"job": one.job.name, "kind": one.job.kind, "seed": one.job.seed, "seconds": one.seconds}
        for one in timed
    ]


def provenance_table(found: Iterable[Artefact]) -> Rows:
    """A row for each file a manifest names."""
    return [
        {
            "file": str(one.file),
            "sha256": one.line["sha256"],
            "state": one.state,
            "seed": one.line.get("seed"),
            "command": one.command,
            "versions": " ".join(f"{name}={version}" for name, version in one.versions.items()),
            "time": one.line.get("time"),
        }
        for one in found
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
        "pgr": gap_recovered(models, model),
    }


def _estimate(name: str, estimate: Difference) -> dict[str, float]:
    return {name: estimate.value, "low": estimate.low, "high": estimate.high}
