"""The launch of training and export: trained weights are not overwritten, success is judged by files left."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory import records
from w2s_factory.errors import UserError, listed
from w2s_factory.llamafactory.asked_format import settle_template
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.long_rows import settle_long_rows
from w2s_factory.llamafactory.parallelism import (
    LOG,
    Parallelism,
    asked_parallelism,
    check_parallelism,
    device_count,
    reported_parallelism,
)
from w2s_factory.llamafactory.policy_movement import movement_in
from w2s_factory.llamafactory.preflight import (
    check_accelerator,
    check_deepspeed,
    check_export,
    check_quantizer,
    check_trackers,
    check_training,
)
from w2s_factory.llamafactory.ray_cluster import check_ray
from w2s_factory.llamafactory.resume import from_checkpoint, resumed_from, together
from w2s_factory.llamafactory.template import with_vanilla
from w2s_factory.llamafactory.trained_weights import (
    Weights,
    belonging,
    check_weights,
    kind_of,
    snapshot,
    weight_files,
)
from w2s_factory.llamafactory.training_config import read_config, write_merged
from w2s_factory.processes import run, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.long_rows import OnLong
    from w2s_factory.llamafactory.parallelism import Asked
    from w2s_factory.llamafactory.policy_movement import Movement
    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.quantities import RayCpus


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
        weights: The adapter or model; None on a node that saves none (`NODE_RANK` above 0).
        dropped: The number of rows that were too long and dropped, by dataset; datasets that lost none are
            left out.
        parallelism: The engine, ranks and total batch size, by LLaMA-Factory's own log.
        movement: How far a preference training moved the policy; None for other trainings.
    """

    weights: Weights | None
    dropped: Mapping[str, int] = field(default_factory=dict)
    parallelism: Parallelism = field(default_factory=Parallelism)
    movement: Movement | None = None


def train(  # noqa: PLR0913  each is a property of a training
    config: str | Path,
    overrides: str | Iterable[str] = (),
    *,
    llamafactory_cli: str | Path | None = None,
    python: str | Path | None = None,
    on_long: OnLong = "drop",
    chat: str | Path | None = None,
    allow_other_template: bool = False,
    resume: bool = False,
    ray_cpus: RayCpus | None = None,
    force: bool = False,
) -> Trained:
    """Train with LLaMA-Factory, and check the weights it leaves.

    The template `vanilla` is registered in its processes, and its output is passed through. It runs on
    several devices, on several nodes or under Ray as the configuration and its own environment variables say
    (`NNODES`, `NODE_RANK`, `NPROC_PER_NODE`, …); what the configuration needs is added to them
    (`FORCE_TORCHRUN`, `USE_RAY`). A line is added to the manifest of the output folder.

    Args:
        config: The training YAML.
        overrides: `key=value`, applied to the YAML.
        llamafactory_cli: The LLaMA-Factory to start; see `find_installation`.
        python: The interpreter of its environment; likewise.
        on_long: The choice between dropping rows longer than `cutoff_len`, refusing to train (`error`),
            and leaving them to be cut.
        chat: A Jinja file with the chat template in which generation will ask the model; by default its own.
        allow_other_template: Train although the template differs from that chat template.
        resume: Resume an interrupted training of the same settings and inputs from its last checkpoint, and
            remove checkpoints of other ones.
        ray_cpus: The number of CPUs that Ray reserves for each device, in place of LLaMA-Factory's ten.
        force: Overwrite trained weights, as the override `overwrite_output_dir=true` does.

    Raises:
        UserError: The configuration or its data cannot be trained on, or only with a GPU that is not here;
            or the output folder holds trained weights, without `force`, the override
            `overwrite_output_dir=true` or a `resume_from_checkpoint`; or generation would ask in another
            format than the template's, without `allow_other_template`; or the environment variables
            contradict the configuration, or Ray lacks the CPUs.
        DelegateError: LLaMA-Factory failed (`exit_code` is its own), left no usable weights, or trained in
            another way than the configuration says.
        KeyboardInterrupt: Interrupted; LLaMA-Factory's processes have ended.
    """
    asked = read_config(
        config, [*listed(overrides, "overrides"), *(["overwrite_output_dir=true"] if force else [])]
    )
    installation = find_installation(llamafactory_cli, python)
    datasets = check_training(asked, installation.traits)
    output_dir, kind = Path(asked.values["output_dir"]), kind_of(asked.values.get("finetuning_type"))
    _refuse_overwriting(asked, output_dir)
    check_accelerator(asked, installation.python)
    check_quantizer(asked, installation.python)
    check_deepspeed(asked, installation.python)
    check_trackers(asked, installation.python)
    parallelism = asked_parallelism(asked, installation, os.environ, ray_cpus)
    if parallelism.ray:
        check_ray(asked, installation, ray_cpus)
    settle_template(asked, datasets, installation, say, chat=chat, allow=allow_other_template)
    used, dropped = settle_long_rows(asked, datasets, installation, on_long, say)
    data = [dataset.file for dataset in datasets if dataset.file]
    if resume:
        devices = device_count(parallelism, os.environ, installation.python)
        spread = {"engine": parallelism.engine, "ray": parallelism.ray, "devices": devices}
        facts = {"on_long": on_long, "llamafactory": installation.version}
        used = from_checkpoint(used, asked, data, spread, say, **facts)
        parallelism = replace(parallelism, variables={**parallelism.variables, **together(os.environ)})
    before = snapshot(output_dir, kind)
    found = _start_training(installation, used, parallelism)
    if os.environ.get("NODE_RANK", "0") != "0":
        return Trained(None, dropped, found)
    base = asked.values["model_name_or_path"]
    weights = check_weights(output_dir, kind, before=before, python=installation.python, base=base)
    resumed = resumed_from(used) if resume else None
    weights = _noted(asked, weights, installation, data, dropped, resumed, found)
    return Trained(weights, dropped, found, movement_in(output_dir, asked.values))


