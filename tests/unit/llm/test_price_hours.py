"""When a model is dear: windows, zones, days, holidays and dates."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.tariffs import at, hours

BERLIN = {"zone": "Europe/Berlin", "dear": [{"days": "mon-sun", "hours": "02:00-03:00"}]}
NIGHT = {"dear": [{"days": "fri", "hours": "22:00-02:00"}]}
ALWAYS = {"dear": [{"days": "mon-sun", "hours": "00:00-00:00"}]}
HOLIDAY = {"holidays": [datetime.date(2026, 11, 30)]}


@pytest.mark.parametrize(
    ("changes", "start", "end", "dear"),
    [
        ({}, "2026-11-30 00:59", "2026-11-30 00:59:59", False),
        ({}, "2026-11-30 00:59", "2026-11-30 01:00", True),  # the window's first moment
        ({}, "2026-11-30 03:59:59", "2026-11-30 04:30", True),
        ({}, "2026-11-30 04:00", "2026-11-30 05:59", False),
        ({}, "2026-11-30 00:00", "2026-11-30 12:00", True),  # both ends are cheap
        ({}, "2026-11-29 02:00", "2026-11-29 03:00", False),  # a Sunday
        (HOLIDAY, "2026-11-30 02:00", "2026-11-30 03:00", False),
        (HOLIDAY, "2026-12-01 02:00", "2026-12-01 03:00", True),
        (NIGHT, "2026-11-28 01:59", "2026-11-28 01:59", True),  # of Friday's night
        (NIGHT, "2026-11-28 02:00", "2026-11-28 23:00", False),
        (NIGHT, "2026-11-27 01:00", "2026-11-27 01:30", False),
        (ALWAYS, "2026-11-30 12:00", "2026-11-30 12:01", True),
        ({"from": datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)}, "2026-11-30 12:00",
         "2026-11-30 12:01", True),
        ({"until": datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)}, "2026-11-30 12:00",
         "2026-11-30 12:01", True),
        ({}, "2026-11-28 00:00", "2026-12-28 00:00", True),
        (BERLIN, "2026-07-01 00:30", "2026-07-01 00:40", True),  # summer time: 02:30
        (BERLIN, "2026-12-01 00:30", "2026-12-01 00:40", False),
        (BERLIN, "2026-12-01 01:30", "2026-12-01 01:40", True),
        (BERLIN, "2026-10-25 00:10", "2026-10-25 00:20", True),  # 02:10 comes twice: both are dear
        (BERLIN, "2026-10-25 01:10", "2026-10-25 01:20", True),
        ({"zone": "Asia/Shanghai", "dear": [{"days": "mon", "hours": "00:00-01:00"}]}, "2026-11-29 16:30",
         "2026-11-29 16:31", True),
        ({"dear": [{"days": "sat-mon", "hours": "10:00-11:00"}]}, "2026-11-29 10:30", "2026-11-29 10:31",
         True),
        ({"dear": [{"days": "sat-mon", "hours": "10:00-11:00"}]}, "2026-12-01 10:30", "2026-12-01 10:31",
         False),
        ({"dear": [{"days": "tue, thu", "hours": "10:00-11:00"}]}, "2026-12-03 10:30", "2026-12-03 10:31",
         True),
        ({"dear": [{"days": "mon-sun", "hours": "10:00-11:00"}]}, "2028-02-29 10:30", "2028-02-29 10:31",
         True),
    ],
)  # fmt: skip
def test_what_is_not_known_to_be_cheap_is_dear(
    changes: dict[str, Any], start: str, end: str, dear: bool
) -> None:
    assert hours(**changes).is_dear(at(start), at(end)) is dear


@pytest.mark.parametrize(
    ("now", "seconds", "moment"),
    [
        ("2026-11-30 00:30", 60, "2026-11-30 00:30"),
        ("2026-11-30 00:59:30", 60, "2026-11-30 04:00"),
        ("2026-11-30 04:30", 3600, "2026-11-30 04:30"),
        ("2026-11-30 04:30", 3 * 3600, "2026-11-30 10:00"),  # it does not fit between the windows
        ("2026-11-27 09:00", 900, "2026-11-27 10:00"),
    ],
)
def test_the_next_cheap_moment_is_one_at_which_something_so_long_fits(
    now: str, seconds: float, moment: str
) -> None:
    assert hours().next_cheap(at(now), seconds) == at(moment)


def test_where_no_cheap_moment_is_known_there_is_none() -> None:
    assert hours(**ALWAYS).next_cheap(at("2026-11-30 00:30"), 60) is None
    ended = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    assert hours(until=ended).next_cheap(at("2026-11-30 00:30"), 60) is None


@given(st.floats(0, 14 * 86_400), st.floats(0, 12 * 3_600))
def test_nothing_that_starts_at_a_cheap_moment_ends_in_a_dear_one(after: float, seconds: float) -> None:
    known, now = hours(), at("2026-11-20 00:00") + after
    moment = known.next_cheap(now, seconds)
    assert moment is not None
    assert moment >= now
    assert not known.is_dear(moment, moment + seconds)
    assert moment == now or known.is_dear(now, now + seconds)
