"""Numbers as they are written, and what each may stand for.

A *mention* is a number as it is written (``3~5万``, ``1.2 million``, ``80年代``). It has one or more
*readings*, each the values that it may stand for; a mention is accounted for when all values of one
reading occur on the other side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from handlers.tasks.translation.gate.implied_numbers import IN_FORMULA
from handlers.tasks.translation.gate.numerals import canonical, decades, with_tail

Reading = tuple[str, ...]
_Groups = tuple[str, ...]

_SPACES = " \u00a0\u2009\u202f"
_MEASURES = (
    "个种次项例名条类位篇只套家株台座份组件张块片棵颗粒支辆艘架间所枚幅部本册层节眼尊批届轮场门头匹尾户处"
)
_MORE = rf"[0-9]{{0,40}}(?:[.,，/{_SPACES}][0-9]{{1,40}}){{0,24}}"
_SCALE = (
    r"(?:\s?[多余来几]?\s?([百千万亿]{1,4})(?!分)((?:[克米瓦伏帕卡焦赫升牛安]|字节|电子伏|比特|秒差距|碱基)?)"
    r"|[ -]?((?:ten |hundred )?(?:hundred|thousand|million|billion|trillion|dozen))s?\b)?"
)
_TAIL = (
    rf"(年代|世纪|[个年]半|倍|成|后|年|半|‰| per (?:thousand|mille)|[)）]|[{_MEASURES}](?!月)"
    r"|%|[ -]?per ?cent|d(?![a-z])|[a-z]{2})?"
)
_CONNECTOR = r"\s?(?:[-~～–—−‒至到、和或]{1,2}|to|and|or|per|in|out of)\s?"
# The context is looked up behind the first digit, not before it: so the search runs from digit to digit.
_MENTION = re.compile(
    rf"([0-9](?:(?<=([a-zα-ω^×(（]).)|(?<=([a-zα-ω][-‐‑–]).)|(?<=[ =<>≤≥(（](\.).))?{_MORE}){_SCALE}{_TAIL}"
    rf"(?:{_CONNECTOR}([0-9]{_MORE}){_SCALE}{_TAIL})?"
)
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[, ][0-9]{3})+(?:\.[0-9]+)?")
_YEAR_MONTH = re.compile(r"((?:19|20)[0-9]{2})\.(0?[1-9]|1[0-2])")
_ZEROS = re.compile("[, ]0")
_POWERS = {"百": 2, "千": 3, "万": 4, "亿": 8}
_WORD_POWERS = {"ten": 1, "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_FEW = 8


@dataclass(frozen=True, eq=False, slots=True)
class Mention:
    """Made once for each way of writing a number, so that comparing by identity mostly suffices."""

    text: str
    readings: tuple[Reading, ...]
    rest: tuple[Reading, ...]
    """The readings without a first number that needs no explanation (``COVID-19``)."""
    values: Reading
    """All values of all readings."""


def found_in(text: str) -> Iterator[tuple[re.Match[str], Mention]]:
    """The mentions of a flat, lower-case text where they stand. Groups 1 and 9 are their numbers."""
    for match in _MENTION.finditer(text):
        yield match, _mention(match.groups(""))


def mentions(text: str) -> set[Mention]:
    """The mentions of digits in a flat, lower-case text."""
    found = _MENTION.findall(text)
    return set(map(_mention, found)) if found else set()


@lru_cache(maxsize=2048)  # each is a kilobyte or two, in every job
def _mention(groups: _Groups) -> Mention:
    """Groups: number, letter before, letter and hyphen before, dot before, Chinese scale, its unit,
    English scale, tail; then number, scale, unit, English scale, tail of a range's second number."""
    first, letter, hyphen, dot = groups[:4]
    number = f"0.{first}" if dot and first.isdigit() else first
    left = _side(number, groups[4], groups[5], groups[6], groups[7])
    if dot:
        left = (*left, *plain_readings(first))  # a full stop with its space on the wrong side
    if letter == "×" and first.startswith("10") and len(first) in (3, 4):
        left = (*left, ("10", canonical(first[2:])))
    if first in ("0", "1") and letter.isalpha() and groups[7].isalpha() and groups[7].isascii():
        left = ((),)  # a letter that character recognition took for a digit
    if letter == "^":
        left = (*left, (f"^{first}",))
    elif letter.isalpha():
        left = (*left, (IN_FORMULA,))
    free = _is_free(first, letter, hyphen, groups[7])
    text = "".join(groups[4:8])
    if not groups[8]:
        return _made(first + text, left, ((),) if free else left)
    right = _second(first, groups)
    if (groups[9] or groups[11]) and not (groups[4] or groups[6]):
        left = (*left, *_side(number, groups[9], "", groups[11], ""))
    if not groups[7] and groups[12] and not groups[4]:
        left = (*left, *_side(number, "", "", "", groups[12])[1:])
    pairs = tuple((*a, *b) for a in left[:_FEW] for b in right[:_FEW])
    if len(left) == len(right) == 1 and len(pairs[0]) == 2:
        pairs = (*pairs, ("/".join(pairs[0]),))
    return _made(f"{first}{text}-{''.join(groups[8:])}", pairs, right if free else pairs)


