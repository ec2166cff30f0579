"""What a translation turned around, or left out, where no number tells: directions, strings, sentences."""

from __future__ import annotations

import json

import pytest

from handlers.tasks.translation.gate.directions import turned_directions
from handlers.tasks.translation.gate.gate import GateInput, Verdict, check
from handlers.tasks.translation.gate.length import fewer_sentences
from handlers.tasks.translation.gate.numbers import compare
from handlers.tasks.translation.gate.strings import changed_strings
from handlers.tasks.translation.masking.masking import mask
from tests.builders.growth import assert_linear, repeated

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def judged(source: str, answer: str) -> Verdict:
    frame = GateInput({"abstract": source}, "zh", "en", "")
    return check(frame, json.dumps({"abstract": answer}, ensure_ascii=False), "stop")


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("超过60%的患者", "more than 60% of the patients", "less than 60% of the patients"),
        ("不少于30例", "no fewer than 30 cases", "no more than 30 cases"),
        ("误差至多为5 mm", "an error of at most 5 mm", "an error of at least 5 mm"),
        ("年龄65岁以上者", "those aged 65 years or older", "those under 65 years"),
        ("产量增加了12%", "yield increased by 12%", "yield decreased by 12%"),
        ("死亡率降低8.5%", "mortality fell by 8.5%", "mortality rose by 8.5%"),
        ("由3.2 t增至4.5 t", "rose from 3.2 t to 4.5 t", "fell from 3.2 t to 4.5 t"),
        ("成本下降20%，收入提高15%", "costs fell 20%, income rose 15%", "costs rose 20%, income fell 15%"),
        ("株高比对照降低6.4 cm", "plants were 6.4 cm shorter", "plants were 6.4 cm taller"),
        ("油价从us$60跌至us$28", "oil fell from us$60 to us$28", "oil rose from us$60 to us$28"),
        ("more than 300 sites", "超过300个点", "不足300个点"),
        ("yield increased by 12%", "产量提高12%", "产量下降12%"),
        ("不少于500万字", "no fewer than 5 million characters", "no more than 5 million characters"),
        ("人口增加1200万", "the population grew by 12,000,000", "the population fell by 12,000,000"),
        ("gdp超过3.5万亿元", "gdp exceeded 3.5 trillion yuan", "gdp was below 3.5 trillion yuan"),
        ("costs fell by $1.2 billion", "成本下降12亿美元", "成本上升12亿美元"),
        ("低于2千克", "below 2 kg", "above 2 kg"),
    ],
)  # fmt: skip
def test_a_turned_direction_is_a_doubt(source: str, good: str, bad: str) -> None:
    assert not turned_directions(source, good)
    assert turned_directions(source, bad)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("150日龄后，\n13 着生长不断降低", "with\n13 growth it keeps falling, and rose later"),
        ("自2007年起干旱有减缓趋势", "since 2007 drought rose no more"),
        ("添加1.0\x00 的硒降低了含量", "selenium at 1.0\x00 raised nothing"),
    ],
)
def test_what_is_no_change_of_a_number_is_no_doubt(source: str, answer: str) -> None:
    assert not turned_directions(source, answer)


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("采用Ⅲ级标准评价。", "By grade III.", "By grade II."),
        ("Ⅲ级标准下优良率为92.7%。", "By grade III it is 92.7%.", "By grade II it is 92.7%."),
        ("Ⅱ型糖尿病患者的治疗。", "Treatment of type 2 diabetes.", "Treatment of type III diabetes."),
        ("Ⅰ、Ⅱ、Ⅲ期患者的预后。", "Stage I, II and III patients.", "Stage I, II and IV patients."),
        ("样品均平行测定两次。", "Samples were run in duplicate.", "Samples were run in triplicate."),
    ],
)  # fmt: skip
def test_a_changed_numeral_of_another_kind_is_a_doubt(source: str, good: str, bad: str) -> None:
    assert not judged(source, good).doubts
    assert judged(source, bad).doubts


@pytest.mark.parametrize(
    ("old", "new", "sure"),
    [
        (ASPIRIN, "CC(=O)Oc1cccc1C(=O)O", True),
        (ASPIRIN, "CC(=O)OC1CCCCC1C(=O)O", True),
        ("C[C@@H](N)C(=O)O", "C[C@H](N)C(=O)O", True),
        ("NCT04280705", "NCT04280750", False),
        ("NM_000546.6", "NM_000564.6", False),
        ("ChiCTR2000029308", "ChiCTR2000029380", False),
    ],
)
def test_a_changed_string_is_seen(old: str, new: str, sure: bool) -> None:
    assert list(changed_strings(f"化合物{old}的作用", f"The effect of {new}.")) == [(old, new, sure)]
    assert not changed_strings(f"化合物{old}的作用", f"The effect of ({old}).")


