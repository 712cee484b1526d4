"""`w2s-factory make-config`: a training or export YAML from a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import HeadedCommand, heading, option
from w2s_factory.cli.next_steps import after_config
from w2s_factory.llamafactory.versions import RELEASES

if TYPE_CHECKING:
    from w2s_factory.llamafactory.configs import StageTwoModel
    from w2s_factory.llamafactory.settings import TrainedThinking


_preset = heading("Preset and its settings")
_model = heading("Model and data")
_preference = heading("Preference presets")
_output = heading("Output")


@click.command(cls=HeadedCommand)
@_preset(
    "--list", "listing", is_flag=True, help="List the presets with the purpose of each, and do nothing else."
)
@_preset("--preset", metavar="NAME", help="A preset (see --list), or a YAML file of your own: ./FILE.yaml.")
@_preset(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="A training argument that differs from the preset, such as num_train_epochs=3; repeatable.",
)  # fmt: skip
@_preset(
    "--template", metavar="NAME", show_default="the preset's",
    help="LLaMA-Factory's template: its name, or auto for the one that trains what the model's chat template "
    "asks. The same as --set template=NAME.",
)  # fmt: skip
@_preset(
    "--cpu",
    is_flag=True,
    help="Train without a GPU, slowly: the same as --set use_cpu=true --set bf16=false. With DeepSpeed, "
    "bf16=false alone, since transformers would not use DeepSpeed with use_cpu.",
)
@_preset(
    "--thinking", type=click.Choice(["on", "off"]), show_default="the preset's; LLaMA-Factory's own is on",
    help="Models that think: off trains on answers alone, with an empty thinking in the prompt "
    "(enable_thinking: false); on trains the thinking, too. LLaMA-Factory 0.9.3 or newer.",
)  # fmt: skip
@_preset(
    "--llamafactory-version", "version", metavar="VERSION", show_default="the installed one, else the newest",
    help=f"The LLaMA-Factory version to write for, {RELEASES[0]} to {RELEASES[-1]}.",
)  # fmt: skip
@_preset(
    "--chat", type=click.Path(), metavar="FILE", show_default="the model's own",
    help="With template: auto, the chat template, as a Jinja file, in which generation will ask the model.",
)  # fmt: skip
@_preset(
    "--python", type=click.Path(), metavar="PATH", show_default="the current one",
    help="The Python interpreter of LLaMA-Factory's environment, with which template: auto is resolved.",
)  # fmt: skip
@_model(
    "--model",
    metavar="PATH",
    help="The model to train or to merge into: a folder or a name on the Hugging Face Hub.",
)
@_model(
    "--adapter", multiple=True, metavar="PATH",
    help="An adapter to continue from, or with the preset export to merge: a folder or a name on the hub; "
    "repeatable.",
)  # fmt: skip
@_model("--dataset", metavar="NAME", help="The dataset to train on, by its name in dataset_info.json.")
@_model("--dataset-dir", metavar="DIR", help="The folder that contains dataset_info.json.")
@_preference(
    "--reference", type=click.Choice(["m-plus", "base"]),
    show_default="m-plus; the release does not say which it used",
    help="DPO: the reference model. M_plus is the model that Stage I trained, with --adapter as its adapter; "
    "base is the strong model without the adapter.",
)  # fmt: skip
@_preference(
    "--start", type=click.Choice(["m-plus", "base"]), show_default="decided by --model and --adapter",
    help="ORPO, SimPO: the model that training starts from. With base, an --adapter is an error.",
)  # fmt: skip
@_output("--output", type=Path, metavar="FILE", help="The YAML file to write.")
@_output(
    "--output-dir",
    metavar="DIR",
    help="The folder that the YAML names for the trained adapter or merged model.",
)
@option("--force", is_flag=True, help="Overwrite a YAML file that has other content.")
def command(
    listing: bool,
    preset: str | None,
    template: str | None,
    model: str | None,
    adapter: tuple[str, ...],
    dataset: str | None,
    dataset_dir: str | None,
    output_dir: str | None,
    output: Path | None,
    version: str | None,
    settings: tuple[str, ...],
    reference: StageTwoModel | None,
    start: StageTwoModel | None,
    thinking: TrainedThinking | None,
    chat: Path | None,
    python: Path | None,
    cpu: bool,
    force: bool,
) -> None:
    """Write a training or export YAML from a preset.

    Needs --preset, --model, --output-dir and --output; a training preset also --dataset and --dataset-dir.
    In the YAML, a comment after each value says where it comes from: the published release, the paper,
    LLaMA-Factory's default, or a choice of this project.

    \b
    Example:
      w2s-factory make-config --preset strong_lora_sft \\
        --dataset gsm8k_llama2_7b_iter1_hybrid --dataset-dir data \\
        --model meta-llama/Llama-2-70b-hf --set num_train_epochs=3 \\
        --output-dir out --output iter1.yaml
    """  # noqa: D301  click reads \b
    from w2s_factory.llamafactory.configs import config_reads, make_config, not_there
    from w2s_factory.llamafactory.presets import load_preset, preset_names
    from w2s_factory.llamafactory.settings import on_cpu, parsed_settings
    from w2s_factory.model_names import on_hub
    from w2s_factory.records import Outputs

    if listing:
        for name in preset_names():
            click.echo(f"{name:<22} {load_preset(name).summary}")
        return
    if preset is None or model is None or output_dir is None or output is None:
        raise click.UsageError("needs --preset, --model, --output-dir and --output (or --list)")
    chosen = parsed_settings([*settings, *([] if template is None else [f"template={template}"])])
    text = make_config(
        preset,
        model=model,
        output_dir=output_dir,
        dataset=dataset,
        dataset_dir=dataset_dir,
        adapter=adapter,
        version=version,
        settings={**(on_cpu(load_preset(preset), chosen) if cpu else {}), **chosen},
        ahead=True,
        reference=reference,
        start=start,
        thinking=thinking,
        chat=chat,
        python=python,
        file=output,
    )
    with Outputs(reads=config_reads(preset, model, adapter, dataset, dataset_dir), force=force) as outputs:
        outputs.text(output, text)
        outputs.note(preset=preset)
    for missing in not_there(model, adapter, dataset_dir):
        click.echo(f"Note: {missing} does not exist yet; create it before training", err=True)
    for name in filter(on_hub, (model, *adapter)):
        click.echo(
            f"Note: {name} is treated as a name on the Hugging Face Hub; for a folder write ./{name}",
            err=True,
        )
    if thinking is not None and "\nenable_thinking: " not in text:
        click.echo(
            "Note: enable_thinking is left out, since that LLaMA-Factory lacks it (see the YAML)", err=True
        )
    click.echo(f"Wrote {output}")
    after_config(preset, version, output)
