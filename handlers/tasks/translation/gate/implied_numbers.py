"""Numbers that words imply without saying them: ``初一`` is grade 7, ``辛亥`` 1911, ``radiocarbon`` 14.

They only ever explain a number of the other text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.numerals import fraction

IN_FORMULA = "formula"
"""The value of a digit in a formula whose substance the other text calls by its name."""

_split = str.split
_IN_CHINESE = {
    "半": "0.5 50 1/2 2",
    "番": "2 100 200",
    "倍": "2 100 200 x2",
    "世纪": "20 21 19",
    "平方": "2",
    "公顷": "2",
    "立方": "3",
    "全": "100",
    "首": "1",
    "单": "1",
    "次": "2",
    "半年": "6",
    "半个月": "15",
    "半天": "12",
    "上半年": "1 6",
    "下半年": "7 12",
    "前三季度": "1 9",
    "季度": "3",
    "学期": "6",
    "隔日": "2",
    "隔天": "2",
    "隔年": "2",
    "双盲": "2",
    "初一": "7",
    "初二": "8",
    "初三": "9",
    "高一": "10",
    "高二": "11",
    "高三": "12",
    "初中": "7 8 9",
    "高中": "10 11 12",
    "一氧化": "1",
    "过氧化": "2",
    "元旦": "1",
    "腊月": "12",
    "冬月": "11",
    "正月": "1",
    "国庆": "10 1",
    "双十一": "11",
    "抗战": "1937 1945",
    "新中国": "1949",
    "建国": "1949",
    "解放": "1949",
    "改革开放": "1978",
    "唐氏": "21",
    "爱德华": "18",
    "放射性碳": "14",
    "一打": "12",
    "数量级": "10 x10",
    "新冠": "19 2019",
    "氘": "2",
    "氚": "3",
}
_IN_ENGLISH = {
    "radiocarbon": "14 ^14",
    "down syndrome": "21",
    "down's syndrome": "21",
    "edwards syndrome": "18",
    "edwards' syndrome": "18",
    "patau syndrome": "13",
    "deuterium": "2 ^2",
    "tritium": "3 ^3",
    "order of magnitude": "10 x10",
    "first half": "1 6",
    "second half": "7 12",
    "first quarter": "1 3",
    "second quarter": "4 6",
    "third quarter": "7 9",
    "fourth quarter": "10 12",
    "first three quarters": "1 9",
    "half a year": "6 0.5",
    "half-year": "6 0.5",
    "six-month": "6 0.5",
    "half a month": "15 0.5",
    "half a day": "12 0.5",
    "half an hour": "30 0.5",
    "every other": "2",
    "new year's day": "1",
    "national day": "10 1",
    "freshm": "1",
    "sophomore": "2",
    "teen": "13 19",
    "great leap": "1958",
    "gaokao": "1977",
}
_OF_FORMULAS = rare_pattern(
    "(?:mon|di|tri|tetr|per)?oxid|peroxid|acid|sulph|sulf|nitr|carbon|phosph|chlor|fluor|brom|iod|hydr|ammoni|silic"
    "|alumin|titani|magnetit|hematit|ozon|oxygen|methan|ethan|ethylen|propan|benzen|water|vapou?r|calcium|lime"
)
"""Parts of the names of substances: with one of them a formula's digits may be gone."""
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_YEAR_OF_CYCLE = rare_pattern(f"[{_STEMS}][{_BRANCHES}]")
_REIGNS = {
    "民国": 1911,
    "宣统": 1908,
    "光绪": 1874,
    "同治": 1861,
    "咸丰": 1850,
    "道光": 1820,
    "嘉庆": 1795,
    "乾隆": 1735,
    "雍正": 1722,
    "康熙": 1661,
    "顺治": 1643,
    "崇祯": 1627,
    "万历": 1572,
    "嘉靖": 1521,
    "洪武": 1367,
    "永乐": 1402,
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
}
_REIGN_YEAR = rare_pattern(rf"({'|'.join(_REIGNS)})([0-9]{{1,2}}|[元一二三四五六七八九十廿卅]{{1,4}})年")
_CHROMOSOME_BAND = rare_pattern(r"(?<![0-9a-z])([0-9]{1,2}|[xy])[pq]([0-9])([0-9])(?:\.([0-9]{1,2}))?")
_SMALL = "one|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty"
_OUT_OF = rare_pattern(
    r"(?<![0-9.])([0-9]{1,3}) (?:in|out of|of) (?:every )?([0-9]{1,4}|[a-z]{3,9})\b"
    rf"|\b({_SMALL}) (?:in|out of|of) (?:every )?([0-9]{{1,4}}|{_SMALL}|hundred|thousand)\b"
)
_FOLD = rare_pattern(
    r"\b([0-9]{1,6}(?:\.[0-9]{1,3})?|[a-z]{3,9}?)[ -]?fold\b"
    r"|factors? of (?:about |around )?([0-9]{1,6}|[a-z]{3,9})\b"
)
_SHARE = rare_pattern(
    r"每([0-9]{1,4}|[一二三四五六七八九十百千]{1,4})[^0-9，。；]{0,6}?中?(?:就|约)?有"
    r"([0-9]{1,4}|[一二三四五六七八九十]{1,3})"
)
_Numeral = Callable[[str], int | None]


def implied_in_chinese(text: str) -> set[str]:
    values = {value for word, implied in _IN_CHINESE.items() if word in text for value in _split(implied)}
    for found in set(_YEAR_OF_CYCLE.findall(text)):
        values.update(_years_of_cycle(found))
    return values


def implied_in_english(text: str, number: _Numeral) -> set[str]:
    """Of a lower-case text; ``number`` reads a numeral of one word."""
    values = {value for word, implied in _IN_ENGLISH.items() if word in text for value in _split(implied)}
    for match in _CHROMOSOME_BAND.finditer(text):
        values.update(group for group in match.groups() if group and group.isdigit())
        values.add(f"{match[2]}{match[3]}")
    shares = _OUT_OF.findall(text) if " in " in text or " of " in text else ()
    for part, whole, said, of in set(shares):
        first, second = number(part or said), number(whole or of)
        if first and second and first < second <= 1000:
            values.update(fraction(first, second))
    for match in _FOLD.finditer(text) if "fold" in text or "factor" in text else ():
        word = match[1] or match[2]
        if times := number(word) or (Decimal(word) if word[0].isdigit() else None):
            values.update((f"x{times}", str(times)))
    return values


def names_substance(text: str) -> bool:
    """Whether a lower-case text has a name of which formulas may be made."""
    return _OF_FORMULAS.search(text) is not None


def reign_years(text: str, number: _Numeral) -> Iterator[str]:
    """``民国26年``, ``光绪二十四年`` as years of our era."""
    for reign, year in set(_REIGN_YEAR.findall(text)):
        counted = 1 if year == "元" else number(year)
        if counted:
            yield str(_REIGNS[reign] + counted)


def share_of_each(text: str, number: _Numeral) -> Iterator[str]:
    """``每10人中有3人`` as a share."""
    for whole, part in set(_SHARE.findall(text)):
        first, second = number(part), number(whole)
        if first and second and first < second:
            yield from fraction(first, second)


@cache
def _years_of_cycle(name: str) -> tuple[str, ...]:
    """``辛亥``: 1851, 1911, 1971; empty for a name that the cycle has not."""
    stem, branch = _STEMS.index(name[0]), _BRANCHES.index(name[1])
    return tuple(
        str(year) for year in range(1600, 2044) if (year - 4) % 10 == stem and (year - 4) % 12 == branch
    )
