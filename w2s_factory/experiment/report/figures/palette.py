"""The colours of page and figures in the light and the dark mode."""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "paper": "#ffffff",
    "panel": "#f5f7fa",
    "line": "#d5dbe3",
    "ink": "#1b222c",
    "soft": "#55606f",
    "blue": "#1d5fc4",
    "orange": "#a85400",
    "green": "#17764a",
    "purple": "#7a3cb8",
    "red": "#b9302a",
    "teal": "#0d7280",
}
"""The colours of the light mode. Figures are drawn in these; then each is replaced by its CSS variable."""

DARK: Final = {
    "paper": "#11151b",
    "panel": "#1a2029",
    "line": "#36404d",
    "ink": "#e7ecf2",
    "soft": "#a4b0bf",
    "blue": "#7fb2ff",
    "orange": "#f5a860",
    "green": "#62cf9b",
    "purple": "#c8a2ff",
    "red": "#ff938a",
    "teal": "#5fcbd9",
}
"""The colours of the dark mode, by the same names."""


def variables(colours: dict[str, str]) -> str:
    """Return colours as CSS variables: `--ink:#1b222c;...`."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def style(selector: str) -> str:
    """Return a style sheet that gives a selector the colours of the reader's mode."""
    dark = f"@media (prefers-color-scheme:dark){{{selector}{{{variables(DARK)}}}}}"
    return f"{selector}{{{variables(LIGHT)}}}{dark}"


def as_variables(text: str) -> str:
    """Return an SVG text with each colour replaced by its CSS variable."""
    for name, value in LIGHT.items():
        text = text.replace(value, f"var(--{name})")
    return text
