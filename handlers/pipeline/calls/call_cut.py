"""One call's own end, which another thread may bring about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CallCut:
    """Cuts off one call and no other. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cut: Callable[[], None] | None = None
        self.asked = False
        """Whether the call is to end."""

    @contextmanager
    def reaches(self, cut: Callable[[], None]) -> Iterator[None]:
        """``cut`` is called within the block alone, at once if the call is to end already."""
        with self._lock:
            self._cut = cut
            if self.asked:
                cut()
        try:
            yield
        finally:
            with self._lock:
                self._cut = None

    def ask(self) -> None:
        with self._lock:
            self.asked = True
            if self._cut is not None:
                self._cut()
