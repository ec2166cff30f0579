"""What a translated text of a body may not bring along: a text is put back where its source stood, and all
structure stands outside of it."""

from __future__ import annotations

import re

STRUCTURE = "structure"

_BREAK = re.compile(r"[\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]+")
_BLANK_LINE = re.compile(r"(?:\r\n?|[\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])[ \t\u3000]{0,200}"
                         r"(?:\r\n?|[\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])")  # fmt: skip
_LEADING = re.compile(r"\s*+(?:#|>|```|~~~|\$\$|\\\[|!\[|<)")
_TAG = re.compile(
    r"</?[^\W\d_][\w:.-]{0,60}(?:\s{0,20}/?>|[\s/]{1,20}[\w:.-]{1,60}\s{0,20}=)|<[!?]|"
    r"</?(?:table|thead|tbody|tfoot|tr|td|th|caption|col|colgroup)\b",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[|\]\(")
_NARROW = str.maketrans("＜＞｜！［］（）＃＼", "<>|![]()#\\")


def added_structure(source: str, answer: str) -> str:
    """A sentence naming structure that a masked answer has and its source has not, "" if there is none."""
    if _BLANK_LINE.search(answer):
        return "stands an empty line: write the translation in one line"
    narrow = source.translate(_NARROW)
    leading = _LEADING.match(answer)
    if leading and not narrow.startswith(leading[0].lstrip()):
        return f"the text begins with {leading[0].strip()}, a mark that the source text has not"
    for sign, pattern in (("<", _TAG), ("](", _IMAGE), ("![", _IMAGE)):
        if sign in answer and len(found := pattern.findall(answer)) > len(pattern.findall(narrow)):
            return f"stands markup that the source text has not: {found[-1][:60]}"
    if answer.count("|") > narrow.count("|"):
        return "stands a bar | that the source text has not: it would begin another cell"
    if _odd(answer) and not _odd(narrow):
        return "the text ends in a backslash that the source text has not"
    return ""


def one_line(answer: str) -> str:
    """A masked answer without line breaks and without white space at its ends."""
    return _BREAK.sub(" ", answer).strip()


def _odd(text: str) -> bool:
    bare = text.rstrip()
    return (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
