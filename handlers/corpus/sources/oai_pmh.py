"""An OAI-PMH repository as a source of papers (``ListRecords``), harvested politely and resumably."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from handlers.corpus.sources.oai_client import SAID_EVERY, OaiClient
from handlers.corpus.sources.oai_harvest import CUT, Harvest, KeptPages
from handlers.corpus.sources.oai_page import Page
from handlers.corpus.sources.oai_trail import HarvestTrail
from handlers.corpus.sources.reader import BadLine, excerpt_of
from handlers.errors import SourceError
from handlers.ports import Clock

SCHEMES = ("oai+https://", "oai+http://")
_PARAMETERS = ("set", "metadataPrefix", "from", "until")
_FORMATS = ("oai_dc", "arXiv")


class OaiPmhSource:
    """``oai+https://host/path?metadataPrefix=oai_dc&set=...&from=...&until=...``, a record a number.

    Pages are kept as they came, so a harvest that broke off goes on at the last page's resumption token,
    and one that is complete is read again without a request: for newer papers ask for another ``from``.
    After a refused token a record may come twice, with the id that it had: the ingest drops it.
    """

    def __init__(
        self, location: str, folder: Path, clock: Clock, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """``folder``: where the pages of all harvests are kept; ``say`` hears every few seconds how far
        it is, and of long waits. SourceError for a wrong location."""
        self.name = location
        self._url, self._query = _parsed(location)
        request = "\n".join([self._url, *(f"{name}={self._query[name]}" for name in sorted(self._query))])
        self._kept = KeptPages(folder / hashlib.sha256(request.encode()).hexdigest()[:16])
        self._clock = clock
        self._say = say

    def records(self) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
        """Deleted records are left out; one that cannot be read tells its page. SourceError if the harvest
        cannot be brought to its end: the same call goes on with it."""
        number, told, place, total = 0, self._clock.monotonic(), "page 1", 0
        for count, page in enumerate(self._pages(), 1):
            for record in page.records:
                number += 1
                if isinstance(record.paper, BadLine):
                    yield number, replace(record.paper, reason=f"{place}: {record.paper.reason}")
                elif record.paper is not None:
                    yield number, record.paper
            total = page.total or total
            if not page.whole:
                number += 1
                yield number, BadLine(f"{place}: {CUT}")
            place = f"page {count + 1}"
            if page.token:
                place += f" (resumptionToken {excerpt_of(page.token)})"
            if self._clock.monotonic() - told >= SAID_EVERY:
                told = self._clock.monotonic()
                of = f" of {page.total:,}" if page.total else ""
                self._say(f"harvest: {number:,}{of} records, page {count:,}")
        if number < total:  # which may be an estimate (OAI-PMH 2.0, 3.5)
            self._say(f"harvest: the list ends after {number:,} of the {total:,} records that it told of")

    def _pages(self) -> Iterator[Page]:
        trail, last = HarvestTrail(), None
        for last in self._kept:
            trail.follow(last)
            yield last
        if last is None or last.token or not last.whole:
            with closing(OaiClient(self._url, self._clock, self._say)) as client:
                yield from Harvest(self.name, self._query, self._kept, client, trail).pages(last, self._say)


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
