"""A record without an id is told which of its fields may name it."""

from __future__ import annotations

import pytest

from handlers.corpus.fields.naming_field import naming_field


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"stars": 4, "review_id": "r7", "review": "good"}, "review_id"),
        ({"user_name": "a", "Review ID": "7"}, "Review ID"),
        ({"id_of_author": 3, "reviewId": "a"}, "reviewId"),
        ({"reviewid": "r7", "valid": "true"}, "reviewid"),
        ({"text": "x", "审稿编号": "8"}, "审稿编号"),
        ({"text": "x", "ticketNumber": 4}, "ticketNumber"),
        ({"ISBN-13": "978"}, "ISBN-13"),
        ({"review_id": " ", "order_id": "o"}, "order_id"),
        ({"review_id": ["a"], "text": "x"}, None),
        ({"valid": "true", "paid": "yes", "grid": "a"}, None),
        ({"x" * 1_000_000 + "_id": "a"}, None),
        ({}, None),
    ],
)
def test_the_field_that_is_called_as_one_that_names(record: dict[str, object], name: str | None) -> None:
    assert naming_field(record) == name
