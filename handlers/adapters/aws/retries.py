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
from typing import Any

from botocore.exceptions import ConnectionError as BrokenConnectionError
from botocore.exceptions import EndpointConnectionError, HTTPClientError

_BASE, _CAP = 0.05, 5.0
PATIENCE = 90.0
"""Seconds from a request's first failure after which it is not sent again."""
_AWAY = 20.0
"""The same, if nobody listens at the endpoint: most likely a wrong setting."""
_STATUSES = frozenset({500, 502, 503, 504})
_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalServerError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_SINCE = "paperfleet_since"


def _chance() -> float:
    return secrets.randbelow(1 << 30) / (1 << 30)


class Retries:
    """Handler of botocore's event ``needs-retry``: seconds to wait, or None to give up."""

    def __init__(
        self, *, now: Callable[[], float] = time.monotonic, chance: Callable[[], float] = _chance
    ) -> None:
        """``chance`` is uniform in [0, 1)."""
        self._now = now
        self._chance = chance

    def __call__(
        self,
        *,
        response: tuple[Any, dict[str, Any]] | None,
        attempts: int,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_: Any,
    ) -> float | None:
        if not _may_pass(response, caught_exception):
            return None
        context = request_dict.setdefault("context", {})
        age = self._now() - context.setdefault(_SINCE, self._now())
        if age > (_AWAY if isinstance(caught_exception, EndpointConnectionError) else PATIENCE):
            return None
        return self._chance() * min(_CAP, _BASE * 2.0 ** min(attempts - 1, 20))


def _may_pass(response: tuple[Any, dict[str, Any]] | None, error: Exception | None) -> bool:
    """Whether the same request may succeed the next time."""
    if response is None:
        return isinstance(error, BrokenConnectionError | HTTPClientError)
    http, parsed = response
    return http.status_code in _STATUSES or str(parsed.get("Error", {}).get("Code")) in _CODES
