"""`w2s-factory convert-pairs`: pair files in another format, or their chosen side as SFT rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.next_steps import after_dataset
from w2s_factory.cli.options import PATH
from w2s_factory.cli.output import messages_to_stderr, print_datasets

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.records import PairForm


@click.command()
@click.argument("file", type=PATH)
@option(
    "--format",
    "form",
    type=click.Choice(["columns", "release", "chosen"]),
    show_default="what the LLaMA-Factory version reads",
    help="columns: fields chosen and rejected (LLaMA-Factory 0.8.0 and later). release: one list, as "
    "published (up to 0.7.1). chosen: no pairs, but the chosen responses as SFT rows.",
)
@option(
    "--llamafactory-version",
    "version",
    metavar="VERSION",
    show_default="the installed one",
    help="Without --format: write what this LLaMA-Factory version reads.",
)
@option("--output", type=PATH, required=True, metavar="FILE", help="The dataset file to write; - for stdout.")
@option(
    "--force",
    is_flag=True,
    help="Overwrite a file, or an entry in dataset_info.json, that has other content.",
)
def command(
    file: Path, form: PairForm | Literal["chosen"] | None, version: str | None, output: Path, force: bool
) -> None:
    """Convert preference pairs between LLaMA-Factory's two formats.

    FILE contains pairs in either format; the conversion loses no information. With --format chosen, only the
    chosen responses are written, as SFT rows: a model fine-tuned on them is the control that shows what
    preference learning adds. The output is listed in the dataset_info.json of its folder.

    \b
    Examples:
      w2s-factory convert-pairs published/paired.json --format columns --output columns.json
      w2s-factory convert-pairs published/paired.json --format chosen --output chosen.json
    """  # noqa: D301  click reads \b
    from w2s_factory import building

    recipe = building.Recipe(version=version, force=force)
    if form == "chosen":
        built = building.chosen_side(file, output, recipe=recipe)
    else:
        built = building.convert_pairs(file, output, form, recipe=recipe)
    if not messages_to_stderr(output):
        print_datasets([built])
        after_dataset(built)
