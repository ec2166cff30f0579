from __future__ import annotations

from handlers.llm.headroom import Headroom
from handlers.llm.rate_hint import RateHint, rate_hint


def hint(**left: int) -> RateHint:
    headers = {f"x-ratelimit-remaining-{kind}": str(number) for kind, number in left.items()}
    found = rate_hint(headers, now=0.0)
    assert found is not None
    return found


def test_an_api_without_headers_says_nothing() -> None:
    assert Headroom().room(100.0, lately=1.0) is None


def test_there_is_room_once_every_response_of_a_round_showed_it() -> None:
    headroom = Headroom()
    headroom.hear(hint(requests=50), 0.0)
    assert headroom.room(5.0, lately=10.0) is False
    assert headroom.room(11.0, lately=10.0) is True
    headroom.hear(hint(requests=20), 12.0)
    assert headroom.room(13.0, lately=10.0) is False
    assert headroom.room(23.0, lately=10.0) is True


def test_the_scarcer_limit_decides_by_its_own_fullest() -> None:
    headroom = Headroom()
    headroom.hear(hint(requests=50, tokens=90_000), 0.0)
    headroom.hear(hint(requests=50, tokens=30_000), 20.0)
    assert headroom.room(21.0, lately=10.0) is False
