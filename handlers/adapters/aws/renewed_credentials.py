"""A client whose credentials have expired reads them anew: somebody has logged in again, or a tool has.

A role's are renewed by the SDK itself; those of a file, a variable or a single sign-on it reads once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from handlers.adapters.aws.outages import EXPIRED

logger = logging.getLogger(__name__)

_REFUSED = EXPIRED | {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestExpired",
    "UnrecognizedClientException",
}
_TRIED = "paperfleet_renewed"


def _found() -> Any:
    """As a new client would find them; None if there are none."""
    try:
        return boto3.session.Session().get_credentials()
    except BotoCoreError:
        return None


class RenewedCredentials:
    """Handler of botocore's event ``needs-retry``: sends a request that was refused for its credentials once
    more, if there are others now. Those that expired are looked for again before each later try."""

    def __init__(self, client: Any, found: Callable[[], Any] = _found) -> None:
        self._signer = client._request_signer  # noqa: SLF001 - the SDK has no other way to it
        self._found = found

    def __call__(
        self, *, response: tuple[Any, dict[str, Any]] | None, request_dict: dict[str, Any], **_: Any
    ) -> float | None:
        code = None if response is None else response[1].get("Error", {}).get("Code")
        context = request_dict.setdefault("context", {})
        tried = context.get(_TRIED, False)
        if code not in _REFUSED or (tried and code not in EXPIRED):
            return None
        context[_TRIED] = True
        there, own = self._found(), vars(self._signer)
        if there is None or _key(there) == _key(own["_credentials"]):
            return None
        logger.warning("AWS refused the credentials: there are others now")
        own["_credentials"] = there
        return None if tried else 0.0  # with some sources each look gives others


def _key(credentials: Any) -> Any:
    try:
        return credentials.get_frozen_credentials() if credentials is not None else None
    except BotoCoreError:  # a role's, which cannot be renewed just now
        return None
