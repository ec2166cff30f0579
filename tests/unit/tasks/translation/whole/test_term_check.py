from __future__ import annotations

import pytest

from handlers.tasks.translation.glossary import Glossary
from handlers.tasks.translation.whole.term_check import term_check

TERMS = Glossary({"细胞": "cell", "水温": "water temperature", "度": "—", "GPS定位": "GPS_fix"})


def found(sources: dict[str, str]) -> dict[str, set[str]]:
    return {key: terms for key, text in sources.items() if (terms := TERMS.terms_in(text))}


@pytest.mark.parametrize(
    ("source", "answer", "verdict"),
    [
        ("水温升高", "The temperature of the water rises", "pass"),
        ("水温升高", "Water temperatures rise", "pass"),
        ("水温升高", "The underwater temperature rises", "warn"),
        ("水温升高", "It rises", "warn"),
        ("细胞分裂", "A Cell divides", "pass"),
        ("细胞分裂", "Cells divide", "warn"),  # a stem shorter than five letters is a word of its own
        ("细胞分裂", "a supercell, cellular; then the cell", "pass"),
        ("细胞分裂", "", "warn"),
        ("湿度", "no word to look for", "pass"),
        ("GPS定位", "the gps_fix", "pass"),
    ],
)
def test_a_term_is_looked_for_by_the_first_letters_of_its_words(
    source: str, answer: str, verdict: str
) -> None:
    (check,) = term_check(TERMS, found({"body/1": source}), {"body/1": answer})
    assert check.verdict == verdict


def test_texts_without_a_term_have_no_check() -> None:
    assert term_check(TERMS, found({"body/1": "结论", "body/2": "GPS定位2"}), {"body/1": "End"}) != ()
    assert term_check(TERMS, found({"body/1": "结论"}), {"body/1": "End"}) == ()
