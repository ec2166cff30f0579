"""Text from outside (ids, reasons, models' and providers' words) made safe to show."""

from __future__ import annotations

import re
from unicodedata import category

_LONGEST = 450
"""The longest of this project's own reasons, which ends with the command to give, and a long id in it."""
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode categories of what is not seen: controls, marks that turn the direction of writing, separators."""
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#~&$]")


def plain(text: str) -> str:
    """One line without control characters (they are shown as ``\\x1b``), cut off at 450 characters."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(_code(char) if category(char) in _UNSEEN else char for char in cut.replace("\n", " "))


def markdown(text: str) -> str:
    """The same as text of a Markdown table cell: no markup, HTML, link or formula of its own."""
    escaped = _MARKDOWN.sub(lambda found: f"\\{found[0]}", plain(text))
    return escaped.replace("|", "&#124;").replace("://", ":\\/\\/")


def _code(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
