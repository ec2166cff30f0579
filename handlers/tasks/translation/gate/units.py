"""Units of measurement in Chinese and English, as dimension and factor.

``GW`` is ``("W", 10**9)``, ``千瓦`` ``("W", 10**3)``, ``ka`` ``("month", 12_000)``. A dimension is named
after its base unit; time has two, seconds and months, for a month has no fixed number of days.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache, lru_cache

Unit = tuple[str, Decimal]

_split = str.split
_PREFIXES = {
    "k": (3, "kilo", "千"),
    "M": (6, "mega", "兆"),
    "G": (9, "giga", "吉"),
    "T": (12, "tera", "太"),
    "h": (2, "hecto", "百"),
    "c": (-2, "centi", "厘"),
    "m": (-3, "milli", "毫"),
    "μ": (-6, "micro", "微"),
    "n": (-9, "nano", "纳"),
    "p": (-12, "pico", "皮"),
}
_PREFIXED = """
    W watt 瓦 | Wh watt-hour 瓦时 | g gram 克 | m metre 米 | m meter 米 | L litre 升 | L liter 升
    | Pa pascal 帕 | V volt 伏 | A ampere 安 | J joule 焦 | eV electronvolt 电子伏 | Hz hertz 赫 | s second 秒
    B byte 字节
    bit bit 比特 | mol mole 摩尔 | N newton 牛 | cal calorie 卡 | pixel pixel 像素 | pc parsec 秒差距
    bp base-pair 碱基 | Bq becquerel 贝可 | Gy gray 戈瑞 | Sv sievert 希沃特 | Ω ohm 欧姆 | Da dalton 道尔顿
""".replace("\n", "|")
_LONGER = {"瓦": "瓦特", "伏": "伏特", "安": "安培", "焦": "焦耳", "赫": "赫兹", "帕": "帕斯卡", "牛": "牛顿"}
_LONGER |= {"瓦时": "瓦小时", "电子伏": "电子伏特", "卡": "卡路里", "碱基": "碱基对"}
_MORE = """
    g 1000000 t tonne tonnes ton tons 吨 公吨 | g 1000000000 kt | g 1000000000000 Mt megatonne megatonnes
    g 1000000000000000 Gt gigatonne gigatonnes gigaton gigatons | g 1000 公斤 kilo kilos | g 500 斤
    m 1000 公里 | m 0.01 公分 | L 0.001 cc | m2 10000 ha hectare hectares 公顷 | mu 1 亩 mu
    s 60 min mins minute minutes 分钟 | s 3600 h hr hrs hour hours hourly 小时 | s 3600 钟头
    s 86400 d day days daily 天 日 昼夜 | s 604800 week weeks weekly wk 周 星期 礼拜 | s 1209600 fortnight
    month 1 month months monthly mo 个月 月 | month 3 quarterly | month 6 semester semesters
    month 12 year years yr yrs yearly annual annually a 年 周年 载 | month 120 decade decades
    month 1200 century centuries 世纪 | month 12000 millennium millennia ka kyr | month 12000000 Ma Myr
    month 12000000000 Ga Gyr
    ratio 0.01 % percent pct 个百分点 百分点 | ratio 0.001 ‰ permille permil | ratio 0.000001 ppm
    ratio 0.000000001 ppb | °C 1 ℃ °C 摄氏度 | °F 1 °F ℉ 华氏度
    CNY 1 yuan RMB CNY renminbi 元 元人民币 人民币 | USD 1 dollar dollars USD 美元 | EUR 1 euro euros EUR 欧元
    GBP 1 GBP pounds 英镑 | JPY 1 yen JPY 日元
""".replace("\n", "|")
AMBIGUOUS = frozenset(_split("a d h m s t g A B K M N T V W L mo mu h c bit 日 月 卡 安 牛 周 载 斤 元"))
"""Symbols that may mean something else after a number, or whose dimension people write in other ways."""


@cache
def units() -> dict[str, Unit]:
    """By symbol or name; symbols keep their case (``mW`` and ``MW``), names are lower case."""
    known: dict[str, Unit] = {}
    for row in filter(None, map(str.strip, _PREFIXED.split("|"))):
        symbol, name, chinese = row.split()
        for written, power in _written(symbol, name, chinese):
            known[written] = _prefixed(symbol, power)
    for row in filter(None, map(str.strip, _MORE.split("|"))):
        dimension, factor, *names = row.split()
        known |= dict.fromkeys(names, (dimension, Decimal(factor)))
    return known


@lru_cache(maxsize=512)
def _prefixed(symbol: str, power: int) -> Unit:
    """One for all ways of writing it: every job holds them."""
    return symbol, Decimal(1).scaleb(power)


def _written(symbol: str, name: str, chinese: str) -> Iterator[tuple[str, int]]:
    longer = _LONGER.get(chinese, chinese)
    for written in (symbol, name, f"{name}s", chinese, longer):
        yield written, 0
    if symbol == "Hz":
        yield "hz", 0
    for prefix, (power, word, mark) in _PREFIXES.items():
        for written in (
            f"{prefix}{symbol}",
            f"{word}{name}",
            f"{word}{name}s",
            mark + chinese,
            mark + longer,
        ):
            yield written, power
        if prefix == "μ":
            yield from ((f"{micro}{symbol}", power) for micro in ("µ", "u"))
        if symbol == "L":
            yield f"{prefix}l", power


def unit_at_start(text: str) -> tuple[str, Unit] | None:
    """The longest unit that Chinese text of a few characters begins with."""
    for end in range(min(5, len(text)), 0, -1):
        if found := units().get(text[:end]):
            return text[:end], found
    return None
