from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlers.tasks.translation.glossary import Glossary
from tests.builders.growth import assert_linear


def test_only_terms_that_occur_are_given_in_the_order_of_the_glossary() -> None:
    glossary = Glossary({"网络": "network", "温度": "temperature", "压力": "pressure"})
    assert list(glossary.occurring(["压力与温度", "温度"]).items()) == [
        ("温度", "temperature"),
        ("压力", "pressure"),
    ]


def test_a_term_inside_a_longer_one_does_not_count() -> None:
    glossary = Glossary({"神经": "nerve", "神经网络": "neural network"})
    assert glossary.occurring(["神经网络"]) == {"神经网络": "neural network"}
    assert len(glossary.occurring(["神经网络和神经"])) == 2


def test_a_latin_term_has_to_stand_as_a_word() -> None:
    glossary = Glossary({"PM": "particulate matter", "SOC": "soil organic carbon"})
    assert glossary.occurring(["3PM与SOC含量"]) == {"SOC": "soil organic carbon"}


def test_one_character_can_be_a_term_and_begin_another() -> None:
    glossary = Glossary({"土": "soil", "土壤水": "soil water", "a+": "plus"})
    assert glossary.occurring(["土壤水"]) == {"土壤水": "soil water"}
    assert glossary.occurring(["黏土壤", "ba+"]) == {"土": "soil"}
    assert glossary.occurring(["[a+]"]) == {"a+": "plus"}


def test_empty_terms_are_ignored() -> None:
    assert Glossary({"": "x", " ": "y"}).occurring([" 温度"]) == {}


@given(
    st.dictionaries(st.text("土壤有机ab", min_size=1, max_size=4), st.just("t")),
    st.text("土壤有机ab ", max_size=60),
)
def test_every_term_found_occurs(terms: dict[str, str], text: str) -> None:
    assert all(term in text for term in Glossary(terms).occurring([text]))


def test_ten_thousand_terms_cost_no_more_than_reading_the_text() -> None:
    many = Glossary({f"土{number}壤": str(number) for number in range(10_000)})
    text = "土" * 100_000 + "土77壤"
    assert list(many.occurring([text])) == ["土77壤"]
    one = Glossary({"土77壤": "77"})
    assert_linear(
        lambda size: one if size < 1_000 else many,
        lambda glossary: list(glossary.occurring([text])),
        size=10_000,
    )
