"""`w2s-factory verify-release`: what of the published release this code reproduces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from w2s_factory.release import Checked, Verification

_COLOURS = {"reproduced": "green", "reproduced except": "green", "different": "red"}


@click.command()
@click.argument("root", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, root: Path, as_json: bool) -> None:
    """Say what of the published release in DIR this code reproduces byte for byte.

    Every data file is held against its published git hash and made again from the others. A part of the
    release will do. Exit code 1 if a file that is there differs, else 0.

    \b
    Examples:
      w2s-factory verify-release DIR
      w2s-factory verify-release DIR --json
    """  # noqa: D301  click reads \b
    from w2s_factory.release import verify_release

    found = verify_release(root)
    click.echo(_json(found) if as_json else _text(found))
    ctx.exit(not found.ok)


def _json(found: Verification) -> str:
    import json

    return json.dumps(found.as_json(), indent=2)


def _text(found: Verification) -> str:
    rows = [*found.files, *found.draws]
    width = max(len(one.name) for one in rows)
    lines = [_line(one, width) for one in rows]
    counts = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
    return "\n".join([*lines, "", f"{len(found.files)} published files: {counts}"])


def _line(one: Checked, width: int) -> str:
    kind = click.style(f"{one.kind:<17}", fg=_COLOURS.get(one.kind))
    return f"{kind}  {one.name:<{width}}  {one.detail}".rstrip()
