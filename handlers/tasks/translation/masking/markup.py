"""Constructs other than dollars that masking takes out, each found in one linear pass.

Every pattern is possessive or bounded, and starts at a character that it does not run over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handlers.tasks.translation.masking.dollars import PROSE_RUN, Span, is_formula


@dataclass(frozen=True)
class Finder:
    """``spans`` is asked only if one of ``signs`` occurs in the text."""

    signs: tuple[str, ...]
    spans: Callable[[str], Iterator[Span]]


def _all(pattern: str, flags: int = 0) -> Callable[[str], Iterator[Span]]:
    compiled = re.compile(pattern, flags)

    def spans(text: str) -> Iterator[Span]:
        return (match.span() for match in compiled.finditer(text))

    return spans


_NUMBERS = r"\s{0,3}\d{1,4}[a-z]?(?:\s{0,3}[-–—−~～,，、;；]\s{0,3}\d{1,4}[a-z]?){0,200}+\s{0,3}"
_CITATION = rf"\[{_NUMBERS}\]|［{_NUMBERS}］"
_LONG_PROSE = re.compile(rf"(?:{PROSE_RUN.pattern[:-1]}){{7}}")
_IMAGE = r"!\[[^\[\]\n]{0,1000}+\]\([^()\n]{0,2000}+(?:\([^()\n]{0,2000}+\)[^()\n]{0,2000}+){0,20}+\)"
_MAIL = r"(?<![A-Za-z0-9_.%+-])[A-Za-z0-9._%+-]{1,64}+@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,8}+"
_NAMES = (
    "html|head|body|table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col|sup|sub|p|br|hr|img|a|b|i|u|s|q|em|"
    "strong|span|div|ul|ol|li|dl|dt|dd|h[1-6]|code|pre|kbd|samp|var|script|style|font|center|small|big|tt|del|"
    "ins|mark|cite|abbr|figure|figcaption|blockquote|details|summary|section|article|header|footer|nav|main|"
    "iframe|input|button|form|label|select|option|textarea|link|meta|title|object|embed|audio|video|source|"
    "canvas|svg|path|math|mrow|mi|mo|mn|msub|msup|mfrac|ruby|rt|rp|"
    "msubsup|msqrt|mroot|mtext|mspace|mover|munder|munderover|mtable|mtr|mtd|mfenced|menclose|mstyle|mpadded|"
    "mphantom|mmultiscripts|mprescripts|semantics|annotation|annotation-xml|"
    "italic|bold|sc|sec|xref|ext-link|monospace|underline|overline|roman|sans-serif|strike|styled-content|"
    "named-content|inline-formula|disp-formula|disp-quote|tex-math|alternatives|list|list-item|inline-graphic|"
    "graphic|break|fn|citation|email|uri|abstract|trans-abstract|"
    r"[A-Za-z][A-Za-z0-9]{0,15}+:[A-Za-z][A-Za-z0-9-]{0,30}+"
)
"""HTML, MathML, JATS, and any name with a prefix."""
_TAG = (
    r"<(?=[/!A-Za-z])(?:"
    rf"/?(?:{_NAMES})(?:\s{{1,20}}+[\w:.-]{{1,40}}+\s{{0,3}}+=[^<>]{{0,4000}}+)?\s{{0,20}}+/?>"
    r"|!--[^<>]{0,4000}+-->|!DOCTYPE[^<>]{0,200}+>)"
)

_MATH = re.compile(
    r"<(/?)((?:[A-Za-z][A-Za-z0-9]{0,15}+:)?(?:math|tex-math|inline-formula|disp-formula))"
    r"(?:\s[^<>]{0,4000}+)?>",
    re.IGNORECASE,
)


def _elements(text: str) -> Iterator[Span]:
    """MathML and LaTeX in JATS, each from its outermost tag to the last, unless a sentence is in it."""
    opened: tuple[str, int] | None = None
    for match in _MATH.finditer(text):
        name = match[2].lower()
        if not match[1]:
            if opened is None and not match[0].endswith("/>"):
                opened = name, match.start()
        elif opened is not None and opened[0] == name:
            if not _LONG_PROSE.search(text, opened[1], match.end()):
                yield opened[1], match.end()
            opened = None


_LINK = re.compile(
    r"(?:https?|ftp)://[\w\-.~:/?#\[\]@!&'()*+,;=%]++|(?<![\w.])www\.[\w\-.~:/?#\[\]@!&'()*+,;=%]++"
    r"|(?<![\w.])(?:doi:\s{0,3}+)?10\.\d{4,9}+/[\w\-.;()/:]++",
    re.ASCII | re.IGNORECASE,
)


def _links(text: str) -> Iterator[Span]:
    """URLs and DOIs without the sentence's punctuation after them."""
    for match in _LINK.finditer(text):
        start, end = match.span()
        while end > start + 1 and (text[end - 1] in ".,;:!?'[" or _closes_alone(text, start, end)):
            end -= 1
        yield start, end


