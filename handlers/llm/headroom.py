"""Whether an API's ``x-ratelimit-*`` headers say that its limit is not what holds the calls back."""

from __future__ import annotations

import math

from handlers.llm.rate_hint import RateHint

_TIGHT = 0.5
"""Share of the fullest bucket seen, below which the limit is near."""
_FADE = 0.999
"""What is left of the fullest after each response that shows less: buckets shrink too."""


class Headroom:
    """What is left of each limit against the most that ever was. Headers are stamped when a call is let
    in and read when it is answered, so they tell of a round ago: good for saying that there is room,
    too late for keeping a pace."""

    def __init__(self) -> None:
        self._fullest: dict[str, float] = {}
        self._tight_at = -math.inf
        self._since = math.inf

    def hear(self, hint: RateHint, now: float) -> None:
        """Take in a response's headers."""
        self._since = min(self._since, now)
        for kind, left in hint.left:
            fullest = max(float(left), self._fullest.get(kind, 0.0) * _FADE)
            self._fullest[kind] = fullest
            if left < fullest * _TIGHT:
                self._tight_at = now

    def room(self, now: float, lately: float) -> bool | None:
        """Whether the limits were slack in each response of the last ``lately`` seconds; None if the API
        sends no headers."""
        if not self._fullest:
            return None
        return now - max(self._tight_at, self._since) > lately
