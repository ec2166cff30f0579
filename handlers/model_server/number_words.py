"""Chinese numerals and numbers with Chinese units, turned into English ones of the same value.

三种 → three kinds, 十二 → 12, 3万 → 30,000, 1.2亿 → 120 million, 百分之五 → 5%, 三分之一 → 1/3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

_DIGIT = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNIT = {"十": 10, "百": 100, "千": 1000}
_MYRIAD = {"万": 10**4, "亿": 10**8}
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = (
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
_SCALES = {
    "百": 2,
    "千": 3,
    "万": 4,
    "十万": 5,
    "百万": 6,
    "千万": 7,
    "亿": 8,
    "百亿": 10,
    "千亿": 11,
    "万亿": 12,
}

_SAME = {"百万": "million", "十亿": "billion", "万亿": "trillion"}

_COUNTED = frozenset(
    "个种类次组项年月天号级倍层名例篇份位条部步期代元章节点段阶批家座台套件只头株棵颗粒块片张枚根届轮者"
    "周日岁人户省市县区国城大小维相角阶型系轴端路通栏村镇届题问支极因素股院校所本册卷方处间起对"
)
"""What a lone numeral counts. Other lone numerals are left to the dictionary (统一, 一般, 万能)."""
_COUNTED_BY_ONE = frozenset("个种类次组项年例篇条层级天株套批")
"""一 is part of too many words to be read as a number before more than these."""

_HAN_NUMBER = "[零〇一二两三四五六七八九十百千万亿]"
_ARABIC = r"\d[\d,]*+(?:\.\d++)?+"
_EXPRESSION = re.compile(
    rf"(?P<ratio>[百千万])分之(?P<part>{_HAN_NUMBER}++(?:点[零〇一二三四五六七八九]++)?+|{_ARABIC})"
    rf"|(?P<below>{_HAN_NUMBER}++)分之(?P<above>{_HAN_NUMBER}++)"
    rf"|(?P<scaled>{_ARABIC})[ ]?(?P<over>[多余来几])?"
    r"(?P<scale>[十百千]?[万亿]亿?"
    r"|[百千](?![帕米克瓦赫焦伏卡分吨字]))"
    rf"|第(?P<ordinal>{_HAN_NUMBER}++)"
    rf"|(?P<some>{_HAN_NUMBER}++)[多余来几](?P<myriads>[万亿])"
    rf"|(?P<number>{_HAN_NUMBER}++)(?:点(?P<decimals>[零〇一二三四五六七八九]++))?+"
)
_START = re.compile(r"[零〇一二两三四五六七八九十百千万亿第]|\d[\d.,]*+")


def to_english(text: str) -> str:
    """The text with its numeral expressions in English; everything else as it was."""
    out: list[str] = []
    last = 0
    # Finding the few places where one can start is several times cheaper than trying it everywhere.
    while (start := _START.search(text, last)) is not None:
        match = _EXPRESSION.match(text, start.start())
        end = start.end() if match is None else match.end()
        out.append(text[last : start.start()])
        out.append(start.group() if match is None else _replace(match))
        last = end
    out.append(text[last:])
    return "".join(out)


def value_of(numeral: str) -> int | None:
    """Integer value of a Chinese numeral, None if it is none (百, 万一, 三四). 一千二 is 1,200."""
    if not any(char in _UNIT or char in _MYRIAD for char in numeral):
        return _digits_value(numeral)
    total = section = 0
    under = 1
    digit: int | None = None
    for char in numeral:
        if char in _DIGIT:
            if digit:
                return None
            digit = _DIGIT[char]
            under = under if digit else 1
        elif char in _UNIT:
            if digit is None and (char != "十" or section):
                return None
            section += (1 if digit is None else digit) * _UNIT[char]
            under, digit = _UNIT[char] // 10, None
        else:
            section += digit or 0
            if not section and not total:
                return None
            total, section, digit = (total + section) * _MYRIAD[char], 0, None
            under = _MYRIAD[char] // 10
            if total > 10**24:
                return None
    return total + section + (digit or 0) * under


def written(value: int | Decimal) -> str:
    """Words up to ten, thousands separated by commas, round millions and more as such."""
    if value == int(value) and 0 <= value <= 10:
        return _WORDS[int(value)]
    for scale, word in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if value >= scale and value % (scale // 10) == 0:
            return f"{_plain(Decimal(value) / scale, commas=True)} {word}"
    return f"{value:,}" if isinstance(value, int) else _plain(value, commas=True)


def _digits_value(numeral: str) -> int | None:
    """二〇一六 is 2016; 三四 is no number (three or four)."""
    if len(numeral) == 1:
        return _DIGIT[numeral]
    if 3 <= len(numeral) <= 18 or (len(numeral) == 2 and numeral[1] in "零〇"):
        return int("".join(str(_DIGIT[char]) for char in numeral))
    return None


def _plain(value: Decimal, *, commas: bool = False) -> str:
    text = f"{value:,f}" if commas else f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _replace(match: re.Match[str]) -> str:
    kind = match.lastgroup
    group = match.groupdict()
    if group["part"] is not None:
        return _or_as_it_was(match, _ratio, group["ratio"], group["part"])
    if group["above"] is not None:
        return _or_as_it_was(match, _fraction, group["below"], group["above"])
    if kind == "scale":
        over = "over " if group["over"] else ""
        return f" {over}{_scaled(group['scaled'], group['scale'])} "
    if group["some"] is not None:
        return _or_as_it_was(match, _over, group["some"], group["myriads"])
    if group["ordinal"] is not None:
        return _or_as_it_was(match, _ordinal, group["ordinal"])
    return _or_as_it_was(match, _number, match, group["number"], group["decimals"])


def _or_as_it_was(match: re.Match[str], make: Callable[..., str | None], *parts: object) -> str:
    made = make(*parts)
    return match.group() if made is None else f" {made} "


def _ratio(of: str, part: str) -> str | None:
    amount = _amount(part)
    if amount is None:
        return None
    return {"百": f"{amount}%", "千": f"{amount} per thousand", "万": f"{amount} per 10,000"}[of]


def _amount(part: str) -> str | None:
    if part[0].isdigit() and part[0] not in _DIGIT:
        return part
    whole, _, decimals = part.partition("点")
    value = value_of(whole)
    if value is None:
        return None
    return f"{value}.{_decimals(decimals)}" if decimals else str(value)


def _decimals(numeral: str) -> str:
    return "".join(str(_DIGIT[char]) for char in numeral)


def _fraction(below: str, above: str) -> str | None:
    denominator, numerator = value_of(below), value_of(above)
    return None if denominator is None or numerator is None else f"{numerator}/{denominator}"


def _scaled(number: str, scale: str) -> str:
    if scale in _SAME:
        return f"{number} {_SAME[scale]}"
    zeros = _SCALES.get(scale) or sum({"十": 1, "百": 2, "千": 3, "万": 4, "亿": 8}[char] for char in scale)
    value = Decimal(number.replace(",", "")).scaleb(zeros)
    return written(int(value) if value == value.to_integral_value() else value)


def _over(numeral: str, scale: str) -> str | None:
    value = value_of(numeral)
    return None if value is None else f"over {_scaled(str(value), scale)}"


def _ordinal(numeral: str) -> str | None:
    value = value_of(numeral)
    if value is None:
        return None
    return _ORDINALS[value] if value < len(_ORDINALS) else f"No. {value}"


def _number(match: re.Match[str], numeral: str, decimals: str | None) -> str | None:
    """English for a numeral that is a number here, None where it is part of a word."""
    value = value_of(numeral)
    if value is None:
        return None
    if decimals:
        return f"{value}.{_decimals(decimals)}"
    after = match.string[match.end() : match.end() + 1]
    if len(numeral) == 1:
        counted = _COUNTED_BY_ONE if numeral == "一" else _COUNTED
        return written(value) if after in counted and after and numeral != "十" else None
    if after == "年" and 1000 <= value <= 2999:
        return str(value)
    return written(value)
