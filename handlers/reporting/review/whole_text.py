"""A paper's body as HTML: Markdown drawn (headings, lists, tables, emphasis), formulas as MathML, tables of
HTML as tables, images as links.

Bodies and translations are strangers' texts. markdown-it-py only cuts them into tokens, with HTML switched
off; what is written are the elements named here, with every text escaped and every address checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from html import escape
from typing import Any

from handlers.extras import load
from handlers.reporting.page.html import web_address
from handlers.reporting.review.highlighting import Highlighter
from handlers.reporting.review.html_tables import SCROLLED, pieces, table_html
from handlers.reporting.review.mathml import is_formula
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask, unmask

LONGEST = 600_000
"""Characters of a body that is drawn; a longer one is shown as it is."""
_OFF = ("reference", "code", "html_block", "entity")
"""References would take lines out of sight, and indented lines of papers are no code."""
_DEEPEST, _MARGIN = 40, 5
"""What is nested deeper is left out by the parser: a text that comes near it is shown as it is."""
_ELEMENTS = {
    "p": "p", "blockquote": "blockquote", "li": "li", "ul": "ul", "ol": "ol", "table": "table",
    "thead": "thead", "tbody": "tbody", "tr": "tr", "th": "th", "td": "td", "em": "em", "strong": "strong",
    "h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6",
}  # fmt: skip
"""Markdown's element → the page's: a paper's own headings are below the page's."""
_START = re.compile(r"[0-9]{1,9}")
_SIDES = {"text-align:right": "right", "text-align:center": "center"}
_LONGEST_NAME = 40
_LINK = '<a href="{}" rel="noopener noreferrer nofollow external">'


Block = tuple[str, bool]
"""HTML of a heading, a paragraph, a list, a table ..., and whether it is a heading."""


def to_whole_html(text: str, highlighter: Highlighter) -> str:
    """HTML for the inside of a block; findings are marked as in other texts."""
    return "".join(html for html, _ in _blocks(text, highlighter))


def side_by_side(
    source: tuple[str, Highlighter], result: tuple[str, Highlighter]
) -> tuple[tuple[str, str], ...]:
    """Both bodies in rows: block beside block where they have as many of them, section beside section
    elsewhere, and whole beside whole where even the headings differ in number."""
    left, right = (_sections(_blocks(*side)) for side in (source, result))
    if len(left) != len(right):
        return (("".join(map("".join, left)), "".join(map("".join, right))),)
    rows: list[tuple[str, str]] = []
    for one, other in zip(left, right, strict=True):
        rows += zip(one, other, strict=True) if len(one) == len(other) else [("".join(one), "".join(other))]
    return tuple(row for row in rows if any(row))


def _sections(blocks: Iterator[Block]) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for html, is_heading in blocks:
        if is_heading:
            sections.append([])
        sections[-1].append(html)
    return sections


def _blocks(text: str, highlighter: Highlighter) -> Iterator[Block]:
    masked = mask(text)
    if len(text) > LONGEST:
        yield _plain(highlighter.html(masked.text, masked.spans)), False
        return
    writing = _Writing(masked.spans, highlighter)
    for piece, is_table in pieces(_for_markdown(masked.text, masked.spans)):
        if is_table:
            yield table_html(piece, writing.text), False
        else:
            yield from _drawn(piece, writing)


def _drawn(text: str, writing: _Writing) -> Iterator[Block]:
    tokens = _parser().parse(text)
    if max((token.level for token in tokens), default=0) > _DEEPEST - _MARGIN:
        yield _plain(writing.text(text)), False
        return
    first = 0
    for place, token in enumerate(tokens, start=1):
        if token.level == 0 and token.nesting <= 0:
            yield "".join(writing.blocks(tokens[first:place])), token.type == "heading_close"
            first = place


def _plain(html: str) -> str:
    return f'<div class="plain">{html}</div>'


def _for_markdown(text: str, spans: Sequence[str]) -> str:
    """Only formulas stay masked: links, images, tags and code are Markdown's to read."""

    def shown(match: re.Match[str]) -> str:
        span = spans[int(match[1]) - 1]
        return match[0] if is_formula(span) or "⟦" in span else span

    return PLACEHOLDER.sub(shown, text)


@cache
def _parser() -> Any:
    markdown_it = load("markdown_it", extra="report")
    parser = markdown_it.MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable("table")
    return parser.disable(list(_OFF))


class _Writing:
    """Writes the tokens of one body, whose masked spans are numbered from 1."""

    def __init__(self, spans: Sequence[str], highlighter: Highlighter) -> None:
        self._spans = spans
        self._highlighter = highlighter
        self._leaves: dict[str, Callable[[Any], str]] = {
            "softbreak": lambda _: "\n",
            "hardbreak": lambda _: "<br>",
            "hr": lambda _: "<hr>",
            "code_inline": self._code,
            "fence": lambda token: f"<pre>{escape(token.info)}\n{self._code(token)}</pre>",
            "image": self._image,
        }

    def text(self, text: str) -> str:
        return self._highlighter.html(text, self._spans)

    def blocks(self, tokens: Sequence[Any]) -> Iterator[str]:
        for token in tokens:
            if token.type == "inline":
                yield from self._inline(token.children or ())
            elif token.hidden:  # the paragraph of a tight list's item
                yield "" if token.nesting > 0 else "\n"
            else:
                yield self._element(token) if token.nesting else self._leaf(token)

    def _inline(self, tokens: Sequence[Any]) -> Iterator[str]:
        is_linked = False
        for token in tokens:
            if token.type == "link_open":
                address = web_address(token.attrGet("href"))
                is_linked = address is not None
                yield _LINK.format(escape(address)) if address is not None else ""
            elif token.type == "link_close":
                yield "</a>" if is_linked else ""
            else:
                yield self._element(token) if token.nesting else self._leaf(token)

    def _leaf(self, token: Any) -> str:
        write = self._leaves.get(token.type)
        return write(token) if write is not None else self.text(token.content)

    def _element(self, token: Any) -> str:
        name = _ELEMENTS.get(token.tag)
        if name is None:
            return ""
        if token.nesting < 0:
            return f"</{name}></div>" if name == "table" else f"</{name}>"
        start, side = str(token.attrGet("start") or ""), _SIDES.get(str(token.attrGet("style") or ""))
        told = f' start="{start}"' if name == "ol" and _START.fullmatch(start) else ""
        told += f' class="{side}"' if side else ""
        return f"{SCROLLED}<{name}>" if name == "table" else f"<{name}{told}>"

    def _code(self, token: Any) -> str:
        return f"<code>{escape(unmask(token.content, self._spans))}</code>"

    def _image(self, token: Any) -> str:
        """No picture is loaded: a link where it lies on the web, its place otherwise."""
        source = str(token.attrGet("src") or "")
        address = web_address(source)
        name = self.text(token.content) if token.content else escape(_short(source))
        if address is not None:
            return f"{_LINK.format(escape(address))}Image: {name}</a>"
        place = f" ({escape(_short(source))})" if token.content and source else ""
        return f'<span class="image" title="{escape(source)}">Image: {name}{place}</span>'


def _short(place: str) -> str:
    """Names of pictures are often digests."""
    return place if len(place) <= _LONGEST_NAME else f"{place[:16]}…{place[-12:]}"
