"""Which numbers deserve a second look: sign, comparison, unit or place differs at sight. Mostly none do.

It is what keeps the reading of claims off the many texts where there is nothing to see.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from handlers.tasks.translation.gate.units import Unit, units

_HAN = "\u4e00-\u9fff"
_NUMBER = re.compile(
    rf"([0-9](?<=(...)[0-9])?[0-9.,]*)(?:[ -]?([%‰℃A-Za-zμµ°]{{1,9}}))?([{_HAN}]{{1,3}})?", re.DOTALL
)
_SYMBOLS = {"<": "<", "＜": "<", ">": ">", "＞": ">", "≤": "≤", "≦": "≤", "≥": "≥", "≧": "≥"}
_LESS = re.compile("[低小少短]于|不[足到]|[至最]多|未达")
_MORE = re.compile("[高大多长]于|超过|[至最]少|.逾")
_NEGATIVE = re.compile("零下|.负")
_OPPOSITE = {
    "less": (
        "more than",
        "over ",
        "above",
        "greater",
        "exceed",
        "least",
        "higher",
        ">",
        "超",
        "大于",
        "高于",
        "至少",
    ),
    "more": (
        "less",
        "below",
        "under",
        "fewer",
        "lower",
        "at most",
        "up to",
        "<",
        "小于",
        "低于",
        "不足",
        "不到",
        "至多",
    ),
}
"""Words without one of which a text cannot say the opposite."""
_MINUS = re.compile(rf"[\s(（=＝,，:：<>≤≥＜＞~～至到{_HAN}][-−–﹣－]")
_YEAR = re.compile("1[0-9]{3}|20[0-9]{2}")


class FirstLook(NamedTuple):
    disputed: frozenset[str]
    """Numbers of which the texts seem to say different things."""
    exchanged: tuple[str, str] | None
    """Two that stand once in each text and have changed places, all others keeping theirs."""
    named: bool
    """Whether digits of the source follow a letter, as those of names do (``CO2``, ``IL-6``)."""


_Written = tuple[str, str, str, str]
"""Number, the three characters before it, and the Latin and the Han after it."""
_Seen = tuple[str, str, "Unit | None"]
"""Number, mark before it, unit."""
_OFTEN, _MOST = 12, 64
"""Places and numbers that are looked at; no real text has as many in dispute."""
_TELLING = frozenset((*_SYMBOLS, *"-−–﹣－下负于足到多达过少逾"))
"""What a mark before a number ends in: of most numbers the character before is none of these."""
_ASIDE = frozenset(("以上", "以下"))
_LETTERS = frozenset(string.ascii_letters)
_HYPHENS = frozenset("-‐‑")


def first_look(source: str, answer: str) -> FirstLook:
    """At two flat texts that keep their case."""
    written = _written(source)
    one, other = _seen(written), _seen(_written(answer))
    named = any(map(_is_of_name, written))
    if one == other:
        return FirstLook(frozenset(), None, named)
    apart = set(one).symmetric_difference(other)
    both = {seen[0] for seen in one} & {seen[0] for seen in other} & {seen[0] for seen in apart}
    disputed = [number for number in sorted(both)[:_MOST] if _differ(number, (one, source), (other, answer))]
    return FirstLook(frozenset(disputed), _exchanged(one, other), named)


def _written(text: str) -> list[_Written]:
    return _NUMBER.findall(f"   {text}")


def _is_of_name(written: _Written) -> bool:
    before = written[1]
    return before[2] in _LETTERS or (before[2] in _HYPHENS and before[1] in _LETTERS)


def _seen(numbers: list[_Written]) -> list[_Seen]:
    known = units()
    return [
        (
            number if number.isdigit() else number.replace(",", "").rstrip("."),
            _mark(before, han[-2:] if "以" in han else ""),
            known.get(latin) if latin else _after(number, han, known) if han else None,
        )
        for number, before, latin, han in numbers
    ]


def _mark(before: str, after: str) -> str:
    """What the three characters before a number, and ``以上`` or ``以下`` after it, say of it."""
    last = before[2]
    told = last in _TELLING or (last == " " and before[1] in _SYMBOLS) or after in _ASIDE
    return _told(before, after) if told else ""


@lru_cache(maxsize=512)
def _told(before: str, after: str) -> str:
    last, pair = before[2:], before[1:]
    if symbol := _SYMBOLS.get(last) or (_SYMBOLS.get(before[1:2]) if last == " " else None):
        return symbol
    if _MINUS.fullmatch(pair) or _NEGATIVE.fullmatch(pair):
        return "-"
    less, more = (after == "以下" or _LESS.fullmatch(pair)), (after == "以上" or _MORE.fullmatch(pair))
    if not less and not more:
        return ""
    return "less" if bool(less) != (before[:1] in ("不", "未")) else "more"


def _after(number: str, han: str, known: dict[str, Unit]) -> Unit | None:
    if han[0] == "年" and _YEAR.fullmatch(number):
        return None
    return known.get(han) or known.get(han[:2]) or known.get(han[0])


def _differ(number: str, *sides: tuple[list[_Seen], str]) -> bool:
    """Each side has a unit that the other has not, or a mark that the other may contradict."""
    (here, marks), (there, against) = (_said(number, seen) for seen, _ in sides)
    if here - there and there - here:
        return True
    (_, source), (_, answer) = sides
    return any(
        mark not in _OPPOSITE or _stands_near(number, _OPPOSITE[mark], text)
        for lacking, text in ((marks - against, answer), (against - marks, source))
        for mark in lacking
    )


def _said(number: str, seen: list[_Seen]) -> tuple[set[Unit], set[str]]:
    """Units and marks of one number."""
    said = [(mark, unit) for each, mark, unit in seen if each == number]
    return {unit for _, unit in said if unit}, {mark for mark, _ in said if mark}


def _stands_near(number: str, words: tuple[str, ...], text: str) -> bool:
    """Whether one of the words stands shortly before or after the number; so it may where it is often."""
    at = text.find(number)
    for _ in range(_OFTEN):
        if at < 0:
            return False
        near = text[max(0, at - 28) : at + len(number) + 12]
        if any(word in near for word in words):
            return True
        at = text.find(number, at + 1)
    return True


def _exchanged(one: list[_Seen], other: list[_Seen]) -> tuple[str, str] | None:
    times, there = Counter(seen[0] for seen in one), Counter(seen[0] for seen in other)
    once = {number for number, count in times.items() if count == 1 and there[number] == 1}
    if len(once) < 2:
        return None
    before = [seen[0] for seen in one if seen[0] in once]
    after = [seen[0] for seen in other if seen[0] in once]
    if before == after:
        return None
    moved = [number for number, instead in zip(before, after, strict=True) if number != instead]
    if len(moved) != 2 or any(map(_YEAR.fullmatch, moved)):
        return None
    kinds = {unit for number, _, unit in one if number in moved}
    return (moved[0], moved[1]) if len(kinds) == 1 else None