def export(
    config: str | Path,
    overrides: str | Iterable[str] = (),
    *,
    llamafactory_cli: str | Path | None = None,
    python: str | Path | None = None,
    force: bool = False,
) -> Weights:
    """Merge adapters into their model with LLaMA-Factory, and check the model it leaves.

    Args:
        config: The export YAML.
        overrides: `key=value`, applied to the YAML.
        llamafactory_cli: The LLaMA-Factory to start; see `find_installation`.
        python: The interpreter of its environment; likewise.
        force: Overwrite a model that is in `export_dir`.

    Raises:
        UserError: The configuration cannot be used, or `export_dir` holds a model.
        DelegateError: LLaMA-Factory failed (`exit_code` is its own), or left no usable model.
        KeyboardInterrupt: Interrupted; LLaMA-Factory's processes have ended.
    """
    asked = read_config(config, listed(overrides, "overrides"))
    installation = find_installation(llamafactory_cli, python)
    check_export(asked)
    folder = Path(asked.values["export_dir"])
    if weight_files(folder, "model") and not force:
        raise asked.wrong("export_dir", f"{folder} holds a model already", "Overwrite it with --force")
    before = snapshot(folder, "model")
    _start(installation, "export", asked, os.environ)
    weights = check_weights(folder, "model", before=before, python=installation.python)
    return _noted(asked, weights, installation)


def _refuse_overwriting(config: Config, output_dir: Path) -> None:
    """Refuse to overwrite trained weights that nobody asked to overwrite.

    `overwrite_output_dir` in the YAML does not count as asking, since every preset sets it to true.
    """
    if config.overriding.get("overwrite_output_dir") or config.values.get("resume_from_checkpoint"):
        return
    for kind in ("adapter", "model"):
        if weight_files(output_dir, kind):
            raise config.wrong(
                "output_dir",
                f"{output_dir} holds trained weights",
                "Choose another, or overwrite them with --force",
            )


def _start_training(installation: Installation, config: Config, asked: Asked) -> Parallelism:
    """Run a training; return its parallelism by its own log.

    Raises:
        DelegateError: It failed, or was done in another way than asked for.
    """
    with tempfile.TemporaryDirectory(prefix="w2s-factory-") as folder:
        _start(installation, "train", config, {**os.environ, **asked.variables, LOG: folder})
        found = reported_parallelism(Path(folder))
    check_parallelism(asked, found, Path(config.values["output_dir"]))
    return found


def _start(installation: Installation, verb: str, config: Config, variables: Mapping[str, str]) -> None:
    """Run LLaMA-Factory with a configuration, whose overrides are merged into a file where necessary."""
    environ = with_vanilla(variables, installation.python)
    if _takes_as_given(installation, config):
        run([*installation.start(verb, config.path), *config.overrides], environ)
        return
    with tempfile.TemporaryDirectory(prefix="w2s-factory-") as folder:
        merged = Path(folder, "merged.yaml")
        write_merged(config, merged)
        run(installation.start(verb, merged), environ)


def _takes_as_given(installation: Installation, config: Config) -> bool:
    """Return whether this version takes the file and the overrides as arguments.

    Those with blanks it does not, since it splits its torchrun command at blanks.
    """
    if not config.overrides:
        return not any(map(str.isspace, str(config.path)))
    known = installation.traits is not None and installation.traits.overrides
    return known and not any(map(str.isspace, "".join((str(config.path), *config.overrides))))


def _noted(
    config: Config,
    weights: Weights,
    installation: Installation,
    data: Iterable[Path] = (),
    dropped: Mapping[str, int] | None = None,
    resumed: str | None = None,
    parallelism: Parallelism | None = None,
) -> Weights:
    """Add a line to the manifest next to the weights; return the weights.

    If the line cannot be written, the weights are returned with the reason, since they exist nevertheless.
    """
    facts: dict[str, Any] = {} if dropped is None else {"rows_dropped": dropped}
    facts |= {"resumed_from": resumed} if resumed else {}
    if parallelism is not None and parallelism.spread:
        facts["parallelism"] = parallelism.spread
    try:
        files = {path.name: records.content_hash(path) for path in belonging(weights)}
        records.note(
            weights.files,
            inputs=[config.path, *(file for file in data if file.is_file())],
            config=config.values,
            llamafactory=installation.version,
            model=config.values["model_name_or_path"],
            seed=config.values.get("seed"),
            files=files,
            **facts,
        )
    except UserError as error:
        return replace(weights, not_noted=str(error))
    return weights
