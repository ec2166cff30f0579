"""A fleet on a virtual clock: the real admission, AIMD, backoff and header reading of each job against the
model server's own limits. Minutes of API time pass in seconds; no thread, no socket.

Two parts are stand-ins: latency is drawn and not waited for, and papers never run out.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from handlers.llm.limits.admission import POLL, Admission, Ticket
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.backoff import delay
from handlers.llm.limits.gossip import FleetView, LimiterReport
from handlers.llm.limits.rate_headers import rate_hint, retry_after
from handlers.llm.limits.token_bucket import TokenBucket
from handlers.model_server.limits import Limits
from handlers.model_server.server_settings import ServerSettings
from handlers.pipeline.calls.paper_calls import BACKOFF_BASE, BACKOFF_CAP
from handlers.pipeline.heartbeat import BEAT

_REFUSAL_SECONDS = 0.02
_WIRE_SECONDS = 0.003
"""On the way to the API, at most: without it the same job would always come first."""
_START_SPREAD = 0.3
"""Within which processes that are forked together send their first calls."""
_UNIX = 1_700_000_000.0


@dataclass(frozen=True)
class Tenant:
    """Another customer of the same account: it calls ``rate`` times a second from ``start`` on, whatever
    it is told."""

    rate: float
    start: float = 0.0
    end: float = math.inf


@dataclass(frozen=True)
class Scenario:
    """An API and a fleet that knows nothing of it but what it declares. Seconds."""

    server: ServerSettings
    jobs: int = 20
    workers: int = 25
    median: float = 8.0
    sigma: float = 0.5
    changes: Sequence[tuple[float, dict[str, float]]] = ()
    """(when, settings) of the server that change in mid-run."""
    stagger: float = 0.0
    """Between the starts of two jobs."""
    tenants: Sequence[Tenant] = ()
    declared_rpm: float | None = None
    declared_tpm: float | None = None
    prompt_tokens: int = 600
    completion_tokens: int = 300
    headers: bool = True
    """Whether responses tell of the limit."""
    fixed_window: bool = False
    """A counter that starts anew each minute in place of a bucket that refills steadily."""
    seconds: float = 600.0
    heartbeat: float = BEAT
    """Between two of a job, at which jobs exchange counters, one beat late; 0: they do not."""
    seed: int = 1


@dataclass
class Seen:
    """What became of the calls, by second; jobs by number."""

    admitted: dict[tuple[int, int], int] = field(default_factory=dict)
    refused: dict[tuple[int, int], int] = field(default_factory=dict)
    foreign: dict[int, int] = field(default_factory=dict)
    offered: dict[int, float] = field(default_factory=dict)
    """Tokens of the limit that came in, by second."""
    spent: dict[int, float] = field(default_factory=dict)

    def calls(self, start: float, end: float, *, job: int | None = None) -> int:
        return _between(self.admitted, start, end, job)

    def refusals(self, start: float, end: float, *, job: int | None = None) -> int:
        return _between(self.refused, start, end, job)

    def others(self, start: float, end: float) -> int:
        return sum(count for second, count in self.foreign.items() if start <= second < end)

    def refused_share(self, start: float, end: float) -> float:
        refused = self.refusals(start, end)
        return refused / max(1, refused + self.calls(start, end))


def _between(counts: dict[tuple[int, int], int], start: float, end: float, job: int | None) -> int:
    return sum(
        count for (number, second), count in counts.items() if start <= second < end and job in (None, number)
    )


class _FixedWindow:
    """Requests counted by the minute of the clock."""

    def __init__(self, settings: ServerSettings) -> None:
        self._most = settings.rpm or math.inf
        self._minute = -1
        self._count = 0

    def wait(self, prompt_tokens: int, *, in_flight: int, now: float) -> float:
        minute = int(now // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        if self._count >= self._most:
            return (minute + 1) * 60 - now
        self._count += 1
        return 0.0

    def spend(self, completion_tokens: int) -> None: ...

    def headers(self) -> str:
        return ""

    def retry_headers(self, wait: float, *, now: float) -> str:
        return f"Retry-After: {math.ceil(wait)}\r\n"


class Fleet:
    """Run a scenario with ``run``; everything random comes from its seed."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.now = 0.0
        self.seen = Seen()
        self.reports: dict[int, LimiterReport] = {}
        self.chance = random.Random(scenario.seed)
        self._settings = scenario.server
        self._limits: Limits | _FixedWindow = self._new_limits()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.jobs = [_Job(self, number) for number in range(scenario.jobs)]

    def run(self) -> Seen:
        scenario = self.scenario
        for job in self.jobs:
            self.at(job.number * scenario.stagger + _START_SPREAD * self.chance.random(), job.start)
        for when, changes in scenario.changes:
            self.at(when, lambda changes=changes: self._change(changes))
        for tenant in scenario.tenants:
            self.at(tenant.start, lambda tenant=tenant: self._foreign_call(tenant))
        while self._events and self._events[0][0] <= scenario.seconds:
            self.now, _, event = heapq.heappop(self._events)
            event()
        return self.seen

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), event))

    def call(self, job: int) -> tuple[float, dict[str, str]]:
        """One request at the API: (seconds until it may come again, 0 if let in; headers)."""
        wait = self._limits.wait(self.scenario.prompt_tokens, in_flight=0, now=self.now)
        text = self._limits.headers() if self.scenario.headers else ""
        counts = self.seen.refused if wait else self.seen.admitted
        key = (job, int(self.now))
        counts[key] = counts.get(key, 0) + 1
        if wait:
            text += self._limits.retry_headers(wait, now=_UNIX + self.now)
        else:
            self._limits.spend(round(self.scenario.completion_tokens * self.chance.uniform(0.5, 1.5)))
        return wait, _parsed(text)

    def latency(self) -> float:
        return self.scenario.median * math.exp(self.chance.gauss(0.0, self.scenario.sigma))

    def _new_limits(self) -> Limits | _FixedWindow:
        if self.scenario.fixed_window:
            return _FixedWindow(self._settings)
        return Limits(self._settings, now=self.now)

    def _change(self, changes: dict[str, float]) -> None:
        """The new limit starts with an empty bucket, as a provider's that was used up does."""
        self._settings = self._settings.model_copy(update=changes)
        self._limits = self._new_limits()
        while self._limits.wait(self.scenario.prompt_tokens, in_flight=0, now=self.now) == 0:
            self._limits.spend(self.scenario.completion_tokens)

    def _foreign_call(self, tenant: Tenant) -> None:
        if self.now >= tenant.end:
            return
        if not self._limits.wait(self.scenario.prompt_tokens, in_flight=0, now=self.now):
            self._limits.spend(self.scenario.completion_tokens)
            second = int(self.now)
            self.seen.foreign[second] = self.seen.foreign.get(second, 0) + 1
        self.at(self.now + self.chance.expovariate(tenant.rate), lambda: self._foreign_call(tenant))


