"""Values that Chinese numerals, and words that imply a number, may stand for.

Generous on purpose, for they only explain a number of the other text: ``十几`` gives 10, ``两三千`` gives
2000 and 3000, ``十二五`` gives 12, 5, 125 and more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from handlers.tasks.translation.gate.numerals import canonical, fraction, with_tail

_MAX_RUNS = 4_000
"""Distinct numerals that are read of one text; no real one has as many."""
_DIGITS = {mark: value for value, mark in enumerate("零一二三四五六七八九")} | {
    mark: value for value, mark in enumerate("〇壹贰叁肆伍陆柒捌玖")
}
_DIGITS |= {"两": 2, "俩": 2, "双": 2, "○": 0}
_UNITS = {"十": 10, "拾": 10, "廿": 20, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "亿": 10**8}
_MARKS = "".join((*_DIGITS, *_UNITS, *_MYRIADS))
_RUN = re.compile(
    rf"([{_MARKS}]{{1,8}})(?:(分之|点|成)([{_MARKS}]{{1,8}})(?:点([{_MARKS}]{{1,8}}))?"
    r"|(个?百分点|年代|世纪|成|倍|[个年小时天]{0,3}半))?"
)
_OTHER_WORDS = {
    "半": ("0.5", "50", "1/2", "2"), "番": ("2", "100", "200"), "倍": ("2", "100", "200"),
    "世纪": ("20", "21", "19"), "平方": ("2",), "公顷": ("2",), "立方": ("3",), "全": ("100",),
    "首": ("1",), "单": ("1",), "次": ("2",), "Ⅰ": ("1",), "Ⅱ": ("2",), "Ⅲ": ("3",), "Ⅳ": ("4",),
}  # fmt: skip


def in_chinese(text: str) -> set[str]:
    """Of any text; ``5/8`` and decimals stand for fractions."""
    values: set[str] = set()
    runs = set(_RUN.findall(text))
    for run in runs if len(runs) <= _MAX_RUNS else list(runs)[:_MAX_RUNS]:
        values |= _of_chinese_run(*run)
    for word, implied in _OTHER_WORDS.items():
        if word in text:
            values.update(implied)
    return values


@lru_cache(maxsize=1024)
def _of_chinese_run(run: str, joint: str, second: str, decimals: str, tail: str) -> frozenset[str]:
    values = {str(value) for value in _of_marks(run)}
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


def _of_marks(run: str) -> Iterator[int]:
    """Values of all stretches of a run of at most eight numerals: ``十二五`` gives 10, 12, 2, 25, 5."""
    for start in range(len(run)):
        for end in range(start + 1, len(run) + 1):
            yield _value(run[start:end])
        if run[start] in _DIGITS:
            for unit in run[start + 1 :]:
                yield _DIGITS[run[start]] * (_UNITS.get(unit) or _MYRIADS.get(unit) or 1)


def _value(marks: str) -> int:
    if all(mark in _DIGITS for mark in marks):
        return int("".join(str(_DIGITS[mark]) for mark in marks))
    total = section = digit = 0
    for mark in marks:
        if mark in _DIGITS:
            digit = _DIGITS[mark]
        elif mark in _UNITS:
            section, digit = section + (digit or 1) * _UNITS[mark], 0
        else:
            total, section, digit = max(total + section + digit, 1) * _MYRIADS[mark], 0, 0
    return total + section + digit
