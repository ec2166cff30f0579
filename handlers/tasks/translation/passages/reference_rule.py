"""Which blocks are entries of a bibliography. A rule that keeps must be sure: what it leaves out is sent,
which costs a little and harms nothing."""

from __future__ import annotations

import re

_HAN_NAME = (
    r"(?:主要|附)?(?:中文|英文|外文)?(?:参考文献|參考文獻|引用文献|引用文獻|参考资料|參考資料|参考資料|参考书目|參考書目|書目|書誌"
    r"|引用・参考文献|文献|文獻|(?:注释|註釋)[与及和與]参考文献)(?:[与及和與](?:注释|註釋)|一[覧览]|目[录錄])?"
)
_NAME = (
    "(?:"
    + _HAN_NAME.replace("文献", r"文\s{0,3}献")
    .replace("参考", r"参\s{0,3}考")
    .replace("考文", r"考\s{0,3}文")
    + r"|(?:selected\s|main\s|cited\s|list\sof\s)?(?:references?|bibliography|literature)(?:\scited|\slist)?"
    r"(?:\s(?:and|&)\s(?:notes|further\sreading))?|works\scited|further\sreading"
    r"|(?:literatur|quellen)(?:verzeichnis|nachweise?|angaben)|literatur(?:\sund\squellen)?|literatuur(?:lijst)?"
    r"|r[ée]f[ée]rences(?:\sbibliographiques|\scitées)?|bibliographie"
    r"|refer[eê]nci?as(?:\sbibliogr[aá]ficas)?|bibliograf[ií]a|riferimenti(?:\sbibliografici)?"
    r"|(?:использованная\s|цитируемая\s)?литература|библиографи(?:я|ческий\sсписок)"
    r"|список\s(?:использованн(?:ой|ых)\s|цитируемой\s)?(?:литературы|источников)(?:\sи\s(?:литературы|источников))?"
    r"|(?:참고|인용)\s?문헌|المراجع)"
)
_HEADING = re.compile(
    rf"[\d.\s\[［【（(]*(?:(?:[IVX]{{1,4}}|[A-Z])[.)]\s{{0,3}}|[一二三四五六七八九十]{{1,3}}[、.．]\s{{0,3}})?{_NAME}"
    r"(?:\s|[（(\[/]|references?|edit|[)）\]］】:：.。])*",
    re.IGNORECASE,
)
_HEADED = re.compile(
    rf"(?:\A|[。.!！?？]\s{{0,9}}+)({_NAME}[:：)）】\]]{{0,3}}+)\s{{0,9}}+[\[［【]\s?1\s?[\]］】]",
    re.IGNORECASE,
)
_FIRST_ITEM = re.compile(r"[\[［【]\s?1\s?[\]］】]")
"""What the pattern above ends in: hardly a line has it."""
_TAIL = re.compile(r"[。.!！?？；;]\s*+([^。.!！?？；;]{0,40}+)\Z")
_ITEM = re.compile(r"\W{0,3}(?:[\[［【(（]\s{0,3}\d{1,4}|\d{1,4}\s{0,3}[.．、)）\]］】])")
_PUBLISHED = re.compile(
    r"[\[［]\s{0,3}(?:[JMDCPSRNZGAK]|EB|DB|CP)\s{0,3}(?:/\s{0,3}OL)?\s{0,3}[\]］]"
    r"|(?<![A-Za-z])(?:doi|et\s?al|vol|pp|eds?|proc|arxiv|isbn|press|journal)\b|出版社|学报|大学[,，]",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\d\s?[(（]\d{1,4}(?:\s?[-–/]\s?\d{1,4})?[)）]\s?[:：,，]\s?[A-Za-z]?\d|(?<![^\W\d_])(?:S|P|С|Т|Vol|Bd)\.\s?\d",
    re.IGNORECASE,
)
"""Volume and number, or page: the mark of a publication where a bibliography is read."""
_AUTHOR = re.compile(r"[^\W\d_][\w'’-]{1,40},?\s{1,3}(?:[^\W\d_]\.[\s-]?){1,4}[,;:(（]?")
# The context is looked up behind the first digit, not before it: so the search runs from digit to digit.
_YEAR = re.compile(
    r"[12](?<![\d.A-Za-z].)(?:(?<=1)[89]|(?<=2)0)\d\d(?!\d|\s{0,3}[年.]\d?[%％年])(?!年)", re.DOTALL
)
_PROSE = re.compile(
    r"本文|本研究|我们|笔者|资助|简介|收稿|通[讯信]作者|因此|所以|如图|如表|见[图表]|由[图表]|本論文|我々|"
    r"\b(?:we|is|are|was|were|has|have|this|these|our|they|wir|ist|sind|wurden?|nous|sont|été|мы|был[аио]?)\b",
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
    found = _HEADED.search(line) if _FIRST_ITEM.search(line) else None
    return found.span(1) if found else None


def ends_in_references_heading(text: str) -> bool:
    """Whether the last words of a paragraph are the heading of what follows."""
    tail = _TAIL.search(text, max(0, len(text) - 60))
    return tail is not None and is_references_heading(tail[1])


def is_reference(text: str, *, listed: bool) -> bool:
    """Whether a block is an entry. ``listed``: it stands under a bibliography's heading. There two of three
    signs are enough (an item's number or an author's name and initials, a mark of a publication, a year);
    elsewhere it takes all three. What has two sentences or speaks as a paper does is no entry."""
    if len(text) > _LONGEST and len(text) > _LONGEST * len(_NUMBERED.findall(text)):
        return False
    begins = _ITEM.match(text) is not None or (listed and _AUTHOR.match(text) is not None)
    if not begins and not listed:  # most blocks: the signs are looked for from the cheapest on
        return False
    dated = _YEAR.search(text) is not None
    if not (begins and dated) and not (listed and (begins or dated)):
        return False
    if not (begins and dated and listed) and not _is_published(text, listed=listed):
        return False
    return len(_SENTENCE.findall(text)) < 2 and len(_PROSE.findall(text)) < 2


def _is_published(text: str, *, listed: bool) -> bool:
    return _PUBLISHED.search(text) is not None or (listed and _PLACE.search(text) is not None)
