"""Text from outside (ids, reasons, models' and providers' words) made safe to show."""

from __future__ import annotations

import re

_LONGEST = 300
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Control characters, separators, marks that are not seen or turn the direction of writing."""
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>()#+!|~&$@]")


def plain(text: str) -> str:
    """One line without control characters (they are shown as ``\\x1b``), cut off at 300 characters."""
    shown = _UNSEEN.sub(_code, text[: _LONGEST + 1].replace("\r\n", " ").replace("\n", " "))
    return shown if len(text) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def markdown(text: str) -> str:
    """The same as text of a Markdown table cell: no markup, HTML, link, mention or formula of its own."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", plain(text)).replace("://", ":&#47;&#47;")


def _code(found: re.Match[str]) -> str:
    point = ord(found[0])
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
