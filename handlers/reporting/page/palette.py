"""Colours by meaning, for light and dark. Text and lines have WCAG AA contrast on their background.

Charts are drawn in the light colours; the page's style sheet maps each to its dark twin by attribute.
"""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "ink": "#1f2328",
    "muted": "#57606a",
    "grid": "#d8dee4",
    "blue": "#0969da",
    "purple": "#8250df",
    "done": "#1a7f37",
    "flagged": "#9a6700",
    "failed": "#cf222e",
    "skipped": "#6e7782",
    "pending": "#848d97",
}
DARK: Final = {
    "ink": "#e6edf3",
    "muted": "#9da7b3",
    "grid": "#30363d",
    "blue": "#58a6ff",
    "purple": "#bc8cff",
    "done": "#3fb950",
    "flagged": "#d9a520",
    "failed": "#ff7b72",
    "skipped": "#8d96a0",
    "pending": "#7d8691",
}
PAPER: Final = {"light": "#ffffff", "dark": "#0d1117"}


def dark_rules(scope: str = "svg") -> str:
    """Style rules that repaint charts: one each for fills and strokes in every colour."""
    return "\n".join(
        f'{scope} [{kind}="{LIGHT[name]}"] {{ {kind}: {DARK[name]} }}'
        for name in LIGHT
        for kind in ("fill", "stroke")
    )


def variables(theme: dict[str, str], background: str) -> str:
    """The palette as custom properties of a style rule."""
    colours = "; ".join(f"--{name}: {colour}" for name, colour in theme.items())
    return f"{colours}; --paper: {background}"
