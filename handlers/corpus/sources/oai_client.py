"""Requests to an OAI-PMH repository, made politely: it may be busy, broken off or out of its mind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from handlers.corpus.sources.oai_page import Page, PageError, parse_page
from handlers.errors import SourceError
from handlers.ports import Clock

SAID_EVERY = 5.0
_MAX_PAGE = 64 << 20
"""Bytes; of a longer one the records are taken that are in them."""
_PAGE_TIME = 300.0
_TIMEOUT = 60.0
_TRIES = 6
_TRIES_OF_AN_ANSWER = 3
"""Of one that came, yet is cut off, no OAI-PMH or an error of the server's."""
_LONGEST_WAIT = 900.0
_BUSY = (429, 502, 503, 504)
_FAULTS = (408, 425, 500)
_AGENT = "paperfleet (OAI-PMH harvester)"
_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9._-]{1,40})")
_BEGINS = re.compile(rb"\s{0,99}<\?xml|\xef\xbb\xbf|\xff\xfe|\xfe\xff")


class _TryAgainError(Exception):
    """``wait``: seconds that the server asked for, None if it did not say."""

    def __init__(self, reason: str, wait: float | None = None, *, tries: int = _TRIES) -> None:
        super().__init__(reason)
        self.wait = wait
        self.tries = tries


class RefusedError(Exception):
    """The repository answers, and not with a page; a resumption token may be why."""


class OaiClient:
    """``close`` it."""

    def __init__(self, url: str, clock: Clock, say: Callable[[str], None]) -> None:
        self._url = url
        self._clock = clock
        self._say = say
        self._http = httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, max_redirects=5, headers={"User-Agent": _AGENT}
        )

    def close(self) -> None:
        self._http.close()

    def page(self, query: Mapping[str, str]) -> tuple[bytes, Page]:
        """A page as it came and as it reads; the longest that came if each try brings one that breaks off.
        RefusedError if there is an answer, yet no page; SourceError if there is none."""
        best: tuple[bytes, Page] | None = None
        for attempt in range(1, _TRIES + 1):
            try:
                content = self._read({"verb": "ListRecords", **query})
                page = parse_page(content)
                if page.whole or len(content) >= _MAX_PAGE:
                    return content, page
                best = max(best or (b"", page), (content, page), key=lambda each: len(each[0]))
                problem = _TryAgainError("the page is cut off", tries=_TRIES_OF_AN_ANSWER)
            except PageError as error:
                problem = _TryAgainError(str(error), tries=_TRIES_OF_AN_ANSWER)
            except _TryAgainError as error:
                problem = error
            if attempt >= problem.tries:
                break
            self.wait(2.0 ** (attempt - 1) if problem.wait is None else problem.wait, str(problem))
        if best is not None:
            return best
        if problem.tries < _TRIES:
            raise RefusedError(str(problem))
        raise SourceError(f"{self._url}: given up after {_TRIES} tries ({problem}); the same command goes on")

    def wait(self, seconds: float, reason: str) -> None:
        seconds = min(seconds, _LONGEST_WAIT)
        if seconds >= SAID_EVERY:
            self._say(f"harvest: waiting {seconds:.0f} s ({reason})")
        self._clock.sleep(seconds)

    def _read(self, query: Mapping[str, str]) -> bytes:
        until = self._clock.monotonic() + _PAGE_TIME
        content = bytearray()
        try:
            with self._http.stream("GET", self._url, params=query) as answer:
                self._accept(answer)
                for chunk in answer.iter_bytes(1 << 16):
                    content += chunk
                    if len(content) >= _MAX_PAGE:
                        self._say(f"harvest: a page of more than {_MAX_PAGE} bytes is read so far")
                        break
                    if self._clock.monotonic() > until:
                        raise _TryAgainError(f"a page took more than {_PAGE_TIME:.0f} s")
        except httpx.UnsupportedProtocol as error:
            raise SourceError(f"{self._url}: sent on to an address that is no web address") from error
        except httpx.HTTPError as error:
            if b"<record" not in content:
                raise _TryAgainError(type(error).__name__) from error
        charset = _CHARSET.search(answer.headers.get("Content-Type", ""))
        return bytes(content) if charset is None else _declaring(charset[1], bytes(content))

    def _accept(self, answer: httpx.Response) -> None:
        code = answer.status_code
        if code in _BUSY or (code in _FAULTS and "Retry-After" in answer.headers):
            wait = _seconds(answer.headers.get("Retry-After", ""), now=self._clock.now())
            raise _TryAgainError(f"HTTP {code}", wait)
        if code in _FAULTS:
            raise _TryAgainError(f"HTTP {code}", tries=_TRIES_OF_AN_ANSWER)
        if not answer.is_success:
            raise RefusedError(f"HTTP {code}")


def _declaring(charset: str, content: bytes) -> bytes:
    """With the encoding of the answer's head where the page itself declares none, so that the page that is
    kept tells it too."""
    if charset.lower() in ("utf-8", "utf8") or _BEGINS.match(content):
        return content
    return b'<?xml version="1.0" encoding="%s"?>' % charset.encode() + content


def _seconds(header: str, *, now: float) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds or a date."""
    if header.strip().isdecimal() and len(header) < 10:
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
