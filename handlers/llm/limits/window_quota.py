"""Finds out whether an API counts calls by windows, and the pace that makes a window's quota last."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LONG, _GAPS = 2.0, 3.0
"""A wait of at least so many seconds, and so many gaps between this job's own calls, is for a window's end: a
bucket has its next token sooner. ``Retry-After`` is in whole seconds, so one second says nothing."""
_MINUTE = 60.0
"""What most APIs count by."""
_SAME = 1.5
"""Seconds by which two responses may differ about one moment, as they round up."""


@dataclass(frozen=True)
class SpentQuota:
    """``pace``: calls a second that would have lasted to the window's end; ``seconds`` since it began."""

    pace: float
    seconds: float


class Quota:
    """This job's calls since the window began. A refusal that asks to wait for a window's end tells when it
    ends; it began at the end before, and its length is the shortest from end to end."""

    def __init__(self) -> None:
        self._length = 0.0
        self._began = math.inf
        self._at_end = False
        self._calls = 0

    def sent(self, now: float) -> None:
        """A call goes out."""
        if not self._at_end:
            self._began = min(self._began, now)
        if self._length and now >= self._began + self._length:
            self._began += (now - self._began) // self._length * self._length
            self._calls = 0
        self._calls += 1

    def refused(self, wait: float, gap: float, now: float) -> SpentQuota | None:
        """A call was refused and may come again in ``wait`` seconds; ``gap``: seconds between this job's
        calls. None if no window ends then, or its end is known already."""
        self._calls = max(0, self._calls - 1)
        end = now + wait
        whole = end - self._began
        if not max(_SAME, wait) <= whole < math.inf:
            return None
        is_known = self._at_end and self._off(whole) < _SAME
        if not is_known and wait < max(_LONG, _GAPS * gap):
            return None
        spent = SpentQuota(self._calls / whole, whole)
        if self._at_end and not is_known:
            self._length = min(whole, self._length or whole)
        elif self._at_end:
            self._length = self._length or _MINUTE
        self._began, self._at_end, self._calls = end, True, 0
        return spent

    def _off(self, whole: float) -> float:
        """Seconds between ``whole`` and the nearest number of windows."""
        unit = self._length or _MINUTE
        return abs(whole - max(1, round(whole / unit)) * unit)
