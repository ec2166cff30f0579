"""A simulated fleet's slow last calls, sent a second time as real runs do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handlers.simulation.sim_api import Outcome
from handlers.simulation.sim_job import SimJob, Unit

_LOOKS_EVERY = 0.1
"""Seconds; see ``pipeline/pace.py``."""


class SimHedges:
    """Looks for slow calls while the queue is empty. The first answer counts; the other call ends with it."""

    def __init__(
        self,
        jobs: Sequence[SimJob],
        at: Callable[[float, Callable[[], None]], None],
        begin: Callable[[SimJob, Unit], Outcome],
        end: Callable[[SimJob, Unit, Outcome], None],
    ) -> None:
        """``at`` calls something so many seconds from now; ``begin`` sends a second call of a unit; ``end``
        takes an outcome for the unit's own."""
        self._jobs = jobs
        self._at = at
        self._begin = begin
        self._end = end
        self._looks = False

    def watch(self, now: Callable[[], float | None]) -> None:
        """``now``: virtual seconds; None once the queue is not empty any more."""
        if not self._looks:
            self._looks = True
            self._at(_LOOKS_EVERY, lambda: self._look(now))

    def _look(self, now: Callable[[], float | None]) -> None:
        self._looks = False
        if (moment := now()) is None:
            return
        for job in self._jobs:
            if job.slow is None or not job.idle or job.backlog or job.gate.limit.refused:
                continue
            for unit in filter(job.slow.take, job.slow.slow(job.idle, moment)):
                self._send(job, unit, moment)
        self.watch(now)

    def _send(self, job: SimJob, unit: Unit, now: float) -> None:
        ticket = job.gate.join(1, lambda: None)
        job.gate.step(ticket, now)
        if not ticket.granted:
            job.gate.leave(ticket, now)
            return
        job.idle -= 1
        first, second = unit.flight, self._begin(job, unit)
        wins = second.end == "ok" and now + second.latency < unit.ends_at
        ends = now + second.latency if wins else min(now + second.latency, unit.ends_at)
        self._at(ends - now, lambda: self._ended(job, unit, first, second if wins else None, ends))

    def _ended(
        self, job: SimJob, unit: Unit, first: Outcome | None, answer: Outcome | None, now: float
    ) -> None:
        """One of the two has; ``answer``: the second's, if it is the first one."""
        if not job.alive:
            return
        job.gate.release(now)
        job.idle += 1
        if answer is not None and unit.flight is first:
            unit.flight = answer
            self._end(job, unit, answer)
