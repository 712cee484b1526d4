"""A verification of the release, and its audit, as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s_factory.errors import encodable
from w2s_factory.records import Outputs
from w2s_factory.release.fetch import files_below

if TYPE_CHECKING:
    from w2s_factory.release.audit import Audit
    from w2s_factory.release.verify import Verification

_TEMPLATE = "verification_page.html.j2"


def write_page(
    path: str | Path,
    found: Verification,
    audit: Audit | None = None,
    *,
    root: str | Path | None = None,
    force: bool = False,
) -> None:
    """Write the page; it refers to nothing outside itself.

    Args:
        path: The file to write.
        found: The verification.
        audit: The audit of the same folder, if there was one.
        root: The folder that was verified, none of whose files is overwritten.
        force: Overwrite a page that has other content.

    Raises:
        UserError: The file exists with other content, and `force` is not set.
    """
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415  only pages need it

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    text = environment.get_template(_TEMPLATE).render(found=found, audit=audit)
    reads = [] if root is None else files_below(str(root))
    with Outputs(reads=reads, force=force) as outputs:
        outputs.text(path, encodable(text) + "\n")
