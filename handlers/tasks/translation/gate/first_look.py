"""Which numbers deserve a second look: sign, comparison, unit or place differs at sight. Mostly none do.

It is what keeps the reading of claims off the many texts where there is nothing to see.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from handlers.tasks.translation.gate.units import Unit, units

_HAN = "\u4e00-\u9fff"
_SYMBOL = "[<>≤≥＜＞≦≧]"
_WORD = "[高大多低小少长短]于|超过|不[足到]|[至最][少多]|未达|[^减不]逾|零下|.负"
_MINUS = rf"[\s(（=＝,，:：<>≤≥＜＞~～至到{_HAN}][-−–﹣－]"
_NUMBER = re.compile(
    rf"([0-9](?:(?<=({_SYMBOL})[0-9])|(?<=({_SYMBOL}) [0-9])|(?<=({_WORD}|{_MINUS})[0-9]))?[0-9.,]*)"
    rf"(?:[ -]?([%‰℃A-Za-zμµ°]{{1,9}})|([{_HAN}]{{1,2}}))?"
)
_SAME = {"＜": "<", "＞": ">", "≦": "≤", "≧": "≥"}
_YEAR = re.compile("1[0-9]{3}|20[0-9]{2}")


class FirstLook(NamedTuple):
    disputed: frozenset[str]
    """Numbers of which the texts seem to say different things."""
    exchanged: tuple[str, str] | None
    """Two that stand once in each text and have changed places, all others keeping theirs."""


class _Seen(NamedTuple):
    number: str
    mark: str
    unit: Unit | None


_NOTHING = FirstLook(frozenset(), None)


def first_look(source: str, answer: str) -> FirstLook:
    """At two flat texts that keep their case."""
    one, other = _seen(source), _seen(answer)
    if one == other:
        return _NOTHING
    mine, theirs = _by_number(one), _by_number(other)
    disputed = [
        n for n in mine.keys() & theirs.keys() if mine[n] != theirs[n] and _differ(mine[n], theirs[n])
    ]
    return FirstLook(frozenset(disputed), _exchanged(one, other))


def _seen(text: str) -> list[_Seen]:
    known = units()
    return [
        _Seen(
            number.replace(",", "").rstrip("."),
            _SAME.get(near or apart, near or apart) or word,
            known.get(latin) if latin else _after(number, han, known) if han else None,
        )
        for number, near, apart, word, latin, han in _NUMBER.findall(text)
    ]


def _after(number: str, han: str, known: dict[str, Unit]) -> Unit | None:
    if han[0] == "年" and _YEAR.fullmatch(number):
        return None
    return known.get(han) or known.get(han[0])


def _by_number(seen: Iterable[_Seen]) -> dict[str, set[tuple[str, Unit | None]]]:
    by_number: defaultdict[str, set[tuple[str, Unit | None]]] = defaultdict(set)
    for number, mark, unit in seen:
        by_number[number].add((mark, unit))
    return by_number


def _differ(mine: set[tuple[str, Unit | None]], theirs: set[tuple[str, Unit | None]]) -> bool:
    """Marks are not the same, or there are units on both sides and none is."""
    if {mark for mark, _ in mine} != {mark for mark, _ in theirs}:
        return True
    here, there = ({unit for _, unit in said if unit} for said in (mine, theirs))
    return bool(here) and bool(there) and here != there


def _exchanged(one: list[_Seen], other: list[_Seen]) -> tuple[str, str] | None:
    times, there = Counter(seen.number for seen in one), Counter(seen.number for seen in other)
    once = {number for number, count in times.items() if count == 1 and there[number] == 1}
    before = [seen.number for seen in one if seen.number in once]
    after = [seen.number for seen in other if seen.number in once]
    if before == after:
        return None
    moved = [number for number, instead in zip(before, after, strict=True) if number != instead]
    return (moved[0], moved[1]) if len(moved) == 2 else None
