"""The rate limits that an API states of itself in ``x-ratelimit-limit-requests`` and ``-tokens``.

No header names the window. It is a minute at OpenAI (platform.openai.com/docs/guides/rate-limits) and those
who copy it; Groq's requests are of a day and its tokens of a minute (console.groq.com/docs/rate-limits). The
reset tells them apart: a limit that comes back steadily is whole again after used / limit of its window, so
that limit x reset / used is the window, in every response the same. Where the responses do not agree on an
hour or a day so, it is a minute: windows that start anew, and resets that mean something else, give figures
all over the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from handlers.llm.limits.rate_headers import StatedLimit

_LONG = {"hour": 3600.0, "day": 86_400.0}
_LEAST, _MOST = 0.4, 1.25
"""Shares of a window between which a response agrees with it: what is left is rounded down to whole calls."""
_MINUTE = 66.0
"""Seconds to a reset that no window of a minute has."""
_ENOUGH = 5
"""Responses before they can agree on anything."""
_SPAN = 4
"""Times the least use that the most must be: under even use a window that starts anew looks steady too."""


@dataclass
class _Responses:
    """The responses that state one limit."""

    limit: int
    responses: int = 0
    least: int = 0
    most: int = 0
    longest: float = 0.0
    agree: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LONG, 0))

    def observe(self, used: int, reset: float) -> None:
        self.responses += 1
        self.least = min(self.least or used, used)
        self.most = max(self.most, used)
        self.longest = max(self.longest, reset)
        window = self.limit * reset / used
        for name, seconds in _LONG.items():
            self.agree[name] += _LEAST * seconds <= window <= _MOST * seconds

    @property
    def window(self) -> str | None:
        """Its name; None if it is surely no minute and nobody knows what: a quota that is whole again at
        midnight or at a month's end."""
        is_enough = self.most >= _SPAN * self.least or self.longest > _MINUTE
        if self.responses >= _ENOUGH and is_enough:
            for name, agreed in self.agree.items():
                if agreed == self.responses:
                    return name
        return None if self.longest > _LONG["hour"] else "minute"


class StatedLimits:
    """The limits that the responses state; its size does not grow with their number."""

    def __init__(self) -> None:
        self._by_kind: dict[str, _Responses] = {}

    def observe(self, stated: Iterable[StatedLimit]) -> None:
        """Take in a response. Of limits that differ (a gateway in front of several accounts) the lowest
        counts."""
        for each in stated:
            known = self._by_kind.get(each.kind)
            if known is None or each.limit < known.limit:
                known = self._by_kind[each.kind] = _Responses(each.limit)
            if each.limit == known.limit and each.used and each.reset:
                known.observe(each.used, each.reset)

    def limits(self) -> dict[str, int]:
        """``requests_per_minute``, ``tokens_per_day`` ... → the limit."""
        windows = {kind: responses.window for kind, responses in self._by_kind.items()}
        return {f"{kind}_per_{name}": self._by_kind[kind].limit for kind, name in windows.items() if name}
