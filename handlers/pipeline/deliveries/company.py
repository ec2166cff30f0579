"""Which batches a job works on at the same time.

Whose holders died again and again is worked on alone: it would take its neighbours along each time, and
they would be given up for its sake.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Company:
    """Many together, or one alone; who waits to be alone goes before those that come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._alone = 0
        """Those that are alone, or wait to be."""

    @contextmanager
    def joined(self) -> Iterator[Place]:
        """A place among the others, once nobody is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._together += 1
        place = Place(self)
        try:
            yield place
        finally:
            with self._changed:
                self._together -= 1
                self._alone -= place.is_alone
                self._changed.notify_all()

    def part(self, place: Place) -> None:
        """Wait until the others are done. Of several that want to be alone each waits for those before it."""
        with self._changed:
            self._alone += 1
            place.is_alone = True
            self._together -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._together == 0)
            self._together += 1


class Place:
    """One batch's."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.is_alone = False

    def be_alone(self) -> None:
        self._company.part(self)
