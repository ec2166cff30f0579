"""The check that others rely on can fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import pytest

from tests.builders.growth import assert_linear, repeated


def test_work_in_proportion_passes() -> None:
    assert_linear(range, sum)


def tails_copied(text: str) -> None:
    """The cheapest square there is: memory is moved, ten billion bytes a second."""
    while text:
        text = text[4:]


def ends_sought(text: str) -> None:
    """Without a loop of Python's, whose share tracing multiplies."""
    deque(map(partial(text.find, "\0"), range(len(text))), maxlen=0)


@pytest.mark.parametrize("act", [tails_copied, pytest.param(ends_sought, marks=pytest.mark.slow)])
def test_work_that_grows_with_the_square_is_caught(act: Callable[[str], None]) -> None:
    with pytest.raises(AssertionError, match="for 250000"):
        assert_linear(repeated("[[[["), act)
