"""Write the list of files in docs/design.md again, from the first line of each module's docstring.

    python scripts/list_files.py

A test fails while the list differs from the docstrings.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "docs" / "design.md"
HEADING = "## The files\n"


def listed(root: Path = ROOT) -> str:
    """Return the list as Markdown: a paragraph for each folder, a line for each module."""
    found = [*(root / "w2s_factory").rglob("*.py"), *(root / "scripts").rglob("*.py")]
    modules = sorted(found, key=lambda path: (path.parts[-2] == "scripts", path.parent, path.name))
    lines: list[str] = []
    folder = None
    for path in modules:
        if path.parent != folder:
            folder = path.parent
            lines += ["", f"**{folder.relative_to(root).as_posix()}/**"]
        if path.name != "__init__.py" or defines(path):
            lines.append(f"- `{path.name}`: {first_line(path)}")
    return "\n".join(lines[1:]) + "\n"


def defines(path: Path) -> bool:
    """Return whether a module defines a function or class, and does not only import names."""
    tree = ast.parse(path.read_text("utf-8"))
    return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body)


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def with_list(text: str, listing: str) -> str:
    """Return the map with its section on files replaced; the section ends at the next heading."""
    before, heading, after = text.partition(HEADING)
    if not heading:
        raise SystemExit(f"{MAP}: no section {HEADING.strip()!r}")
    introduction = after.lstrip("\n").partition("\n")[0]
    rest = after[after.index("\n## ") :] if "\n## " in after else ""
    return f"{before}{heading}{introduction}\n\n{listing}{rest}"


if __name__ == "__main__":
    MAP.write_text(with_list(MAP.read_text("utf-8"), listed()), "utf-8")
