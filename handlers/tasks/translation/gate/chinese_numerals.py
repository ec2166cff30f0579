"""Values that Chinese numerals, and words that imply a number, may stand for.

A numeral has the value it says and no other: ``二百五十`` is 250. One that says two numbers has both
(``七八百`` 700 and 800, ``三五`` 3 and 5), the name of a plan its two (``“十四五”`` 14 and 5).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from handlers.tasks.translation.gate.implied_numbers import implied_in_chinese, reign_years, share_of_each
from handlers.tasks.translation.gate.numerals import canonical, fraction, with_tail

_MAX_RUNS = 4_000
"""Distinct numerals that are read of one text; no real one has as many."""
_DIGITS = {mark: value for value, mark in enumerate("零一二三四五六七八九")} | {
    mark: value for value, mark in enumerate("〇壹贰叁肆伍陆柒捌玖")
}
_DIGITS |= {"两": 2, "俩": 2, "双": 2, "○": 0}
_UNITS = {"十": 10, "拾": 10, "廿": 20, "卅": 30, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "亿": 10**8}
MARKS = "".join((*_DIGITS, *_UNITS, *_MYRIADS))
_RUN = re.compile(
    rf"([{MARKS}]{{1,16}}(?:[余多来几][百千万亿]{{1,2}})?)"
    rf"(?:(分之|点|成)([{MARKS}]{{1,8}})(?:点([{MARKS}]{{1,8}}))?"
    r"|(个?百分点|年代|世纪|成|倍|[个年小时天]{0,3}半))?"
    r"(?=([岁个名人种项次天例条万亿])?)"
)
_ABOUT = re.compile("[余多来几]")
_ROMAN = re.compile("[ⅰ-ⅻ]")


def in_chinese(text: str) -> set[str]:
    """Of any text; ``5/8`` and decimals stand for fractions."""
    values: set[str] = set()
    runs = set(_RUN.findall(text))
    for run in runs if len(runs) <= _MAX_RUNS else list(runs)[:_MAX_RUNS]:
        values |= _of_chinese_run(run)
    return values


def implied_in(text: str) -> set[str]:
    """What other words of a lower-case Chinese text imply, and its Roman numerals."""
    values = implied_in_chinese(text)
    values.update(f"{unicodedata.numeric(mark):.0f}" for mark in set(_ROMAN.findall(text)))
    values.update(reign_years(text, _one), share_of_each(text, _one))
    return values


@lru_cache(maxsize=1024)
def values_of(run: str) -> frozenset[int]:
    """What a run of numerals alone may stand for."""
    return frozenset(_of_marks(_ABOUT.sub("", run)))


def _one(run: str) -> int | None:
    """The value of a numeral, in digits too, that has one."""
    if run.isascii():
        return int(run)
    return _value(run) if all(mark in MARKS for mark in run) else None


@lru_cache(maxsize=1024)
def _of_chinese_run(found: tuple[str, ...]) -> frozenset[str]:
    """``found``: what ``_RUN`` finds of it."""
    run, joint, second, decimals, tail, counted = found
    plan = run[0] == "十" and run[2:] == "五" and not counted
    values = {str(value) for value in _of_marks(_ABOUT.sub("", run), plan)}
    if joint:
        more = set(_joined(run, joint, second, decimals))
        return frozenset(more if joint == "分之" else values | more)
    if tail:
        values.update(made for value in tuple(values) for made in with_tail(value, tail))
    return frozenset(values)


def _joined(left: str, joint: str, right: str, decimals: str) -> Iterator[str]:
    if joint == "点":
        yield from map(canonical, _with_decimals(left, right))
        return
    for base in set(_of_marks(left)):
        if joint == "分之" and base:
            parts = set(_with_decimals(right, decimals)) if decimals else set(map(str, _of_marks(right)))
            for part in parts:
                yield from fraction(Decimal(part), base)
        elif joint == "成":
            for value in set(_of_marks(right)):
                yield from (str(10 * base), str(10 * base + value), str(value))


def _with_decimals(left: str, right: str) -> Iterator[str]:
    """``一点二`` is 1.2; in ``一点二亿`` the decimals' scale is the whole number's."""
    digits = "".join(str(_DIGITS[mark]) for mark in right if mark in _DIGITS)
    scale = math.prod(_UNITS.get(mark) or _MYRIADS.get(mark) or 1 for mark in right)
    for base in set(_of_marks(left)):
        yield f"{base}.{digits}" if digits else str(base)
        if scale > 1:
            yield f"{Decimal(f'{base}.{digits or 0}') * scale:f}"


def _of_marks(run: str, plan: bool = False) -> Iterator[int]:
    if all(mark in _DIGITS for mark in run):
        yield from _of_digits(run)
        return
    pair = next((at for at in range(len(run) - 1) if _is_pair(run, at)), None)
    if pair is None:
        yield from map(_value, _pieces(run))
        return
    if not plan and _DIGITS[run[pair + 1]] in (_DIGITS[run[pair]] + 1, 5):
        yield _value(run[: pair + 1] + run[pair + 2 :])
        yield _value(run[:pair] + run[pair + 1 :])
    if pair + 2 == len(run) or plan:
        yield from (_value(run[: pair + 1]), _DIGITS[run[pair + 1]])
    elif _DIGITS[run[pair + 1]] not in (_DIGITS[run[pair]] + 1, 5):
        yield from (_value(run[: pair + 1]), _value(run[pair + 1 :]))


def _is_pair(run: str, at: int) -> bool:
    return run[at] in _DIGITS and run[at + 1] in _DIGITS and _DIGITS[run[at]] > 0


def _of_digits(run: str) -> Iterator[int]:
    """A year, a number said digit by digit, two numbers, or a date (``九一八``)."""
    digits = "".join(str(_DIGITS[mark]) for mark in run)
    yield int(digits)
    if len(digits) <= 3:
        yield from map(int, digits)
    if len(digits) == 3:
        yield from (int(digits[:2]), int(digits[1:]))
    if len(digits) == 4:
        yield int(digits[2:])


def _pieces(run: str) -> Iterator[str]:
    """``三十四十`` is two numbers: a unit that is not below the one before begins the next."""
    start, last = 0, math.inf
    for at, mark in enumerate(run):
        if mark in _MYRIADS:
            last = math.inf
        elif mark in _UNITS:
            if _UNITS[mark] >= last and run[at - 1] in _DIGITS:
                yield run[start : at - 1]
                start = at - 1
            last = _UNITS[mark]
    yield run[start:]


def _value(marks: str) -> int:
    """``三万五`` is 35,000: a last digit without its unit counts tens of the unit before."""
    total = section = digit = 0
    before, unit = "", 1
    for mark in marks:
        if mark in _DIGITS:
            digit = digit * 10 + _DIGITS[mark] if before in _DIGITS and before != "零" else _DIGITS[mark]
        elif mark in _UNITS:
            unit = _UNITS[mark]
            section, digit = section + (digit or 1) * unit, 0
        else:
            unit = _MYRIADS[mark]
            counted = section + digit + (total if mark == "亿" else 0)
            total = (0 if mark == "亿" else total) + max(counted, 1) * unit
            section = digit = 0
        before = mark
    if digit and unit >= 100 and len(marks) > 1 and (marks[-2] in _UNITS or marks[-2] in _MYRIADS):
        return total + section + digit * unit // 10
    return total + section + digit
