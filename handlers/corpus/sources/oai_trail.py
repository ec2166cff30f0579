"""How far a harvest has come, and what it has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from handlers.corpus.sources.oai_page import Page
from handlers.corpus.sources.reader import BadLine


class HarvestTrail:
    """The pages of a harvest in their order. Names of records are held once it has begun anew or a token
    has come twice, not before: a harvest without trouble takes no memory that grows with its records."""

    def __init__(self) -> None:
        self.records = 0
        self.total: int | None = None
        self._latest = ""
        self._latest_of_walk = ""
        self._is_ordered = True
        self._tokens: set[str] = set()
        self._names: set[int] | None = None

    def follow(self, page: Page) -> bool:
        """Whether it has anything new, as far as that is known."""
        self.records += len(page.records)
        self.total = page.total or self.total
        for record in page.records:
            if record.datestamp < self._latest_of_walk:
                self._is_ordered = False
            self._latest_of_walk = max(self._latest_of_walk, record.datestamp)
        self._latest = max(self._latest, self._latest_of_walk)
        if self._names is None:
            return True
        known = len(self._names)
        self._names.update(_names(page))
        return len(self._names) > known

    def is_repeated(self, token: str) -> bool:
        """Whether this walk had the token before."""
        if token in self._tokens:
            return True
        self._tokens.add(token)
        return False

    def remember(self, pages: Iterable[Page]) -> None:
        """Hold the names of all records so far."""
        if self._names is None:
            self._names = set(chain.from_iterable(map(_names, pages)))

    def begin_anew(self) -> str:
        """The datestamp that is enough to begin at; "" if records do not come in the order of theirs."""
        self._tokens.clear()
        self._latest_of_walk = ""
        return self._latest if self._is_ordered else ""

    def is_complete(self) -> bool:
        known = self.records if self._names is None else len(self._names)
        return self.total is not None and known >= self.total

    def is_short(self) -> bool:
        """Whether the repository told of more records than came."""
        return self.total is not None and not self.is_complete()


def _names(page: Page) -> Iterator[int]:
    """A record that could not be read is another one once it can."""
    return (hash((each.name, isinstance(each.paper, BadLine))) for each in page.records if each.name)
