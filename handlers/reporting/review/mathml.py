"""Formulas as MathML. A formula is a stranger's text: whatever the converter makes of it, only known
elements and attributes with harmless values are written, and every character of text is escaped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import Any

from handlers.extras import load

LONGEST = 2_000
"""Characters of a formula that is still converted."""
_LARGEST, _DEEPEST = 4_000, 60
_ELEMENTS = re.compile(
    r"math|mrow|mi|mn|mo|mtext|ms|mspace|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover"
    r"|mtable|mtr|mtd|mlabeledtr|mstyle|mpadded|mphantom|menclose"
)
_ATTRIBUTES = re.compile(
    r"display|displaystyle|mathvariant|stretchy|fence|separator|form|[lr]space|minsize|maxsize|movablelimits"
    r"|accent|accentunder|linethickness|columnalign|rowalign|columnspacing|rowspacing|columnlines|rowlines"
    r"|scriptlevel|width|height|depth|voffset|notation|largeop|symmetric"
)
_HARMLESS = re.compile(r"[A-Za-z0-9 .%+-]{0,60}")
_PAIRS = (("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)"), ("$", "$"))
_EQUATION = re.compile(r"\\(?:begin|end)\s*+\{\s*+(?:equation|math|displaymath)\*?\s*+\}")
_TAG = re.compile(r"\\tag\s{0,4}+\*?\s{0,4}+\{([^{}]{0,40}+)\}")
_SILENT = re.compile(
    r"\\(?:label\s{0,4}+\{[^{}]{0,100}+\}|(?:nonumber|notag|tiny|scriptsize|footnotesize|small|normalsize"
    r"|large|Large|em|sffamily|rmfamily)(?![A-Za-z]))"
)
_LAST = re.compile(r"(?<!\\)((?:\\\\)*)\\\s{0,9}\Z")
"""A space with its backslash before the closing dollar, as text recognition writes it."""
_COMMAND = re.compile(r"\\[A-Za-z]")
_SIGN = re.compile(r"\\([$%&#_{}])")
_DOLLAR = re.compile(r"\\.|(\$)", re.DOTALL)
_CIRCLED = re.compile(r"\\textcircled\s{0,4}+\{\s{0,4}+(1?[0-9])\s{0,4}+\}")
_CIRCLES = "⓪①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲"
_SYMBOLS = {
    "textmu": "µ", "textdegree": "°", "degree": "°", "celsius": "℃", "AA": "Å", "textohm": "Ω",
    "textperthousand": "‰", "permil": "‰", "Alpha": "Α", "Beta": "Β", "Nu": "Ν", "Mu": "Μ", "Tau": "Τ",
    "textsc": r"\text", "bigstar": "★", "textregistered": "®",
}  # fmt: skip
"""What texts use and the converter does not know."""
_SYMBOL = re.compile(rf"\\({'|'.join(_SYMBOLS)})(?![A-Za-z])")
_PERCENT = re.compile(r"\\.|%", re.DOTALL)
_MIDDLE = re.compile(r"\\(left|middle|right)\s{0,4}+([\[\]])")
_BRACKETS = {"[": r"\lbrack ", "]": r"\rbrack "}
_ESCAPED = {r"\{": "{", r"\}": "}", r"\|": "‖", r"\Vert": "‖", r"\vert": "|", r"\backslash": "\\",
            "⧵": "∖"}  # fmt: skip
"""What the converter leaves of delimiters after ``\big`` and its like, and a sign that few fonts have."""
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_ARITY = {
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3,
}  # fmt: skip
_DIGITS = re.compile(r"(?<=[0-9.]) (?=[0-9.])")
"""Spaces that text recognition put between the digits of one number."""


def is_formula(span: str) -> bool:
    """Whether a masked span is mathematics, by its delimiters."""
    return span.startswith((r"\(", r"\[")) or (
        len(span) > 2 and (span[0] == span[-1] == "$" or span.startswith(r"\begin"))
    )


@lru_cache(maxsize=4096)
def to_mathml(span: str) -> str | None:
    """``<math>`` for a formula with its delimiters; None if it cannot be converted faithfully."""
    body, display = _body(span)
    if len(body) > LONGEST or not body.strip() or not _is_balanced(body):
        return None
    if "$" in body and any(found[1] for found in _DOLLAR.finditer(body)):
        return None  # several formulas, with prose between them
    if "\n" in body and any(found[0] == "%" for found in _PERCENT.finditer(body)):
        return None  # a comment, and who knows how far the text of it goes
    converter = load("latex2mathml.converter", extra="report")
    try:
        root = converter.convert_to_element(body, display="block" if display else "inline")
        written = _Writer(is_aligned="&" in body.replace(r"\&", "")).element(root, 0)
    except Exception:  # noqa: BLE001 - the converter answers broken formulas with errors of every kind
        return None
    return "".join(written)


def _body(span: str) -> tuple[str, bool]:
    """(formula without delimiters, whether it stands on a line of its own)."""
    text = span.strip()
    display = not text.startswith(("$", r"\(")) or text.startswith("$$")
    for opener, closer in _PAIRS:
        if text.startswith(opener) and text.endswith(closer) and len(text) >= len(opener) + len(closer):
            text = text[len(opener) : len(text) - len(closer)]
            break
    text = _LAST.sub(r"\1", text)
    text = _CIRCLED.sub(lambda found: _CIRCLES[int(found[1])], text)
    text = _SYMBOL.sub(lambda found: _SYMBOLS[found[1]], text)
    if "%" in text and "\n" not in text:
        text = _PERCENT.sub(lambda found: r"\%" if found[0] == "%" else found[0], text)
    text = _MIDDLE.sub(lambda found: f"\\{found[1]}{_BRACKETS[found[2]]}", text)
    text = _TAG.sub(r"\\quad (\1)", _EQUATION.sub("", text))
    return _DIGITS.sub("", _SILENT.sub("", text)), display


def _is_balanced(body: str) -> bool:
    """Whether its braces are: the converter passes over what never ends."""
    depth = 0
    for found in _BRACES.finditer(body):
        depth += (found[0] == "{") - (found[0] == "}")
        if depth < 0:
            return False
    return depth == 0


class _UnfaithfulError(ValueError):
    """Something that would be shown wrong: the source is shown in its place."""


class _Writer:
    """The converter's tree as text; refuses what is unknown, too large or too deep."""

    def __init__(self, *, is_aligned: bool) -> None:
        self._count = 0
        self._is_aligned = is_aligned

    def element(self, element: Any, depth: int) -> list[str]:
        self._count += 1
        if not _ELEMENTS.fullmatch(element.tag) or self._count > _LARGEST or depth > _DEEPEST:
            raise _UnfaithfulError(element.tag)
        text = unescape(element.text or "")
        text = _ESCAPED.get(text, text)
        if "&#x" in text or len(element) != _ARITY.get(element.tag, len(element)):
            raise _UnfaithfulError(text or element.tag)
        if text == "&" and self._is_aligned:  # a place of alignment, drawn as if it were text
            raise _UnfaithfulError(text)
        if "\\" in text and element.tag != "mtext" and len(text) > 1:  # a command that it does not know
            raise _UnfaithfulError(text)
        if element.tag == "mtext":
            if _COMMAND.search(text):
                raise _UnfaithfulError(text)
            text = _SIGN.sub(r"\1", text)
        inner = [escape(text)]
        for child in element:
            inner += self.element(child, depth + 1)
        attributes = element.attrib.items()
        kept = [f' {name}="{value}"' for name, value in attributes if _is_harmless(name, value)]
        return [f"<{element.tag}{''.join(kept)}>", *inner, f"</{element.tag}>"]


def _is_harmless(name: str, value: str) -> bool:
    return bool(_ATTRIBUTES.fullmatch(name) and _HARMLESS.fullmatch(value))
