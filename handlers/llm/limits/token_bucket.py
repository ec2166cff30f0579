"""A declared rate limit as arithmetic: it returns the wait, others do the waiting."""

from __future__ import annotations


class TokenBucket:
    """``rate`` tokens a second, at most ``burst`` saved up. Not thread-safe: its user holds a lock.

    A claim larger than the bucket is let through as a debt that later claims wait for.
    """

    def __init__(self, rate: float, burst: float) -> None:
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst must be positive")
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at: float | None = None

    def take(self, n: float, now: float) -> float:
        """Reserve ``n`` tokens; returns the seconds until they may be used (0: at once)."""
        self._refill(now)
        self._level -= n
        return max(0.0, -self._level / self.rate)

    def give_back(self, n: float) -> None:
        """Undo a reservation that was not used."""
        self._level = min(self.burst, self._level + n)

    def set_rate(self, rate: float, burst: float) -> None:
        """Take another rate from the last claim on; what is saved up or owed stays."""
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst must be positive")
        self.rate = rate
        self.burst = burst
        self._level = min(self._level, burst)

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._level = min(self.burst, self._level + max(0.0, now - self._at) * self.rate)
        self._at = now if self._at is None else max(self._at, now)
