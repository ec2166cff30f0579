"""A whole run as discrete events on a virtual clock.

AIMD, token buckets, backoff and the cut of batches are the code that real runs use; threads, processes,
queue and API are events. Memory does not grow with the papers: batches are cut as they are fetched, and
what is finished is only counted.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from contextlib import closing
from functools import partial

from handlers.errors import UsageError
from handlers.llm.limits.backoff import delay
from handlers.pipeline.calls.paper_calls import BACKOFF_BASE, BACKOFF_CAP, MAX_TRIES
from handlers.simulation.sim_api import Api, ApiLimits, Outcome, Processors
from handlers.simulation.sim_counts import SimCounts
from handlers.simulation.sim_hedges import SimHedges
from handlers.simulation.sim_job import Batch, Heartbeats, SimJob, Unit, batches
from handlers.simulation.sim_setup import LONGEST, SimResult, SimSetup

_FETCH_S = 0.006
"""Seconds from wanting a batch to having its papers: queue, lease, corpus."""
_HEARTBEAT = 30.0
Action = Callable[[], None]


class Simulation:
    """One run; ``run`` may be called once. ``limits``: the API's, None for none."""

    def __init__(
        self,
        setup: SimSetup,
        limits: ApiLimits | None = None,
        *,
        progress: Callable[[float, int], None] | None = None,
    ) -> None:
        self._setup = setup
        self._chance = random.Random(setup.seed)  # noqa: S311 - a simulation, repeatable by its seed
        self._api = Api(setup, self._chance, limits)
        self._progress = progress
        self._batches = batches(setup)
        self._again: deque[Batch] = deque()
        """Batches of dead jobs, visible again."""
        self._jobs: list[SimJob] = []
        self._starved: list[SimJob] = []
        """Jobs that found the queue empty."""
        self._events: list[tuple[float, int, Action]] = []
        self._now = 0.0
        self._seq = self._serial = 0
        self._processors = Processors(setup)
        self._figures = SimCounts(setup)
        self._heartbeats = Heartbeats()
        self._hedges = SimHedges(self._jobs, self._after, self._second, self._ends)
        if limits is not None and setup.heartbeat_s:
            self._at(setup.heartbeat_s, self._beat)

    def run(self) -> SimResult:
        """To the last paper."""
        for number in range(self._setup.jobs):
            self._at(self._setup.starts_at(number), partial(self._born, number))
        self._at(0.0, self._sample)
        events = self._events
        with closing(self._batches):  # the last ones need not be fetched
            while self._figures.ended < self._setup.papers and events:
                self._now, _, action = heapq.heappop(events)
                action()
        self._figures.look(self._jobs, self._now)
        return self._figures.result(self._now, self._seq)

    def _after(self, wait: float, action: Action) -> None:
        self._at(self._now + wait, action)

    def _at(self, at: float, action: Action) -> None:
        self._seq += 1
        heapq.heappush(self._events, (at, self._seq, action))

    # jobs
    def _born(self, number: int) -> None:
        self._serial += 1
        job = SimJob(number, self._serial, self._setup, self._chance.random)
        self._jobs.append(job)
        self._share_rates()
        if self._setup.deaths:
            life = self._chance.expovariate(self._setup.deaths / 3600)
            self._at(self._now + life, lambda: self._end_job(job, died=True))
        if self._setup.job_s is not None:
            self._at(self._now + self._setup.job_s, lambda: self._end_job(job, died=False))
        self._fetch(job)

    def _end_job(self, job: SimJob, *, died: bool) -> None:
        """Its calls in flight come to nothing and its batches wait for their lease; another job starts."""
        if not job.alive:
            return
        job.alive = False
        self._jobs.remove(job)
        self._figures.died += died
        self._figures.expired += not died
        units, papers = job.lost(self._now) if died else (0, 0)
        self._figures.ended -= papers
        self._figures.repeated += units
        if job in self._starved:
            self._starved.remove(job)
        for batch in job.held.values():
            self._hide(batch, died=died)
        job.held.clear()
        self._share_rates()
        self._at(self._now + self._setup.restart_s, lambda: self._born(job.id))

    def _hide(self, batch: Batch, *, died: bool) -> None:
        """A lease lives on from its last heartbeat; a job that ends by itself gives it back."""
        wait = 0.0
        if died and self._setup.lease_s:
            wait = max(0.0, self._setup.lease_s - self._chance.random() * _HEARTBEAT)
        else:
            batch.leased_until = 0.0
        self._at(self._now + wait, lambda: self._show(batch))

    def _show(self, batch: Batch) -> None:
        for unit in batch.units:
            unit.fresh()
        self._again.append(batch)
        while self._starved:
            self._fetch(self._starved.pop())

    def _beat(self) -> None:
        self._heartbeats.beat(self._jobs, self._now)
        self._at(self._now + self._setup.heartbeat_s, self._beat)

    def _share_rates(self) -> None:
        starting = self._now <= self._setup.start_s and self._setup.ramp_start is None
        live = self._setup.jobs if starting else len(self._jobs)
        for job in self._jobs:
            job.gate.set_share(live)

    # batches
    def _fetch(self, job: SimJob) -> None:
        if not job.wants_more:
            return
        job.fetching = True
        self._at(self._now + _FETCH_S, lambda: self._fetched(job))

    def _fetched(self, job: SimJob) -> None:
        job.fetching = False
        if not job.alive:
            return
        batch = self._again.popleft() if self._again else next(self._batches, None)
        if batch is None:
            self._starved.append(job)
            if job.slow is not None:
                self._hedges.watch(lambda: self._now if self._starved else None)
            return
        if batch.leased_until > self._now:  # shown a moment before its lease ends
            self._at(self._now + 1.0, lambda: self._show(batch))
            self._fetch(job)
            return
        batch.leased_until = self._now + (self._setup.lease_s or math.inf)
        job.held[batch.id] = batch
        job.backlog.extend(batch.ready())
        self._hand_out(job)
        self._fetch(job)

    def _hand_out(self, job: SimJob) -> None:
        """Papers, or passages, to idle workers."""
        while job.idle and job.backlog:
            unit = job.backlog.popleft()
            job.idle -= 1
            self._enter(job, unit)
        self._watch(job)

    # calls
    def _enter(self, job: SimJob, unit: Unit) -> None:
        """Wait in line for a call; ``watch`` is to follow."""
        tokens = self._setup.prompt_tokens + (1 + self._setup.completion_share) * unit.size
        ticket = job.gate.join(int(tokens), lambda: self._call(job, unit) if ticket.granted else None)
        job.queue.append(ticket)

    def _watch(self, job: SimJob) -> None:
        """Whoever may call now, calls; the first in line looks again when time lets it in."""
        queue, now = job.queue, self._now
        while queue:
            if queue[0].granted:
                queue.popleft()
                continue
            wait = job.gate.step(queue[0], now)
            if queue[0].granted:
                continue
            at = now + wait
            if at < job.wake_at or job.wake_at <= now:
                job.wake_at = at
                self._at(at, partial(self._wake, job, at))
            return

    def _wake(self, job: SimJob, at: float) -> None:
        if job.alive and job.wake_at == at:
            job.wake_at = math.inf
            self._watch(job)

    def _call(self, job: SimJob, unit: Unit) -> None:
        now, setup = self._now, self._setup
        unit.started_at = now
        self._figures.calls += 1
        outcome = self._api.call(unit.size, now)
        self._figures.lag += (lag := self._processors.lag(now))
        ends = now + lag + outcome.latency + setup.worker_s * (outcome.end == "ok")
        job.began(unit, outcome, ends, now)
        self._at(ends, lambda: self._ends(job, unit, outcome))

    def _second(self, _job: SimJob, unit: Unit) -> Outcome:
        self._figures.calls += 1
        self._figures.hedges += 1
        return self._api.call(unit.size, self._now)

    def _ends(self, job: SimJob, unit: Unit, outcome: Outcome) -> None:
        self._api.ended(outcome)
        if not job.alive or unit.flight is not outcome:  # or the call beside it was answered first
            self._figures.repeated += outcome.end == "ok" and not job.alive
            return
        now, gate, started_at = self._now, job.gate, unit.started_at
        job.ended(unit, outcome, now)
        if (hint := outcome.hint(now - started_at)) is not None:
            gate.hint(hint, now)
        if outcome.end == "throttled":
            gate.throttled(started_at, outcome.retry_after, now)
            self._figures.throttled += 1
            backoff = delay(
                unit.attempt, BACKOFF_BASE, BACKOFF_CAP, self._chance.random, retry_after=outcome.retry_after
            )
            self._again_after(job, unit, backoff)
        else:
            self._figures.busy += now - started_at
            self._figures.latency += outcome.latency
        if outcome.end == "ok":
            gate.succeeded(started_at, now)
        gate.release(now)
        if outcome.end == "ok":
            self._figures.answers += 1
            self._answered(job, unit)
        elif outcome.end != "throttled":
            self._figures.transient += 1
            self._failed_once(job, unit)
        self._watch(job)

    def _failed_once(self, job: SimJob, unit: Unit) -> None:
        unit.tries += 1
        if unit.tries >= MAX_TRIES:
            self._figures.failed += unit.paper.fail()
            self._done(job, unit)
        else:
            backoff = delay(unit.tries + 1, BACKOFF_BASE, BACKOFF_CAP, self._chance.random)
            self._again_after(job, unit, backoff)

    def _again_after(self, job: SimJob, unit: Unit, wait: float) -> None:
        unit.attempt += 1
        self._at(self._now + wait, lambda: self._back(job, unit))

    def _back(self, job: SimJob, unit: Unit) -> None:
        if job.alive:
            self._enter(job, unit)
            self._watch(job)

    def _answered(self, job: SimJob, unit: Unit) -> None:
        if (rate := self._setup.repair_rate) and self._chance.random() < rate:
            self._figures.repairs += 1
            unit.fresh()
            self._back(job, unit)
        else:
            self._done(job, unit)

    def _done(self, job: SimJob, unit: Unit) -> None:
        job.backlog.extend(unit.end())
        self._figures.ended += not unit.paper.left
        if self._setup.deaths:
            job.finished(unit, self._now)
        if not unit.batch.left:
            job.held.pop(unit.batch.id, None)
        job.idle += 1
        if job.backlog:
            self._hand_out(job)
        if job.wants_more and job not in self._starved:
            self._fetch(job)

    def _sample(self) -> None:
        figures = self._figures
        if self._now > LONGEST:
            raise UsageError(
                f"the simulated fleet does not come to an end: {figures.done:,} of"
                f" {self._setup.papers:,} papers after {LONGEST / 86_400:.0f} days; give more jobs or"
                " workers, fewer --deaths or a longer --job-s"
            )
        figures.look(self._jobs, self._now)
        if self._progress is not None:
            self._progress(self._now, figures.done)
        self._at(self._now + figures.sample_every, self._sample)
