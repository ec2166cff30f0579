"""File names for ids of every kind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.results.paper_names import PaperNames


@pytest.mark.parametrize("paper_id", ["ChinaXiv-202103.00122V1", "2024.00012", "a_b-c", "0", "A" * 150])
def test_a_plain_id_is_its_name(paper_id: str) -> None:
    assert PaperNames().name(paper_id) == paper_id


@pytest.mark.parametrize(
    ("paper_id", "stem"),
    [
        ("10.1000/xyz", "10.1000_xyz"), ("../../etc/passwd", "_._.._etc_passwd"), (".", "_"), ("..", "_."),
        (".hidden", "_hidden"), ("-rf", "_rf"), ("con", "con"), ("NUL", "NUL"), ("aux.x", "aux.x"),
        ("Com1", "Com1"), ("a\x00b", "a_b"), ("a\nb", "a_b"), ("论文", "__"), ("é", "_"), ("\ud800", "_"),
        ("a\\b", "a_b"), ("a:b", "a_b"), ("x" * 400, "x" * 150), (" ", "_"), ("~", "_"),
    ],
)  # fmt: skip
def test_what_no_file_may_be_called_has_digits_of_the_digest(paper_id: str, stem: str) -> None:
    name = PaperNames().name(paper_id)
    assert re.fullmatch(re.escape(stem) + "-[0-9a-f]{8}", name)
    assert name == PaperNames().name(paper_id)


def test_ids_that_differ_in_case_or_say_the_same_have_names_of_their_own() -> None:
    names = PaperNames()
    twin = PaperNames().name("a b")
    given_out = [
        names.name(each) for each in ("v1", "V1", twin, "a b", "a/b", "v1", "v1", "v1", twin.upper())
    ]
    assert given_out[0] == "v1"
    assert len({name.lower() for name in given_out}) == len(given_out)


@given(st.lists(st.text(min_size=1, max_size=30), max_size=30))
def test_any_ids_have_safe_names_and_none_twice(ids: list[str]) -> None:
    names = PaperNames()
    given_out = [names.name(each) for each in ids]
    assert len({name.lower() for name in given_out}) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,220}", name) for name in given_out)
