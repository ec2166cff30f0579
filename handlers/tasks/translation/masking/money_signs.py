"""Dollars that are money: of ``US$``, of ``GDP ($)``, and of the amounts in ``from $25 to $50``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern

_PREFIX = (
    r"(?<![A-Za-z0-9$\\{^_])(?:US|HK|NT|AU|CA|NZ|MX|SG|USD|HKD|AUD|CAD|NZD|SGD|TWD|ARS|MXN|CLP|COP|Can|Mex)"
)
_ONE_LETTER = r"(?<![A-Za-z0-9$\\{^_.=<>+-])[ARCSZ]"
_NAMED = rare_pattern(rf"{_PREFIX}\Z")
_MAYBE_NAMED = rare_pattern(rf"(?:\A|[\s(（,，、。；;:：/\u3400-\u9fff]){_ONE_LETTER}\Z")
_BRACKET = rare_pattern(r"[(（]\s?\Z")
_BRACKETED = rare_pattern(
    r"\s?[)）]|\s?(?:/[A-Za-z]|per |in |million|billion|thousand|[千百万亿])|\s?[bm]n?[)）]"
)
_AMOUNT = rare_pattern(
    r" ?[-−]?(?:\d{1,3}(?:[, ]\d{3}(?!\d)){0,6}+\d{0,9}+(?:\.\d{1,9}+)?|\.\d{1,9}+)"
    r"(?:\s?(?:[kKmMbBT]|mn|bn|tn|million|billion|trillion))?"
    r"(?![A-Za-z0-9])(?!\s{0,3}[\\^_={}<>|+±×÷*$∼≤≥≈%°&:]|\s{0,3}~(?!\$)|\s{0,3}[.,]?\s{1,3}\d|[.,]\d)"
)
_UNIT = rare_pattern(r"/[A-Za-z]")
_BESIDE = rare_pattern(r"[A-Za-z0-9)}\]\\^_=<>+]")
_SIGN = rare_pattern(r"[\\^_={}<>|+±×÷∼∑∫≤≥≈→←Α-ω]")
_STARTS = rare_pattern(r"\s?[-−]?\.?\d[\d,.]{0,20}")
_PROSE = rare_pattern(
    r"(?<![A-Za-z])(?:to|and|or|in|per|for|by|from|at|of|than|vs|versus|with|while|as|on|is|was|were|had|has|the"
    r"|but|a|an|through|until|compared|million|billion)(?![A-Za-z])|[\u3400-\u9fff]{2}|[和与及或至到较比]"
)
_JOINED = rare_pattern(
    r"\s?\d[\d,.]{0,20}(?:万|亿|千|百)?(?:\s?[kKmMbB]n?)?\s?[-–—~～/,，、;；]\s?(?:[A-Z]{1,3}\s?)?"
)
_CUT_OFF = rare_pattern(r"\$\s?\d[\d,.]{0,20}\s*\Z")
"""A formula's beginning at the end of a title that was cut short looks like a price."""
_MAY_BE = re.compile(
    r"\$(?:(?= ?[-−]?\.?[0-9](?! \.| [0-9](?![0-9]{2}))|/[A-Za-z])"
    r"|(?<=(?:US|HK|NT|AU|CA|NZ|MX|SG|SD|KD|UD|AD|ZD|GD|WD|RS|XN|LP|OP|an|ex)\$)|(?<=[ARCSZ]\$)"
    r"|(?<=[(（]\$)(?=\s?[)）/pmbti千百万亿])|(?<=[(（]\s\$)(?=\s?[)）/pmbti千百万亿]))"
)
"""Without one of these no dollar is money: a quick look, as most texts with dollars have formulas."""
_LOOK_BACK, _LOOK_AHEAD = 8, 40


class Money(NamedTuple):
    """Places of single dollars. ``sure``: no formula begins or ends with them. ``likely``: they do unless
    they fit a formula."""

    sure: frozenset[int]
    likely: frozenset[int]


def may_be_money(text: str) -> frozenset[int]:
    """Places of dollars of which ``money`` may be told."""
    return frozenset(match.start() for match in _MAY_BE.finditer(text))


def money(text: str, places: Iterable[int]) -> Money:
    """Of the places of dollars that stand alone. Linear in their number."""
    sure: set[int] = set()
    likely: set[int] = set()
    for place in places:
        before = text[max(0, place - _LOOK_BACK) : place]
        after = text[place + 1 : place + 1 + _LOOK_AHEAD]
        if _is_sure(before, after):
            sure.add(place)
        elif _is_likely(before, after):
            likely.add(place)
    if len(likely) == 1 and not sure and _CUT_OFF.match(text, *likely):
        return Money(frozenset(), frozenset())
    return Money(frozenset(sure), frozenset(likely))


def _is_sure(before: str, after: str) -> bool:
    if _NAMED.search(before) and _AMOUNT.match(after):
        return True
    if _SIGN.search(after.partition("$")[0]):
        return False
    named = _NAMED.search(before) is not None
    return named or (_BRACKET.search(before) is not None and _BRACKETED.match(after) is not None)


def _is_likely(before: str, after: str) -> bool:
    """With a unit or an amount after it, and no sign of mathematics up to the next dollar."""
    if _SIGN.search(after.partition("$")[0]):
        return False
    if _UNIT.match(after):
        return True
    beside = _BESIDE.match(before[-1:]) is not None
    return _AMOUNT.match(after) is not None and (not beside or _MAYBE_NAMED.search(before) is not None)


def follow_prices(text: str, places: Sequence[int]) -> bool:
    """Whether each of several dollars stands right after an amount: ``from 5$ to 10$``."""
    if len(places) < 2 or not text[places[0] - 1 : places[0]].isdecimal():
        return False
    if not all(text[place - 1 : place].isdecimal() for place in places):
        return False
    between = (text[start + 1 : end] for start, end in pairwise(places))
    return all(_PROSE.search(words) is not None and not _SIGN.search(words) for words in between)


def are_two_prices(body: str, after: str) -> bool:
    """Whether what stands between two dollars reads as in ``$5 in May and $10``. ``after``: the two
    characters after the second."""
    if not after.strip()[:1].isdecimal() or not _STARTS.match(body):
        return False
    if _SIGN.search(body):
        return False
    return (
        body.count("(") != body.count(")")
        or bool(_PROSE.search(body))
        or (after[:1].isdecimal() and bool(_JOINED.fullmatch(body)))
    )
