"""What a translated text of a body may not bring along: a text is put back where its source stood, and all
structure stands outside of it."""

from __future__ import annotations

import re

from handlers.tasks.translation.masking.masking import PLACEHOLDER

STRUCTURE = "structure"
LENGTH = "length"
"""The gate's check of the same name looks at texts that are long enough to be measured."""

_BREAK = re.compile(r"[\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]+")
_BLANK_LINE = re.compile(r"(?:\r\n?|[\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])[ \t\u3000]{0,200}"
                         r"(?:\r\n?|[\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])")  # fmt: skip
_LEADING = re.compile(r"\s*+(?:#|>|```|~~~|\$\$|\\\[|!\[|<)")
_LIST_MARK = re.compile(
    r"\s*+(?:[-*+•](?=\s)|\[[^\[\]\n]{1,200}\]:|(?:(?:-\s*+){2,}+|=++\s*+|(?:[*_]\s*+){3,}+)\Z)"
)
"""Of a list, a footnote or a link's definition; signs alone draw a rule or end a heading."""
_NUMBERED = re.compile(r"\s*+\d{1,9}[.)]\s")
_ORDINALS = frozenset("甲乙丙丁戊己庚辛壬癸")
_TAG = re.compile(
    r"</?[^\W\d_][\w:.-]{0,60}(?:\s{0,20}/?>|[\s/]{1,20}[\w:.-]{1,60}\s{0,20}=)|<[!?]|"
    r"</?(?:table|thead|tbody|tfoot|tr|td|th|caption|col|colgroup)\b",
    re.IGNORECASE,
)
_OPENED, _OPENS = re.compile(r"<[^\W\d_]|</"), re.compile(r"<\s{0,3}[^\W\d_]|</")
"""Where a tag begins in HTML, closed or not; in a source white space may stand after the sign."""
_IMAGE = re.compile(r"!\[|\]\(")
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_BAR, _TICK = re.compile(r"\|"), re.compile("`")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\ufff9-\ufffb]")
"""Control characters, and what turns round the order in which the rest is read."""
_COUNTED = (
    (("<",), _TAG, _TAG, "markup"),
    (("](", "!["), _IMAGE, _IMAGE, "markup"),
    (("<",), _OPENED, _OPENS, "a sign < (write it in words, or a space after it)"),
    (("://", "www.", "WWW."), _LINK, _LINK, "a link"),
    (("|",), _BAR, _BAR, "a bar"),
    (("`",), _TICK, _TICK, "a backtick"),
)
"""Signs without one of which there is none, what it is in an answer and in a source, and how it is called."""
_NARROW = str.maketrans("＜＞｜！［］（）＃＼：／．｀", "<>|![]()#\\:/.`")


def added_structure(source: str, answer: str) -> str:
    """A sentence naming structure that a masked answer has and its source has not, "" if there is none."""
    seen = answer.isprintable()  # so is no line break and no control character
    if not seen and _BLANK_LINE.search(answer):
        return "stands an empty line: write the translation in one line"
    leading = _LEADING.match(answer) or _listed(source, answer)
    if leading and not source.translate(_NARROW).startswith(leading[0].lstrip()):
        return f"the text begins with {leading[0].strip()[:60]}, a mark that the source text has not"
    if said := _counted(source, answer):
        return said
    if not seen and len(found := _UNSEEN.findall(answer)) > len(_UNSEEN.findall(source)):
        return f"stands a control character that the source text has not: {found[-1]!a}"
    if _odd(answer) and not _odd(source.translate(_NARROW)):
        return "the text ends in a backslash that the source text has not"
    return ""


def _counted(source: str, answer: str) -> str:
    for signs, here, there, name in _COUNTED:
        for sign in signs:
            if sign in answer:
                found = here.findall(answer)
                if found and len(found) > len(there.findall(source.translate(_NARROW))):
                    return f"stands {name} that the source text has not: {found[-1][:60]}"
                break
    return ""


def _listed(source: str, answer: str) -> re.Match[str] | None:
    """A list's mark before the answer to a text that begins with a letter, and with no number."""
    mark = _LIST_MARK.match(answer) or _NUMBERED.match(answer)
    if mark is None:
        return None
    narrow = source.translate(_NARROW)
    begins = narrow.lstrip()[:8]
    if _LIST_MARK.match(narrow) or not begins[:1].isalnum():
        return None
    counts = _ORDINALS.intersection(begins) or any(map(str.isnumeric, begins))
    return _LIST_MARK.match(answer) or (None if counts else mark)


def lost_words(source: str, answer: str) -> str:
    """A sentence if nothing is left of a source's words but signs and placeholders, as of a cell that is
    answered by a dash; "" if there is some, or the source is one letter, which a sign can stand for."""
    if any(map(str.isalnum, PLACEHOLDER.sub("", answer))):
        return ""
    letters = sum(map(str.isalpha, source))
    return "the text has no word of its own" if letters > 1 else ""


def one_line(answer: str) -> str:
    """A masked answer without line breaks and without white space at its ends."""
    return (answer if answer.isprintable() else _BREAK.sub(" ", answer)).strip()


def _odd(text: str) -> bool:
    if "\\" not in text:
        return False
    bare = text.rstrip()
    return (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
