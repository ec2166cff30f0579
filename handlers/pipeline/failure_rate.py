"""Distinguishes a run whose answers mostly fail from one with a few hard papers."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque

from handlers.domain.result import PartLine

_WINDOW = 200
"""Papers looked back at; a prompt that breaks late is seen within about as many."""
_LEAST = 20
"""Papers before anything is said: the heaviest come first, and fail more than the rest."""
_SURE = 2.576
"""Standard deviations: chance alone trips a run at its limit once in two hundred looks."""


class FailureRate:
    """The papers that ended last in this job, over all its batches. Thread-safe.

    A run is parked once the share of failed and flagged papers is surely above ``limit``: once its lower
    confidence bound (Wilson, 1927) is. Papers that cost no call do not count, nor do those of a retry, which
    are known to be hard.
    """

    def __init__(self, limit: float = 1.0) -> None:
        """``limit`` is a share between 0 and 1; 1 never stops anything."""
        self._limit = limit
        self._lock = threading.Lock()
        self._ended: deque[tuple[str | None, str]] = deque(maxlen=_WINDOW)

    def ended(self, line: PartLine) -> str | None:
        """Count a paper's end. Returns why the run had better be parked, once; None otherwise."""
        if line.generation > 1 or line.status not in ("done", "flagged", "failed"):
            return None
        if line.status == "done" and not line.calls and line.behind is None:
            return None
        error = None if line.status == "done" else line.error or line.status
        with self._lock:
            self._ended.append((error, line.id))
            if error is None or not self._too_many():
                return None
            reason = self._reason()
            self._ended.clear()  # a run that goes on is judged by its next papers alone
        return reason

    def _too_many(self) -> bool:
        papers = len(self._ended)
        if papers < _LEAST or self._limit >= 1:
            return False
        return lower_bound(sum(error is not None for error, _ in self._ended), papers) > self._limit

    def _reason(self) -> str:
        bad = [(error, paper_id) for error, paper_id in self._ended if error is not None]
        (worst, times), *_ = Counter(error for error, _ in bad).most_common(1)
        example = next(paper_id for error, paper_id in bad if error == worst)
        share, papers = len(bad) / len(self._ended), len(self._ended)
        return (
            f"failure_rate: {len(bad)} of the last {papers} papers failed or were flagged ({share:.0%}, "
            f"--max-failed {self._limit:.0%}), {times} of them by {worst!r}, e.g. paper {example[:80]!r}. "
            "See `paperfleet report` and `paperfleet try`; mend model, endpoint or task file, or raise "
            "--max-failed (100% never stops), and run again; `paperfleet retry --failed --flagged` tries "
            "those papers anew"
        )


def lower_bound(bad: int, papers: int) -> float:
    """The share that ``bad`` of ``papers`` proves at least, at 99% confidence (Wilson's interval)."""
    share, slack = bad / papers, _SURE**2 / papers
    spread = _SURE * math.sqrt(share * (1 - share) / papers + slack / (4 * papers))
    return max(0.0, (share + slack / 2 - spread) / (1 + slack))
