"""The key that requests carry, read again from its source once the API refuses it: keys are rotated."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from pydantic import SecretStr

from handlers.errors import UsageError
from handlers.llm.client_settings import ClientSettings, encoded_url
from handlers.ports import Clock

logger = logging.getLogger(__name__)

_ASKED_EVERY = 30.0
"""Seconds between two looks at the source."""
REFUSALS = frozenset({"unauthorized", "forbidden"})
"""Codes of refusals that another key may mend; neither is charged for."""


class Credentials:
    """A key and the headers of every request with it. Two of them are the same if their keys are."""

    def __init__(self, settings: ClientSettings, key: SecretStr) -> None:
        """UsageError for a key that cannot stand in a header."""
        self.key = key.get_secret_value().strip()
        self.headers = _headers(settings, self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self.key == other.key


class ApiKey:
    """Thread-safe. ``source`` gives the key anew, as Secrets Manager does; None where there is no other."""

    def __init__(
        self, settings: ClientSettings, key: SecretStr, source: Callable[[], SecretStr] | None, clock: Clock
    ) -> None:
        self._settings = settings
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at = -_ASKED_EVERY
        self.current = Credentials(settings, key)

    def has_another(self, refused: Credentials) -> bool:
        """Whether ``current`` is another key than the refused one. One thread at a time asks the source, and
        no more often than each half minute; the others hear of what it found."""
        with self._lock:
            now = self._clock.monotonic()
            if self.current == refused and self._source is not None and now - self._asked_at >= _ASKED_EVERY:
                self._asked_at = now
                self._read(self._source)
            return self.current != refused

    def renew(self) -> None:
        """Somebody says that what was wrong is mended: ask the source now."""
        if self._source is not None:
            with self._lock:
                self._asked_at = self._clock.monotonic()
                self._read(self._source)

    def _read(self, source: Callable[[], SecretStr]) -> None:
        try:
            found = Credentials(self._settings, source())
        except Exception:  # whatever is wrong with the source, the key at hand is what there is
            logger.warning("the API's key cannot be read again", exc_info=True)
            return
        if found.key and found != self.current:
            logger.warning("the API's key is another one now")
            self.current = found


def _headers(settings: ClientSettings, key: str) -> list[tuple[bytes, bytes]]:
    """Headers of every request, made once."""
    headers = [
        ("Host", urlsplit(encoded_url(settings.endpoint)).netloc),
        ("User-Agent", settings.user_agent),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Content-Type", "application/json"),
    ]
    if key:
        name, _, scheme = settings.auth_header.partition(":")
        headers.append((name.strip(), f"{scheme.strip()} {key}".strip()))
    for name, value in headers:
        if not name or not (name + value).isascii() or not (name + value).isprintable() or " " in name:
            what = "the API key" if key and key in value else f"header {name!r}"
            raise UsageError(f"{what} has characters that cannot stand in an HTTP header")
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
