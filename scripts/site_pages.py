"""A hook of MkDocs: what only the site of docs/ shows, so that the pages themselves stay plain Markdown.

- README.md is the home page; CONTRIBUTING.md and CHANGELOG.md are pages, too. Links between them and the
  pages of docs/ are rewritten to the places that they have on the site.
- A block that names the file whose content it is (```yaml towns.yaml) has that name as its title.
- Below each table of docs/api.md, mkdocstrings shows every name of it with its arguments and docstring.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT: Final = Path(__file__).resolve().parent.parent

OUTSIDE: Final[Mapping[str, str]] = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages that are in the root of the repository, and their places on the site."""

_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_LOADED: Final = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=["']((?:https?:)?//[^"']+)""")
"""A tag that loads what it names, from another host; links to other pages are allowed."""

_NAMED_BLOCK: Final = re.compile(r"^(```\w+) (\S+)$", re.M)
_NAME: Final = re.compile(r"^\| `(\w+)` \|", re.M)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are outside docs/."""
    for source, place in OUTSIDE.items():
        text = (ROOT / source).read_text("utf-8")
        files.append(File.generated(config, place, content=_LINK.sub(_from_root, text)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page with its links to the root rewritten, and the page of the API with its docstrings."""
    if page.file.src_uri == "api.md":
        markdown = _with_docstrings(markdown)
    return _NAMED_BLOCK.sub(r'\1 title="\2"', _LINK.sub(_from_docs, markdown))


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that loads anything from elsewhere, or that lacks a public name.

    Raises:
        PluginError: A page does, or a name is missing.
    """
    site = Path(config.site_dir)
    for page in site.rglob("*.html"):
        if elsewhere := _LOADED.search(page.read_text("utf-8")):
            raise PluginError(f"{page.relative_to(site)} loads {elsewhere[1]}")
    stub = (ROOT / "w2s_factory" / "__init__.pyi").read_text("utf-8")
    shown = (site / "api.html").read_text("utf-8")
    for name in re.findall(r" as (\w+)$", stub, re.M):
        if f'id="w2s_factory.{name}"' not in shown:
            raise PluginError(f"api.html lacks w2s_factory.{name}")


def _from_root(link: re.Match[str]) -> str:
    """Return a link of a page in the root, as it is on the site."""
    path, mark, anchor = link[1].partition("#")
    return f"]({OUTSIDE.get(path, path.removeprefix('docs/'))}{mark}{anchor})"


def _from_docs(link: re.Match[str]) -> str:
    """Return a link of a page of docs/, as it is on the site: `../README.md` is the home page."""
    path, mark, anchor = link[1].partition("#")
    return f"]({OUTSIDE.get(path.removeprefix('../'), path)}{mark}{anchor})"


def _with_docstrings(markdown: str) -> str:
    """Return the page of the API with mkdocstrings' directives below each table, to which its names link."""
    sections = re.split(r"(?m)^(?=## )", markdown)
    return "".join(section + _directives(section) for section in map(_linked, sections))


def _linked(section: str) -> str:
    return _NAME.sub(r"| [`\1`][w2s_factory.\1] |", section)


def _directives(section: str) -> str:
    names = re.findall(r"\]\[(w2s_factory\.\w+)\]", section)
    return "".join(f"\n::: {name}\n" for name in names) + "\n"
