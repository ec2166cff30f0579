"""Texts between known keys: for answers that are no JSON but whose frame is plain to see.

Bare quotes inside of texts, curly, single or full-width marks for JSON's, keys without quotes, tags by the
keys' names. The keys are known, so the texts lie between them; each key must stand there exactly once, and
nothing in a text may look like another member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import lru_cache

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.reading.json_objects import doubled

_QUOTES = {
    '"': '"',
    "'": "'",
    "“": "”",
    "”": "”“",
    "‘": "’",
    "’": "’‘",
    "„": "“”",
    "«": "»",
    "「": "」",
    "＂": "＂",
}
_OPENING = "".join(_QUOTES)
_CLOSING = "".join({mark for marks in _QUOTES.values() for mark in marks})
_END = rare_pattern(rf"([{_CLOSING}])\s*[,，、;；]?\s*([\}}\]｝］\s]*)(?:`{{3,}})?\s*\Z")
_FRAME = rare_pattern(
    rf"[{_CLOSING}][\s}}\]]*[,，]?[\s{{\[]*[{_OPENING}]?[^\"'“”,，:：]{{1,60}}[{_CLOSING}]\s*[:：]\s*[{_OPENING}]"
    rf"|[\"“”][\s,，]*[{{}}\]:：\"“”]|'\s*[}}\]:：]|'\s*[,，]\s*['\"]"
)
"""What in a text looks like the end of a member or the beginning of another."""
_EDGES = frozenset(",，:：{}[]｛｝\\'")
_COLONS = ":："
_HEADING = rare_pattern(rf"\[[^{_OPENING}{_CLOSING}\[\]{{}},:：\\]{{1,60}}\]\s*+[^\s,，:：\]}}]")
"""``[Objective] We ...`` at the head of a text is no list of the frame's."""
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_INNER = rare_pattern(r'\\x([0-9a-fA-F]{2})|\\.|"', re.DOTALL)
_LONGEST_END = 64
_LINE = rare_pattern(
    r"\s{0,8}(?:[-*#]{1,3}\s{0,3})?([\w/]{1,40})(?:\*\*)?\s?[:：](?:\*\*)?\s{1,3}([^\s\"'{\[].*)"
)


def by_known_keys(text: str, keys: Collection[str]) -> dict[str, str] | None:
    """The texts of all keys, or None if they do not lie there plainly. Linear in the text."""
    marks = list(_marks(tuple(keys)).finditer(text)) if keys else []
    names = [
        next(int(name[1:]) for name, found in mark.groupdict().items() if found and name != "q")
        for mark in marks
    ]
    if len(marks) != len(keys) or len(set(names)) != len(keys):
        return None
    if not text[: marks[0].start()].rstrip().endswith(("{", "｛")):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    texts: dict[str, str] = {}
    for mark, name, end in zip(marks, names, ends, strict=True):
        string = _between(text[mark.end() : end], mark[0][-1], last=end == len(text))
        if string is None:
            return None
        texts[tuple(keys)[name]] = string
    return texts


def has_members(text: str, keys: Collection[str]) -> bool:
    """Whether a key asked for stands in the text with a text of its own."""
    return bool(keys) and _marks(tuple(keys)).search(text) is not None


@lru_cache(maxsize=64)
def _marks(keys: tuple[str, ...]) -> re.Pattern[str]:
    """Key, colon and opening quote; the key in quotes, or bare after a brace or comma."""
    names = "|".join(f"(?P<k{place}>{_written(key)})" for place, key in enumerate(keys))
    quote = rf"[{_OPENING}{_CLOSING}]"
    return re.compile(
        rf"(?:{quote}|(?<=[{{,，｛\s]))(?:{names}){quote}?\s*+[:：]\s*+[{_OPENING}]", re.IGNORECASE
    )


def _written(key: str) -> str:
    """With any separator: ``keywords_0``, ``keywords[0]``."""
    head, _, place = key.rpartition("/")
    return rf"{re.escape(head)}[/_.\s\[-]{{0,2}}{re.escape(place)}\]?" if head else re.escape(key)


def _between(raw: str, opening: str, *, last: bool) -> str | None:
    tail = raw[-_LONGEST_END:]
    ending = _END.search(tail)
    if ending is None or ending[1] not in _QUOTES[opening]:
        return None
    if last != any(mark in ending[2] for mark in "}｝"):
        return None
    body = raw[: len(raw) - len(tail) + ending.start()]
    return _unescaped(body) if _is_text(body) else None


def _is_text(body: str) -> bool:
    """Whether nothing of the frame can be part of it: quotes come in pairs, no mark stands at its edges."""
    bare = (_ESCAPE.sub("_", body) if "\\" in body else body).strip()
    if not bare or (bare[0] in _EDGES and not _HEADING.match(bare)) or _FRAME.search(bare):
        return False
    if bare[-1] in _COLONS:  # "Article number:" is a text, unless a mark in it may have ended one
        return not any(mark in bare for mark in _CLOSING)
    if bare[-1] in _EDGES:
        return False
    return bare.count('"') % 2 == 0 and bare.count("“") == bare.count("”")


def _unescaped(body: str) -> str | None:
    """As a JSON string's inside, with quotes that are not escaped."""
    quoted = _INNER.sub(_escape, body)
    try:
        value = json.loads(f'"{doubled(quoted)}"', strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _escape(mark: re.Match[str]) -> str:
    if mark[1]:
        return f"\\u00{mark[1]}"
    return '\\"' if mark[0] == '"' else mark[0]


def by_names(text: str, keys: Collection[str]) -> dict[str, str] | None:
    """``<title>...</title>``, each key once as a tag; or each line ``title: ...``, each key once."""
    tagged = {key: string for key in keys if (string := _tagged(text, key)) is not None}
    if keys and len(tagged) == len(keys):
        return tagged
    lines = [line for line in text.splitlines() if line.strip()]
    marks = [mark for line in lines if (mark := _LINE.fullmatch(line))]
    if not keys or not len(lines) == len(marks) == len(keys):
        return None
    named = {mark[1].lower(): mark[2].strip() for mark in marks}
    return {key: named[key] for key in keys} if named.keys() == set(keys) else None


def _tagged(text: str, key: str) -> str | None:
    for name in (key, key.replace("/", "_")):
        start, end = text.find(f"<{name}>"), text.find(f"</{name}>")
        once = text.count(f"<{name}>") == text.count(f"</{name}>") == 1
        if once and start < end:
            return text[start + len(name) + 2 : end].strip()
    return None
