"""HTML and JATS in a record of a catalogue, read as the text it means; of a text that somebody prepared the
entities alone, since its tags go through the translation as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5

from handlers.rare_pattern import rare_pattern

_ENTITY = re.compile(r"&(?:#(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}))|([A-Za-z][A-Za-z0-9]{1,31}));")
_ATTRIBUTES = (
    r"(?:\s{1,9}[A-Za-z_:][\w:.-]{0,40}\s{0,9}=\s{0,9}"
    r"(?:\"[^\"<>]{0,1000}\"|'[^'<>]{0,1000}'|[^\s\"'<>=]{1,200})){0,20}\s{0,9}/?"
)
_PREFIX = r"(?:(?:jats|ce|sa|o):)?"
_TAG = rare_pattern(rf"<(/?){_PREFIX}([a-z][a-z0-9-]{{0,16}}){_ATTRIBUTES}>", re.IGNORECASE)
_split = str.split
_BLOCKS = frozenset(
    _split(
        "p br break div section sec title h1 h2 h3 h4 h5 h6 hr ul ol li list list-item dl dt dd table thead"
        " tbody tfoot tr td th caption blockquote disp-quote pre center article abstract trans-abstract para"
        " simple-para abstract-sec section-title html head body main header footer figure figcaption"
    )
)
_FONTS = frozenset(
    _split(
        "i em b strong u span font big small tt code cite mark label s strike italic bold sc a nobr underline"
        " overline monospace roman sans-serif xref ext-link named-content styled-content uri email fn"
        " inter-ref cross-ref small-caps"
    )
)
_PICTURES = frozenset(("inline-graphic", "graphic"))
_BEGIN = re.compile("<[/!?A-Za-z]")
_ENDS = rare_pattern(r"</(?:[a-z]{1,9}:)?([a-z-]{1,16})", re.IGNORECASE)
_COMMENT = rare_pattern(r"<!--[^<>]{0,1000}-->|<\?xml[^<>]{0,200}\?>|<!DOCTYPE[^<>]{0,200}>", re.IGNORECASE)
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_HEADING = rare_pattern(
    rf"^\s{{0,99}}(?:<{_PREFIX}(?:abstract|sec){_ATTRIBUTES}>\s{{0,99}})?<({_PREFIX}title){_ATTRIBUTES}>"
    r"\s{0,99}(?:abstract|summary|résumé|resumen|resumo|zusammenfassung|摘\s{0,3}要|要旨)\s{0,9}[.:：]?\s{0,99}</\1>",
    re.IGNORECASE,
)
"""It says what the field is, and is no part of the text."""
_INDEX = rare_pattern(
    rf"<({_PREFIX})(su[bp]|inf){_ATTRIBUTES}>\s{{0,9}}([^<>]{{1,200}}?)\s{{0,9}}</\1\2>", re.IGNORECASE
)
_MATH_TAG = rare_pattern(
    r"<(/?)((?:[A-Za-z][A-Za-z0-9]{0,15}:)?(?:math|tex-math|inline-formula|disp-formula|formula))(?:\s[^<>]{0,1000})?>",
    re.IGNORECASE,
)
_DOLLARS = re.compile(r"(\$[^$\n]{1,400}\$)")
_BLANKS = re.compile(r"[ \t\r\n]+")
_DIGITS = "0123456789+-−=()n"
_RAISED = dict(zip(_DIGITS, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ", strict=True))
_LOWERED = dict(zip(_DIGITS, "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₙ", strict=True))
_LAYERS = 3
"""How often a text may have been escaped."""
_BROKEN = "\x00"
"""Where a block begins or ends, for line breaks of the markup itself mean a blank."""
_BREAKS = re.compile(f"[ {_BROKEN}]*{_BROKEN}[ {_BROKEN}]*")


def html_as_text(text: str) -> str:
    """Entities as characters, however often they were escaped; tags of blocks as a line break, of fonts as
    nothing; raised and lowered numbers as the characters for them. MathML and elements of formulas stay to
    the byte, formulas in dollars keep all but entities; what is no tag of HTML or JATS, or never ends, as in
    ``a<b>c``, stays."""
    for _ in range(_LAYERS):
        if "&" not in text and not ("<" in text and _BEGIN.search(text)):
            break
        before = text
        text = _read_once(text)
        if text == before:
            break
    return text


def entities_as_characters(text: str) -> str:
    """However often they were escaped, outside of MathML and elements of formulas. A text in which tags are
    escaped stays as it is: nobody knows whether they are markup or words."""
    for _ in range(_LAYERS):
        if "&" not in text:
            break
        pieces = _pieces(text) if _BEGIN.search(text) else [(text, False)]
        read = "".join(piece if is_math else _ENTITY.sub(_character, piece) for piece, is_math in pieces)
        if read == text or len(_BEGIN.findall(read)) > len(_BEGIN.findall(text)):
            break
        text = read
    return text


def _read_once(text: str) -> str:
    if not _BEGIN.search(text):
        return _ENTITY.sub(_character, text)
    pieces = list(_pieces(_HEADING.sub("", text.replace(_BROKEN, ""), count=1)))
    has_blocks = any(_has_blocks(piece) for piece, is_math in pieces if not is_math)
    text = "".join(piece if is_math else _read_piece(piece, has_blocks) for piece, is_math in pieces)
    return _BREAKS.sub("\n", text) if has_blocks else text


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """(text, whether it is an element of a formula, from its outermost tag to the last)."""
    opened: tuple[str, int] | None = None
    at = 0
    for match in _MATH_TAG.finditer(text):
        name = match[2].lower()
        if not match[1]:
            if opened is None or opened[0] == name:
                opened = name, match.start()
        elif opened is not None and opened[0] == name:
            yield text[at : opened[1]], False
            yield text[opened[1] : match.end()], True
            opened, at = None, match.end()
    yield text[at:], False


def _read_piece(text: str, has_blocks: bool) -> str:
    parts = [
        part if part.startswith("$") else _without_tags(part, has_blocks) for part in _DOLLARS.split(text)
    ]
    return _ENTITY.sub(_character, "".join(parts))


def _without_tags(text: str, has_blocks: bool) -> str:
    if has_blocks:
        text = _BLANKS.sub(" ", text)
    text = _CDATA.sub("", _COMMENT.sub(" ", text))
    ended = {name.lower() for name in _ENDS.findall(text)}

    def read(tag: re.Match[str]) -> str:
        name = tag[2].lower()
        if name in _BLOCKS:
            return _BROKEN
        return "" if name in _PICTURES or (name in _FONTS and name in ended) else tag[0]

    return _INDEX.sub(_index, _TAG.sub(read, text))


def _has_blocks(text: str) -> bool:
    return any(tag[2].lower() in _BLOCKS for tag in _TAG.finditer(text))


def _index(found: re.Match[str]) -> str:
    """As characters only where every one has a raised or lowered form; a power must not become a factor."""
    name = "sup" if found[2].lower() == "sup" else "sub"
    forms = _RAISED if name == "sup" else _LOWERED
    if all(char in forms for char in found[3]):
        return "".join(forms[char] for char in found[3])
    return f"<{name}>{found[3]}</{name}>"


def _character(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name:
        return html5.get(f"{name};", found[0])
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if 0x80 <= code < 0xA0:  # as browsers take them: Windows' characters were meant
        return bytes([code]).decode("cp1252", "replace")
    legal = 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000
    return chr(code) if legal else " "
