from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.limits.rate_headers import RateHint, duration, rate_hint, retry_after
from tests.builders.growth import assert_linear, repeated

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": formatdate(NOW + 12, usegmt=True)}, 12.0),
        ({"retry-after": formatdate(NOW - 12, usegmt=True)}, 0.0),
        ({"retry-after": "999999"}, 300.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 60.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 5)}, 5.0),
        ({"x-ratelimit-remaining-requests": "4", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_the_headers_and_bounded(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1.52s", 1.52),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("2d", 172800.0),
        (f"{NOW + 3:.0f}000", 3.0),
        ("2023-11-14T22:13:25Z", None),
        ("1s and more", None),
        ("", None),
    ],
)
def test_durations_have_many_forms(text: str, seconds: float | None) -> None:
    found = duration(text, now=NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_the_scarcest_limit_counts_and_its_window_runs_since_the_call_was_sent() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "12",
        "x-ratelimit-reset-requests": "30s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "4s",
    }
    assert rate_hint(headers, now=NOW, age=1.5) == RateHint(0, 2.5)
    assert rate_hint(headers, now=NOW, age=9.0) == RateHint(0, 0.0)
    assert rate_hint({}, now=NOW) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_header_makes_it_fail_or_wait_longer_than_the_bound(first: str, second: str) -> None:
    headers = {"retry-after": first, "x-ratelimit-remaining": second, "x-ratelimit-reset": first}
    wait = retry_after(headers, now=NOW)
    assert wait is None or 0 <= wait <= 300


@pytest.mark.parametrize("unit", ["1", "1m", "1s", "(", "Mon, "])
def test_a_flood_of_header_is_read_in_linear_time(unit: str) -> None:
    def read(text: str) -> None:
        retry_after({"retry-after": text, "retry-after-ms": text, "x-ratelimit-remaining": text}, now=NOW)

    assert_linear(repeated(unit), read)
