"""The limits that an API states of itself: what window they are of, and what nobody believes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.limits.rate_headers import rate_hint
from handlers.llm.limits.stated_limits import StatedLimits

NOW = 1_700_000_000.0


def headers(kind: str, limit: object, remaining: object = None, reset: object = None) -> dict[str, str]:
    named = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{name}-{kind}": str(value) for name, value in named.items() if value is not None}


def heard(*responses: dict[str, str]) -> dict[str, int]:
    limits = StatedLimits()
    for each in responses:
        hint = rate_hint(each, now=NOW)
        limits.observe(hint.stated if hint is not None else ())
    return limits.limits()


def steady(kind: str, limit: int, window: float, used: list[int]) -> list[dict[str, str]]:
    """Of a limit that comes back evenly over its window, in seconds."""
    return [headers(kind, limit, limit - each, f"{window * each / limit:.2f}s") for each in used]


def test_a_limit_is_of_a_minute_where_nothing_says_otherwise() -> None:
    assert heard(headers("requests", 3000)) == {"requests_per_minute": 3000}
    assert heard(*steady("tokens", 150_000, 60.0, [400 * each for each in range(1, 21)])) == {
        "tokens_per_minute": 150_000
    }


def test_a_reset_that_means_something_else_does_not_make_a_minute_longer() -> None:
    example = headers("requests", 60, 59, "1s") | headers("tokens", 150_000, 149_984, "6m0s")
    assert heard(*[example] * 20) == {"requests_per_minute": 60, "tokens_per_minute": 150_000}


def test_requests_of_a_day_beside_tokens_of_a_minute_are_told_by_their_resets() -> None:
    requests = steady("requests", 14_400, 86_400.0, list(range(1, 21)))
    tokens = steady("tokens", 18_000, 60.0, [500 * each for each in range(1, 21)])
    both = [one | other for one, other in zip(requests, tokens, strict=True)]
    assert heard(*both) == {"requests_per_day": 14_400, "tokens_per_minute": 18_000}


def test_a_limit_of_a_window_that_nobody_can_tell_is_not_taken_for_one_of_a_minute() -> None:
    midnight = [headers("requests", 200, 200 - used, f"{50_000 - used}s") for used in range(10, 21)]
    assert heard(*midnight) == {}


def test_a_day_that_was_used_before_is_a_day() -> None:
    assert heard(*steady("requests", 200, 86_400.0, [150, 151, 152, 153, 154])) == {"requests_per_day": 200}


@given(
    st.integers(1, 10**6),
    st.floats(0.1, 60.0),
    st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 10)), min_size=5, max_size=60),
)
def test_a_minute_that_starts_anew_is_never_taken_for_an_hour_or_a_day(
    limit: int, reset: float, calls: list[tuple[float, int]]
) -> None:
    used, responses = 0, []
    for passed, more in calls:
        reset -= passed
        if reset <= 0:
            reset, used = reset % 60 or 60.0, 0
        used = min(limit, used + more)
        responses.append(headers("requests", limit, limit - used, f"{reset:.3f}s"))
    assert heard(*responses) == {"requests_per_minute": limit}


@pytest.mark.parametrize(
    "limit",
    [
        "",
        "0",
        "-5",
        "nan",
        "inf",
        "1e9",
        "9" * 15,
        "9" * 400,
        "100;w=60",
        "unlimited",
        "0x10",
        "1,000",
    ],
)
def test_what_cannot_be_a_limit_is_none(limit: str) -> None:
    assert heard(headers("requests", limit, 5, "1s")) == {}


@pytest.mark.parametrize("reset", ["-1", "nan", "soon", "0s", "1e300", "9" * 60, str(int(NOW) - 5)])
@pytest.mark.parametrize("remaining", ["-1", "nan", "500", "100", "0", ""])
def test_what_is_left_and_when_it_is_whole_may_be_nonsense(remaining: str, reset: str) -> None:
    assert heard(*[headers("requests", 100, remaining, reset)] * 9) == {"requests_per_minute": 100}


def test_of_limits_that_differ_the_lowest_stands() -> None:
    assert heard(*(headers("requests", each) for each in (600, 90, 3000))) == {"requests_per_minute": 90}


@given(st.text(max_size=70), st.text(max_size=70), st.text(max_size=70))
def test_no_header_makes_it_fail(limit: str, remaining: str, reset: str) -> None:
    found = heard(*[headers("tokens", limit, remaining, reset)] * 6)
    assert all(1 <= each <= 10**12 for each in found.values())
