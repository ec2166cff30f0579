"""Amounts: numbers with their unit, in digits and words of both languages, brought to base units.

``328百万千瓦``, ``328 GW`` and ``328 million kW`` are one amount, ``1.8万年`` and ``18 ka`` another,
``an hour and a half``, ``90 min`` and ``1.5 h`` a third. An amount has *tokens*: its value in the base
unit of its dimension, and its bare value with its scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.chinese_numerals import MARKS, values_of
from handlers.tasks.translation.gate.english_numerals import numeral
from handlers.tasks.translation.gate.numerals import plain
from handlers.tasks.translation.gate.units import Unit, unit_at_start, units

_split = str.split
_CHINESE_SCALES = {"十": 1, "百": 2, "千": 3, "万": 4, "亿": 8}
_ENGLISH_SCALES = {
    "hundred": 2,
    "thousand": 3,
    "million": 6,
    "billion": 9,
    "trillion": 12,
    "lakh": 5,
    "crore": 7,
}
_LETTER_SCALES = {
    "k": 3,
    "m": 6,
    "mn": 6,
    "b": 9,
    "bn": 9,
    "t": 12,
    "tn": 12,
    "M": 6,
    "K": 3,
    "B": 9,
    "G": 9,
    "T": 12,
}
_HAN = "\u4e00-\u9fff"
_SCALES = "|".join(_ENGLISH_SCALES)
_DIGITS = re.compile(
    r"([0-9]{1,3}(?:[, \u2009\u00a0\u202f][0-9]{3})+(?![0-9])(?:\.[0-9]{1,20})?"
    r"|[0-9]{1,30}(?:\.[0-9]{1,20})?)"
    rf"(?:\s?[多余来几]?\s?([十百千万亿]{{1,4}})|[ -]?((?:hundred |thousand )?(?:{_SCALES}))s?\b)?"
    rf"[余多来几]?(个半)?(?:\s?-?(?:([A-Za-zµμ°℃℉Ω]{{1,13}}(?:-hours?)?)|([%‰])|([{_HAN}]{{1,4}})))?"
    r"(半| and (?:a|one) half)?"
)
_NUMERAL = (
    "a|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]{3,5}teen|[a-z]{3,5}ty|hundred"
    "|thousand|million|half|quarters?|per|each|every|single|last|past"
)
_ENGLISH = rare_pattern(
    rf"\b((?:{_NUMERAL})(?:[ -](?:{_NUMERAL}|and|of)){{0,7}})[ -]([a-z]{{3,13}})\b( and (?:a|one) half)?"
)
_ADVERB = rare_pattern(r"\b(hourly|daily|weekly|monthly|yearly|annual|annually|fortnight|quarterly)\b")
_CHINESE = rare_pattern(rf"([{MARKS}]{{1,8}}|半)(个)?(半)?([{_HAN}]{{1,5}})")
_NO_DIGIT = re.compile("[^0-9.]")
_MOST = 2_000
"""Amounts in words that are read of one text."""
Tokens = frozenset[tuple[str, str]]
_NONE: Tokens = frozenset()


class Amount(NamedTuple):
    """A number of digits with what follows it. ``unit``: None where none is known."""

    number: str
    value: Decimal
    unit: Unit | None
    symbol: str
    plain: str
    """The value as a canonical string."""
    base: str
    """It in the base unit; "" without a unit."""


def amounts(text: str, numbers: frozenset[str]) -> Iterator[tuple[int, int, Amount]]:
    """Start and end of the digits, and amount of some numbers (digits and point) in a flat text that keeps
    its case."""
    for match in _DIGITS.finditer(text):
        if _bare(match[1]) in numbers and (amount := _amount(match.groups())):
            yield match.start(), match.end(1), amount


def tokens_in(after: str, number: str) -> Tokens:
    """Of a number and the text after it."""
    match = _DIGITS.match(number + after)
    return _tokens(match.groups()) if match else _NONE


def tokens_of(text: str, written: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of all amounts of a text: those written as numbers with the text after them, and those in words."""
    tokens: set[tuple[str, str]] = set()
    for after, number in written:
        tokens |= tokens_in(after, number)
    text = text.lower()
    for number, noun, half in list(set(_ENGLISH.findall(text)))[:_MOST]:
        tokens |= _in_words(number, noun, bool(half))
    for adverb in set(_ADVERB.findall(text)):
        tokens |= _token(Decimal(1), units().get(adverb))
    for run, _, half, noun in list(set(_CHINESE.findall(text)))[:_MOST]:
        tokens |= _in_numerals(run, bool(half), noun)
    return tokens


