"""Requests and tokens a minute, and the headers that tell of them."""

from __future__ import annotations

import math
from email.utils import formatdate

from handlers.model_server.server_settings import ServerSettings


class Bucket:
    """A token bucket that refills steadily. A request larger than the bucket is taken when it is full."""

    def __init__(self, per_minute: float, burst: float, *, now: float) -> None:
        self.per_minute = per_minute
        self._rate = per_minute / 60
        self._capacity = max(1.0, self._rate * burst)
        self._level = self._capacity
        self._at = now

    def wait(self, amount: float, *, now: float) -> float:
        """Seconds until ``amount`` may be taken; 0 now."""
        self._refill(now)
        return max(0.0, min(amount, self._capacity) - self._level) / self._rate

    def take(self, amount: float) -> None:
        """May leave a debt, which later refills pay first."""
        self._level -= amount

    def remaining(self) -> int:
        return max(0, int(self._level))

    def seconds_to_full(self) -> float:
        return (self._capacity - self._level) / self._rate

    def _refill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now


class Limits:
    """The account's limits. Completion tokens are taken when they are known, after the request is let in."""

    def __init__(self, settings: ServerSettings, *, now: float) -> None:
        self._settings = settings
        self._requests = Bucket(settings.rpm, settings.burst, now=now) if settings.rpm else None
        self._tokens = Bucket(settings.tpm, settings.burst, now=now) if settings.tpm else None

    def wait(self, prompt_tokens: int, *, in_flight: int, now: float) -> float:
        """Seconds until the request would be let in; 0 takes it from the buckets."""
        waits = [bucket.wait(n, now=now) for bucket, n in self._claims(prompt_tokens)]
        if self._settings.max_in_flight is not None and in_flight >= self._settings.max_in_flight:
            waits.append(1.0)
        wait = max(waits, default=0.0)
        if wait < 1e-9:
            for bucket, amount in self._claims(prompt_tokens):
                bucket.take(amount)
            return 0.0
        return wait

    def spend(self, completion_tokens: int) -> None:
        if self._tokens:
            self._tokens.take(completion_tokens)

    def left(self) -> list[tuple[str, int, float]]:
        """(kind as in the headers' names, what is left, seconds until all of it is) of each limit."""
        levels = (("-requests", self._requests), ("-tokens", self._tokens))
        return [(kind, each.remaining(), each.seconds_to_full()) for kind, each in levels if each]

    def headers(self) -> str:
        """``x-ratelimit-*`` as OpenAI sends them."""
        lines = []
        for kind, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket:
                lines.append(
                    f"x-ratelimit-limit-{kind}: {int(bucket.per_minute)}\r\n"
                    f"x-ratelimit-remaining-{kind}: {bucket.remaining()}\r\n"
                    f"x-ratelimit-reset-{kind}: {duration(bucket.seconds_to_full())}\r\n"
                )
        return "".join(lines)

    def retry_headers(self, wait: float, *, now: float) -> str:
        """Headers of a 429; ``now`` in Unix seconds. The date's resolution is one second."""
        lines = ""
        if self._settings.retry_after == "seconds":
            lines = f"Retry-After: {math.ceil(wait)}\r\n"
        elif self._settings.retry_after == "date":
            lines = f"Retry-After: {formatdate(math.ceil(now + wait), usegmt=True)}\r\n"
        return lines + (
            f"retry-after-ms: {math.ceil(wait * 1000)}\r\n" if self._settings.retry_after_ms else ""
        )

    def _claims(self, prompt_tokens: int) -> list[tuple[Bucket, float]]:
        claims: list[tuple[Bucket, float]] = []
        if self._requests:
            claims.append((self._requests, 1.0))
        if self._tokens:
            claims.append((self._tokens, float(prompt_tokens)))
        return claims


def duration(seconds: float) -> str:
    """``6m0s``, ``1.52s``, ``20ms``: the form of OpenAI's reset headers."""
    if seconds < 1:
        return f"{max(0, math.ceil(seconds * 1000))}ms"
    if seconds < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + "s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s"
