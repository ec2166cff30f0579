"""The check that others rely on can fail."""

from __future__ import annotations

import pytest

from tests import growth
from tests.growth import assert_linear


def test_work_that_grows_with_the_square_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_FLOOR", 0.0001)
    with pytest.raises(AssertionError, match="for 4000"):
        assert_linear(range, lambda numbers: [None for _ in numbers for _ in numbers], size=4000)


def test_work_in_proportion_passes() -> None:
    assert_linear(range, sum)
