"""Values as they lie in the table, whichever version wrote or reads them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.dynamodb.table import bucket_key, bucket_keys
from handlers.adapters.dynamodb.values import plain, tagged, tagged_item


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("文", {"S": "文"}),
        ("", {"S": ""}),
        (True, {"BOOL": True}),
        (0, {"N": "0"}),
        (-12, {"N": "-12"}),
        (10**30, {"N": "1000000000000000000000000000000"}),
        (1764465123.1234567, {"N": "1764465123.1234567"}),
        (0.1, {"N": "0.1"}),
        ((), {"L": []}),
        (["numbers", "length"], {"L": [{"S": "numbers"}, {"S": "length"}]}),
    ],
)
def test_a_value_is_stored_and_read_as_ever(value: Any, stored: dict[str, Any]) -> None:
    assert tagged(value) == stored
    read = plain({"name": stored})["name"]
    assert read == (list(value) if isinstance(value, tuple) else value)
    assert type(read) in (type(value), list)


def test_nothing_is_stored_of_none() -> None:
    assert tagged_item({"pk": "a", "budget": None}) == {"pk": {"S": "a"}}


@given(st.floats(1e-6, 1e12) | st.integers(-(10**30), 10**30))
def test_numbers_come_back_exactly(number: float) -> None:
    assert plain({"n": tagged(number)})["n"] == number


@pytest.mark.parametrize(("stored", "number"), [("100.0", 100), ("1e-07", 1e-7), ("1E+2", 100)])
def test_numbers_of_other_writers_are_read(stored: str, number: float) -> None:
    assert plain({"n": {"N": stored}})["n"] == number


def test_batches_of_a_run_lie_in_all_its_partitions() -> None:
    """No partition takes the writes of all."""
    counts = Counter(bucket_key("r", f"b{number:06d}-0a1b2c") for number in range(3_200))
    assert set(counts) == set(bucket_keys("r"))
    assert max(counts.values()) < 2 * 3_200 / len(counts)
