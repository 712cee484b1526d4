"""`w2s-factory verify-release`: which published files this code reproduces, and faults in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import option
from w2s_factory.cli.options import PATH

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.release import Audit, Checked, Verification

_COLOURS = {"reproduced": "green", "reproduced except": "green", "different": "red"}


@click.command()
@click.argument("root", metavar="DIR", type=PATH)
@option(
    "--audit", "audited", is_flag=True, help="Also look for faults in the data, as the command audit does."
)
@option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@option("--html", type=PATH, metavar="FILE", help="Also write the results as an HTML page.")
@option("--force", is_flag=True, help="Overwrite a page that has other content.")
@click.pass_context
def command(
    ctx: click.Context, root: Path, audited: bool, as_json: bool, html: Path | None, force: bool
) -> None:
    """Check which published files this code reproduces exactly.

    DIR is a copy of the published release, or of a part of it (w2s-factory fetch release makes one). Each
    data file is compared with its published git hash, and built again from the other files if that is
    possible. Exit code 1 if a file in DIR differs, else 0, whatever --audit finds.

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
        click.echo(f"Wrote {html}", err=True)
    if release.lacks_tiktoken(found):
        from w2s_factory.packages import extra_command

        problem = "num_tokens was not counted again, since the package tiktoken is not installed"
        click.echo(f"Note: {problem}. Install the extra tokens: {extra_command('tokens')}", err=True)
    ctx.exit(not found.ok)


def _json(found: Verification, audit: Audit | None) -> str:
    import json

    return json.dumps(found.as_json() | ({"audit": audit.as_json()} if audit else {}), indent=2)


def _text(found: Verification, audit: Audit | None) -> str:
    from w2s_factory.cli.audit import audit_text

    rows = [*found.files, *found.draws]
    width = max(len(row.name) for row in rows)
    lines = [_line(row, width) for row in rows]
    counts = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
    lines += ["", f"{len(found.files)} published files: {counts}"]
    return "\n".join([*lines, *(["", audit_text(audit)] if audit else [])])


def _line(row: Checked, width: int) -> str:
    kind = click.style(f"{row.kind:<17}", fg=_COLOURS.get(row.kind))
    return f"{kind}  {row.name:<{width}}  {row.detail}".rstrip()
