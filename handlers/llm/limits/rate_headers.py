"""What response headers say of the API's rate limits: how long to wait, what is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern

MAX_WAIT = 300.0
"""Seconds that a header makes a call wait at most: a wrong clock must not stop a fleet for a day."""
_MAX_RESET = 60.0
"""The same for ``x-ratelimit-reset-*``, which is the time of a full bucket and not of the next call."""
_MAX_CHARACTERS = 64
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_DURATION = rare_pattern(r"(\d{1,9}(?:\.\d{1,9})?)(ms|us|µs|ns|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH, _EPOCH_MS = 1e9, 1e12
"""Numbers as large as these are points in time, in seconds or milliseconds."""
_MOST_STATED = {"requests": 10**9, "tokens": 10**12}
"""A limit above these is none."""


class StatedLimit(NamedTuple):
    """A limit as a response states it, what is used of it, and the seconds until none of it is; None where
    the response does not say."""

    kind: str
    """``requests`` or ``tokens``."""
    limit: int
    used: int | None
    reset: float | None


@dataclass(frozen=True)
class RateHint:
    """``remaining`` calls or tokens of a limit's window, whichever is scarcer, and the seconds until
    that window starts anew (0 if it was not said or has passed)."""

    remaining: int
    reset: float
    left: tuple[tuple[str, int, float], ...] = field(default=(), compare=False)
    """(kind, what remains, seconds from then until all of it is there, 0 if unsaid) of each limit that the
    headers name, as of when the call was let in."""
    stated: tuple[StatedLimit, ...] = field(default=(), compare=False)
    """The limits themselves."""


def duration(text: str, *, now: float) -> float | None:
    """Seconds of ``6m0s``, ``20ms``, ``1.5``, a Unix time or a date; None if it is none of these.

    ``now`` in Unix seconds. Never negative.
    """
    text = text.strip()
    if not text or len(text) > _MAX_CHARACTERS:
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _EPOCH_MS:
            number /= 1000
        return max(0.0, number - now) if number >= _EPOCH else number
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return _until(text, now)


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait before the next try, from ``retry-after-ms``, ``Retry-After`` (RFC 9110, 10.2.3:
    seconds or a date) or, failing these, the reset time of a spent ``x-ratelimit``; None if unsaid."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return min(MAX_WAIT, float(milliseconds) / 1000)
    seconds = duration(headers.get("retry-after", ""), now=now)
    if seconds is not None:
        return min(MAX_WAIT, seconds)
    hint = rate_hint(headers, now=now)
    return hint.reset if hint is not None and hint.remaining == 0 and hint.reset > 0 else None


def rate_hint(headers: Mapping[str, str], *, now: float, age: float = 0.0) -> RateHint | None:
    """The scarcest of the ``x-ratelimit-*`` limits; None if there are no such headers. Where limits are
    stated and nothing of what is left, all of it is.

    ``age``: seconds since the request was sent. APIs count when they let a call in, so the window
    has run that long already.
    """
    hints: list[RateHint] = []
    every: list[tuple[str, int, float]] = []
    stated: list[StatedLimit] = []
    for kind in ("-requests", "-tokens", ""):
        text = headers.get(f"x-ratelimit-remaining{kind}", "").strip()
        left = int(float(text)) if _NUMBER.fullmatch(text) else None
        reset = None
        if left is not None:
            reset = duration(headers.get(f"x-ratelimit-reset{kind}", ""), now=now)
            hints.append(RateHint(left, max(0.0, min(_MAX_RESET, reset or 0.0) - age)))
            every.append((kind, left, reset or 0.0))
        limit = headers.get(f"x-ratelimit-limit{kind}", "")
        if limit and (known := _stated_limit(kind[1:], limit.strip(), left, reset)) is not None:
            stated.append(known)
    if not hints:
        return RateHint(min(each.limit for each in stated), 0.0, stated=tuple(stated)) if stated else None
    scarcest = min(hints, key=lambda hint: (hint.remaining, -hint.reset))
    return RateHint(scarcest.remaining, scarcest.reset, tuple(every), tuple(stated))


def _stated_limit(kind: str, text: str, left: int | None, reset: float | None) -> StatedLimit | None:
    limit = int(float(text)) if _NUMBER.fullmatch(text) else 0
    if not 1 <= limit <= _MOST_STATED.get(kind, 0):
        return None
    return StatedLimit(kind, limit, limit - left if left is not None and left <= limit else None, reset)


def _until(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None
