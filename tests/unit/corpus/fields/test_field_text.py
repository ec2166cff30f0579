"""Titles and abstracts in the shapes that catalogues give them are the texts that they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.fields.field_text import RecordError, abstract_of, body_of, date_of, title_of
from handlers.corpus.normalise import FIELDS, Normaliser
from tests.builders.growth import assert_linear, repeated


@pytest.mark.parametrize(
    ("value", "title"),
    [
        (["", "气温变化", "Air temperature"], "气温变化"),
        ([], ""),
        ("第一行\n  第二行 ", "第一行 第二行"),
        ("a\u2028b\x0bc", "a b c"),
        ({"en": "English", "zh": "中文"}, "中文"),
        ([{"lang": "en", "title": "English"}, {"lang": "zh", "title": "中文"}], "中文"),
        ([{"title": "A"}], "A"),
        ({"value": None}, ""),
        ("['It\\'s', 'b']", "It's"),
        ('{"en": "English", "zh": "中文"}', "中文"),
        ('{"a": 1} 型', '{"a": 1} 型'),
        ("[Untitled] (A) b", "[Untitled] (A) b"),
        ("&#945;-淀粉酶与&beta;-葡聚糖", "α-淀粉酶与β-葡聚糖"),
        ("零\u200b宽\xad字 می\u200cخواهم 👨\u200d👩 1\u200d2", "零宽字 می\u200cخواهم 👨\u200d👩 12"),
        ("3\u200b,4 个\u200b", "3\u200b,4 个"),
        ("⽤⼾", "⽤⼾"),
        (7.0, "7"),
    ],
)
def test_a_title_is_one_line_of_what_is_given(value: object, title: str) -> None:
    assert title_of(value, None) == title


@pytest.mark.parametrize(
    ("value", "abstract"),
    [
        ({"Soil": [0], "moisture": [1, 3], "affects": [2]}, "Soil moisture affects moisture"),
        ({"b": [10**15], "a": [0]}, "a b"),
        ({"IndexLength": 2, "InvertedIndex": {"b": [1], "a": [0]}}, "a b"),
        ('{"Soil": [0], "dries": [1]}', "Soil dries"),
        ('{"a": "no index"}', '{"a": "no index"}'),
        ('{"zh": "中文。", "en": "English."}', "中文。"),
        ("['One.', 'Two.']", "One.\nTwo."),
        ([{"text": "One.", "section": "Abstract"}, "Two."], "One.\nTwo."),
        ([{"label": "METHODS:", "text": "One."}], "METHODS: One."),
        ({"p": ["One.", "Two."]}, "One.\nTwo."),
        ("nan", ""),
        ("第一段。\x85第二段。", "第一段。\n第二段。"),
    ],
)
def test_an_abstract_is_a_line_a_paragraph(value: object, abstract: str) -> None:
    assert abstract_of(value, None) == abstract


def test_the_language_that_a_record_states_is_the_one_that_is_read() -> None:
    assert abstract_of({"zh_CN": "中文", "en_US": "English"}, "en") == "English"


def test_markup_of_a_body_is_not_touched() -> None:
    assert body_of("`&lt;p&gt;`\n<sub>2</sub>", None) == "`&lt;p&gt;`\n<sub>2</sub>"


@pytest.mark.parametrize(
    "value", [True, 2.5, 2.0**60, {"words": {"a": [-1]}}, {"a": [0, "1"]}, [[[[[[[["x"]]]]]]]]]
)
def test_what_holds_no_text_is_refused(value: object) -> None:
    with pytest.raises(RecordError, match=r"abstract is (a|the|an) "):
        abstract_of(value, None)


def test_fields_that_are_only_kept_cost_no_paper() -> None:
    record = {
        "id": "1", "abstract": None, "abstract_inverted_index": {"b": [1], "a": [0]}, "language": ["eng"],
        "license": [{"URL": "https://a.example/x"}, {"URL": "https://creativecommons.org/licenses/by-nd/4.0/"}],
        "date": {"date-parts": [[2020, 1]]}, "url": ["", "10.1000/x"],
    }  # fmt: skip
    found = Normaliser({}).prepare(1, record)
    assert b'"abstract":"a b"' in found.line
    assert b"inverted" not in found.line
    assert b'"license":"CC-BY-ND-4.0"' in found.line
    assert b'"date":"2020-01"' in found.line
    assert b"https://doi.org/10.1000/x" in found.line
    assert date_of({"date-parts": [[None]]}) == ""


names = st.sampled_from(["text", "en", "p", "x", "lang"])
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(anything)
def test_no_value_raises_anything_else(value: object) -> None:
    try:
        Normaliser({}).prepare(1, {**dict.fromkeys(FIELDS, value), "id": "1"})
    except RecordError:
        return


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["[", "['", '{"', "['a',", '["\\', "\u200d", "\u2028", "⽤"])
def test_a_flood_of_anything_is_read_in_linear_time(piece: str) -> None:
    assert_linear(repeated(piece), lambda text: (title_of(text, None), abstract_of(text, None)))


@pytest.mark.parametrize(("title", "abstract"), [("CO<sub>2</sub>", "<p>a</p>"), (["CO<sub>2</sub>"], "a")])
def test_tags_are_read_in_a_record_of_a_catalogue_alone(title: object, abstract: str) -> None:
    prepared = Normaliser({}).prepare(1, {"id": "1", "title": title, "abstract": "<p>a</p>"})
    assert json.loads(prepared.line)["abstract"] == abstract
