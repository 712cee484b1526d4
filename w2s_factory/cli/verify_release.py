"""`w2s-factory verify-release`: what of the release this code reproduces, and what is wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from w2s_factory.release import Audit, Checked, Verification

_COLOURS = {"reproduced": "green", "reproduced except": "green", "different": "red"}


@click.command()
@click.argument("root", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--audit", "audited", is_flag=True, help="Look for faults in the data too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page, too.")
@click.option("--force", is_flag=True, help="Overwrite a page that holds something else.")
@click.pass_context
def command(
    ctx: click.Context, root: Path, audited: bool, as_json: bool, html: Path | None, force: bool
) -> None:
    """Say what of the published release in DIR this code reproduces byte for byte.

    Every data file is held against its published git hash and made again from the others. A part of the
    release will do. Exit code 1 if a file that is there differs, else 0, whatever an audit finds.

    \b
    Examples:
      w2s-factory verify-release DIR
      w2s-factory verify-release DIR --audit --html release.html
    """  # noqa: D301  click reads \b
    from w2s_factory import release

    found = release.verify_release(root)
    audit = release.audit(root, published=True) if audited else None
    if html:
        release.write_page(html, found, audit, root=root, force=force)
    click.echo(_json(found, audit) if as_json else _text(found, audit))
    if html:
        click.echo(f"wrote {html}", err=True)
    ctx.exit(not found.ok)


def _json(found: Verification, audit: Audit | None) -> str:
    import json

    return json.dumps(found.as_json() | ({"audit": audit.as_json()} if audit else {}), indent=2)


def _text(found: Verification, audit: Audit | None) -> str:
    from w2s_factory.cli.audit import tell_audit

    rows = [*found.files, *found.draws]
    width = max(len(one.name) for one in rows)
    lines = [_line(one, width) for one in rows]
    counts = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
    lines += ["", f"{len(found.files)} published files: {counts}"]
    return "\n".join([*lines, *(["", tell_audit(audit)] if audit else [])])


def _line(one: Checked, width: int) -> str:
    kind = click.style(f"{one.kind:<17}", fg=_COLOURS.get(one.kind))
    return f"{kind}  {one.name:<{width}}  {one.detail}".rstrip()
