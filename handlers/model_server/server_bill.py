"""What the provider would charge, and what it saw: the numbers of ``GET /stats``."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from handlers.domain.money import NanoUsd, rounded_up
from handlers.model_server.server_settings import ServerSettings
from handlers.model_server.tokens import Tokens


def pico_per_token(usd_per_million: Decimal) -> int:
    """USD per million tokens in whole pico-USD per token."""
    return int(usd_per_million * 10**6)


class Tariff:
    """Prices in pico-USD a token; a request's charge is rounded up to whole nano-USD."""

    def __init__(self, settings: ServerSettings) -> None:
        cached = settings.price_in if settings.price_cached is None else settings.price_cached
        self._fresh = pico_per_token(settings.price_in)
        self._cached = pico_per_token(cached)
        self._completion = pico_per_token(settings.price_out)

    def charge(self, tokens: Tokens) -> NanoUsd:
        """What one request costs."""
        pico = (tokens.prompt - tokens.cached) * self._fresh + tokens.cached * self._cached
        return rounded_up(pico + tokens.completion * self._completion)


class ServerBill:
    """Every answer generated is charged, at the moment of generation: also one that the client never saw.

    It remembers 16 bytes of each text, to tell calls that were paid for twice.
    """

    def __init__(self) -> None:
        self.nano_usd = 0
        self.in_flight = 0
        self._max_in_flight = 0
        self._outcomes: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._charged: dict[bytes, int] = {}
        self._delivered: set[bytes] = set()
        self._counts: Counter[str] = Counter()
        self._largest_repeat = 0
        self._latency = 0.0
        self._times: tuple[float, float] | None = None
        self._answered_at: float | None = None

    def note(self, outcome: str, status: int | None, *, now: float) -> None:
        """Count a request by what becomes of it; ``status`` is None where no status line is sent."""
        self._outcomes[outcome] += 1
        self._statuses["none" if status is None else str(status)] += 1
        self._times = (self._times[0] if self._times else now, now)

    def enter(self) -> None:
        self.in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self.in_flight)

    def leave(self, text: bytes, *, delivered: bool, latency: float, now: float) -> None:
        """An admitted request ended. ``delivered``: the whole answer was written to a live connection."""
        self.in_flight -= 1
        if delivered:
            self._delivered.add(text)
            self._counts["delivered"] += 1
            self._latency += latency
            self._answered_at = now

    def charge(self, text: bytes, tokens: Tokens, nano_usd: int) -> None:
        """Book one generated answer; ``text`` is the digest of its messages."""
        times = self._charged.get(text, 0) + 1
        self._charged[text] = times
        self._largest_repeat = max(self._largest_repeat, times)
        self._counts["duplicates"] += times > 1
        self._counts["duplicates_of_delivered"] += text in self._delivered
        self._counts["charged"] += 1
        self.nano_usd += nano_usd
        for name in ("prompt", "completion", "cached", "reasoning"):
            self._tokens[f"{name}_tokens"] += getattr(tokens, name)

    def stats(self) -> dict[str, object]:
        """JSON of ``GET /stats``. ``latency_sum`` is over ``delivered``; times are Unix seconds."""
        names = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
        return {
            "requests": self._outcomes.total(),
            "outcomes": dict(self._outcomes),
            "statuses": dict(self._statuses),
            "usage": {name: self._tokens[name] for name in names},
            "bill_nano_usd": self.nano_usd,
            "charged": self._counts["charged"],
            "delivered": self._counts["delivered"],
            "duplicates": self._counts["duplicates"],
            "duplicates_of_delivered": self._counts["duplicates_of_delivered"],
            "largest_repeat": self._largest_repeat,
            "in_flight": self.in_flight,
            "max_in_flight": self._max_in_flight,
            "latency_sum": round(self._latency, 6),
            "first_request_at": self._times[0] if self._times else None,
            "last_request_at": self._times[1] if self._times else None,
            "last_answer_at": self._answered_at,
        }