def test_a_changed_smiles_is_refused_and_a_changed_identifier_asked_about() -> None:
    assert not judged(f"化合物{ASPIRIN}的作用。", "The effect of CC(=O)Oc1cccc1C(=O)O.").ok
    assert judged("注册号为ChiCTR-TRC-14005000x。", "The registration is ChiCTR-TRC-14005000y.").doubts


def test_a_sentence_that_is_missing_is_asked_about() -> None:
    source = "本文提出一种检测方法。实验表明该方法优于现有方法。该方法具有较强的鲁棒性，可用于评估。"
    whole = "We propose a detection method. Experiments show it beats others. It is robust and can be used."
    assert not judged(source, whole).doubts
    cut = judged(
        source,
        "We propose a method for detection. Experiments show that it outperforms the existing methods.",
    )
    assert cut.ok
    assert "sentence" in cut.doubts["abstract"]
    assert fewer_sentences("甲。乙。", "One long enough to hold both.", 20) is None


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("速率为3.2×10⁻⁵ mol/L", "a rate of 3.2 × 10^-5 mol/L", "a rate of 3.2 × 10⁵ mol/L"),
        ("误差小于10^-6", "an error below 10⁻⁶", "an error below 10^6"),
        ("误差为2×10<sup>-3</sup>", "an error of 2×10<sup>−3</sup>", "an error of 2×10<sup>3</sup>"),
        ("步长为3e-5", "a step of 3 × 10⁻⁵", "a step of 3e5"),
        ("共有4×10⁸个细胞", "4×10^8 cells", "4×10^-8 cells"),
        ("浓度为2×10-4 mol", "2 × 10⁻⁴ mol", "2 × 10⁴ mol"),
        ("温度降至-20℃", "the temperature fell to −20 °C", "the temperature fell to 20 °C"),
    ],
)
def test_a_lost_sign_is_refused(source: str, good: str, bad: str) -> None:
    def verdict(answer: str) -> Verdict:
        masked, tags = mask(source), mask(answer)
        assert len(masked.spans) == len(tags.spans)
        return judged(masked.text, tags.text)

    assert verdict(good).ok, verdict(good).problems
    assert not verdict(bad).ok


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("延迟减少了三分之二", "cut by two thirds", "cut by one third"),
        ("降到原来的十分之一", "cut to a tenth", "cut to one hundredth"),
        ("其中女性占三成。", "30% were women.", "3% were women."),
        ("一半以上，即五分之三", "over half, namely 60%", "over half, namely two fifths"),
        ("nearly three quarters agreed", "近四分之三同意", "近四分之一同意"),
        ("同比增长6.1%", "up 6.1% on the year", "down 6.1% on the year"),
        ("油价从20美元升至30美元", "from $20 to $30", "from $30 to $20"),
    ],
)
def test_a_share_a_way_or_an_order_that_is_another_is_asked_about(source: str, good: str, bad: str) -> None:
    assert not compare(source, good).uncertain
    assert compare(source, bad).uncertain


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("浓度为5 mg·L⁻¹，速度为2 m·s-1。", "The concentration is 5 mg/L and the speed is 2 m per second."),
        ("训练使用了1.4万亿个词元。", "It was trained on 1.4T tokens."),
        ("由-3%降到-5%。", "It fell from −3% to −5%."),
        ("以“把”“被”“让”“叫”四字为例，分析其语法。", "We analyse the grammar of 把, 被, 让 and 叫."),
        ("&#945;粒子的能量为5.3 MeV，且&lt;6 MeV。", "The α particles have 5.3 MeV, which is <6 MeV."),
        ("该基因定位于第7号染色体长臂3区1带。", "The gene maps to 7q31."),
    ],
)  # fmt: skip
def test_a_good_translation_passes(source: str, answer: str) -> None:
    verdict = judged(source, answer)
    assert verdict.ok, verdict.problems


def test_a_sign_in_an_entity_is_compared() -> None:
    source = "&#945;粒子的能量为5.3 MeV，且&lt;6 MeV。"
    verdict = judged(source, "The α particles have 5.3 MeV, which is >6 MeV.")
    assert not verdict.ok or verdict.doubts


@pytest.mark.parametrize("text", ["C(=O)c1[", "增12%", "more than 5 ", "a1" * 5 + " ", "甲。", "A. "])
def test_the_looks_are_linear(text: str) -> None:
    def look(whole: str) -> None:
        turned_directions(whole, f"{whole}超过 over rose 增")
        list(changed_strings(whole, f"x{whole}"))
        fewer_sentences(whole, whole, 10.0 * len(whole))

    assert_linear(repeated(text), look)
