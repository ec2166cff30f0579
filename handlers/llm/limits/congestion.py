"""How many calls an API answers in time, told by those that were not and by how long the others took.

An API that queues says nothing until it is too late: a call that was given up is worked on, and billed, all
the same. Little's law says before that what the calls in flight will have to wait. It knows no threads; times
are monotonic seconds.
"""

from __future__ import annotations

import math
from collections import deque

UNANSWERED = frozenset(
    ("call_timeout", "read_timeout", "reset", "truncated", "http_408", "http_504", "http_524")
)
"""Classes of calls that were sent and waited in vain."""
_KEPT, _SHARE, _LEAST = 100, 0.1, 2
"""Calls remembered; share and number of lost ones that are no chance any more."""
_NEARLY, _LONG = 0.9, 2.0
"""Of the patience, and times the usual wait, after which a lost call was lost to waiting."""
_EARLY, _GROWN = 0.25, 2.0
"""Share of the patience, and times the shortest wait, from which on waits count as a queue's."""
_FILLED = 0.8
"""Share of the patience that the calls in flight may have to wait."""
_SLOW = 0.5
"""Share of the patience from which on a success is no reason for more calls."""
_ANSWERS = 20
"""Answers whose pace counts."""
_REMEMBERED, _PATIENCES = 60.0, 3.0
"""Seconds, and times the patience, for which the signs of a queue hold."""
_GHOST, _LONGEST_GHOST = 1.5, 120.0
"""Times its wait, and seconds at most, for which a call that was given up keeps its slot: it is worked on."""
_MEMORY = 0.05


class Congestion:
    """What one job's calls tell. ``patience``: seconds after which a call is given up."""

    def __init__(self, patience: float = math.inf) -> None:
        self._patience = patience
        self._remembered = _REMEMBERED if math.isinf(patience) else max(_REMEMBERED, _PATIENCES * patience)
        self._lost: deque[bool] = deque(maxlen=_KEPT)
        self._answers: deque[float] = deque(maxlen=_ANSWERS)
        self._mean = 0.0
        self._shortest = math.inf
        self._queues_until = -math.inf
        self._ghosts: deque[float] = deque()

    def answered(self, started_at: float, now: float) -> bool:
        """A call was answered. False if it took too long to be a reason for more calls in flight."""
        waited = now - started_at
        if not self._answers:
            self._answers.append(started_at)
        self._answers.append(now)
        self._lost.append(False)
        self._mean += (waited - self._mean) * (_MEMORY if self._mean else 1.0)
        self._shortest = min(self._shortest, waited)
        if waited > max(_EARLY * self._patience, _GROWN * self._shortest):
            self._queues_until = now + self._remembered
        return waited <= _SLOW * self._patience

    def lost(self, started_at: float, now: float) -> bool:
        """A call was sent and got no answer. True if that is a sign of too many in flight."""
        waited = now - started_at
        if waited < min(_NEARLY * self._patience, _LONG * self._mean):
            return False
        self._lost.append(True)
        lost = sum(self._lost)
        if lost < _LEAST or lost < _SHARE * len(self._lost):
            return False
        self._queues_until = now + self._remembered
        if self._answers:  # an API that never answered may be dead: nothing says that it works on
            self._ghosts.append(now + min(_LONGEST_GHOST, _GHOST * waited))
        return True

    def most(self, now: float) -> float:
        """Calls in flight that are answered in time, at the pace of the last answers; infinite where there is
        no sign of a queue."""
        if now >= self._queues_until or len(self._answers) <= _LEAST or math.isinf(self._patience):
            return math.inf
        pace = (len(self._answers) - 1) / max(1e-9, self._answers[-1] - self._answers[0])
        return max(1.0, _FILLED * self._patience * pace)

    def ghosts(self, now: float) -> int:
        """Slots that calls keep which were given up."""
        while self._ghosts and self._ghosts[0] <= now:
            self._ghosts.popleft()
        return len(self._ghosts)

    def next_change(self, now: float) -> float:
        """Seconds until time alone gives a slot back; infinite if it does not."""
        return self._ghosts[0] - now if self._ghosts else math.inf
