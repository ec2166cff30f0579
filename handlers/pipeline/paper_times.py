"""How long a paper will keep a worker busy, learned from the papers before."""

from __future__ import annotations

import threading
from dataclasses import dataclass

_MEMORY = 0.998
"""Weight that a paper loses with each later one."""
_PRIOR = (200.0, 2.0, 0.02)
"""Before anything is learned: weight in papers of 100 tokens, seconds, and seconds a token."""
_ENOUGH = 20.0
"""Papers of a language after which its own line goes before that of all languages."""


@dataclass
class _Line:
    """Least squares of seconds over size with a fading memory."""

    n: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def add(self, x: float, y: float) -> None:
        self.n = self.n * _MEMORY + 1
        self.x = self.x * _MEMORY + x
        self.y = self.y * _MEMORY + y
        self.xx = self.xx * _MEMORY + x * x
        self.xy = self.xy * _MEMORY + x * y

    def at(self, x: float) -> float:
        spread = self.n * self.xx - self.x * self.x
        if spread <= 1e-9 * self.xx * self.n:  # all of one size: more text is more work all the same
            return self.y / self.x * x if self.x else self.y / self.n
        slope = max(0.0, (self.n * self.xy - self.x * self.y) / spread)
        return max(0.0, self.y / self.n + slope * (x - self.x / self.n))


class LatencyForecast:
    """Seconds by size and language, for one run and its task. Thread-safe.

    It decides only which paper starts first: the run waits in the end for a long paper that starts last
    (Graham, 1969: longest processing time first).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = _Line()
        for size in (1.0, _PRIOR[0]):
            self._all.add(size, _PRIOR[1] + _PRIOR[2] * size)
        self._by_language: dict[str | None, _Line] = {}

    def seconds(self, size: float, language: str | None) -> float:
        """Expected seconds of a paper."""
        with self._lock:
            line = self._by_language.get(language)
            return (line if line is not None and line.n >= _ENOUGH else self._all).at(size)

    def learn(self, size: float, language: str | None, seconds: float) -> None:
        """A paper of that size took so many seconds, without the waits for slots and budget."""
        with self._lock:
            self._all.add(size, seconds)
            self._by_language.setdefault(language, _Line()).add(size, seconds)
