from __future__ import annotations

import random

import pytest

from handlers.tasks.translation.whole.candidate_terms import MOST_TERMS, candidate_terms
from tests.builders.growth import assert_linear, repeated


def among(term: str, times: int) -> str:
    """The term between other neighbours each time."""
    return "".join(
        f"{'测量计算比较'[n % 6]}，{'：；。（'[n % 4]}{term}{'，。；）'[n % 4]}" for n in range(times)
    )


def test_what_stands_often_between_different_neighbours_is_a_term() -> None:
    assert candidate_terms(among("热导率", 4)) == ["热导率"]
    assert candidate_terms(among("热导率", 3)) == []
    assert candidate_terms(among("水温", 9)) == []


def test_a_part_of_a_longer_word_is_none() -> None:
    assert candidate_terms(among("河岸植被", 6)) == ["河岸植被"]
    both = candidate_terms(among("河岸植被带", 4) + among("植被带", 9))
    assert both == ["植被带"]


def test_what_always_has_the_same_neighbour_is_cut_off_a_word() -> None:
    assert candidate_terms("".join(f"，测热导率{mark}" for mark in "。，；：")) == []


def test_a_term_has_no_function_characters_and_no_words_of_place_at_its_ends() -> None:
    assert candidate_terms(among("热的导率", 9)) == []
    assert candidate_terms(among("饱和度", 4)) == ["饱和度"]
    assert candidate_terms(among("土壤中", 9)) == candidate_terms(among("个土壤", 9)) == []


def test_what_is_known_already_is_not_asked_for() -> None:
    text = among("热导率", 5) + among("声子谱", 4)
    assert candidate_terms(text) == ["热导率", "声子谱"]
    assert candidate_terms(text, {"热导率"}) == ["声子谱"]


def test_ties_go_by_the_text_and_no_more_than_twenty_are_asked() -> None:
    characters = [chr(0x4E00 + 7 * n) for n in range(3, 93)]
    terms = ["".join(characters[n : n + 3]) for n in range(0, 90, 3)]
    shuffled = terms.copy()
    random.Random(1).shuffle(shuffled)
    found = candidate_terms("".join(among(term, 4) for term in shuffled))
    assert found == candidate_terms("".join(among(term, 4) for term in terms))
    assert found == sorted(found) and len(found) == MOST_TERMS


@pytest.mark.parametrize("unit", ["热导率，", "热", "热导率的", "甲乙丙丁戊己庚辛壬癸", "热导，率"])
def test_terms_are_found_in_linear_time(unit: str) -> None:
    assert_linear(repeated(unit), candidate_terms)


def test_a_term_at_the_edge_of_the_text_stands_beside_nothing_there() -> None:
    assert candidate_terms("热导率" + among("热导率", 4)) == ["热导率"]
    assert candidate_terms(among("热导率", 4) + "热导率") == ["热导率"]


def test_many_words_with_few_neighbours_are_looked_at_in_linear_time() -> None:
    def text(size: int) -> str:
        chosen = random.Random(1)
        words = ["".join(chr(0x4E00 + chosen.randrange(900)) for _ in range(5)) for _ in range(size // 40)]
        return "".join(4 * words + 4 * words[::-1])

    assert_linear(text, candidate_terms, size=60_000)
