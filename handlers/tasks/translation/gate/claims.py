"""What a text says of its numbers in digits: sign, comparison and unit, each where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.amounts import Amount, amounts

_HAN = "\u4e00-\u9fff"
_MINUS = "-−–—‒﹣－⁻"
_LESS, _MORE = "<＜≤≦⩽", ">＞≥≧⩾"
_NEGATIVE = ("零下", "负", "minus", "negative")
_COLD = rare_pattern(r"[^0-9.,;，。；]{0,12}?\b(?:below (?:zero|freezing)|sub-?zero)")
_UNDER = ("低于", "小于", "少于", "短于", "不足", "不到", "未达", "至多", "最多")
_OVER = ("高于", "大于", "多于", "长于", "超过", "超", "逾", "至少")
_TURNING = ("不", "未", "并未", "no", "not", "nor")
_split = str.split
_ENGLISH_WAYS = dict.fromkeys(_split("less fewer lower smaller under below shorter younger most"), -1)
_ENGLISH_WAYS |= dict.fromkeys(
    _split("more greater higher larger above over exceed exceeds exceeded exceeding longer older least"), 1
)
_FILLING = frozenset(_split("than or equal to about the a an approximately roughly only just at"))
_AFTER = rare_pattern(
    r"[^0-9.,;，。；、（）()]{0,6}?(?:(?P<over>及?以上|(?:or|and) (?:more|above|over|older|greater|higher))"
    r"|(?P<under>及?以下|以内|(?:or|and) (?:less|below|under|fewer|younger|lower)))"
)
_TURNED = re.compile(r"\s?(?:(?P<less>[<＜≤]|&lt;)|(?P<more>[>＞≥]|&gt;))\s?[A-Za-z]")
_LOOK_BACK, _LOOK_AHEAD = 28, 24


class Claim(NamedTuple):
    """``sign``: -1 surely negative, 0 it may be, 1 positive. ``direction``: -1 less, 1 more, 0 neither;
    ``symbol`` whether it is said in one."""

    value: str
    amount: Amount
    start: int
    sign: int
    direction: int
    symbol: bool


def claims(text: str, numbers: frozenset[str]) -> list[Claim]:
    """About some numbers, of a flat text that keeps its case; digits of names and formulas (``CO2``,
    ``IL-6``) make none."""
    return [
        Claim(amount.plain, amount, start, _sign(text, start, end, amount), *_direction(text, start, end))
        for start, end, amount in amounts(text, numbers)
        if not _is_of_name(text, start)
    ]


def _is_of_name(text: str, start: int) -> bool:
    before = text[max(0, start - 2) : start]
    return bool(before) and (
        (before[-1].isascii() and before[-1].isalpha())
        or before[-1] in "._^/"
        or (len(before) == 2 and before[-1] in _MINUS and before[0].isalnum() and before[0].isascii())
    )


def _sign(text: str, start: int, end: int, amount: Amount) -> int:
    """A dash after Chinese words is a sign where a decimal or a unit follows: not so in ``嫦娥-5``."""
    before = text[max(0, start - 10) : start].rstrip()
    if before and before[-1] in _MINUS:
        if before[-1] == "⁻" or before[-2:-1].isdigit() or before[-2:-1] in _MINUS:
            return 0
        named = before[-2:-1].isalpha() and "." not in amount.number and amount.unit is None
        return 0 if named else -1
    if before.lower().endswith(_NEGATIVE):
        return -1
    return -1 if "below" in text[end : end + 12] and _COLD.match(text, end) else 1


def _direction(text: str, start: int, end: int) -> tuple[int, bool]:
    before = text[max(0, start - _LOOK_BACK) : start].rstrip(" -−$€£¥约了")
    last = before[-1:]
    if last in _LESS or before.endswith(("&lt;", "&lt;=")):
        return (-1, True) if last else (0, False)
    if last in _MORE or before.endswith(("&gt;", "&gt;=")):
        return 1, True
    if way := _way_of_words(before):
        return way, False
    after = text[end : end + _LOOK_AHEAD]
    if turned := _TURNED.match(after):
        return (1 if turned["less"] else -1), True
    if ("以" in after or " or " in after or " and " in after) and (found := _AFTER.match(after)):
        return (1 if found["over"] else -1), False
    return 0, False


def _way_of_words(before: str) -> int:
    if not before.isascii():
        for ending, way in ((_UNDER, -1), (_OVER, 1)):
            if before.endswith(ending):
                bare = before[:-1] if before.endswith(("超", "逾")) else before[:-2]
                return -way if bare.endswith(_TURNING) else way
        if "\u4e00" <= before[-1] <= "\u9fff":
            return 0
    words = before.lower().split()[-5:]
    while words and words[-1] in _FILLING:
        words.pop()
    if words and words[-1] == "up" and before.endswith("to"):
        return -1
    way = _ENGLISH_WAYS.get(words[-1], 0) if words else 0
    return -way if way and words[-2:-1] and words[-2] in _TURNING else way


def sentences(text: str, starts: list[int]) -> Iterator[int]:
    """For each place, in order, the number of the sentence that it stands in."""
    ends = [match.start() for match in re.finditer(r"[。！？；]|[.;!?](?=\s)", text)]
    at = 0
    for start in starts:
        while at < len(ends) and ends[at] < start:
            at += 1
        yield at
