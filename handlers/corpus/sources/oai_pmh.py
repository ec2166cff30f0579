"""An OAI-PMH repository as a source of papers (``ListRecords``), harvested politely and resumably."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from handlers.atomic_file import replacing
from handlers.corpus.sources.oai_page import Page, PageError, parse_page
from handlers.corpus.sources.reader import BadLine, excerpt_of
from handlers.errors import SourceError
from handlers.ports import Clock

SCHEMES = ("oai+https://", "oai+http://")
_PARAMETERS = ("set", "metadataPrefix", "from", "until")
_FORMATS = ("oai_dc", "arXiv")
_MAX_PAGE = 16 << 20
_MAX_PAGES = 100_000
_PAGE_TIME = 300.0
_TIMEOUT = 60.0
_TRIES = 6
_LONGEST_WAIT = 900.0
_SAID_EVERY = 5.0
_BUSY = (429, 500, 502, 503, 504)
_AGENT = "paperfleet (OAI-PMH harvester)"


class _TryAgainError(Exception):
    """``wait``: seconds that the server asked for, None if it did not say."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class OaiPmhSource:
    """``oai+https://host/path?metadataPrefix=oai_dc&set=...&from=...&until=...``, a record a number.

    Pages are kept as they came, so a harvest that broke off goes on at the last page's resumption token,
    and one that is complete is read again without a request: for newer papers ask for another ``from``.
    """

    def __init__(
        self, location: str, folder: Path, clock: Clock, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """``folder``: where the pages of all harvests are kept; ``say`` hears every few seconds how far
        it is, and of long waits. SourceError for a wrong location."""
        self.name = location
        self._url, self._query = _parsed(location)
        request = "\n".join([self._url, *(f"{name}={self._query[name]}" for name in sorted(self._query))])
        self._folder = folder / hashlib.sha256(request.encode()).hexdigest()[:16]
        self._clock = clock
        self._say = say

    def records(self) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
        """Deleted records are left out. SourceError if the harvest cannot be brought to its end: the
        same call goes on with it."""
        number, told = 0, self._clock.monotonic()
        for count, page in enumerate(self._pages(), 1):
            for record in page.records:
                number += 1
                if record is not None:
                    yield number, record
            if self._clock.monotonic() - told >= _SAID_EVERY:
                told = self._clock.monotonic()
                of = f" of {page.total:,}" if page.total else ""
                self._say(f"harvest: {number:,}{of} records, page {count:,}")

    def _pages(self) -> Iterator[Page]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, max_redirects=5, headers={"User-Agent": _AGENT}
        ) as client:
            page = self._first_or_again(client)
            tokens = {""}
            for number in range(2, _MAX_PAGES):
                yield page
                if not page.token:
                    return
                if page.token in tokens:
                    raise SourceError(f"{self.name}: the resumption tokens go in a circle at page {number}")
                tokens.add(page.token)
                page = self._page(client, number, {"resumptionToken": page.token})
        raise SourceError(f"{self.name}: more than {_MAX_PAGES} pages; ask for less with from and until")

    def _first_or_again(self, client: httpx.Client) -> Page:
        """The first page. If the token that an earlier harvest stopped at has expired, all begins anew."""
        page = len(list(self._folder.glob("*.xml")))
        if page:
            token = self._kept(page).token
            if token and not self._goes_on(client, page + 1, token):
                self._forget()
        return self._page(client, 1, self._query)

    def _goes_on(self, client: httpx.Client, number: int, token: str) -> bool:
        content, page = self._fetched(client, {"resumptionToken": token})
        if page.error == "badResumptionToken":
            return False
        self._keep(number, content, page)
        return True

    def _page(self, client: httpx.Client, number: int, query: dict[str, str]) -> Page:
        if self._path(number).exists():
            return self._kept(number)
        content, page = self._fetched(client, query)
        self._keep(number, content, page)
        return page

    def _kept(self, number: int) -> Page:
        path = self._path(number)
        try:
            return parse_page(path.read_bytes())
        except (OSError, PageError) as error:
            raise SourceError(
                f"{path} was kept by a harvest and cannot be read: delete its folder"
            ) from error

    def _keep(self, number: int, content: bytes, page: Page) -> None:
        if page.error == "noRecordsMatch":  # there may be some the next time
            return
        if page.error:
            raise SourceError(f"{self.name}: the repository says {page.error}: {page.reason}")
        with replacing(self._path(number), durable=False) as scratch:
            scratch.write_bytes(content)

    def _forget(self) -> None:
        for path in sorted(self._folder.glob("*.xml"), reverse=True):
            path.unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.xml"

    def _fetched(self, client: httpx.Client, query: dict[str, str]) -> tuple[bytes, Page]:
        for attempt in range(_TRIES):
            try:
                content = self._read(client, {"verb": "ListRecords"} | query)
                return content, parse_page(content)
            except _TryAgainError as error:
                reason = str(error)
                wait = 2.0**attempt if error.wait is None else error.wait
            except PageError as error:
                raise SourceError(f"{self.name}: {error}") from error
            if attempt + 1 < _TRIES:
                wait = min(wait, _LONGEST_WAIT)
                if wait >= _SAID_EVERY:
                    self._say(f"harvest: waiting {wait:.0f} s ({reason})")
                self._clock.sleep(wait)
        raise SourceError(f"{self.name}: given up after {_TRIES} tries ({reason}); the same command goes on")

    def _read(self, client: httpx.Client, query: dict[str, str]) -> bytes:
        until = self._clock.monotonic() + _PAGE_TIME
        content = bytearray()
        try:
            with client.stream("GET", self._url, params=query) as answer:
                self._accept(answer)
                for chunk in answer.iter_bytes(1 << 16):
                    content += chunk
                    if len(content) > _MAX_PAGE:
                        raise SourceError(f"{self.name}: a page of more than {_MAX_PAGE} bytes")
                    if self._clock.monotonic() > until:
                        raise _TryAgainError(f"a page took more than {_PAGE_TIME:.0f} s")
        except httpx.UnsupportedProtocol as error:
            raise SourceError(f"{self.name}: sent on to an address that is no web address") from error
        except httpx.HTTPError as error:
            raise _TryAgainError(type(error).__name__) from error
        return bytes(content)

    def _accept(self, answer: httpx.Response) -> None:
        if answer.status_code in _BUSY:
            wait = _seconds(answer.headers.get("Retry-After", ""), now=self._clock.now())
            raise _TryAgainError(f"HTTP {answer.status_code}", wait)
        if not answer.is_success:
            raise SourceError(f"{self.name}: HTTP {answer.status_code}")


def _parsed(location: str) -> tuple[str, dict[str, str]]:
    """(base URL, arguments of the first request)."""
    try:
        parts = urlsplit(location.removeprefix("oai+"))
        httpx.URL(parts.geturl())
    except (ValueError, httpx.InvalidURL) as error:
        raise SourceError(f"{excerpt_of(location)}: {error}") from error
    if not location.startswith(SCHEMES) or not parts.hostname or parts.username is not None:
        raise SourceError("an OAI-PMH source is oai+https://host/path, without user name and password")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in query:
        if name not in _PARAMETERS:
            raise SourceError(f"{location}: {name!r} is none of {', '.join(_PARAMETERS)}")
    query.setdefault("metadataPrefix", "oai_dc")
    if query["metadataPrefix"] not in _FORMATS:
        raise SourceError(f"{location}: metadataPrefix must be {' or '.join(_FORMATS)}")
    return parts._replace(query="", fragment="").geturl(), query


def _seconds(header: str, *, now: float) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds or a date."""
    if header.strip().isdecimal() and len(header) < 10:
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
