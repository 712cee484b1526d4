"""`make-config`: a training YAML from a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from w2s_factory.cli.next_steps import after_config

if TYPE_CHECKING:
    from w2s_factory.llamafactory.configs import Model


@click.command()
@click.option("--list", "listing", is_flag=True, help="List the presets and leave.")
@click.option("--preset", metavar="NAME", help="A preset (see --list), or your own: ./FILE.yaml.")
@click.option("--model", help="The model: its folder, or its name on the hub.")
@click.option("--adapter", multiple=True, help="An adapter to start from, or to merge; repeatable.")
@click.option("--dataset", metavar="NAME", help="The dataset's name in dataset_info.json.")
@click.option("--dataset-dir", metavar="DIR", help="The folder with dataset_info.json.")
@click.option("--output-dir", metavar="DIR", help="Where the adapter or model shall go.")
@click.option("--output", type=Path, metavar="FILE", help="The YAML to write.")
@click.option(
    "--llamafactory-version", "version", metavar="VERSION", help="0.5.0 to 0.9.5; default: the one installed."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Another value; repeatable.")
@click.option(
    "--reference",
    type=click.Choice(["m-plus", "base"]),
    help="DPO: what the policy is held against, with M_plus as --adapter. [default: m-plus; the release's is "
    "not known]",
)
@click.option(
    "--start",
    type=click.Choice(["m-plus", "base"]),
    help="ORPO, SimPO: base refuses an adapter. [default: whatever --model and --adapter say]",
)
@click.option("--cpu", is_flag=True, help="For a machine without a GPU: the same as two settings, and slow.")
@click.option("--force", is_flag=True, help="Overwrite FILE if it holds something else.")
def command(
    listing: bool,
    preset: str | None,
    model: str | None,
    adapter: tuple[str, ...],
    dataset: str | None,
    dataset_dir: str | None,
    output_dir: str | None,
    output: Path | None,
    version: str | None,
    settings: tuple[str, ...],
    reference: Model | None,
    start: Model | None,
    cpu: bool,
    force: bool,
) -> None:
    """Write a training YAML from a preset, for the LLaMA-Factory installed here or one named.

    Every value has a comment that says what it rests on.

    \b
    Example:
      w2s-factory make-config --preset strong_lora_sft \\
        --dataset gsm8k_llama2_7b_iter1_hybrid --dataset-dir data \\
        --model meta-llama/Llama-2-70b-hf --set num_train_epochs=3 \\
        --output-dir out --output iter1.yaml
    """  # noqa: D301  click's mark for a paragraph kept as it is
    from w2s_factory.llamafactory.configs import config_reads, make_config, not_there
    from w2s_factory.llamafactory.presets import load_preset, preset_names
    from w2s_factory.llamafactory.settings import ON_CPU, parsed_settings
    from w2s_factory.model_names import on_hub
    from w2s_factory.records import Outputs

    if listing:
        for name in preset_names():
            click.echo(f"{name:<22} {load_preset(name).summary}")
        return
    if preset is None or model is None or output_dir is None or output is None:
        raise click.UsageError("needs --preset, --model, --output-dir and --output (or --list)")
    text = make_config(
        preset,
        model=model,
        output_dir=output_dir,
        dataset=dataset,
        dataset_dir=dataset_dir,
        adapter=adapter,
        version=version,
        settings={**(ON_CPU if cpu else {}), **parsed_settings(settings)},
        ahead=True,
        reference=reference,
        start=start,
        file=output,
    )
    with Outputs(reads=config_reads(preset, model, adapter, dataset, dataset_dir), force=force) as outputs:
        outputs.text(output, text)
        outputs.note(preset=preset)
    for missing in not_there(model, adapter, dataset_dir):
        click.echo(f"Note: {missing} is not there yet; make it before training", err=True)
    for name in filter(on_hub, (model, *adapter)):
        click.echo(f"Note: {name} is taken for a name on the hub; for a folder write ./{name}", err=True)
    click.echo(f"Wrote {output}")
    after_config(preset, version, output)
