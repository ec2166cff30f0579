"""Which blocks are entries of a bibliography. A rule that keeps must be sure: what it leaves out is sent,
which costs a little and harms nothing."""

from __future__ import annotations

import re

_NAME = (
    r"(?:(?:主要|附)?(?:中文|英文)?(?:参考文献|引用文献|参考资料|文\s{0,3}献|参考书目|書目|書誌|参考資料|引用・参考文献)"
    r"|(?:selected\s|main\s|cited\s)?(?:references?|bibliography|literature(?:\scited)?|works\scited)"
    r"|литература|список\s(?:использованной\s)?литературы|참고\s?문헌)"
)
_HEADING = re.compile(
    rf"[\d.\s\[［【（(]*{_NAME}"
    r"(?:\s|[（(\[/]|references?|[)）\]］】:：.。])*",
    re.IGNORECASE,
)
_HEADED = re.compile(
    rf"(?:\A|[。.!！?？]\s{{0,9}}+)({_NAME}[:：)）】\]]{{0,3}}+)\s{{0,9}}+[\[［【]\s?1\s?[\]］】]",
    re.IGNORECASE,
)
_TAIL = re.compile(r"[。.!！?？；;]\s*+([^。.!！?？；;]{0,40}+)\Z")
_ITEM = re.compile(r"\W{0,3}(?:[\[［【(（]\s{0,3}\d{1,4}|\d{1,4}\s{0,3}[.．、)）\]］】])")
_PUBLISHED = re.compile(
    r"[\[［]\s{0,3}(?:[JMDCPSRNZGAK]|EB|DB|CP)\s{0,3}(?:/\s{0,3}OL)?\s{0,3}[\]］]"
    r"|(?<![A-Za-z])(?:doi|et\s?al|vol|pp|eds?|proc|arxiv|isbn|press|journal)\b|出版社|学报|大学[,，]",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\d.A-Za-z])(?:1[89]|20)\d\d(?!\d|\s{0,3}[年.]\d?[%％年])(?!年)")
_PROSE = re.compile(
    r"本文|本研究|我们|笔者|资助|简介|收稿|通[讯信]作者|因此|所以|如图|如表|见[图表]|由[图表]|本論文|我々|"
    r"\b(?:we|is|are|was|were|has|have|this|these|our|they)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[。！？](?=\s|\Z|[^\s\[［])")
_NUMBERED = re.compile(r"[\[［]\d{1,4}[\]］]")
_LONGEST = 1_500
"""Characters of one entry; what is longer for each number in it is looked at as prose."""


def is_references_heading(text: str) -> bool:
    """Whether a heading, or a line by itself, says that a bibliography begins."""
    return len(text) < 60 and _HEADING.fullmatch(text.strip("*_ \t")) is not None


def heading_within(line: str) -> tuple[int, int] | None:
    """Place of a bibliography's heading straight before its first entry, at the beginning of a line or behind
    a sentence's end."""
    found = _HEADED.search(line) if "1" in line else None
    return found.span(1) if found else None


def ends_in_references_heading(text: str) -> bool:
    """Whether the last words of a paragraph are the heading of what follows."""
    tail = _TAIL.search(text, max(0, len(text) - 60))
    return tail is not None and is_references_heading(tail[1])


def is_reference(text: str, *, listed: bool) -> bool:
    """Whether a block is an entry. ``listed``: it stands under a bibliography's heading. There two of three
    signs are enough (an item's number, a mark of a publication, a year), of which the number alone is none;
    elsewhere it takes all three. What has two sentences or speaks as a paper does is no entry."""
    if len(text) > _LONGEST and len(text) > _LONGEST * len(_NUMBERED.findall(text)):
        return False
    signs = (
        _ITEM.match(text) is not None,
        _PUBLISHED.search(text) is not None,
        _YEAR.search(text) is not None,
    )
    if sum(signs) < (2 if listed else 3):
        return False
    return len(_SENTENCE.findall(text)) < 2 and len(_PROSE.findall(text)) < 2
