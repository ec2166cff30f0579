"""The model server that Paperfleet brings along: what it answers is made up and no model's."""

from __future__ import annotations

import http.client
import json
from contextlib import closing, suppress
from functools import cache
from urllib.parse import urlsplit

MARK = "paperfleet-model-server"
"""The ``system_fingerprint`` of its answers, and who owns its models."""
_PATIENCE = 2.0
_MOST = 1 << 16
_NO_LIST = OSError, http.client.HTTPException, ValueError, TypeError, KeyError, RecursionError


@cache
def is_built_in(base_url: str) -> bool:
    """Whether it answers at this address; asked once. Nobody else is served over plain HTTP but by servers of
    one's own, and those are asked for their models, without a key."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not host:
        return False
    connection = closing(http.client.HTTPConnection(host, parts.port, timeout=_PATIENCE))
    with (
        connection as asked,
        suppress(OSError, http.client.HTTPException, ValueError, TypeError, KeyError, RecursionError),
    ):
        asked.request("GET", f"{parts.path.rstrip('/')}/models")
        rows = json.loads(asked.getresponse().read(_MOST))["data"]
        return any(row.get("owned_by") == MARK for row in rows if isinstance(row, dict))
    return False
