"""`w2s-factory train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.next_steps import after_adapter, after_model

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.llamafactory.long_rows import OnLong


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--llamafactory-cli",
    type=click.Path(),
    metavar="PATH",
    help="Start this LLaMA-Factory: an environment's llamafactory-cli, or a checkout's src/train_bash.py "
    "(0.5.0 to 0.7.0). Without it: that of the current environment.",
)
@click.option("--python", type=click.Path(), metavar="PATH", help="The interpreter of its environment.")
@click.option(
    "--on-long",
    type=click.Choice(["drop", "error", "cut"]),
    default="drop",
    show_default=True,
    help="Rows longer than cutoff_len, which LLaMA-Factory would cut: train without them, refuse, or let "
    "them be cut.",
)
@click.option("--force", is_flag=True, help="Write over trained weights that are in output_dir.")
def command(
    config: Path,
    overrides: tuple[str, ...],
    llamafactory_cli: Path | None,
    python: Path | None,
    on_long: OnLong,
    force: bool,
) -> None:
    """Train with LLaMA-Factory from the YAML CONFIG, and check what it made.

    The template vanilla is known to every process of the training. Several GPUs are used by themselves;
    FORCE_TORCHRUN, NNODES, NODE_RANK, MASTER_ADDR mean what they mean to LLaMA-Factory.

    \b
    Example:
        w2s-factory train generated.yaml learning_rate=1e-5 num_train_epochs=2
    """  # noqa: D301  click reads \b
    from w2s_factory.llamafactory.launch import train

    trained = train(
        config, overrides, llamafactory_cli=llamafactory_cli, python=python, on_long=on_long, force=force
    )
    if trained.weights is None:
        click.echo("This node is done; the weights are on the node with NODE_RANK 0")
        return
    weights = trained.weights
    click.echo(f"Trained: {weights.kind} in {weights.folder}")
    if weights.base is not None:
        after_adapter(weights.base, weights.folder)
    elif weights.kind == "model":
        after_model(weights.folder)
    if weights.not_noted is not None:
        click.echo(f"Warning: nothing is noted of this training: {weights.not_noted}", err=True)
