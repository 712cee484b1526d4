"""`w2s-factory train`: a training in LLaMA-Factory's own processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import after_adapter, after_model
from w2s_factory.cli.options import environment_options, number
from w2s_factory.cli.output import print_warning
from w2s_factory.quantities import RayCpus

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.long_rows import OnLong


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@environment_options
@option(
    "--on-long",
    type=click.Choice(["drop", "error", "cut"]),
    default="drop",
    show_default=True,
    help="What to do with rows of more tokens than cutoff_len, whose end (often the answer) LLaMA-Factory "
    "cuts off. drop: train without these rows. error: refuse to train. cut: let them be cut.",
)
@option(
    "--chat",
    type=click.Path(),
    metavar="FILE",
    show_default="the model's own",
    help="The chat template, as a Jinja file, in which generation will ask the trained model. A training "
    "template that differs from it is refused. Not needed with the template vanilla.",
)
@option(
    "--allow-other-template",
    is_flag=True,
    help="Only warn of a template that differs from the chat template in which generation will ask.",
)
@option(
    "--resume",
    is_flag=True,
    help="Resume an interrupted training from its last checkpoint, if its settings, data and model are the "
    "same. Checkpoints of other trainings in output_dir are removed.",
)
@option(
    "--ray-cpus",
    type=number(RayCpus),
    metavar="N",
    show_default="LLaMA-Factory's ten",
    help="The number of CPUs that Ray reserves for each device of its cluster, for configs with "
    "ray_num_workers. On a cluster without GPUs, where each CPU counts as a device, use 1.",
)
@option("--force", is_flag=True, help="Overwrite trained weights in output_dir.")
def command(
    config: Path,
    overrides: tuple[str, ...],
    llamafactory_cli: Path | None,
    python: Path | None,
    on_long: OnLong,
    chat: Path | None,
    allow_other_template: bool,
    resume: bool,
    ray_cpus: RayCpus | None,
    force: bool,
) -> None:
    """Train from a YAML config, and check the resulting weights.

    CONFIG is a training YAML for LLaMA-Factory, as make-config and build-data write it; KEY=VALUE overrides
    one of its arguments. The prompt template vanilla is added in every process of the training. LLaMA-Factory
    uses all GPUs it sees; its environment variables NPROC_PER_NODE, NNODES, NODE_RANK, MASTER_ADDR and
    MASTER_PORT work as usual, and FORCE_TORCHRUN and USE_RAY are set where the config needs them. At the end,
    engine, ranks and total batch size are printed, as the log reports them; after a preference training also
    whether the policy moved: loss, reward margin and accuracy, and log-probabilities, first and last.

    \b
    Example:
      w2s-factory train generated.yaml learning_rate=1e-5 num_train_epochs=2
    """  # noqa: D301  click reads \b
    from w2s_factory.llamafactory.launch import train

    trained = train(
        config,
        overrides,
        llamafactory_cli=llamafactory_cli,
        python=python,
        on_long=on_long,
        chat=chat,
        allow_other_template=allow_other_template,
        resume=resume,
        ray_cpus=ray_cpus,
        force=force,
    )
    if trained.weights is None:
        click.echo("This node has finished; the weights are on the node with NODE_RANK 0")
        click.echo(f"Engine: {trained.parallelism}")
        return
    weights = trained.weights
    click.echo(f"Trained: {weights.kind} in {weights.folder}")
    click.echo(f"Engine: {trained.parallelism}")
    if trained.movement is not None:
        click.echo(f"Policy, first to last logged value: {trained.movement.values}")
        if trained.movement.finding:
            print_warning(trained.movement.finding)
    if weights.base is not None:
        after_adapter(weights.base, weights.folder)
    elif weights.kind == "model":
        after_model(weights.folder)
    if weights.not_noted is not None:
        print_warning(f"the training was not recorded in the manifest: {weights.not_noted}")
