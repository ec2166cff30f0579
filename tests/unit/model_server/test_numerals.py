from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.model_server.number_words import to_english, value_of, written
from tests.builders.growth import assert_linear, repeated

DIGITS = "零一二三四五六七八九"


def chinese(number: int) -> str:
    """An independent writer of Chinese numerals below 10,000."""
    if number < 10:
        return DIGITS[number]
    out, gap = "", False
    for unit, mark in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if digit:
            out += ("零" if gap and out else "") + DIGITS[digit] + mark
            gap = False
        else:
            gap = True
    return out


@given(st.integers(0, 9999))
def test_every_numeral_below_ten_thousand_has_its_value(number: int) -> None:
    assert value_of(chinese(number)) == number


@given(st.integers(1, 9999), st.integers(0, 9999))
def test_myriads_add_up(high: int, low: int) -> None:
    tail = chinese(low) if low >= 1000 else ("零" + chinese(low) if low else "")
    assert value_of(f"{chinese(high)}万{tail}") == high * 10_000 + low


@pytest.mark.parametrize(
    ("source", "english"),
    [
        ("三种方法", "three 种方法"),
        ("十二个", "12 个"),
        ("3万人", "30,000 人"),
        ("1.2亿元", "120 million 元"),
        ("2万亿", "2 trillion"),
        ("1,200.5万", "12,005,000"),
        ("百分之五", "5%"),
        ("百分之十二点五", "12.5%"),
        ("百分之12", "12%"),
        ("千分之三", "3 per thousand"),
        ("三分之一", "1/3"),
        ("二〇一六年", "2016 年"),
        ("第三", "third"),
        ("第十二章", "No. 12 章"),
        ("两个", "two 个"),
        ("三点五", "3.5"),
        ("5千万", "50 million"),
        ("2.68 亿", "268 million"),
        ("12224.33亿", "1,222,433 million"),
        ("237.78百万", "237.78 million"),
        ("2000多万", "over 20 million"),
        ("两千多万", "over 20 million"),
        ("一千二", "1,200"),
        ("一万二", "12,000"),
        ("一千零二", "1,002"),
        ("一百二十五", "125"),
    ],
)
def test_numbers_keep_their_value(source: str, english: str) -> None:
    assert to_english(source).strip() == english


@pytest.mark.parametrize(
    "word", ["一般", "统一", "十分", "万一", "万能", "百万", "3千克", "5百帕", "1.5.3万", "⟦3⟧"]
)
def test_what_is_no_number_stays_as_it_was(word: str) -> None:
    assert to_english(word) == word


@given(st.integers(0, 10**14))
def test_written_numbers_read_back_as_the_same_value(number: int) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    scales = {"million": 10**6, "billion": 10**9, "trillion": 10**12}
    amount, _, scale = written(number).partition(" ")
    value = words.index(amount) if amount in words else float(amount.replace(",", ""))
    assert value * scales.get(scale, 1) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize(
    "unit", ["一", "1", "1,", "百分之", "十", "第", "1.", "万", "零点", "亿万", "三分之"]
)
def test_a_flood_of_numerals_is_read_in_linear_time(unit: str) -> None:
    assert_linear(repeated(unit), to_english)
