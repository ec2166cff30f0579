"""Numbers in Chinese and English, as digits, words and both."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.tasks.translation.gate.numbers import compare
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask
from tests.builders.growth import assert_linear, repeated

CORPUS = Path(os.environ.get("PAPERFLEET_CORPUS_DIR", Path(__file__).parents[5] / "shared" / "corpus"))
SENTENCES = Path(__file__).parents[3] / "data" / "number_sentences.jsonl"
"""Good and damaged translations that were written to try the comparison, not to build it."""
ABSTRACTS = CORPUS / "chinaxiv-abstracts.jsonl.gz"


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("3万人", "30,000 people"),
        ("3万人", "3 ten thousand people"),
        ("30余万人", "more than 300 000 people"),
        ("13.60 亿元", "1.36 billion yuan"),
        ("1.2亿", "120 million"),
        ("698.5万亿元", "698.5 trillion yuan"),
        ("5百万", "5 million"),
        ("3~5万", "30,000 to 50,000"),
        ("3~5万", "3×10⁴–5×10⁴"),
        ("3千米", "3 km"),
        ("３０％", "30%"),
        ("4 210人", "4,210 people"),
        ("分别为5，200和7", "5, 200 and 7"),
        ("浓度为100,200,300", "100, 200, and 300"),
        ("三种方法", "3 kinds of methods"),
        ("90名学生", "Ninety students"),
        ("12个", "a dozen"),
        ("1个", "a"),
        ("百分之五", "5%"),
        ("千分之三", "0.3%"),
        ("千分之三", "3‰"),
        ("千分之三", "3 per thousand"),
        ("三分之二", "66.7%"),
        ("1/3", "one third"),
        ("1/2", "half"),
        ("四成五", "45%"),
        ("百分之九十八点五", "98.5%"),
        ("百分之零点五", "0.5%"),
        ("千分之一点五", "0.15%"),
        ("一点二亿", "120 million"),
        ("三点五万", "35,000"),
        ("3成", "30%"),
        ("3倍", "a fourfold increase"),
        ("2年半", "two and a half years"),
        ("80年代", "the 1980s"),
        ("20世纪80年代", "the 1980s"),
        ("20世纪80年代", "the eighties of the 20th century"),
        ("二〇一八年", "2018"),
        ("2017—18年", "2017–2018"),
        ("2016.08", "August 2016"),
        ("3月12日", "March 12"),
        ("第3次", "the third time"),
        ("第99百分位", "the 99th percentile"),
        ("十二五", "the 12th Five-Year Plan"),
        ("十几", "10 or more"),
        ("两三千", "2,000–3,000"),
        ("数百", "hundreds"),
        ("P<0.05", "P<.05"),
        ("3×104个", "3 × 10⁴ cells"),
        ("PM2.5, m2, CO2", "PM2.5, m², CO₂"),
        ("每平方米", "per m2"),
        ("新冠肺炎", "COVID-19"),
        ("三维", "3D"),
        ("首先……其次", "(1) ... (2) ..."),
        ("①方法②结果", "(1) Methods (2) Results"),
        ("XGB0ost", "XGBoost"),
        ("影响奶牛产奶性  \n5 能及氮排泄", "affect the milk performance and nitrogen excretion of cows"),
        ("在精粗比为  \n8 1:1 的饲粮中", "in diets with a concentrate-to-roughage ratio of 1:1"),
        ("零下5度", "-5 degrees"),
        ("比例为1∶5万", "a scale of 1:50,000"),
        ("一些一般的三角形，十分统一，在四川", "some ordinary triangles, quite uniform, in Sichuan"),
        ("3 million people and five groups", "300万人和5个组"),
        ("容量75亿千瓦时", "a capacity of 7.5 billion kWh"),
        ("装机2 250万千瓦", "22,500 MW installed"),
        ("328百万千瓦", "328 GW"),
        ("1.8万年前", "18 ka ago"),
        ("约1.3亿年", "about 130 million years"),
        ("99亿吨", "9.9 Gt"),
        ("1 200万像素", "a 12-megapixel camera"),
        ("电压50万伏", "500 kV"),
        ("1.5 h", "an hour and a half"),
        ("术后半年", "6 months after surgery"),
        ("一年半", "18 months"),
        ("静置1 h", "left for an hour"),
        ("每天1次", "daily"),
        ("3万5千份", "35,000 copies"),
        ("2亿3千万", "230 million"),
        ("降至1/10", "cut tenfold"),
        ("平行测定3次", "in triplicate"),
        ("3 000多年", "more than three millennia"),
        ("30%的人", "three in ten people"),
        ("2022年1—6月", "the first half of 2022"),
        ("Ⅲ类水，第Ⅻ卷", "Class 3 water, volume 12"),
        ("⑴目的；㈡方法", "(1) aim; (2) methods"),
        ("共12\u200b,000名", "12,000 in all"),
        ("١٢٣例", "123 cases"),
        ("初一、高二学生", "students in Grades 7 and 11"),
        ("“5.12”地震", "the May 12 earthquake"),
        ("辛亥革命", "the 1911 Revolution"),
        ("民国26年", "1937, the 26th year of the Republic"),
        ("14C测年", "radiocarbon dating"),
        ("21三体综合征", "Down syndrome"),
        ("第7号染色体长臂3区1带", "7q31"),
        ("H2O2处理", "hydrogen peroxide treatment"),
        ("百万分之三", "3 parts per million"),
        ("八九十年代", "the 1980s and 1990s"),
        ("“十四五”期间", "the 14th Five-Year Plan"),
        ("half a million people", "50万人"),
        ("from 1.5M to 750k", "由150万降至75万"),
        ("a 7B model", "70亿参数的模型"),
        ("3 lakh households", "30万户"),
        ("变化率为-3.2%", "a decrease of 3.2%"),
        ("80%以上", "over 80%"),
        ("由2005年的7.4%提高到2020年的15.9%", "to 15.9% in 2020 from 7.4% in 2005"),
    ],
)
def test_a_good_translation_of_numbers_has_nothing_missing_and_nothing_invented(
    source: str, answer: str
) -> None:
    compared = compare(source, answer)
    assert compared.missing == ()
    assert compared.invented == ()


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("3万人", "3 thousand people"),
        ("3万人", "300,000 people"),
        ("10万句对", "10,000 of the four sentence pairs"),
        ("1.2亿", "12 million"),
        ("0.05", "0.5"),
        ("0.05", "0.05 or 0.06"),
        ("30例", "cases"),
        ("30例", "31 cases"),
        ("2018年", "2019"),
        ("80年代", "the 1970s"),
        ("3~5万", "3 to 5 thousand"),
        ("三种方法", "7 kinds of methods"),
        ("2010和2018年", "2010 and 473"),
        ("千分之三", "3%"),
        ("百分之九十八点五", "98.6%"),
        ("一点二亿", "130 million"),
        ("Hsp17.7", "Hsp17.6"),
        ("75亿千瓦时", "75 billion kWh"),
        ("3.28亿千瓦", "328 billion kW"),
        ("1.8万年前", "180 ka ago"),
        ("全文二百五十条", "205 terms"),
        ("“十四五”期间", "the 15th Five-Year Plan"),
        ("20世纪八九十年代", "the 1960s and 1970s"),
        ("干预1年后", "after three years"),
        ("2亿3千万", "2.3 billion"),
    ],
)
def test_a_number_dropped_changed_or_invented_is_seen(source: str, answer: str) -> None:
    compared = compare(source, answer)
    assert compared.missing or compared.invented


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("气温-4.1 ℃", "a temperature of 4.1 °C"),
        ("r=-0.62", "negatively correlated (r = 0.62)"),
        ("零下32 ℃", "32 °C"),
        ("（P＞0.05）", "(P < 0.05)"),
        ("剂量为5 mg", "a dose of 5 g"),
        ("盐度为35‰", "a salinity of 35%"),
        ("随访3年", "followed for 3 months"),
    ],
)
def test_what_is_said_of_a_number_cannot_be_turned(source: str, answer: str) -> None:
    assert compare(source, answer).contradicted


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("男性占42.1%，女性占57.9%。", "Men made up 57.9% and women 42.1%."),
        ("含水量不低于20%。", "The water content was less than 20%."),
        ("三组小鼠给药五天。", "Four groups of mice were dosed for five days."),
        ("N2O排放", "NO3 emissions"),
        ("给药5 mg", "5 mL were given"),
    ],
)
def test_what_may_be_damage_is_a_doubt(source: str, answer: str) -> None:
    assert compare(source, answer).uncertain


@pytest.mark.parametrize("line", SENTENCES.read_text(encoding="utf-8").splitlines())
def test_sentences_of_academic_chinese_and_english(line: str) -> None:
    row = json.loads(line)
    compared = compare(row["source"], row["answer"])
    wrong = (*compared.missing, *compared.invented, *compared.contradicted, *compared.uncertain)
    assert bool(wrong) != row["good"], wrong


def test_the_numbers_are_told_as_they_are_written() -> None:
    compared = compare("共30例，p<0.05", "A total of 31 cases, p<0.05")
    assert compared.missing == ("30例",)
    assert compared.invented == ("31",)


def test_digits_in_names_are_doubtful_and_not_refused() -> None:
    assert compare("蛋白", "the protein IL-6").doubtful == ("6",)


@given(st.text(st.sampled_from("0123456789,.，/ -~至万亿千百分之十二三年代世纪倍成半×^abc()（）%")))
def test_every_text_has_the_numbers_of_itself(text: str) -> None:
    compared = compare(text, text)
    assert compared.missing == compared.invented == ()


@given(st.integers(1, 9_999_999).map(lambda number: number * 100))
def test_a_number_is_the_same_in_tens_of_thousands_and_with_separators(number: int) -> None:
    source = f"{number // 10_000}.{number % 10_000:04d}万"
    compared = compare(source, f"{number:,}")
    assert compared.missing == compared.invented == ()


@given(st.integers(10, 10**9), st.integers(10, 10**9))
def test_another_number_is_never_taken_for_it(one: int, other: int) -> None:
    compared = compare(f"共{one}例", f"{other} cases")
    assert bool(compared.missing) == bool(compared.invented) == (one != other)


def test_real_abstracts_demand_no_more_than_their_digits() -> None:
    for text in _abstracts(400):
        assert compare(text, text).missing == ()
        wordless = "".join(" " if mark.isnumeric() and mark.isascii() else mark for mark in text)
        assert compare(wordless, "").missing == ()


def _abstracts(count: int) -> list[str]:
    if not ABSTRACTS.exists():
        pytest.skip(f"the corpus of real papers is not at {CORPUS}")
    with gzip.open(ABSTRACTS, "rt", encoding="utf-8") as lines:
        papers = (json.loads(line) for line, _ in zip(lines, range(count), strict=False))
        return [PLACEHOLDER.sub("\n", mask(paper["abstract"]).text) for paper in papers]


@pytest.mark.parametrize(
    "unit",
    [
        "1;",
        "1万,",
        "1,000,",
        "9",
        "三分之",
        "一1",
        "①⁴",
        "twenty ",
        "-1 mg ",
        "<5 ",
        "1 in 5 ",
        "三组",
        "N2O ",
        "3万5千",
    ],
)
def test_hostile_repeats_are_compared_in_linear_time(unit: str) -> None:
    assert_linear(repeated(unit), lambda text: compare(text, "There are 7 of them."), size=250_000)
    assert_linear(repeated(unit), lambda text: compare("共7个。", text), size=250_000)