class _Job:
    """``pipeline.calls`` and ``Limiter`` without threads: workers that always have a next paper."""

    def __init__(self, fleet: Fleet, number: int) -> None:
        scenario = fleet.scenario
        self.number = number
        self._fleet = fleet
        self.admission = Admission(
            AimdLimit(scenario.workers),
            fleet.chance.random,
            requests=_bucket(scenario.declared_rpm, 1),
            tokens=_bucket(scenario.declared_tpm, 1),
            patience=120.0,
        )
        self._fleet_view = FleetView()
        self._tickets: dict[int, tuple[Ticket, int]] = {}

    def start(self) -> None:
        live = sum(job.number * self._fleet.scenario.stagger <= self._fleet.now for job in self._fleet.jobs)
        for job in self._fleet.jobs:
            job.admission.set_share(live)
        for _ in range(self._fleet.scenario.workers):
            self._queue(1)
        self._poll()
        if self._fleet.scenario.heartbeat:
            self._fleet.at(self._fleet.now + BEAT, self._beat)

    def _beat(self) -> None:
        """As ``pipeline.heartbeat``: jobs exchange counters once per heartbeat, one beat late."""
        fleet = self._fleet
        report = self._fleet_view.observe(fleet.reports.values(), fleet.now)
        if report is not None:
            self.admission.limit.observe(report, fleet.now)
        fleet.reports[self.number] = self.admission.report(f"job-{self.number}")
        fleet.at(fleet.now + fleet.scenario.heartbeat, self._beat)

    def _poll(self) -> None:
        """Those who wait look up now and then, as sleeping threads do."""
        if self.admission.waiting:
            self.admission.step(self.admission._queue[0], self._fleet.now)
        self._fleet.at(self._fleet.now + POLL, self._poll)

    def _queue(self, attempt: int) -> None:
        number = next(self._fleet._numbers)
        tokens = self._fleet.scenario.prompt_tokens + self._fleet.scenario.completion_tokens
        ticket = self.admission.join(
            tokens, lambda: self._fleet.at(self._fleet.now, lambda: self._step(number))
        )
        self._tickets[number] = (ticket, attempt)
        self._step(number)

    def _step(self, number: int) -> None:
        if number not in self._tickets:
            return
        ticket, attempt = self._tickets[number]
        timeout = self.admission.step(ticket, self._fleet.now)
        if ticket.granted:
            del self._tickets[number]
            self._send(attempt)
        elif self.admission._queue[0] is ticket:
            self._fleet.at(self._fleet.now + timeout, lambda: self._step(number))

    def _send(self, attempt: int) -> None:
        started = self._fleet.now
        arrives = started + _WIRE_SECONDS * self._fleet.chance.random()
        self._fleet.at(arrives, lambda: self._arrive(started, attempt))

    def _arrive(self, started: float, attempt: int) -> None:
        wait, headers = self._fleet.call(self.number)
        if wait:
            self._fleet.at(started + _REFUSAL_SECONDS, lambda: self._refused(started, headers, attempt))
        else:
            self._fleet.at(started + self._fleet.latency(), lambda: self._answered(started, headers))

    def _hint(self, headers: dict[str, str], started: float) -> None:
        now = self._fleet.now
        hint = rate_hint(headers, now=_UNIX + now, age=now - started)
        if hint is not None:
            self.admission.hint(hint, now)

    def _refused(self, started: float, headers: dict[str, str], attempt: int) -> None:
        now = self._fleet.now
        self._hint(headers, started)
        told = retry_after(headers, now=_UNIX + now)
        self.admission.throttled(started, told, now)
        self.admission.release(now)
        pause = delay(attempt, BACKOFF_BASE, BACKOFF_CAP, self._fleet.chance.random, retry_after=told)
        self._fleet.at(now + pause, lambda: self._queue(attempt + 1))

    def _answered(self, started: float, headers: dict[str, str]) -> None:
        now = self._fleet.now
        self._hint(headers, started)
        self.admission.succeeded(started, now)
        self.admission.release(now)
        self._queue(1)


def _bucket(per_minute: float | None, least: float) -> TokenBucket | None:
    return None if per_minute is None else TokenBucket(per_minute / 60, max(least, per_minute / 60))


def _parsed(lines: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.split("\r\n") if line)
    return {name.lower(): value.strip() for name, _, value in pairs}
