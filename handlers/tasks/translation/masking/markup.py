"""Constructs other than dollars that masking takes out, each found in one linear pass.

Every pattern is possessive or bounded, and starts at a character that it does not run over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.masking.dollars import PROSE_RUN, Span, is_formula
from handlers.tasks.translation.masking.tags import LONG_PROSE, elements, first_tags, tags


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
_IMAGE = r"!\[[^\[\]\n]{0,1000}+\]\([^()\n]{0,2000}+(?:\([^()\n]{0,2000}+\)[^()\n]{0,2000}+){0,20}+\)"
_ADDRESS = r"[A-Za-z0-9._%+-]{1,64}+@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,8}+"
_mails = _all(r"(?<![A-Za-z0-9_.%+-])" + _ADDRESS)
_first_mails = _all(r"(?<![\w.%+-])" + _ADDRESS)
"""The first masking knows none right after an ideograph."""
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


_ENVIRONMENT = rare_pattern(r"\\(begin|end)\s{0,3}+\{\s{0,3}+([A-Za-z]{1,30}+\*?)\s{0,3}+\}")
_WHOLE = rare_pattern(
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
        if not match[2].isspace() and not LONG_PROSE.search(match[2]) and "\n\n" not in match[2]:
            yield match.span()


_TAGS = Finder(("<",), tags)
_MAILS = Finder(("@",), _mails)
FINDERS = (
    Finder(("⟦", "⟧"), _all("⟦[0-9]{1,9}⟧|[⟦⟧]+")),
    Finder(("\\(", "\\["), _brackets),
    Finder(("\\begin", "\\end"), _environments),
    Finder(("`", "~~~"), _code),
    Finder(("![",), _all(_IMAGE)),
    Finder(("[", "［"), _all(_CITATION)),
    _TAGS,
    Finder(("://", "www.", "WWW.", "10."), _links),
    _MAILS,
    Finder(("\\",), _commands),
    Finder(("</",), elements),
)
_IN_FIRST = {_TAGS: Finder(("<",), first_tags), _MAILS: Finder(("@",), _first_mails)}
FIRST_FINDERS = tuple(_IN_FIRST.get(finder, finder) for finder in FINDERS[:-1])
"""Of the first masking."""

SIGNS = re.compile("|".join(re.escape(sign) for finder in FIRST_FINDERS for sign in finder.signs))
"""Without one of these there is none of the constructs, those of later maskings included."""
