"""Tags of HTML, MathML and JATS, and mathematics between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.masking.dollars import PROSE_RUN, Span

_FIRST = (
    "html|head|body|table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col|sup|sub|p|br|hr|img|a|b|i|u|s|q|em|"
    "strong|span|div|ul|ol|li|dl|dt|dd|h[1-6]|code|pre|kbd|samp|var|script|style|font|center|small|big|tt|del|"
    "ins|mark|cite|abbr|figure|figcaption|blockquote|details|summary|section|article|header|footer|nav|main|"
    "iframe|input|button|form|label|select|option|textarea|link|meta|title|object|embed|audio|video|source|"
    "canvas|svg|path|math|mrow|mi|mo|mn|msub|msup|mfrac|ruby|rt|rp"
)
"""Names that the first masking knows."""
_NAMES = _FIRST + (
    "|msubsup|msqrt|mroot|mtext|mspace|mover|munder|munderover|mtable|mtr|mtd|mfenced|menclose|mstyle|mpadded|"
    "mphantom|mmultiscripts|mprescripts|semantics|annotation|annotation-xml|"
    "italic|bold|sc|sec|xref|ext-link|monospace|underline|overline|roman|sans-serif|strike|styled-content|"
    "named-content|inline-formula|disp-formula|disp-quote|tex-math|alternatives|list|list-item|inline-graphic|"
    "graphic|break|fn|citation|email|uri|abstract|trans-abstract|"
    r"[A-Za-z][\w.-]{0,15}+:[A-Za-z][A-Za-z0-9-]{0,30}+"
)
"""Of HTML, MathML and JATS, and any with a prefix."""
_ATTRIBUTES = r"(?:\s{1,20}+[\w:.-]{1,40}+\s{0,3}+=[^<>]{0,4000}+)?\s{0,20}+/?"
_OTHERS = r"|!--[^<>]{0,4000}+-->|!DOCTYPE[^<>]{0,200}+>"
LONG_PROSE = rare_pattern(rf"(?:{PROSE_RUN.pattern[:-1]}){{7}}")
"""A clause in a script in which no mathematics is written."""
_MATH = rare_pattern(
    r"<(/?)((?:[A-Za-z][\w.-]{0,15}+:)?(?:math|tex-math|inline-formula|disp-formula))(?:\s[^<>]{0,4000}+)?>",
    re.IGNORECASE,
)


@cache
def _pattern(names: str) -> re.Pattern[str]:
    return re.compile(rf"<(?=[/!A-Za-z])(?:/?(?:{names}){_ATTRIBUTES}>{_OTHERS})", re.IGNORECASE)


def first_tags(text: str) -> Iterator[Span]:
    """Those that the first masking knows."""
    return (match.span() for match in _pattern(_FIRST).finditer(text))


def tags(text: str) -> Iterator[Span]:
    return (match.span() for match in _pattern(_NAMES).finditer(text))


def elements(text: str) -> Iterator[Span]:
    """MathML and LaTeX in JATS, each from its outermost tag to the last, unless a sentence is in it."""
    opened: tuple[str, int] | None = None
    for match in _MATH.finditer(text):
        name = match[2].lower()
        if not match[1]:
            if opened is None and not match[0].endswith("/>"):
                opened = name, match.start()
        elif opened is not None and opened[0] == name:
            if not LONG_PROSE.search(text, opened[1], match.end()):
                yield opened[1], match.end()
            opened = None
