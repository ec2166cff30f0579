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

from handlers.llm.limits.rate_headers import Stated

_LONG = {"hour": 3600.0, "day": 86_400.0}
_LEAST, _MOST = 0.4, 1.25
"""Shares of a window between which a response agrees with it: what is left is rounded down to whole calls."""
_MINUTE = 66.0
"""Seconds to a reset that no window of a minute has."""
_TELL = 5
"""Responses before they can agree on anything."""
_SPAN = 4
"""Times the least use that the most must be: under even use a window that starts anew looks steady too."""


@dataclass
class _Heard:
    """What the responses said with one limit."""

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
        """None if it is certainly no minute and nobody knows what: a quota that is whole again at midnight or
        at a month's end."""
        telling = self.most >= _SPAN * self.least or self.longest > _MINUTE
        if self.responses >= _TELL and telling:
            for name, agreed in self.agree.items():
                if agreed == self.responses:
                    return name
        return None if self.longest > _LONG["hour"] else "minute"


class StatedLimits:
    """Takes in each response's statements; flat in their number."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def observe(self, stated: Iterable[Stated]) -> None:
        """Of limits that differ (a gateway in front of several accounts) the lowest stands."""
        for each in stated:
            known = self._heard.get(each.kind)
            if known is None or each.limit < known.limit:
                known = self._heard[each.kind] = _Heard(each.limit)
            if each.limit == known.limit and each.used and each.reset:
                known.observe(each.used, each.reset)

    def found(self) -> dict[str, int]:
        """``requests_per_minute``, ``tokens_per_day`` ... → the limit."""
        windows = {kind: heard.window for kind, heard in self._heard.items()}
        return {f"{kind}_per_{name}": self._heard[kind].limit for kind, name in windows.items() if name}
