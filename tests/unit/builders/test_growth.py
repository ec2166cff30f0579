"""The check that others rely on can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders.growth import assert_linear, repeated


def test_work_in_proportion_passes() -> None:
    assert_linear(range, sum)


def tails_copied(text: str) -> None:
    """The cheapest square there is: memory is moved, ten billion bytes a second."""
    while text:
        text = text[4:]


def ends_sought(text: str) -> None:
    for start in range(len(text)):
        text.find("\0", start)


@pytest.mark.parametrize("act", [tails_copied, ends_sought])
def test_work_that_grows_with_the_square_is_caught(act: Callable[[str], None]) -> None:
    with pytest.raises(AssertionError, match="for 250000"):
        assert_linear(repeated("[[[["), act)
