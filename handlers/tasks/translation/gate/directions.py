"""Words of comparison and of change beside numbers that both texts have: ``超过60%`` is not "less than 60%",
and what increased by 12% did not decrease by 12%.

A good translation may turn a sentence around (``A比B高12%``), so each is a doubt. The source's words are
sought first, as few numbers have one beside them, and in the answer what stands around these numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.numerals import plain

_Said = tuple[str, int]
"""``compared`` or ``changed``, and 1 for more, -1 for less."""
_Hit = tuple[str, int]
"""A word and where it stands."""


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
    "| or more| or above| or older|in excess of",
    "less than|fewer than|smaller than|shorter than|younger than|lower than|at most| under | below |up to"
    "| or less| or fewer| or younger",
) | _words(
    "changed",
    "increas| rose | rise| rising| grew | grow| rais| up | higher| taller| longer| heavier| faster| climb"
    "| surg| soar",
    "decreas|declin|reduc|drop| fell | fall|lowered| down | cut|shorten| shr| lower | shorter"
    "| smaller| lighter| slower| slump| plung|plummet",
)
_OPPOSITE = {
    (kind, way): tuple(word for word, said in (_CHINESE | _ENGLISH).items() if said == (kind, -way))
    for kind, way in _CHINESE.values()
}
"""Words without one of which, or a "no" before a word of the same way, a text does not say the opposite."""
_IN_CHINESE = rare_pattern("|".join(sorted(_CHINESE, key=len, reverse=True)))
_IS_CHINESE = re.compile("[\u4e00-\u9fff]{2}")
_NO = (" no", "不", "未")
_TURNED = ("不", "未", "no ", "not ", "not", "no")
_BREAK = r"0-9,，。；;、:：()（）\n\x00"
_NUMBER = (
    r"([0-9]{1,20}(?:,[0-9]{3}){0,6}(?:\.[0-9]{1,20})?)(?![0-9,]{0,40}[0-9])"
    r"(?: ?([百千]?[万亿]亿?|[百千](?![克米瓦帕卡焦赫升牛安字电秒]))"
    r"|[ -]((?:hundred |thousand )?(?:m|b|tr)illion|thousand))?"
)
_GOES_ON = rare_pattern(r"[0-9]|[,.][0-9]| ?[万亿]|[ -](?:(?:m|b|tr)illion|thousand)")
_OF_NUMBER = tuple("0123456789.,")
_SCALES = {"百": 2, "千": 3, "万": 4, "亿": 8}
_ENGLISH_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_NEXT = rare_pattern(
    rf"[^{_BREAK}]{{0,36}}+{_NUMBER}(?:[^0-9,.;]{{0,9}}? to (?:[a-z]{{0,3}}\$|[€£¥])?{_NUMBER})?"
)
_BEFORE, _RIGHT_BEFORE = (
    rare_pattern(rf"(?<![0-9.,A-Za-z\n-]){_NUMBER}[^{_BREAK}]{{0,{far}}}\Z") for far in (12, 6)
)
_ANY = rare_pattern(rf"(?<![0-9.,]){_NUMBER}")
_JOINED = rare_pattern(r"\b(?:and|but|while|whereas|versus|vs)\b|[和而]")
_DIGIT = re.compile("[0-9]")
_FOLLOWING = ("以上", "以下", "以内", " or ")
_EITHER = (*_FOLLOWING, "at ", "至少", "至多")
_YEAR = rare_pattern("1[89][0-9]{2}|20[0-4][0-9]")
_MOST = 48
"""Numbers that are looked at."""
_BACK, _FORTH = 72, 48
_SHORT = 3
"""Digits of a number that may be written with a scale in the other text."""


def turned_directions(source: str, answer: str) -> list[str]:
    """Sentences about numbers of two flat, lower-case texts that stand once in each. Linear in them."""
    mine = _said(f" {source}")
    return [
        f"{number} goes with the opposite of what the source says (more, less, up or down)"
        for number in list(mine)[:_MOST]
        if _is_turned(number, mine[number], answer) and _only_place(number, source) >= 0
    ]


def _is_turned(number: str, ways: set[_Said], answer: str) -> bool:
    at = _only_place(number, answer)
    if at < 0:
        return False
    near = f" {answer[max(0, at - _BACK) : at + _FORTH]}"
    if not any(map(near.__contains__, _NO)) and not any(
        any(map(near.__contains__, _OPPOSITE[way])) for way in ways
    ):
        return False
    theirs = _said(near).get(number, set())
    return ways.isdisjoint(theirs) and not theirs.isdisjoint((kind, -way) for kind, way in ways)


def _said(text: str) -> dict[str, set[_Said]]:
    """What is said of each number that stands beside one of the words."""
    said: dict[str, set[_Said]] = {}
    chinese = not text.isascii() and _IS_CHINESE.search(text) is not None
    words = _CHINESE if chinese else _ENGLISH
    for word, at in _hits_in_chinese(text) if chinese else _hits(text):
        kind, way = words[word]
        for number in _numbers_beside(text, word, at, kind):
            if kind == "changed" and _YEAR.fullmatch(number):
                continue
            turned = kind == "compared" and text[max(0, at - 4) : at].rstrip(" ").endswith(_TURNED)
            said.setdefault(number, set()).add((kind, -way if turned else way))
    return said


def _hits_in_chinese(text: str) -> Iterator[_Hit]:
    return ((match[0], match.start()) for match in _IN_CHINESE.finditer(text))


def _hits(text: str) -> Iterator[_Hit]:
    """A substring's search costs a tenth of a regular expression's."""
    for word in filter(text.__contains__, _ENGLISH):
        at = text.find(word)
        while at >= 0:
            yield word, at
            at = text.find(word, at + len(word))


def _numbers_beside(text: str, word: str, at: int, kind: str) -> tuple[str, ...]:
    """The number after a word in the same clause and the one that it leads to, else the one before it, which
    only some words of comparison speak of."""
    end = at + len(word)
    if not word.startswith(_FOLLOWING):
        found = _NEXT.match(text, end)
        if found and not _JOINED.search(text, end, found.start(1)):
            first = _value(*found.group(1, 2, 3))
            return (first, _value(*found.group(4, 5, 6))) if found[4] else (first,)
    if kind == "compared" and not word.startswith(_EITHER):
        return ()
    before = text[max(0, at - 30) : at]
    found = (_BEFORE if word.isascii() else _RIGHT_BEFORE).search(before) if _DIGIT.search(before) else None
    return (_value(*found.groups()),) if found and not _JOINED.search(before, found.end(1)) else ()


def _value(number: str, marks: str | None, words: str | None) -> str:
    number = number.replace(",", "")
    if not marks and not words:
        return number
    power = sum(_SCALES[mark] for mark in marks or "")
    power += sum(_ENGLISH_SCALES.get(word, 0) for word in (words or "").split())
    return plain(Decimal(number).scaleb(power))


def _only_place(number: str, text: str) -> int:
    """Where a number stands, if it does so once; else -1."""
    only, at = -1, text.find(number)
    if at < 0 and len(number) > _SHORT:
        places = [match.start() for match in _ANY.finditer(text) if _value(*match.groups()) == number]
        return places[0] if len(places) == 1 else -1
    while at >= 0:
        end = at + len(number)
        if text[at - 1 : at] not in _OF_NUMBER and not _GOES_ON.match(text, end):
            if only >= 0:
                return -1
            only = at
        at = text.find(number, end)
    return only
