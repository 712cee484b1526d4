"""Weak-to-strong reasoning on LLaMA-Factory.

A weak model's answers become training data for a strong one (Yang, Ma, Liu, "Weak-to-Strong
Reasoning", arXiv 2407.13647). What stands in `__all__` is the public API; each name is imported
when it is first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2s_factory.building import (
        Accuracy,
        Agreement,
        Built,
        Padding,
        PairCheck,
        PairCounts,
        PairRules,
        PairSource,
        Recipe,
        Stage1,
        Stage2,
        build_full_weak,
        build_gold,
        build_stage1,
        build_stage2,
        build_test,
        check_pairs,
        chosen_side,
        convert_pairs,
        explain,
    )
    from w2s_factory.errors import DelegateError, UserError, W2SError
    from w2s_factory.experiment.beginning import write_experiment
    from w2s_factory.experiment.drawing import draw
    from w2s_factory.experiment.planning import Plan, plan
    from w2s_factory.experiment.reading import read_experiment
    from w2s_factory.experiment.report import Reported, report
    from w2s_factory.experiment.running import Ran, plan_experiment, run
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.steps import Step
    from w2s_factory.generating import (
        Completion,
        Generation,
        Model,
        Request,
        Sampling,
        Shard,
        generate,
        merge_shards,
        named_demonstrations,
        pick_demonstrations,
        preview,
    )
    from w2s_factory.llamafactory.configs import launch_commands, make_config
    from w2s_factory.llamafactory.dataset_info import pair_entry, sft_entry
    from w2s_factory.llamafactory.doctor import Finding, diagnose
    from w2s_factory.llamafactory.installed import installed_version
    from w2s_factory.llamafactory.launch import Trained, export, train
    from w2s_factory.llamafactory.presets import preset_names
    from w2s_factory.llamafactory.vanilla import (
        TemplateStatus,
        install_template,
        template_status,
        uninstall_template,
    )
    from w2s_factory.llamafactory.weights import Weights
    from w2s_factory.published import PublishedNumber, published_results
    from w2s_factory.records import Table
    from w2s_factory.release.auditing import Audit, audit
    from w2s_factory.release.fetching import Fetched, fetch
    from w2s_factory.release.verifying import Verification, verify_release
    from w2s_factory.scoring.answers import Scored
    from w2s_factory.scoring.disagreement import ModeComparison
    from w2s_factory.scoring.evaluation import Evaluation
    from w2s_factory.scoring.files import ScoreSummary
    from w2s_factory.scoring.judge import judge
    from w2s_factory.scoring.majority import VoteSummary, majority
    from w2s_factory.scoring.metrics import (
        paired_bootstrap,
        pass_at_k,
        performance_gap_recovered,
        wilson_interval,
    )
    from w2s_factory.tasks import Example, PublishedTask, Split, Task, get_task, task_names
    from w2s_factory.tasks.scored import (
        compare_modes,
        evaluate,
        score,
        score_response,
        score_responses,
        vote,
    )

_HOMES = {
    "Accuracy": "building",
    "Agreement": "building",
    "Audit": "release.auditing",
    "Built": "building",
    "Completion": "generating",
    "DelegateError": "errors",
    "Evaluation": "scoring.evaluation",
    "Example": "tasks",
    "Experiment": "experiment.spec",
    "Fetched": "release.fetching",
    "Finding": "llamafactory.doctor",
    "Generation": "generating",
    "ModeComparison": "scoring.disagreement",
    "Model": "generating",
    "Padding": "building",
    "PairCheck": "building",
    "PairCounts": "building",
    "PairRules": "building",
    "PairSource": "building",
    "Plan": "experiment.planning",
    "PublishedNumber": "published",
    "PublishedTask": "tasks",
    "Ran": "experiment.running",
    "Recipe": "building",
    "Reported": "experiment.report",
    "Request": "generating",
    "Sampling": "generating",
    "ScoreSummary": "scoring.files",
    "Scored": "scoring.answers",
    "Shard": "generating",
    "Split": "tasks",
    "Stage1": "building",
    "Stage2": "building",
    "Step": "experiment.steps",
    "Table": "records",
    "Task": "tasks",
    "TemplateStatus": "llamafactory.vanilla",
    "Trained": "llamafactory.launch",
    "UserError": "errors",
    "Verification": "release.verifying",
    "VoteSummary": "scoring.majority",
    "W2SError": "errors",
    "Weights": "llamafactory.weights",
    "audit": "release.auditing",
    "build_full_weak": "building",
    "build_gold": "building",
    "build_stage1": "building",
    "build_stage2": "building",
    "build_test": "building",
    "check_pairs": "building",
    "chosen_side": "building",
    "compare_modes": "tasks.scored",
    "convert_pairs": "building",
    "diagnose": "llamafactory.doctor",
    "draw": "experiment.drawing",
    "evaluate": "tasks.scored",
    "explain": "building",
    "export": "llamafactory.launch",
    "fetch": "release.fetching",
    "generate": "generating",
    "get_task": "tasks",
    "install_template": "llamafactory.vanilla",
    "installed_version": "llamafactory.installed",
    "judge": "scoring.judge",
    "launch_commands": "llamafactory.configs",
    "majority": "scoring.majority",
    "make_config": "llamafactory.configs",
    "merge_shards": "generating",
    "named_demonstrations": "generating",
    "pair_entry": "llamafactory.dataset_info",
    "paired_bootstrap": "scoring.metrics",
    "pass_at_k": "scoring.metrics",
    "performance_gap_recovered": "scoring.metrics",
    "pick_demonstrations": "generating",
    "plan": "experiment.planning",
    "plan_experiment": "experiment.running",
    "preset_names": "llamafactory.presets",
    "preview": "generating",
    "published_results": "published",
    "read_experiment": "experiment.reading",
    "report": "experiment.report",
    "run": "experiment.running",
    "score": "tasks.scored",
    "score_response": "tasks.scored",
    "score_responses": "tasks.scored",
    "sft_entry": "llamafactory.dataset_info",
    "task_names": "tasks",
    "template_status": "llamafactory.vanilla",
    "train": "llamafactory.launch",
    "uninstall_template": "llamafactory.vanilla",
    "verify_release": "release.verifying",
    "vote": "tasks.scored",
    "wilson_interval": "scoring.metrics",
    "write_experiment": "experiment.beginning",
}

__all__ = [
    "Accuracy",
    "Agreement",
    "Audit",
    "Built",
    "Completion",
    "DelegateError",
    "Evaluation",
    "Example",
    "Experiment",
    "Fetched",
    "Finding",
    "Generation",
    "ModeComparison",
    "Model",
    "Padding",
    "PairCheck",
    "PairCounts",
    "PairRules",
    "PairSource",
    "Plan",
    "PublishedNumber",
    "PublishedTask",
    "Ran",
    "Recipe",
    "Reported",
    "Request",
    "Sampling",
    "ScoreSummary",
    "Scored",
    "Shard",
    "Split",
    "Stage1",
    "Stage2",
    "Step",
    "Table",
    "Task",
    "TemplateStatus",
    "Trained",
    "UserError",
    "Verification",
    "VoteSummary",
    "W2SError",
    "Weights",
    "audit",
    "build_full_weak",
    "build_gold",
    "build_stage1",
    "build_stage2",
    "build_test",
    "check_pairs",
    "chosen_side",
    "compare_modes",
    "convert_pairs",
    "diagnose",
    "draw",
    "evaluate",
    "explain",
    "export",
    "fetch",
    "generate",
    "get_task",
    "install_template",
    "installed_version",
    "judge",
    "launch_commands",
    "majority",
    "make_config",
    "merge_shards",
    "named_demonstrations",
    "pair_entry",
    "paired_bootstrap",
    "pass_at_k",
    "performance_gap_recovered",
    "pick_demonstrations",
    "plan",
    "plan_experiment",
    "preset_names",
    "preview",
    "published_results",
    "read_experiment",
    "report",
    "run",
    "score",
    "score_response",
    "score_responses",
    "sft_entry",
    "task_names",
    "template_status",
    "train",
    "uninstall_template",
    "verify_release",
    "vote",
    "wilson_interval",
    "write_experiment",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
