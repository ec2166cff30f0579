"""A harvest from page to page: by resumption tokens, and anew from where it stood if one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from handlers.atomic_file import replacing
from handlers.corpus.sources.oai_client import OaiClient, RefusedError
from handlers.corpus.sources.oai_page import Page, PageError, parse_page
from handlers.corpus.sources.oai_trail import HarvestTrail
from handlers.errors import SourceError

CUT = "the page breaks off and does not tell whether another follows"
_EMPTY = "an empty list"
_MAX_PAGES = 100_000
_FRUITLESS = 3
"""How often a harvest begins anew without coming further than before."""


class KeptPages:
    """Pages in a folder, as they came. Iterating reads them; SourceError for one that cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count: int | None = None

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self._folder.glob("*.xml"))
        return self._count

    def __iter__(self) -> Iterator[Page]:
        for number in range(1, len(self) + 1):
            path = self._path(number)
            try:
                yield parse_page(path.read_bytes())
            except (OSError, PageError) as error:
                raise SourceError(
                    f"{path} was kept by a harvest and cannot be read: delete its folder"
                ) from error

    def keep(self, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(len(self) + 1), durable=False) as scratch:
            scratch.write_bytes(content)
        self._count = len(self) + 1

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.xml"


class Harvest:
    """``trail`` has followed the pages that are kept, the ``last`` of which it goes on after.

    A token is refused by an error, a status, something that is no page, or an empty list before the end. Then
    all begins anew: from the last datestamp where records come in the order of theirs. Of the pages that
    come again only those with something new are given out and kept.
    """

    def __init__(
        self, name: str, query: dict[str, str], kept: KeptPages, client: OaiClient, trail: HarvestTrail
    ) -> None:
        self._name = name
        self._first = query
        self._query = query
        self._kept = kept
        self._client = client
        self._trail = trail
        self._is_repeated = False
        self._fruitless = 0

    def pages(self, last: Page | None, say: Callable[[str], None]) -> Iterator[Page]:
        """SourceError if the repository cannot be brought to the end of its list."""
        problem = "" if last is None else self._go_on(last) or ""
        for _ in range(_MAX_PAGES):
            if problem:
                say(f"harvest: begins anew ({problem})")
                self._begin_anew(problem)
            content, page, problem = self._asked()
            if not problem:
                if self._is_news(page):
                    self._kept.keep(content)
                    yield page
                going_on = self._go_on(page)
                if going_on is None:
                    return
                problem = going_on
            if problem and self._is_in_vain(problem):
                if problem == _EMPTY:
                    self._kept.keep(content)
                return
        raise SourceError(f"{self._name}: more than {_MAX_PAGES} pages; ask for less with from and until")

    def _asked(self) -> tuple[bytes, Page, str]:
        """(a page as it came, as it reads, "" or why there is none)."""
        try:
            content, page = self._client.page(self._query)
            problem = self._problem(page)
        except RefusedError as error:
            content, page, problem = b"", Page((), ""), str(error)
        if not problem or "resumptionToken" in self._query:
            return content, page, problem
        if self._query != self._first:  # not every repository takes the datestamps that it gives
            self._query = self._first
            return self._asked()
        raise SourceError(f"{self._name}: {problem}")

    def _problem(self, page: Page) -> str:
        is_first = self._query == self._first
        if page.error == "noRecordsMatch":
            return "" if is_first else _EMPTY
        if page.error:
            return f"the repository says {page.error}: {page.reason}"
        empty = not (is_first or page.records or page.token or self._trail.is_complete())
        return _EMPTY if empty and page.whole else ""

    def _is_news(self, page: Page) -> bool:
        if page.error:  # noRecordsMatch: there may be some the next time
            return False
        if self._trail.follow(page):
            self._fruitless = 0
            return True
        if self._is_repeated:
            raise SourceError(f"{self._name}: the resumption tokens go in a circle at page {len(self._kept)}")
        return False

    def _go_on(self, page: Page) -> str | None:
        """What keeps from asking for the next page, "" if nothing; None if there is none."""
        if not page.token:
            return None if page.whole else CUT
        self._query = {"resumptionToken": page.token}
        self._is_repeated = self._trail.is_repeated(page.token)
        if self._is_repeated:
            self._trail.remember(self._kept)
        return ""

    def _is_in_vain(self, problem: str) -> bool:
        """Whether beginning anew would not help: the end of what there is, or an error."""
        is_end = problem in (CUT, _EMPTY)
        if self._fruitless < (1 if is_end and not self._trail.is_short() else _FRUITLESS):
            return False
        if is_end:
            return True
        raise SourceError(
            f"{self._name}: {problem}; begun anew {_FRUITLESS} times in vain; the same command goes on"
        )

    def _begin_anew(self, problem: str) -> None:
        self._client.wait(2.0**self._fruitless, problem)
        self._fruitless += 1
        self._is_repeated = False
        self._trail.remember(self._kept)
        self._query = self._first
        if latest := self._trail.begin_anew():
            self._query = {**self._first, "from": latest[: len(self._first.get("until", latest))]}
