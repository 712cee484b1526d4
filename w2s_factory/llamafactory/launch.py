"""Starting LLaMA-Factory's training and export, and believing only the files it leaves."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory import records
from w2s_factory.errors import UserError, listed
from w2s_factory.llamafactory.installation import find_installation
from w2s_factory.llamafactory.long_rows import settle_long_rows
from w2s_factory.llamafactory.preflight import check_accelerator, check_export, check_training
from w2s_factory.llamafactory.template import with_vanilla
from w2s_factory.llamafactory.trained_weights import Weights, check_weights, kind_of, state, weight_files
from w2s_factory.llamafactory.training_config import read_config, write_merged
from w2s_factory.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from w2s_factory.llamafactory.installation import Installation
    from w2s_factory.llamafactory.long_rows import OnLong
    from w2s_factory.llamafactory.training_config import Config


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        weights: The adapter or model; None on a node that saves none (`NODE_RANK` above 0).
        dropped: How many rows were too long, by dataset; those that lost none are not named.
    """

    weights: Weights | None
    dropped: Mapping[str, int] = field(default_factory=dict)


def train(
    config: str | Path,
    overrides: str | Iterable[str] = (),
    *,
    llamafactory_cli: str | Path | None = None,
    python: str | Path | None = None,
    on_long: OnLong = "drop",
    force: bool = False,
) -> Trained:
    """Train with LLaMA-Factory, which knows `vanilla` then, and check what it leaves.

    Its output goes where ours goes. Several devices, nodes or Ray are LLaMA-Factory's own business, by
    its environment variables (`FORCE_TORCHRUN`, `NNODES`, `NODE_RANK`, `USE_RAY`, …). A manifest line
    is added to the output folder.

    Args:
        config: The training YAML.
        overrides: `key=value`, laid over it.
        llamafactory_cli: The LLaMA-Factory to start; see `find_installation`.
        python: The interpreter of its environment; likewise.
        on_long: Rows longer than `cutoff_len` are dropped, refused (`error`) or cut.
        force: Write over trained weights, as with the override `overwrite_output_dir=true`.

    Raises:
        UserError: The configuration or its data can't be trained on, or only with a GPU that is not here; or
            the output folder holds trained weights, and neither `force` nor the override
            `overwrite_output_dir=true` allows for it, nor `resume_from_checkpoint` goes on from them.
        DelegateError: LLaMA-Factory failed (`exit_code` is its own), or left no usable weights.
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
    used, dropped = settle_long_rows(asked, datasets, installation, on_long, _say)
    before = state(output_dir, kind)
    _start(installation, "train", used)
    if os.environ.get("NODE_RANK", "0") != "0":
        return Trained(None, dropped)
    base = asked.values["model_name_or_path"]
    weights = check_weights(output_dir, kind, before=before, python=installation.python, base=base)
    data = [dataset.file for dataset in datasets if dataset.file]
    return Trained(_noted(asked, weights, installation, data, rows_dropped=dropped), dropped)


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
        overrides: `key=value`, laid over it.
        llamafactory_cli: The LLaMA-Factory to start; see `find_installation`.
        python: The interpreter of its environment; likewise.
        force: Write over a model that is in `export_dir`.

    Raises:
        UserError: The configuration can't be used, or `export_dir` holds a model.
        DelegateError: LLaMA-Factory failed (`exit_code` is its own), or left no usable model.
        KeyboardInterrupt: Interrupted; LLaMA-Factory's processes have ended.
    """
    asked = read_config(config, listed(overrides, "overrides"))
    installation = find_installation(llamafactory_cli, python)
    check_export(asked)
    folder = Path(asked.values["export_dir"])
    if weight_files(folder, "model") and not force:
        raise asked.wrong("export_dir", f"{folder} holds a model", "Overwrite it with --force")
    before = state(folder, "model")
    _start(installation, "export", asked)
    weights = check_weights(folder, "model", before=before, python=installation.python)
    return _noted(asked, weights, installation)


def _refuse_overwriting(config: Config, output_dir: Path) -> None:
    """What the YAML says of `overwrite_output_dir` does not count: every preset says true."""
    if config.overriding.get("overwrite_output_dir") or config.values.get("resume_from_checkpoint"):
        return
    for kind in ("adapter", "model"):
        if weight_files(output_dir, kind):
            raise config.wrong(
                "output_dir",
                f"{output_dir} holds trained weights",
                "Choose another, or overwrite them with --force",
            )


def _start(installation: Installation, verb: str, config: Config) -> None:
    environ = with_vanilla(os.environ, installation.python)
    if _takes_as_given(installation, config):
        run([*installation.start(verb, config.path), *config.overrides], environ)
        return
    with tempfile.TemporaryDirectory(prefix="w2s-factory-") as folder:
        merged = Path(folder, "merged.yaml")
        write_merged(config, merged)
        run(installation.start(verb, merged), environ)


def _takes_as_given(installation: Installation, config: Config) -> bool:
    """Whether this version takes overrides, all of them whole: its torchrun command is split at blanks."""
    if not config.overrides:
        return not any(map(str.isspace, str(config.path)))
    known = installation.traits is not None and installation.traits.overrides
    return known and not any(map(str.isspace, "".join((str(config.path), *config.overrides))))


def _noted(
    config: Config, weights: Weights, installation: Installation, data: Iterable[Path] = (), **facts: Any
) -> Weights:
    """The weights, and a line in the manifest beside them; or why there is none, for they are made."""
    try:
        records.note(
            weights.files,
            inputs=[config.path, *(file for file in data if file.is_file())],
            config=config.values,
            llamafactory=installation.version,
            model=config.values["model_name_or_path"],
            seed=config.values.get("seed"),
            **facts,
        )
    except UserError as error:
        return replace(weights, not_noted=str(error))
    return weights


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
