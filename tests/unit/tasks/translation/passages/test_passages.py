"""Passages: what is asked in one request is the same wherever and whenever it is reckoned."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.value import sha256_of
from handlers.tasks.translation.masking.masking import unmask
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.passages.body_segments import plan_body
from handlers.tasks.translation.passages.passages import passages
from handlers.tasks.translation.passages.weights import (
    MOST_PASSAGES,
    MOST_PLACEHOLDERS,
    MOST_SEGMENTS,
    PASSAGE_WEIGHT,
    pieces_of_weight,
    placeholders,
    weight,
)
from tests.builders.bodies import SCRAPS, digests, said_under_other_seeds, samples

GOLDEN = {
    "1": "dda61561c33bd656bc3e40acc44213c8d1aa8e75c3db6b48323d536f3062a298",
}
"""By ``BODY_VERSION``: a digest that changes without its version would have every body paid for again."""
long_texts = st.lists(st.sampled_from(SCRAPS), max_size=40).map(lambda scraps: "".join(scraps) * 9)


def test_passages_of_a_version_never_change() -> None:
    assert sha256_of(digests()) == GOLDEN[BODY_VERSION]


@pytest.mark.slow
def test_neither_a_hash_s_seed_nor_the_process_changes_a_passage() -> None:
    assert said_under_other_seeds("tests.builders.bodies", "digests") == {f"{digests()}\n"}


@given(long_texts)
def test_pieces_of_a_text_are_the_text_and_each_fits_a_passage(text: str) -> None:
    pieces = pieces_of_weight(text)
    assert "".join(pieces) == text
    assert sum(map(placeholders, pieces)) == placeholders(text), "none is cut through"
    for piece in pieces if len(pieces) > 1 else ():
        assert weight(piece) <= PASSAGE_WEIGHT
        assert placeholders(piece) <= MOST_PLACEHOLDERS


@pytest.mark.parametrize(
    "unit", ["中\n\n", "中$\n\n", "$a$中", "中。", "<table><tr><td>中</td></tr></table>\n"]
)
def test_so_many_passages_take_so_many_characters(unit: str) -> None:
    """By which a short body is known not to have too many, before it is cut."""
    text = unit * (6_000 // len(unit))
    assert len(list(passages(plan_body(text, "zh").sent))) <= 2 * len(text) // MOST_SEGMENTS + 1


@given(long_texts)
def test_a_passage_keeps_its_bounds(text: str) -> None:
    for passage in passages(plan_body(text, "zh").sent):
        many = len(passage.segments) > 1
        assert len(passage.segments) <= MOST_SEGMENTS
        assert not many or passage.weight <= PASSAGE_WEIGHT
        assert not many or len(passage.spans()) <= MOST_PLACEHOLDERS


def test_placeholders_count_on_through_the_segments_of_a_passage() -> None:
    text = "设 $a$ 与 $b$。\n\n取 $c$ 为和。"
    (passage,) = passages(plan_body(text, "zh").sent)
    assert passage.texts() == {"body/0": "设 ⟦1⟧ 与 ⟦2⟧。", "body/1": "取 ⟦3⟧ 为和。"}
    joined = "\n\n".join(unmask(each, passage.spans()) for each in passage.texts().values())
    assert joined == text


def test_a_million_headings_are_more_passages_than_are_asked() -> None:
    heading = plan_body("# 标题", "zh").sent
    assert sum(1 for _ in passages(heading * (MOST_SEGMENTS * MOST_PASSAGES + 1))) > MOST_PASSAGES


def test_a_sample_is_a_few_passages_in_reading_order() -> None:
    text, language = samples()["river"]
    found = list(passages(plan_body(text * 5, language).sent))
    assert [passage.key for passage in found] == [f"body/{n}" for n in range(len(found))]
    assert len(found) > 2


@pytest.mark.parametrize("unit", ["水温1.5", "水温12,345", "水,12,345.67,abc", "水温v2x ", "⟦1⟧水12"])
def test_a_long_text_is_cut_through_no_number_and_no_word(unit: str) -> None:
    pieces = pieces_of_weight(unit * 1_001)
    assert "".join(pieces) == unit * 1_001
    assert len(pieces) > 1
    for left, right in pairwise(pieces):
        assert not (left[-1:] + right[:1]).isalnum() or not (left[-1:] + right[:1]).isascii()
        assert not re.fullmatch(r"[0-9][.,][0-9].?|.[0-9][.,][0-9]", left[-2:] + right[:2])
