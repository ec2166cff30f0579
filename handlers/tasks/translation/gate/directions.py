"""Words of comparison and of change beside numbers that both texts have: ``超过60%`` is not "less than 60%",
and what increased by 12% did not decrease by 12%.

A good translation may turn a sentence around (``A比B高12%``), so each is a doubt. The words are sought one
by one: a substring's search costs a tenth of a regular expression's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_Said = tuple[str, int]
"""``compared`` or ``changed``, and 1 for more, -1 for less."""


def _words(kind: str, more: str, less: str) -> dict[str, _Said]:
    ways = ((more, 1), (less, -1))
    return {word: (kind, way) for words, way in ways for word in words.split("|")}


_CHINESE = _words(
    "compared",
    "超过|多于|大于|高于|长于|超出|至少|最少|以上",
    "不足|不到|少于|小于|低于|短于|未满|未达|至多|最多|以下|以内",
) | _words("changed", "增|升|提高|涨|延长|扩大|高出|高了", "降|减|跌|缩|低了")
_ENGLISH = _words(
    "compared",
    "more than|greater than|larger than|longer than|older than|higher than|at least|exceed| over | above "
    "| or more| or above| or older",
    "less than|fewer than|smaller than|shorter than|younger than|lower than|at most| under | below |up to"
    "| or less| or fewer| or younger",
) | _words(
    "changed",
    "increas| rose | rise| rising| grew | grow| rais|up by| higher| taller| longer| heavier| faster",
    "decreas|declin|reduc|drop| fell | fall|lowered|down by| cut|shorten| shr| lower | shorter"
    "| smaller| lighter| slower",
)
_TURNED = ("不", "未", "no ", "not ", "not", "no")
_BREAK = r"0-9,，。；;、:：()（）\n"
_NEXT = re.compile(
    rf"[^{_BREAK}]{{0,36}}+([0-9]+(?:\.[0-9]+)?)(?![0-9,]*[0-9])"
    r"(?:[^0-9,.;]{0,9}? to (?:[a-z]{0,3}\$|[€£¥])?([0-9]+(?:\.[0-9]+)?)(?![0-9,.]*[0-9]))?"
)
_BEFORE = re.compile(rf"(?<![0-9.,A-Za-z-])([0-9]+(?:\.[0-9]+)?)[^{_BREAK}]{{0,12}}\Z")
_JOINED = re.compile(r"\b(?:and|but|while|whereas|versus|vs)\b|[和而]")
_FOLLOWING = ("以上", "以下", "以内", " or ")
_OFTEN = 24
"""Places of one word that are looked at."""


def turned_directions(source: str, answer: str) -> Iterator[str]:
    """Sentences about numbers of two flat, lower-case texts that stand once in each. Linear in them."""
    source, answer = f" {source}", f" {answer}"
    mine = _said(source, _vocabulary(source).items())
    if not mine:
        return
    wanted = {(kind, -way) for ways in mine.values() for kind, way in ways}
    words = _vocabulary(answer)
    compared = {kind for kind, _ in wanted} - {"changed"}
    against = _said(answer, [row for row in words.items() if row[1] in wanted or row[1][0] in compared])
    disputed = [
        number
        for number, ways in mine.items()
        if {(kind, -way) for kind, way in ways} & against.get(number, set())
    ]
    theirs_in_full = _said(answer, words.items()) if disputed else {}
    for number in disputed:
        ways, theirs = mine[number], theirs_in_full[number]
        turned = {(kind, -way) for kind, way in ways} & theirs
        if turned and not ways & theirs and _stands_once(number, source) and _stands_once(number, answer):
            yield f"{number} goes with the opposite of what the source says (more, less, up or down)"


def _vocabulary(text: str) -> dict[str, _Said]:
    return _ENGLISH if text.isascii() or not re.search("[\u4e00-\u9fff]{2}", text) else _CHINESE


def _said(text: str, words: Iterable[tuple[str, _Said]]) -> dict[str, set[_Said]]:
    """What is said of each number that stands beside one of the words."""
    said: dict[str, set[_Said]] = {}
    for word, (kind, way) in words:
        at = text.find(word)
        for _ in range(_OFTEN):
            if at < 0:
                break
            for number in _numbers_beside(text, word, at):
                turned = kind == "compared" and text[max(0, at - 4) : at].rstrip(" ").endswith(_TURNED)
                said.setdefault(number, set()).add((kind, -way if turned else way))
            at = text.find(word, at + len(word))
    return said


def _numbers_beside(text: str, word: str, at: int) -> tuple[str, ...]:
    """The number after a word in the same clause and the one that it leads to, else the one before it."""
    end = at + len(word)
    if not word.startswith(_FOLLOWING):
        found = _NEXT.match(text, end)
        if found and not _JOINED.search(text, end, found.start(1)):
            return (found[1], found[2]) if found[2] else (found[1],)
    before = text[max(0, at - 24) : at]
    found = _BEFORE.search(before) if any(map(str.isdigit, before)) else None
    return (found[1],) if found and not _JOINED.search(before, found.end(1)) else ()


def _stands_once(number: str, text: str) -> bool:
    return len(re.findall(rf"(?<![0-9.]){re.escape(number)}(?![0-9])", text)) == 1
