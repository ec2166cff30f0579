from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.paper import Paper
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask
from handlers.tasks.translation.segment import LONGEST, cut, glue, halves, join, segments, sentences

TEXT = st.text(st.sampled_from("ab 土壤。！？.;，,\n12"), max_size=300)


def paper(**fields: object) -> Paper:
    return Paper.model_validate({"id": "p1", **fields})


def test_empty_fields_are_left_out_and_keywords_keep_their_positions() -> None:
    found = segments(paper(title="题目", abstract=" ", keywords=["", "温度"], body="正文"), full_text=False)
    assert [(segment.key, segment.text) for segment in found] == [("title", "题目"), ("keywords/1", "温度")]


def test_the_body_is_a_segment_only_when_the_full_text_is_asked_for() -> None:
    with_body = paper(title="题目", body="正文")
    assert [segment.key for segment in segments(with_body, full_text=True)] == ["title", "body"]


def test_joining_puts_translations_in_place_and_copies_the_rest() -> None:
    source = paper(title="题目", abstract="摘要", keywords=["温度", "", "DNA"])
    fields = join(source, False, {"title": "Title", "abstract": "Abstract", "keywords/0": "temperature"})
    assert fields == {"title": "Title", "abstract": "Abstract", "keywords": ["temperature", "", "DNA"]}


def test_a_long_text_is_cut_into_segments_that_join_to_the_same_text() -> None:
    abstract = "土壤有机碳的含量随深度降低。" * 2000
    found = segments(paper(abstract=abstract), full_text=False)
    assert [segment.key for segment in found] == [f"abstract/{i}" for i in range(len(found))]
    assert all(len(segment.text) <= LONGEST and segment.text.endswith("。") for segment in found)
    assert join(paper(abstract=abstract), False, {})["abstract"] == abstract


def test_no_formula_is_cut_through() -> None:
    formula = "$$\n" + "a _ { 1 } + 1 . 5\n" * 40 + "$$"
    found = segments(paper(body=f"其中温度为 {formula} 。" * 200), full_text=True)
    assert len(found) == 1 or all(mask(segment.text).text.count("$") == 0 for segment in found)
    assert sum(mask(segment.text).spans.count(formula) for segment in found) == 200


@given(st.text(st.sampled_from("ab 土。\n")), st.integers(30, 90))
def test_pieces_are_short_and_make_up_the_text(text: str, longest: int) -> None:
    pieces = cut(text, longest)
    assert "".join(pieces) == text
    assert all(len(piece) <= longest for piece in pieces)


@given(st.lists(st.sampled_from(["⟦12⟧", "土壤", "。", " "]), min_size=30).map("".join))
def test_halving_cuts_no_placeholder(text: str) -> None:
    both = halves(text)
    assert both is None or sum(len(PLACEHOLDER.findall(half)) for half in both) == text.count("⟦")


@given(TEXT)
def test_sentences_make_up_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_translated_pieces_get_a_space_between_words_and_none_elsewhere() -> None:
    assert glue(["One.", "Two", " three", "(four)\n", "five"]) == "One. Two three (four)\nfive"
