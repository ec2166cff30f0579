"""HTML in a field that should be plain text, as people's repositories send it, read as the text it means."""

from __future__ import annotations

import re
from html.entities import html5

_ENTITY = re.compile(r"&(?:#(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}))|([A-Za-z][A-Za-z0-9]{1,31}));")
_ATTRIBUTES = (
    r"(?:\s{1,9}[A-Za-z_:][\w:.-]{0,40}\s{0,9}=\s{0,9}"
    r"(?:\"[^\"<>]{0,1000}\"|'[^'<>]{0,1000}'|[^\s\"'<>=]{1,200})){0,20}\s{0,9}/?"
)
_BLOCK = re.compile(
    r"</?(?:jats:)?(?:p|br|div|section|sec|title|h[1-6]|hr|ul|ol|li|list|list-item|dl|dt|dd|table|thead|tbody|tr"
    rf"|t[dh]|blockquote|pre|center|article|abstract){_ATTRIBUTES}>",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"<(/?)(?:jats:)?(i|em|b|strong|u|span|font|big|small|tt|code|cite|mark|label|s|strike|italic|bold|sc|a|nobr"
    rf"|underline|monospace|roman){_ATTRIBUTES}>",
    re.IGNORECASE,
)
_ENDS = re.compile(r"</(?:jats:)?([a-z]{1,9})", re.IGNORECASE)
_COMMENT = re.compile(r"<!--[^<>]{0,1000}-->")
_INDEX = re.compile(
    rf"<(?:jats:)?(su[bp]){_ATTRIBUTES}>\s{{0,9}}([^<>]{{1,12}}?)\s{{0,9}}</(?:jats:)?\1>", re.IGNORECASE
)
_FORMULA = re.compile(r"(\$[^$\n]{1,400}\$)")
_DIGITS = "0123456789+-−=()n"
_RAISED = dict(zip(_DIGITS, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ", strict=True))
_LOWERED = dict(zip(_DIGITS, "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₙ", strict=True))
_LAYERS = 3
"""How often a text may have been escaped."""


def html_as_text(text: str) -> str:
    """Entities as characters, however often they were escaped; tags of blocks as a blank, of fonts as
    nothing; raised and lowered numbers as the characters for them. Formulas keep all but entities; what is
    no tag that HTML has, or never ends, as in ``a<b>c``, stays."""
    for _ in range(_LAYERS):
        before = text
        if "<" in text:
            text = "".join(
                piece if piece.startswith("$") else _without_tags(piece) for piece in _FORMULA.split(text)
            )
        if "&" in text:
            text = _ENTITY.sub(_character, text)
        if text == before:
            break
    return text


def _without_tags(text: str) -> str:
    text = _INDEX.sub(_index, _COMMENT.sub(" ", text))
    ended = {name.lower() for name in _ENDS.findall(text)}
    return _INLINE.sub(lambda tag: "" if tag[2].lower() in ended else tag[0], _BLOCK.sub(" ", text))


def _index(found: re.Match[str]) -> str:
    """Only where every character has a raised or lowered form; a power must not become a factor."""
    forms = _RAISED if found[1].lower() == "sup" else _LOWERED
    if all(char in forms for char in found[2]):
        return "".join(forms[char] for char in found[2])
    return found[0]


def _character(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name:
        return html5.get(f"{name};", found[0])
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    legal = 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000
    return chr(code) if legal else " "
