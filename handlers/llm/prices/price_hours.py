"""Prices by the hour: the windows in which a model is dear, in the zone of whoever sets them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from handlers.domain.money import Price

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_A_DAY = timedelta(days=1)
_LONGEST = 14 * 86_400.0
"""Seconds: what lasts longer has a dear hour in it, and no cheap one is looked for further ahead."""


@dataclass(frozen=True)
class DearWindow:
    """From ``start`` to ``end`` on some days of the week (Monday is 0), of the next day if ``end`` is not
    later; the start belongs to it, the end does not."""

    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True)
class PriceHours:
    """When a model costs less than its listed price, and what. Unix seconds.

    Whatever is not known to be cheap is dear: before ``since``, from ``until`` on, and a holiday that is not
    in the list.
    """

    cheap: Price
    zone: str
    dear: tuple[DearWindow, ...]
    hosts: tuple[str, ...]
    """Hosts whose bills go by these hours; resellers have prices of their own."""
    source: str
    stated_on: date
    holidays: frozenset[date] = frozenset()
    """Days of the zone without a dear window."""
    since: float = -math.inf
    until: float = math.inf
    _known: dict[int, tuple[tuple[float, float], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def is_dear(self, start: float, end: float) -> bool:
        """True if a moment from ``start`` to ``end``, both included, is dear."""
        if not 0 <= end - start <= _LONGEST or start < self.since or end >= self.until:
            return True
        return any(begins <= end and start < ends for begins, ends in self._windows(start, end))

    def next_cheap(self, now: float, seconds: float) -> float | None:
        """The first moment from ``now`` on at which something starts that takes ``seconds`` and meets no dear
        moment; None if none is known."""
        ends = {end for _, end in self._windows(now, now + _LONGEST)} | {self.since}
        moments = [now, *sorted(each for each in ends if now < each < math.inf)]
        return next((each for each in moments if not self.is_dear(each, each + seconds)), None)

    def _windows(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """The windows of the days from the one before ``start``, whose last may pass midnight."""
        zone = _zone(self.zone)
        first = datetime.fromtimestamp(start, zone).toordinal() - 1
        for day in range(first, datetime.fromtimestamp(end, zone).toordinal() + 1):
            if day not in self._known:
                self._known[day] = tuple(self._of_day(date.fromordinal(day), zone))
            yield from self._known[day]

    def _of_day(self, day: date, zone: tzinfo) -> Iterator[tuple[float, float]]:
        if day in self.holidays:
            return
        for window in self.dear:
            if day.weekday() in window.days:
                last = day if window.start < window.end else day + _A_DAY
                yield _instants(day, window.start, zone)[0], _instants(last, window.end, zone)[1]


def read_hours(row: Mapping[str, Any], cheap: Price) -> PriceHours:
    """An entry of the price table. ValueError if it is none."""
    return PriceHours(
        cheap=cheap,
        zone=row["zone"],
        dear=tuple(_window(each) for each in row["dear"]),
        hosts=tuple(row["hosts"]),
        source=row["source"],
        stated_on=row["date"],
        holidays=frozenset(row.get("holidays", ())),
        since=row["from"].timestamp() if "from" in row else -math.inf,
        until=row["until"].timestamp() if "until" in row else math.inf,
    )


def _window(row: Mapping[str, str]) -> DearWindow:
    """``{days = "mon-fri", hours = "01:00-04:00"}``"""
    start, _, end = row["hours"].partition("-")
    days: set[int] = set()
    for part in row["days"].split(","):
        first, _, last = part.strip().partition("-")
        begin = _DAYS.index(first)
        days |= {(begin + n) % 7 for n in range((_DAYS.index(last or first) - begin) % 7 + 1)}
    return DearWindow(frozenset(days), time.fromisoformat(start), time.fromisoformat(end))


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _instants(day: date, hour: time, zone: tzinfo) -> tuple[float, float]:
    """The first and the last moment that a clock of the zone shows this: two where it is put back."""
    shown = [datetime.combine(day, hour.replace(fold=fold), zone).timestamp() for fold in (0, 1)]
    return min(shown), max(shown)
