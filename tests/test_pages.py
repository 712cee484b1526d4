"""The pages of README and docs as texts: links, the site's navigation, and the errors that point to a page."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import ROOT
from w2s_factory.errors import TROUBLESHOOTING, DelegateError, UserError

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "w2s_factory"
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [*ROOT_PAGES, *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]


def text_of(page: str) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", (ROOT / page).read_text("utf-8"), flags=re.M | re.S)


def slug(heading: str) -> str:
    """Return the anchor of a heading, as code hosts and MkDocs write it."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())


@cache
def anchors_of(page: str) -> frozenset[str]:
    return frozenset(slug(heading) for heading in re.findall(r"^#+ (.*)$", text_of(page), re.M))


def links() -> list[tuple[str, str]]:
    found = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page))]
    return [(page, link) for page, link in dict.fromkeys(found) if not re.match(r"https?:", link)]


@pytest.mark.parametrize(("page", "link"), links(), ids=" ".join)
def test_a_link_leads_to_a_page_and_a_heading(page, link):
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.is_file()
    name = target.resolve().relative_to(ROOT.resolve()).as_posix()
    assert not anchor or anchor in anchors_of(name)


def test_the_site_shows_every_page():
    """Those of the root have the places that the hook gives them."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    shown = list(leaves(settings["nav"]))
    docs = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert sorted(shown) == sorted({*docs, "index.md", "contributing.md", "changelog.md"})


def leaves(nav):
    for entry in nav:
        [value] = entry.values()
        yield from leaves(value) if isinstance(value, list) else [value]


def test_the_site_asks_for_no_fonts_or_scripts_from_elsewhere():
    """The hook of the site looks at the built pages, too (make docs)."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert yaml.safe_load(text)["theme"]["font"] is False
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_reads_well_as_a_plain_file(page):
    """No syntax that only the site understands: admonitions, tabs, attributes, directives, snippets."""
    assert not re.search(r"^(!!!|\?\?\?|===|:::|--8<--)|\{: |\{#|\[\[", text_of(page), re.M)


@cache
def topics_in_code() -> dict[str, set[Path]]:
    """Return each topic that an error names, with the modules that name it."""
    found: dict[str, set[Path]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "topic" and isinstance(node.value, ast.Constant):
                found.setdefault(str(node.value.value), set()).add(path)
    return found


def rows() -> list[tuple[str, str]]:
    """Return the messages of the page's table, each with its topic."""
    table = re.findall(r"^\| (.+?) \| \[[^]]+\]\(#([\w-]+)\) \|$", text_of(TROUBLESHOOTING), re.M)
    return [(message.replace("`", ""), topic) for message, topic in table]


def test_every_topic_of_an_error_is_a_section_and_every_section_a_topic():
    topics = topics_in_code()
    assert 10 <= len(topics) <= 25
    sections = {slug(heading) for heading in re.findall(r"^## (.*)$", text_of(TROUBLESHOOTING), re.M)}
    assert set(topics) == sections
    assert {topic for _, topic in rows()} == sections


def as_pattern(node: ast.JoinedStr | ast.Constant) -> str:
    """Return a pattern for the texts that an expression gives."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts)


@cache
def messages_in(module: Path) -> list[str]:
    nodes = ast.walk(ast.parse(module.read_text("utf-8")))
    texts = [node for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant)]
    return [pattern for pattern in map(as_pattern, texts) if len(pattern.replace(".+", "")) > 6]


@pytest.mark.parametrize(("message", "topic"), rows())
def test_a_message_of_the_table_is_one_that_the_code_raises(message, topic):
    """It is in a module that raises errors of this topic; capitals stand for what differs."""
    patterns = [pattern for module in topics_in_code()[topic] for pattern in messages_in(module)]
    assert any(re.fullmatch(pattern, message) for pattern in patterns)


@pytest.mark.parametrize("kind", [UserError, DelegateError])
def test_an_error_with_a_topic_ends_with_the_place_of_its_explanation(kind):
    place = "(see docs/troubleshooting.md#no-gpu)"
    assert str(kind("no GPU", topic="no-gpu")) == f"no GPU {place}"
    assert str(kind("no GPU", hint="Use another", topic="no-gpu")) == f"no GPU. Use another {place}"


def test_an_error_keeps_its_topic_where_it_gets_a_place():
    assert str(UserError("is wrong", topic="no-gpu").at(file="a.yaml", line=3)).endswith("#no-gpu)")
