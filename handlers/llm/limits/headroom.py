"""Whether an API's ``x-ratelimit-*`` headers say that there is room below its limit."""

from __future__ import annotations

import math

from handlers.llm.limits.rate_headers import RateHint

_TIGHT = 0.8
"""Share of the fullest bucket seen, below which the limit is near."""
_FADE = 0.999
"""What is left of the fullest after each response that shows less: buckets shrink too."""
_WEIGHT = 0.1
"""Of a response in the mean fill."""
_SMALLEST = 5
"""A bucket that never shows more says nothing by how full it is."""
_DEEPEST = 60.0
"""Seconds to fill at most: a bucket that takes longer, as a day's does, is to be spent and not to be kept."""


class Headroom:
    """What is left of each limit, as a share of the most that ever was. Headers are stamped when a call is
    let in and read when it is answered, so they are a round old: good enough to say that there is room and to
    lean gently, too late to keep a pace."""

    def __init__(self) -> None:
        self.fill: float | None = None
        """How full the emptiest bucket was of late, 0 to 1, the same for all jobs; None if unsaid."""
        self._fullest: dict[str, float] = {}
        self._longest: dict[str, float] = {}
        self._tight_at = -math.inf
        self._since = math.inf

    def observe(self, hint: RateHint, now: float) -> None:
        """Take in a response's headers."""
        self._since = min(self._since, now)
        fills = []
        for kind, left, reset in hint.left:
            fullest = self._fullest[kind] = max(float(left), self._fullest.get(kind, 0.0) * _FADE)
            longest = self._longest[kind] = max(reset, self._longest.get(kind, 0.0) * _FADE)
            if left < fullest * _TIGHT:
                self._tight_at = now
            if fullest >= _SMALLEST and 0 < longest <= _DEEPEST:
                # A bucket that is low takes long to fill. Where little is left of a window, but it ends
                # soon, that little is to be used.
                fills.append(max(left / fullest, 1 - reset / longest))
        if fills:
            fill = min(fills)
            self.fill = fill if self.fill is None else self.fill + (fill - self.fill) * _WEIGHT

    def room(self, now: float, lately: float) -> bool | None:
        """Whether the limits were slack in each response of the last ``lately`` seconds; None if the API
        sends no headers."""
        if not self._fullest:
            return None
        return now - max(self._tight_at, self._since) > lately