@lru_cache(maxsize=2048)
def _amount(groups: tuple[str | None, ...]) -> Amount | None:
    number, chinese, english, half, latin, percent, han, after = groups
    power = sum(_CHINESE_SCALES[mark] for mark in chinese or "")
    power += sum(_ENGLISH_SCALES[word] for word in _split(english or ""))
    value = _decimal(number or "")
    if value is None:
        return None
    value = (value + (Decimal("0.5") if half or after else 0)).scaleb(power)
    symbol, unit = _unit(latin or percent or "", han or "")
    base = plain(value * unit[1]) if unit else ""
    if unit and han and (chinese or "").endswith("千"):
        value = value.scaleb(-3)  # the mark is the unit's
    return Amount(_bare(number or ""), value, unit, symbol, plain(value), base)


def _unit(latin: str, han: str) -> tuple[str, Unit | None]:
    if han:
        return unit_at_start(han.removeprefix("个") if han[:2] not in ("个月", "个百") else han) or ("", None)
    return latin, units().get(latin) or units().get(latin.lower() if len(latin) > 3 else "")


@lru_cache(maxsize=2048)
def _tokens(groups: tuple[str | None, ...]) -> Tokens:
    amount = _amount(groups)
    if amount is None:
        return _NONE
    tokens = {("n", amount.plain)}
    if amount.unit:
        tokens.add((amount.unit[0], amount.base))
    letters = groups[4] or ""
    if letters in _LETTER_SCALES:
        tokens.add(("n", plain(amount.value.scaleb(_LETTER_SCALES[letters]))))
    return frozenset(tokens)


def _token(value: Decimal, unit: Unit | None) -> Tokens:
    return frozenset({(unit[0], plain(value * unit[1]))}) if unit else _NONE


@lru_cache(maxsize=2048)
def _in_words(number: str, noun: str, half: bool) -> Tokens:
    unit = units().get(noun)
    value = _said(re.split("[ -]", number))
    if unit is None or value is None:
        return _NONE
    return _token(value + (Decimal("0.5") if half else 0), unit)


def _said(words: list[str]) -> Decimal | None:
    """``two and a half``, ``half an``, ``three quarters of an``, ``one hundred and twenty``."""
    total = Decimal(0)
    for at, word in enumerate(words):
        known = numeral(word)
        if word == "half":
            total += Decimal("0.5")
        elif word.startswith("quarter"):
            total = max(total, Decimal(1)) / 4
        elif known in (100, 1000, 1_000_000) and total:
            total *= known
        elif known:
            total += known
        elif word in ("a", "an") and (at + 1 == len(words)) and total == 0:
            total = Decimal(1)
    return total or Decimal(1)


@lru_cache(maxsize=2048)
def _in_numerals(run: str, half: bool, noun: str) -> Tokens:
    found = unit_at_start(noun)
    if found is None:
        return _NONE
    if run[-1] == "千" and len(run) > 1 and unit_at_start(f"千{noun}"):
        return _in_numerals(run[:-1], half, f"千{noun}")
    values = [Decimal("0.5")] if run == "半" else list(map(Decimal, values_of(run)))
    more = Decimal("0.5") if half or noun[len(found[0]) :].startswith("半") else Decimal(0)
    return frozenset(token for value in values for token in _token(value + more, found[1]))


def _bare(number: str) -> str:
    return number if number.isdigit() else _NO_DIGIT.sub("", number)


def _decimal(number: str) -> Decimal | None:
    try:
        return Decimal(_bare(number))
    except InvalidOperation:
        return None
