from __future__ import annotations

from handlers.llm.limits.headroom import Headroom
from handlers.llm.limits.rate_headers import RateHint, rate_hint


def hint(**left: int) -> RateHint:
    headers = {f"x-ratelimit-remaining-{kind}": str(number) for kind, number in left.items()}
    found = rate_hint(headers, now=0.0)
    assert found is not None
    return found


def bucket(left: int, reset: float, **more: str) -> RateHint:
    headers = {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": f"{reset}s"}
    found = rate_hint(headers | more, now=0.0, age=9.0)
    assert found is not None
    return found


def test_an_api_without_headers_says_nothing() -> None:
    assert Headroom().room(100.0, lately=1.0) is None
    assert Headroom().fill is None


def test_there_is_room_once_every_response_of_a_round_showed_it() -> None:
    headroom = Headroom()
    headroom.observe(hint(requests=50), 0.0)
    assert headroom.room(5.0, lately=10.0) is False
    assert headroom.room(11.0, lately=10.0) is True
    headroom.observe(hint(requests=20), 12.0)
    assert headroom.room(13.0, lately=10.0) is False
    assert headroom.room(23.0, lately=10.0) is True


def test_the_scarcer_limit_decides_by_its_own_fullest() -> None:
    headroom = Headroom()
    headroom.observe(hint(requests=50, tokens=90_000), 0.0)
    headroom.observe(hint(requests=50, tokens=30_000), 20.0)
    assert headroom.room(21.0, lately=10.0) is False


def test_the_fill_follows_the_bucket() -> None:
    headroom = Headroom()
    headroom.observe(bucket(100, 0.1), 0.0)
    headroom.observe(bucket(0, 2.0), 1.0)
    assert headroom.fill is not None and headroom.fill > 0.85, "one response among many"
    for second in range(2, 60):
        headroom.observe(bucket(20, 1.6), second)
    assert abs(headroom.fill - 0.2) < 0.02
    for second in range(60, 120):
        headroom.observe(bucket(60, 0.0), second)
    assert headroom.fill > 0.95, "a smaller bucket that is full"


def test_a_window_that_is_about_to_end_may_be_used_up() -> None:
    headroom = Headroom()
    for second in range(120):
        headroom.observe(bucket(3000 - 50 * (second % 60), 60 - second % 60), second)
    assert headroom.fill is not None and headroom.fill > 0.7


def test_what_shows_nothing_or_lasts_for_hours_is_not_steered_by() -> None:
    headroom = Headroom()
    headroom.observe(hint(requests=50), 0.0)
    assert headroom.fill is None, "it does not say when it is full"
    headroom = Headroom()
    headroom.observe(bucket(2, 1.0), 0.0)
    assert headroom.fill is None, "too coarse"
    headroom.observe(bucket(500, 3000.0), 1.0)
    assert headroom.fill is None, "a day's"