def _closes_alone(text: str, start: int, end: int) -> bool:
    pair = {")": "(", "]": "["}.get(text[end - 1])
    # Only the last stretch is counted, so that a megabyte of brackets stays linear.
    window = text[max(start, end - 300) : end]
    return pair is not None and window.count(pair) < window.count(text[end - 1])


_BRACKET = re.compile(r"\\[()\[\]]|\\\\")


def _brackets(text: str) -> Iterator[Span]:
    """`\\(...\\)` and `\\[...\\]`, unless prose or another opener stands between."""
    opener: tuple[str, int] | None = None
    for match in _BRACKET.finditer(text):
        mark = match[0]
        if mark in ("\\(", "\\["):
            opener = (mark, match.start())
        elif opener is not None and opener[0] + mark in ("\\(\\)", "\\[\\]"):
            if is_formula(text[opener[1] + 2 : match.start()]):
                yield opener[1], match.end()
            opener = None


_ENVIRONMENT = re.compile(r"\\(begin|end)\s{0,3}+\{\s{0,3}+([A-Za-z]{1,30}+\*?)\s{0,3}+\}")
_WHOLE = re.compile(
    r"(?:equation|eqnarray|align|aligned|alignat|flalign|gather|gathered|multline|split|d?cases|array|"
    r"[pbvVB]?matrix|smallmatrix|subequations|math|displaymath|tikzpicture|verbatim|lstlisting|minted|"
    r"algorithmic|tabularx?|longtable)\*?"
)
"""Environments that are masked whatever they hold; others only if no prose is in them."""


def _environments(text: str) -> Iterator[Span]:
    """`\\begin{x}...\\end{x}` with what is nested in it; the marks alone where prose is inside."""
    open_marks: list[tuple[str, int]] = []
    opened: dict[str, int] = {}
    for match in _ENVIRONMENT.finditer(text):
        yield match.span()
        name = match[2]
        if match[1] == "begin":
            open_marks.append((name, match.start()))
            opened[name] = opened.get(name, 0) + 1
        elif opened.get(name):
            start = _unwind(open_marks, opened, name)
            if _WHOLE.fullmatch(name) or _short_and_no_prose(text, start, match.end()):
                yield start, match.end()


def _unwind(open_marks: list[tuple[str, int]], opened: dict[str, int], name: str) -> int:
    """Position of the innermost open `\\begin` of that name; those inside it were never closed."""
    while True:
        top, start = open_marks.pop()
        opened[top] -= 1
        if top == name:
            return start


def _short_and_no_prose(text: str, start: int, end: int) -> bool:
    # Nested environments are looked at once each per level, so the length is bounded.
    return end - start < 4000 and not PROSE_RUN.search(text, start, end)


_ARGUMENT = (
    r"\{[^{}]{0,2000}+(?:\{[^{}]{0,500}+(?:\{[^{}]{0,200}+\}[^{}]{0,200}+){0,50}+\}[^{}]{0,500}+){0,100}+\}"
)
_COMMAND = re.compile(
    rf"\\[A-Za-z]{{1,40}}+\*?(?:\s?\[[^\[\]{{}}$]{{0,200}}+\]){{0,2}}+(?:\s?(?:[_^]\s?)?+{_ARGUMENT}){{0,20}}+"
)
_BARE_COMMAND = re.compile(r"\\[A-Za-z]{1,40}+\*?")


def _commands(text: str) -> Iterator[Span]:
    """LaTeX commands with their arguments (`\\cite{a,b}`), the bare name if prose is in them."""
    for match in _COMMAND.finditer(text):
        start, end = match.span()
        if text[end - 1] in "}]" and PROSE_RUN.search(text, start, end):
            bare = _BARE_COMMAND.match(text, match.start())
            yield bare.span() if bare else (start, end)
        else:
            yield start, end


_INLINE_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)([^`]{1,1000}+)\1(?!`)")
_FENCE = re.compile(r"^ {0,3}+(```|~~~)[^\n]*+$", re.MULTILINE)


def _code(text: str) -> Iterator[Span]:
    """Fenced blocks, and code between backticks unless prose stands there."""
    opener: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opener is None:
            opener = fence
        elif fence[1] == opener[1]:
            yield opener.start(), fence.end()
            opener = None
    for match in _INLINE_CODE.finditer(text):
        if not match[2].isspace() and not _LONG_PROSE.search(match[2]) and "\n\n" not in match[2]:
            yield match.span()


FINDERS = (
    Finder(("⟦", "⟧"), _all("⟦[0-9]{1,9}⟧|[⟦⟧]+")),
    Finder(("\\(", "\\["), _brackets),
    Finder(("\\begin", "\\end"), _environments),
    Finder(("`", "~~~"), _code),
    Finder(("![",), _all(_IMAGE)),
    Finder(("[", "［"), _all(_CITATION)),
    Finder(("<",), _all(_TAG, re.IGNORECASE)),
    Finder(("</",), _elements),
    Finder(("://", "www.", "WWW.", "10."), _links),
    Finder(("@",), _all(_MAIL)),
    Finder(("\\",), _commands),
)

SIGNS = re.compile("|".join(re.escape(sign) for finder in FINDERS for sign in finder.signs))
"""Without one of these there is none of the constructs."""