def _made(text: str, readings: tuple[Reading, ...], rest: tuple[Reading, ...]) -> Mention:
    values = {value for reading in readings for value in reading}
    if "世纪" in text:
        values.difference_update([*decades(text.partition("世纪")[0])][1:])
    return Mention(text, readings, rest, tuple(values - {IN_FORMULA}))


def _is_free(first: str, letter: str, hyphen: str, tail: str) -> bool:
    """Whether an answer may have it unexplained: ``(2)`` of a list, ``CO2``, ``COVID-19``, ``3D``."""
    if letter in ("(", "（"):
        return tail in (")", "）") and len(first) < 3
    return bool(letter or hyphen or tail == "d")


def _second(first: str, groups: _Groups) -> tuple[Reading, ...]:
    right = _side(*groups[8:])
    if len(first) == 4 and len(groups[8]) == 2 and first.isdigit() and groups[8].isdigit():
        return (*right, (first[:2] + groups[8],))
    return right


def _side(number: str, marks: str, unit: str, words: str, tail: str) -> tuple[Reading, ...]:
    """Readings of one number with its scale and the word after it. In ``75亿千瓦`` the last mark is the
    unit's, no part of the number."""
    plain = plain_readings(number)
    if unit and (marks.endswith("千") or (unit == "帕" and marks.endswith("百"))):
        marks = marks[:-1]
    if marks or words:
        return tuple(reading for base in plain for reading in _scaled(base, marks, words))
    if tail == "%" or tail.endswith("cent"):
        return (*plain, (*plain[0][:-1], f"%{plain[0][-1]}"))
    if not tail or tail in ")）" or (tail.isascii() and tail[0] not in " -"):
        return plain
    last, before = plain[0][-1], plain[0][:-1]
    if last == "1" and tail in _MEASURES:
        return (*plain, (*before, "a"))
    values = (*with_tail(last, tail), *(decades(last) if tail == "世纪" else ()))
    return (*plain, *((*before, value) for value in values))


def plain_readings(number: str) -> tuple[Reading, ...]:
    if number.isdigit():
        return ((canonical(number),),)
    number = number.replace("，", ",")
    for space in _SPACES[1:]:
        number = number.replace(space, " ")
    parts = tuple(value for piece in re.split("[/ ]", number) for value in _pieces(piece))
    if _THOUSANDS.fullmatch(number):
        joined = (canonical(number.replace(",", "").replace(" ", "")),)
        return (joined,) if _ZEROS.search(number) else (joined, parts, tuple(_listed(number)))
    if dated := _YEAR_MONTH.fullmatch(number):
        return (parts, (dated[1], canonical(dated[2])))
    if number.count("/") == 1 and len(parts) == 2:
        return (parts, ("/".join(parts),), *(((f"x{parts[1]}",),) if parts[0] == "1" else ()))
    return (parts,)


def _pieces(piece: str) -> list[str]:
    return [canonical(piece.replace(",", ""))] if _THOUSANDS.fullmatch(piece) else _listed(piece)


def _listed(numbers: str) -> list[str]:
    """``1,2.5,10`` are three values, ``3.2.1`` as well."""
    return [
        canonical(part)
        for item in re.split("[, ]", numbers)
        for part in (item.split(".") if item.count(".") > 1 else [item])
    ]


def _scaled(base: Reading, marks: str, words: str) -> tuple[Reading, ...]:
    if words == "dozen":
        return ((*base, "12"), (*base[:-1], str(12 * int(base[-1]))) if base[-1].isdigit() else base)
    power = sum(_POWERS[mark] for mark in marks) + sum(_WORD_POWERS[word] for word in words.split())
    value = _shifted(base[-1], power)
    readings: tuple[Reading, ...] = ((*base[:-1], value), (*base, "10", f"^{power}"))
    if words and len(base) > 1 and base[-1] in ("10", "100", "1000"):
        readings = ((*base[:-2], _shifted(base[-2], power + len(base[-1]) - 1)), *readings)
    return readings


def _shifted(value: str, power: int) -> str:
    whole, _, rest = value.partition(".")
    rest = rest.ljust(power, "0")
    return canonical(f"{whole}{rest[:power]}.{rest[power:]}")
