"""What a task reads of a record, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.domain.paper import Paper
from handlers.domain.tasks.reads import Reads, is_filled, texts_of

RECORD = {
    "id": 9,
    "title": ["a", "b"],
    "a.b": "whole",
    "a": {"b": "path", "c": {"d": 1.5}},
    "n": None,
    "__class__": "x",
}
PAPER = Paper.model_validate({"id": "r1", "title": "shown", "url": "https://x.org", "record": RECORD})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ["a", "b"]), ("id", 9), ("url", "https://x.org"), ("a.b", "whole"), ("a.c.d", 1.5),
        ("a.c.d.e", None), ("n", None), ("__class__", "x"), ("__dict__", None), ("model_extra", None),
        ("title.0", None), ("", None), (".", None), ("abstract", ""), ("keywords", ()),
    ],
)  # fmt: skip
def test_a_record_goes_before_the_paper_and_names_are_never_attributes(name: str, value: object) -> None:
    reads = Reads(shape="record", fields=(name,))
    assert reads.value(PAPER, name) == value
    assert reads.values(PAPER) == {name: value}


def test_a_papers_own_field_called_record_is_none_of_its_source() -> None:
    assert Reads(fields=("title",)).values(PAPER) == {"title": "shown"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"text": "x"}, {"text": "x", "stars": 5}, True),
        ({"text": "x"}, {"text": "y"}, False),
        ({"text": 1}, {"text": "1"}, False),
        ({"text": ["x"]}, {"text": "x"}, False),
        ({"text": None}, {}, True),
        ({"text": {"a": 1, "b": 2}}, {"text": {"b": 2, "a": 1}}, True),
    ],
)
def test_papers_are_the_same_by_what_is_read(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    reads = Reads(fields=("title", "text"))
    papers = [
        Paper.model_validate({"id": str(n), "title": "t", **each}) for n, each in enumerate((one, other))
    ]
    assert (reads.digest(papers[0]) == reads.digest(papers[1])) is same
    assert Reads(fields=("text", "title")).digest(papers[0]) == reads.digest(papers[0])


def test_size_counts_words_and_not_names() -> None:
    reads = Reads(shape="record", fields=("a.c", "title"))
    assert reads.size(PAPER) == pytest.approx(5 * 0.28)
    assert reads.size(Paper(id="1")) == 0


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, []), ("", [""]), (0, ["0"]), (False, ["false"]), ({}, []),
        (["a", [1, {"k": "b"}]], ["a", "1", "b"]),
    ],
)  # fmt: skip
def test_words_of_any_value(value: object, texts: list[str]) -> None:
    assert list(texts_of(value)) == texts
    assert is_filled(value) is any(texts)


def test_a_value_of_any_depth_has_words() -> None:
    value: object = "x"
    for _ in range(100_000):
        value = [value]
    assert list(texts_of(value)) == ["x"]
    while isinstance(value, list):  # or freeing it is as deep
        value = value[0]
