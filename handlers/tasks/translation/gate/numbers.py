"""Whether a translation has the numbers of its source: none dropped, none changed, none invented.

A *mention* is a number as it is written (``3~5万``, ``1.2 million``, ``80年代``). It has one or more
*readings*, each the values that it may stand for; a mention is accounted for when all values of one
reading occur on the other side. Every mention of digits in the source must be accounted for by digits
or words of the answer; every mention of digits in the answer by digits or numerals of the source.
Numerals that are words (``一些``, ``四川``) are never demanded. Signs and percent signs are not compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from handlers.tasks.translation.gate.chinese_numerals import in_chinese
from handlers.tasks.translation.gate.english_numerals import in_english
from handlers.tasks.translation.gate.numerals import canonical, with_tail

Reading = tuple[str, ...]
_Groups = tuple[str, ...]

_SPACES = " \u00a0\u2009\u202f"
_MORE = rf"[0-9]{{0,40}}(?:[.,，/{_SPACES}][0-9]{{1,40}}){{0,24}}"
_SCALE = (
    r"(?:\s?[多余来几]?\s?([百千万亿]{1,4})(?!分)([克米瓦伏帕卡焦赫升]?)"
    r"|[ -]?((?:ten |hundred )?(?:hundred|thousand|million|billion|trillion|dozen))s?\b)?"
)
_TAIL = (
    r"(年代|世纪|[个年]半|倍|成|后|年|半|‰| per (?:thousand|mille)|[)）]|[个种次项例名条类位篇只](?!月)"
    r"|d(?![a-z])|[a-z]{2})?"
)
_CONNECTOR = r"\s?(?:[-~～–—−‒至到、和或]{1,2}|to|and|or|per|in|out of)\s?"
# The context is looked up behind the first digit, not before it: so the search runs from digit to digit.
_MENTION = re.compile(
    rf"([0-9](?:(?<=([a-zα-ω^×(（]).)|(?<=([a-zα-ω][-‐‑–]).)|(?<=[ =<>≤≥(（](\.).))?{_MORE}){_SCALE}{_TAIL}"
    rf"(?:{_CONNECTOR}([0-9]{_MORE}){_SCALE}{_TAIL})?"
)
_ODD = re.compile("[⁰¹²³⁴-⁹０-９．／₀-₉①-⑳½⅓⅔¼¾]{1,40}")
_PLAIN = {mark: unicodedata.normalize("NFKC", mark) for mark in "０１２３４５６７８９．／₀₁₂₃₄₅₆₇₈₉"}
_POWER_DIGITS = {mark: str(value) for value, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_PLAIN |= {chr(ord("①") + place): f"({place + 1})" for place in range(20)}
_PLAIN |= {"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4"}
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[, ][0-9]{3})+(?:\.[0-9]+)?")
_YEAR_MONTH = re.compile(r"((?:19|20)[0-9]{2})\.(0?[1-9]|1[0-2])")
_LINE_NUMBER = re.compile(r"\n\s?[0-9]{1,3}號? +")
"""A manuscript's numbers of lines, that text recognition took along: never demanded."""
_ZEROS = re.compile("[, ]0")
_POWERS = {"百": 2, "千": 3, "万": 4, "亿": 8}
_WORD_POWERS = {"ten": 1, "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_FEW = 8
_WHOLE_DIGITS = re.compile(r"(?<![\d.,])(?:\d{2,15}|\d{1,15}\.\d{1,15})(?![\d.,]*\d)", re.ASCII)
"""Numbers of two digits or more, whole: no pieces of lists and versions."""


@dataclass(frozen=True)
class Comparison:
    """Mentions as they are written, in lower case."""

    missing: tuple[str, ...]
    """In the source, not in the answer."""
    invented: tuple[str, ...]
    """In the answer, not explained by the source."""
    doubtful: tuple[str, ...]
    """Not explained, and no reason to refuse: digits in names and units, numbering of a list."""


@dataclass(frozen=True, eq=False)
class Mention:
    """Made once for each way of writing a number, so that comparing by identity mostly suffices."""

    text: str
    readings: tuple[Reading, ...]
    rest: tuple[Reading, ...]
    """The readings without a first number that needs no explanation (``COVID-19``)."""
    values: frozenset[str]
    """All values of all readings."""


_SAME = Comparison((), (), ())


def compare(source: str, answer: str) -> Comparison:
    """Compare two texts without placeholders. Linear in their length."""
    source, answer = _flat(source), _flat(answer)
    in_source, in_answer = mentions(source), mentions(answer)
    demanded = mentions(_LINE_NUMBER.sub("\n", source)) if "\n" in source else in_source
    in_source |= demanded
    lost, new = demanded - in_answer, in_answer - in_source
    missing = _unaccounted(lost, in_answer, answer) if lost else []
    unexplained = _unaccounted(new, in_source, source) if new else []
    if not missing and not unexplained:
        return _SAME
    if not unexplained:
        return Comparison(_texts(missing), (), ())
    known = _values(in_source) | _spelled(source)
    invented = [mention for mention in unexplained if not _holds(mention.rest, known)]
    doubtful = [mention for mention in unexplained if mention not in invented]
    return Comparison(_texts(missing), _texts(invented), _texts(doubtful))


def places(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and mention of every number of digits in a text, the mention as ``compare`` writes it."""
    flat, origin = _with_origin(text)
    for match in _MENTION.finditer(flat):
        start, end = origin[match.start()], origin[match.end() - 1] + 1
        yield start, end, _mention(tuple(group or "" for group in match.groups())).text


def _with_origin(text: str) -> tuple[str, list[int]]:
    """The flat text, and for each character of it the position in ``text`` that it came from."""
    pieces = [
        _plain_mark(mark, before) if _ODD.match(mark) else mark.lower()
        for before, mark in zip(" " + text, text, strict=False)
    ]
    return "".join(pieces), [at for at, piece in enumerate(pieces) for _ in piece]


def rarer(source: str, answer: str) -> tuple[str, ...]:
    """Numbers of two digits or more that both texts have in digits, the answer fewer times. A good
    translation may say "10% each": a reviewer should look, no more."""
    numbers = _WHOLE_DIGITS.findall(source)
    if len(set(numbers)) == len(numbers):
        return ()  # one that stands once cannot stand less often and still be there
    in_answer = Counter(_WHOLE_DIGITS.findall(answer))
    times = Counter(numbers)
    return tuple(sorted(number for number in times if 0 < in_answer[number] < times[number]))


def _spelled(text: str) -> set[str]:
    values = in_english(text)
    return values if text.isascii() else values | in_chinese(text)


def mentions(text: str) -> set[Mention]:
    """The mentions of digits in a flat, lower-case text."""
    return {_mention(groups) for groups in set(_MENTION.findall(text))}


def _flat(text: str) -> str:
    text = text.lower()
    return text if text.isascii() else _ODD.sub(_plain, text)


def _plain(match: re.Match[str]) -> str:
    return _plain_run(match[0])


@lru_cache(maxsize=1024)
def _plain_run(run: str) -> str:
    return "".join(_plain_mark(mark, before) for before, mark in zip(" " + run, run, strict=False))


def _plain_mark(mark: str, before: str) -> str:
    """A power stays apart from what it is the power of: ``10⁴`` is not 104."""
    return _PLAIN.get(mark) or ("" if before in _POWER_DIGITS else "^") + _POWER_DIGITS[mark]


def _unaccounted(wanted: set[Mention], others: set[Mention], text: str) -> list[Mention]:
    """Words of the other text are read only when its digits do not suffice: mostly they do."""
    known = _values(others)
    left = [mention for mention in wanted if not _holds(mention.readings, known)]
    if not left:
        return left
    known |= _spelled(text)
    return [mention for mention in left if not _holds(mention.readings, known)]


def _holds(readings: tuple[Reading, ...], known: set[str]) -> bool:
    for reading in readings:  # noqa: SIM110 (any() costs three times as much here)
        if known.issuperset(reading):
            return True
    return False


def _values(numbers: set[Mention]) -> set[str]:
    return set().union(*(mention.values for mention in numbers))


def _texts(numbers: list[Mention]) -> tuple[str, ...]:
    return tuple(sorted(mention.text for mention in numbers))


@lru_cache(maxsize=2048)  # each is a kilobyte or two, in every job
def _mention(groups: _Groups) -> Mention:
    """Groups: number, letter before, letter and hyphen before, dot before, Chinese scale, its unit,
    English scale, tail; then number, scale, unit, English scale, tail of a range's second number."""
    first, letter, hyphen, dot = groups[:4]
    number = f"0.{first}" if dot and first.isdigit() else first
    left = _side(number, groups[4], groups[5], groups[6], groups[7])
    if dot:
        left = (*left, *_plain_readings(first))  # a full stop with its space on the wrong side
    if letter == "×" and first.startswith("10") and len(first) in (3, 4):
        left = (*left, ("10", canonical(first[2:])))
    if first in ("0", "1") and letter.isalpha() and groups[7].isalpha() and groups[7].isascii():
        left = ((),)  # a letter that character recognition took for a digit
    if letter == "^":
        left = (*left, (f"^{first}",))
    free = _is_free(first, letter, hyphen, groups[7])
    text = "".join(groups[4:8])
    if not groups[8]:
        return _made(first + text, left, ((),) if free else left)
    right = _second(first, groups)
    if (groups[9] or groups[11]) and not (groups[4] or groups[6]):
        left = (*left, *_side(number, groups[9], "", groups[11], ""))
    pairs = tuple((*a, *b) for a in left[:_FEW] for b in right[:_FEW])
    if len(left) == len(right) == 1 and len(pairs[0]) == 2:
        pairs = (*pairs, ("/".join(pairs[0]),))
    return _made(f"{first}{text}-{''.join(groups[8:])}", pairs, right if free else pairs)


def _made(text: str, readings: tuple[Reading, ...], rest: tuple[Reading, ...]) -> Mention:
    return Mention(text, readings, rest, frozenset(value for reading in readings for value in reading))


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
    """Readings of one number with its scale and the word after it."""
    plain = _plain_readings(number)
    if marks or words:
        scaled = tuple(reading for base in plain for reading in _scaled(base, marks, words))
        return (*scaled, *plain) if unit else scaled
    if not tail or tail in ")）" or (tail.isascii() and tail[0] != " "):
        return plain
    last = plain[0][-1]
    more = tuple((*plain[0][:-1], value) for value in with_tail(last, tail))
    if last == "1" and tail in "个种次项例名条类位篇只":
        more = ((*plain[0][:-1], "a"),)
    return (*plain, *more)


def _plain_readings(number: str) -> tuple[Reading, ...]:
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
    return (parts, ("/".join(parts),)) if number.count("/") == 1 and len(parts) == 2 else (parts,)


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
