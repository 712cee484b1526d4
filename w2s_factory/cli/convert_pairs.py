"""`w2s-factory convert-pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from w2s_factory.cli.next_steps import after_dataset
from w2s_factory.cli.paths import say_on_stderr
from w2s_factory.cli.telling import tell_built

if TYPE_CHECKING:
    from w2s_factory.records import PairForm


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["columns", "release", "chosen"]),
    help="columns: chosen and rejected (LLaMA-Factory from 0.8.0 on). release: one list, as published (up "
    "to 0.7.1). chosen: SFT rows of the chosen side. [default: what the LLaMA-Factory at hand reads]",
)
@click.option("--llamafactory-version", "version", metavar="VERSION", help="Instead of --format.")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The file to write; - for stdout."
)
@click.option("--force", is_flag=True, help="Overwrite a file or entry that holds something else.")
def command(
    file: Path, form: PairForm | Literal["chosen"] | None, version: str | None, output: Path, force: bool
) -> None:
    """Convert preference pairs between the published form and LLaMA-Factory's present one.

    Nothing is lost either way. The chosen side alone, as SFT rows, trains the
    control of Stage II. The output gets its entry in the dataset_info.json
    beside it.

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
    if not say_on_stderr(output):
        tell_built([built])
        after_dataset(built)
