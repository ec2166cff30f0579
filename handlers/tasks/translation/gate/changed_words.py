"""Numbers in words, and names with digits in them, that one text has and the other has not.

``三组`` that the answer does not say, while it says ``four``, which the source does not explain: one alone
is no evidence, for translators leave out and add; both together are a doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.chinese_numerals import values_of
from handlers.tasks.translation.gate.english_numerals import numeral

_split = str.split
_MEASURES = (
    "个|组|种|天|日|周|年|月|次|名|例|条|项|类|人|位|篇|只|株|座|家|倍|代|层|级|期|轮|批|章|步|阶段|方面|部分|小时"
    "|分钟|所|省|市|县|国|套|台|块|件|维|分之"
)
# It begins with one class of characters, that the search may run from one of them to the next.
_COUNTED = re.compile(rf"([二两三四五六七八九十1](?:(?<!1)[二两三四五六七八九十]{{1,2}})?)(?={_MEASURES})")
_PART_OF_MORE = frozenset("一二两三四五六七八九十百千万亿第几数零〇分点0123456789.")
"""With one of these before it a counted numeral is the end of another number."""
_SAID = {
    1: "one single 1 once first sole i",
    2: "two second twi doubl both pair dual coupl bina bila biva dich dupl half ii bipart",
    3: "three third thir tri tern thric",
    4: "four quart quad tetra",
    5: "five fif quint pent",
    6: "six hex",
    7: "seven hept week",
    8: "eight oct",
    9: "nin",
    10: "ten deca tenth",
    12: "twel dozen year",
}
_EVIDENCE = {value: tuple(_split(words)) for value, words in _SAID.items()}
_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    "|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
_COPIES = {"in duplicate": 2, "in triplicate": 3, "in quadruplicate": 4}
_ENGLISH = rare_pattern(
    rf"(?<![a-z0-9.-])({_WORDS}|{'|'.join(_COPIES)})"
    rf"(?![a-z]|-(?:{_WORDS}|one)|(?: and)? (?:hundred|thousand|million))"
)
_ROMAN = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_ORDINARY = _split(
    "- one|first|一 two|second|二 three|third|三 four|四 five|fifth|五 six|六 seven|七 eight|八 nine|ninth|九"
    " ten|十 eleven|十一 twelve|twelfth|十二"
)
_ROMAN_SIGNS = "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅺⅻ"
_ALONE = re.compile(r"[0-9](?<![0-9.].)[0-9]{0,9}(?![0-9.])")
_MAY_BE_ROMAN = re.compile(f"[ivx{_ROMAN_SIGNS}](?:(?<=[{_ROMAN_SIGNS}])|[ivx])")
_IN_ROMAN = re.compile(rf"[{_ROMAN_SIGNS}]|(?<![a-z0-9-])(?:ii|iii|iv|vi{{1,3}}|ix|xi{{1,2}})(?![a-z0-9-])")
_IN_NAME = re.compile(r"[0-9](?:(?<=[A-Za-z].)|(?<=[A-Za-z][-‐‑].))[A-Za-z0-9]{0,12}")
_BEFORE = re.compile(r"(?<![A-Za-z0-9^.])[A-Za-z]{1,12}[-‐‑]?$")
_ELEMENTS = rare_pattern(
    r"(?:(?:H|B|C|N|O|F|P|S|K|I|Na|Mg|Al|Si|Cl|Ca|Ti|Cr|Mn|Fe|Co|Ni|Cu|Zn|As|Br|Ag|Ba|Pb|Hg|Li)[0-9]{0,2}){2,8}"
)

_MARKS = "[一二两三四五六七八九十百千万]{1,3}"
_CHINESE_SHARE = rare_pattern(rf"({_MARKS})分之({_MARKS})(?![点又])")
_TENTHS = re.compile(r"成(?<=(?<![一二三四五六七八九十第])[一二三四五六七八九].)(?=[以的多为左、，。；]|$)")
_NAMED = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7}
_NAMED |= {"eighth": 8, "ninth": 9, "tenth": 10, "hundredth": 100, "thousandth": 1000, "millionth": 10**6}
_ENGLISH_SHARE = re.compile(
    rf"\b(an?|one|two|three|four|five|seven|nine)[- ]({'|'.join(_NAMED)})s?\b(?! (?:of a|order|time|party))"
)
_DIGITS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_HALF = Fraction(1, 2)
_PERCENT = rare_pattern(r"(?<![0-9.])([0-9]{1,3}(?:\.[0-9]{1,2})?) ?(?:%|per ?cent)")


def changed_shares(source: str, answer: str) -> list[str]:
    """A doubt about shares in words, of lower-case texts: one that the other text does not have in any way
    stands for another."""
    mine = _shares(source)
    if not mine:
        return []
    theirs = _shares(answer) | {Fraction(found[1]) / 100: found[0] for found in _PERCENT.finditer(answer)}
    lost = [share for share in mine if share not in theirs and not _has_share(share, answer)]
    new = [share for share in theirs if share not in mine and not _has_share(share, source)] if lost else []
    return [f"{theirs[new[0]]} seems to stand for {mine[lost[0]]}"] if new else []


def _shares(text: str) -> dict[Fraction, str]:
    """Those in words, as they are written, by value."""
    found: dict[Fraction, str] = {}
    for match in _CHINESE_SHARE.finditer(text) if "分之" in text else ():
        for part in values_of(match[2]):
            found |= {Fraction(part, whole): match[0] for whole in values_of(match[1]) if whole}
    for match in _TENTHS.finditer(text) if "成" in text else ():
        said = text[match.start() - 1 : match.end()]
        found |= {Fraction(part, 10): said for part in values_of(said[0])}
    if "th" in text or "hal" in text or "quarter" in text:
        for match in _ENGLISH_SHARE.finditer(text):
            found[Fraction(numeral(match[1]) or 1, _NAMED[match[2]])] = match[0]
    return found


def _has_share(share: Fraction, text: str) -> bool:
    """In digits, or in a word of its own."""
    numbers = set(_DIGITS.findall(text))
    percent = 100 * float(share)
    return (
        not numbers.isdisjoint(f"{percent:.{places}f}" for places in (0, 1, 2))
        or f"{float(share):g}" in numbers
        or {str(share.numerator), str(share.denominator)} <= numbers
        or (share == _HALF and any(map(text.__contains__, ("半", "half", "halv"))))
    )


def words_to_explain(source: str, answer: str) -> tuple[list[str], list[str]]:
    """Counted numerals of the lower-case source that the answer does not say, and the number words of the
    answer; both empty unless there are some of either."""
    if not answer.isascii() and re.search("[\u4e00-\u9fff]{2}", answer):
        said = sorted(set(_ENGLISH.findall(source)))
        unsaid = [word for word in said if not _is_in_chinese(word, answer)]
        return (unsaid, _counted(answer)) if unsaid else ([], [])
    unsaid = [
        run for run in _counted(source) if not any(_is_in_english(value, answer) for value in _values(run))
    ]
    return (unsaid, sorted(set(_ENGLISH.findall(answer)))) if unsaid else ([], [])


def changed_romans(source: str, answer: str) -> list[tuple[str, str]]:
    """A Roman numeral of one lower-case text that the other does not say, and the one that stands there."""
    mine = _romans(source) if _MAY_BE_ROMAN.search(source) else None
    if not mine:
        return []
    theirs = _romans(answer)
    lost = sorted(value for value in mine - theirs if not _is_said(value, answer))
    new = sorted(value for value in theirs - mine if not _is_said(value, source))
    return [(_ROMAN[lost[0]].upper(), _ROMAN[new[0]].upper())] if lost and new else []


def _is_said(value: int, text: str) -> bool:
    return str(value) in _ALONE.findall(text) or any(word in text for word in _ORDINARY[value].split("|"))


def _romans(text: str) -> set[int]:
    """Of two letters: single ones are mostly symbols."""
    found = (_ROMAN_SIGNS.find(each) + 1 or _ROMAN.index(each) for each in _IN_ROMAN.findall(text))
    return {value for value in found if len(_ROMAN[value]) > 1}


def _counted(text: str) -> list[str]:
    found = {
        match[1]
        for match in _COUNTED.finditer(text)
        if text[match.start() - 1 : match.start()] not in _PART_OF_MORE
    }
    return sorted(found)


def value_of(word: str) -> frozenset[str]:
    """What a counted numeral or a number word may be."""
    number = _COPIES.get(word) or numeral(word)
    return frozenset({str(number)} if number else map(str, values_of(word)))


def _values(run: str) -> frozenset[int]:
    return frozenset({1}) if run == "1" else values_of(run)


def _is_in_english(value: int, text: str) -> bool:
    return str(value) in text or any(word in text for word in _EVIDENCE.get(value, ())) or value > 12


def _is_in_chinese(word: str, text: str) -> bool:
    value = numeral(word) or 0
    marks = "零一二三四五六七八九十"
    said = (
        marks[value] if value <= 10 else f"十{marks[value - 10]}" if value < 20 else f"{marks[value // 10]}十"
    )
    return said in text or str(value) in text or (value == 2 and any(mark in text for mark in "两双倍半"))


def changed_names(source: str, answer: str) -> Iterator[tuple[str, str]]:
    """A name of the source and the one that stands in its place: the same letters with other digits, or two
    formulas. Of flat texts that keep their case."""
    mine = _names(source)
    if not mine or mine == (theirs := _names(answer)):
        return
    lost = sorted(name for name in mine - theirs if _bare(name) not in set(map(_bare, theirs)))
    new = sorted(name for name in theirs - mine if _bare(name) not in set(map(_bare, mine)))
    for name in new[:8]:
        other = next((old for old in lost[:40] if _is_changed(old, name)), None)
        if other:
            yield other, name


def _names(text: str) -> set[str]:
    names = set()
    for match in _IN_NAME.finditer(text):
        if before := _BEFORE.search(text[max(0, match.start() - 14) : match.start()]):
            names.add(before[0] + match[0])
    return names


def _bare(name: str) -> str:
    return name.replace("-", "").lower()


def _is_changed(old: str, new: str) -> bool:
    if _ELEMENTS.fullmatch(old) and _ELEMENTS.fullmatch(new):
        return True
    letters = [re.sub("[0-9-]", "", name).lower() for name in (old, new)]
    return letters[0] == letters[1] and len(letters[0]) > 1
