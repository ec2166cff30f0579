"""When a request to AWS is sent again, in place of the SDK's own modes.

Those keep a client's retries to a quota (*standard*) or pace all its requests after each throttle
(*adaptive*): both are made for services that share a fate. A table that refuses every third write for an
hour is slow and not broken: here each request backs off for itself, with full jitter, and is given up for
its own age alone
(https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ConnectionError as BrokenConnectionError
from botocore.exceptions import HTTPClientError, SSLError

from handlers.adapters.aws.outages import AWAY, EXPIRED, FETCHED, REFUSALS, ServiceReach, may_pass

_BASE, _CAP = 0.05, 5.0
PATIENCE = 90.0
"""Seconds from a request's first sending after which it is not sent again."""
_AWAY = 20.0
"""The same, if nobody has ever answered at the endpoint, or credentials were never any good: most likely a
wrong setting. Nor is it sent then."""
_LAST_WORDS = 3.0
"""Seconds of an invocation in which nothing is sent again: it ends by itself and gives back what it holds."""
_SHORTEST_READ = 2.0
"""Seconds that any answer is waited for."""
_WRITES = frozenset({"BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"})
"""DynamoDB's: a ledger that takes none of them is away, whatever it lets read."""
_SINCE = "paperfleet_since"
Fetched = TypeVar("Fetched")


def _chance() -> float:
    return secrets.randbelow(1 << 30) / (1 << 30)


class Retries:
    """Handler of botocore's event ``needs-retry``: seconds to wait, or None to give up. It hears of every
    answer and every failure, and notes both in the service's ``reach``."""

    def __init__(
        self,
        reach: ServiceReach,
        *,
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = _chance,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``chance`` is uniform in [0, 1). ``sleep`` waits between two looks for credentials, of which the
        SDK makes one alone: the waits between its requests are its own."""
        self._reach = reach
        self._now = now
        self._chance = chance
        self._sleep = sleep

    def __call__(
        self,
        *,
        response: tuple[Any, dict[str, Any]] | None,
        attempts: int,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        operation: Any = None,
        **_: Any,
    ) -> float | None:
        self._note(response, writes=getattr(operation, "name", "") in _WRITES)
        if not self._may_pass(response, caught_exception):
            return None
        context = request_dict.setdefault("context", {})
        since = context.setdefault(_SINCE, self._now())
        doubtful = isinstance(caught_exception, AWAY) or (response is not None and _code(response) in EXPIRED)
        return self._wait(since, attempts, doubtful=doubtful)

    def _wait(self, since: float, attempts: int, *, doubtful: bool) -> float | None:
        """``doubtful``: most likely a wrong setting, as long as the service has done nothing for us."""
        age = self._now() - since
        wait = self._chance() * min(_CAP, _BASE * 2.0 ** min(attempts - 1, 20))
        if age > PATIENCE or (doubtful and not self._reach.served and age + wait > _AWAY):
            return None
        return wait if self._reach.time_left() - wait >= _LAST_WORDS else None

    def fetched(self, fetch: Callable[[], Fetched], since: float | None = None) -> Fetched:
        """What ``fetch`` returns, which asks where the credentials come from: the SDK sends no request of its
        own again whose credentials it did not get. ``since``: when that request began."""
        began = self._now() if since is None else since
        attempt = 1
        while True:
            try:
                return fetch()
            except FETCHED:
                wait = self._wait(began, attempt, doubtful=True)
                if wait is None:
                    raise
            self._sleep(wait)
            attempt += 1

    def before_sign(self, request: Any, request_signer: Any, **_: Any) -> None:
        """Handler of ``before-sign``: the credentials are there when the request is signed."""
        credentials, context = vars(request_signer)["_credentials"], getattr(request, "context", None)
        if credentials is not None:
            since = None if context is None else context.setdefault(_SINCE, self._now())
            self.fetched(credentials.get_frozen_credentials, since)

    def bound(self, request: Any, **_: Any) -> None:
        """Handler of ``before-send``: an endpoint that is silent must not outlast the invocation either.
        An SDK of before August 2026 cannot be told: it waits as long as its client does."""
        context = getattr(request, "context", None)
        if context is None:
            return
        context.setdefault(_SINCE, self._now())
        longest = context["client_config"].read_timeout
        left = self._reach.time_left() - _LAST_WORDS
        context["read_timeout"] = min(longest, max(_SHORTEST_READ, left))

    def _note(self, response: tuple[Any, dict[str, Any]] | None, *, writes: bool) -> None:
        refused = response is not None and _code(response) in REFUSALS
        passing = response is None or may_pass(response[0].status_code, _code(response))
        self._reach.refused += refused and self._reach.served
        self._reach.served = self._reach.served or not (refused or passing)
        if writes and (refused or passing):
            self._reach.failed()
        elif writes:
            self._reach.succeeded()

    def _may_pass(self, response: tuple[Any, dict[str, Any]] | None, error: Exception | None) -> bool:
        if response is not None:
            return may_pass(response[0].status_code, _code(response)) or _code(response) in EXPIRED
        if isinstance(error, SSLError) and not self._reach.served:
            return False  # another certificate does not come by itself
        return isinstance(error, BrokenConnectionError | HTTPClientError)


def _code(response: tuple[Any, dict[str, Any]]) -> str:
    return str(response[1].get("Error", {}).get("Code"))
