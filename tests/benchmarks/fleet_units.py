"""DynamoDB units a second, by key, of a fleet of any size: its protocols as they are, on a virtual clock.

    python -m tests.benchmarks.fleet_units steady JOBS [WORKERS] [SECONDS]
    python -m tests.benchmarks.fleet_units small JOBS CALLS_A_JOB [WORKERS]

Each request takes 4 to 14 ms. Jobs draw as ``pipeline.budget_lease`` does; heartbeats, commits and looks at
the control item are counted and not made. *small* ends once the budget is spent: how much of it was booked.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from handlers.adapters.dynamodb.money.money_leaf import Drawing, JobMoney, Request
from handlers.adapters.dynamodb.money.money_paths import counts_for, depth_of, group_of, parent, path_at
from handlers.adapters.dynamodb.money.money_steps import Read, Reply, Steps, Write
from handlers.adapters.dynamodb.money.money_tree import MoneyTree
from handlers.adapters.dynamodb.values import Key
from handlers.pipeline.calls.spending_rate import seconds_ahead
from handlers.pipeline.pace import AWS
from tests.benchmarks.fleet_job import FleetJob
from tests.builders.money_memory import MoneyMemory, size_of

_WORST, _USUAL = 250_000, 100_000
"""nano-USD that a call is reserved for, and that it costs on average."""
_TICK = 0.25
_CALL = 2.5
"""Seconds that a call takes."""
_BEAT_BYTES = 809


class VirtualFleet:
    def __init__(self, jobs: int, workers: int, budget: int, *, seed: int = 1, ramp: float = 10.0) -> None:
        self.workers, self.chance, self.now = workers, random.Random(seed), 1_000.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._events = 0
        self.memory = MoneyMemory(self._heard)
        self.by_second: Counter[tuple[str, str, int]] = Counter()
        self.tree = MoneyTree("r", lambda: self.now)
        self.budget, self.jobs, self.ahead = budget, list[FleetJob](), seconds_ahead(jobs)
        self.memory.run(self.tree.create(budget))
        self.said = Counter[str]()
        self.cost, self.last_start, self.last_end, self.biggest, self.live = 0, self.now, self.now, 0, 0
        self.short_at = self.spent_at = math.inf
        self.rate = int(workers / _CALL * _USUAL * 1.1 * self.ahead)
        self._members: Counter[str] = Counter()
        for number in range(jobs):
            self._at(self.now + self.chance.random() * ramp, lambda number=number: self._start(number))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._queue and self._queue[0][0] <= until:
            self.now, _, event = heapq.heappop(self._queue)
            event()
        self.now = until

    # requests

    def _heard(self, key: Key, kind: str, units: float) -> None:
        self.by_second[key[0], kind, int(self.now)] += units

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        self._events += 1
        heapq.heappush(self._queue, (moment, self._events, event))

    def _go(self, steps: Steps[Any], then: Callable[[Any], None] = lambda _: None) -> None:
        """The request arrives after half of its time, the answer after the rest."""

        def go_on(reply: Reply | None) -> None:
            try:
                step = next(steps) if reply is None else steps.send(reply)
            except StopIteration as end:
                then(end.value)
                return
            half = (0.004 + 0.01 * self.chance.random()) / 2

            def served(step: Read | Write = step) -> None:
                answer = self.memory.do(step)
                if answer.item is not None:
                    self.biggest = max(self.biggest, size_of(answer.item))
                self._at(self.now + half, lambda: go_on(answer))

            self._at(self.now + half, served)

        go_on(None)

    # jobs

    def _start(self, number: int) -> None:
        self._heard(("JOINS", ""), "R", 0.5)
        counts = counts_for(f"job-{number}", self.live)
        if counts:
            self._heard(("JOINS", ""), "W", 1)
        self.live += counts
        path = path_at(self.chance.random(), depth_of(self.live))
        money = JobMoney(self.tree, path, f"job-{number}", ("TALLIES", f"job-{number}"), lambda _: 0)
        job = FleetJob(money, path, number, commits_at=self.now + 2, counts=counts)
        job.counts_jobs_at = self.now + 10
        job.listens_at = self.now + 2 * self.chance.random()
        job.reports_at = self.now + AWS.report_every * self.chance.random()
        self._members[group_of(path)] += 1
        self.jobs.append(job)

        def joined(_: int | None) -> None:
            job.talking = False
            self._tick(job)

        self._go(money.join(), joined)

    def _tick(self, job: FleetJob) -> None:
        self._calls_end(job)
        self._commit_report_listen(job)
        if self.now > self.spent_at + 2 and not (job.flying or job.talking or job.unbooked):
            job.ended = True
            self._heard(("JOINS", ""), "W", 1 if job.counts else 0)
            return
        self._calls_start(job)
        self._at(self.now + _TICK, lambda: self._tick(job))

    def _calls_end(self, job: FleetJob) -> None:
        ended = sum(self.chance.random() < _TICK / _CALL for _ in range(job.flying))
        cost = int(ended * _USUAL * (0.7 + 0.6 * self.chance.random()))
        job.flying -= ended
        self.last_end = self.now if ended and self.now < self.spent_at else self.last_end
        job.pool += ended * _WORST - cost
        job.unbooked += cost
        self.cost += cost

    def _commit_report_listen(self, job: FleetJob) -> None:
        group = group_of(job.path)
        if self.now >= job.commits_at:
            job.commits_at = self.now + AWS.commit_delay
            if job.unbooked:
                job.booked, job.unbooked = job.booked + job.unbooked, 0
                self._heard((f"TALLIES#{group}", ""), "W", 2)
        if self.now >= job.reports_at:
            job.reports_at = self.now + AWS.report_every
            self._heard((f"LIVE#{group}", ""), "W", 1)
            self._heard((f"LIVE#{group}", ""), "R", math.ceil(self._members[group] * _BEAT_BYTES / 4096) / 2)
            if not job.short and not job.talking and job.pool > AWS.spare * self.rate + _WORST:
                self._give_back(job, job.pool - self.rate)
        if self.now >= job.listens_at:
            job.listens_at = self.now + 2
            self._heard((f"CONTROL#{job.number % 16}", ""), "R", 0.5)
            job.short = self.now > self.short_at + 0.5
        if self.now >= job.counts_jobs_at:
            job.counts_jobs_at = self.now + max(10, self.live / 50)
            self._heard(("JOINS", ""), "R", 0.5)

    def _calls_start(self, job: FleetJob) -> None:
        free = 0 if self.now > self.spent_at + 0.5 else self.workers - job.flying
        starts = min(free, max(0, job.pool // _WORST))
        if starts:
            job.flying, job.pool, self.last_start = job.flying + starts, job.pool - starts * _WORST, self.now
        waiting = free - starts
        if waiting and not job.talking and self.now >= job.asks_at:
            missing = waiting * _WORST - job.pool
            self._draw(job, missing + (0 if job.short else self.rate), max(1, _WORST - job.pool))
        elif job.short and not job.talking and self.now >= job.tidies_at:
            job.tidies_at = self.now + 1
            self._tidy(job, keep=bool(waiting))

    def _draw(self, job: FleetJob, wanted: int, one: int) -> None:
        job.talking = True
        job.seq += 1

        def done(answer: Drawing) -> None:
            word, job.told, idle = answer
            self.said[word] += 1
            job.refused = word == "short"
            if word == "drawn":
                job.pool += wanted
                job.wait, job.talking = AWS.asks_again[0], False
            elif word == "busy":
                job.asks_at, job.talking = self.now + 0.1 + 0.3 * self.chance.random(), False
            elif wanted > one and (word == "spent" or one <= idle):
                self._draw(job, one, one)
            else:
                self._refused(job, word)

        self._go(job.money.draw(Request(job.seq, wanted, job.booked, job.told, job.refused)), done)

    def _refused(self, job: FleetJob, word: str) -> None:
        self.short_at = min(self.short_at, self.now)
        if word == "spent":
            self.spent_at = min(self.spent_at, self.now)
        job.asks_at = self.now + job.wait * (0.5 + self.chance.random() / 2)
        job.wait = min(AWS.asks_again[1], 1.7 * job.wait)
        job.talking = False
        if job.pool > 0:
            self._give_back(job, job.pool)

    def _give_back(self, job: FleetJob, amount: int) -> None:
        job.talking = True
        job.seq += 1
        job.pool -= amount
        self.said["given back"] += 1

        def done(told: int) -> None:
            job.told, job.talking = told, False

        self._go(job.money.give_back(Request(job.seq, amount, job.booked, job.told)), done)

    def _tidy(self, job: FleetJob, *, keep: bool) -> None:
        if not keep and job.pool > 0:
            self._give_back(job, job.pool)
        elif job.booked > job.told:
            job.talking = True

            def done(told: int) -> None:
                job.told, job.talking = told, False

            self._go(job.money.tell(job.booked), done)
        path = job.path
        while path:
            self._go(self.tree.push(path))
            path = parent(path) if self.chance.random() < 1 / 16 else ""

    # what came of it

    def rows(self, first: float, last: float) -> list[str]:
        """By kind of key: units a second of the hottest on average, and in its worst second."""
        mean: Counter[tuple[str, str]] = Counter()
        worst: Counter[tuple[str, str]] = Counter()
        for (key, kind, second), units in self.by_second.items():
            worst[key, kind] = max(worst[key, kind], units)
            if first <= second < last:
                mean[key, kind] += units / (last - first)
        found = []
        for name in ("MONEY", "LIVE", "TALLIES#", "CONTROL", "JOINS"):
            cells = [
                f"{kind} {_most(mean, name, kind):.1f} ({_most(worst, name, kind):.0f})" for kind in "WR"
            ]
            found.append(f"{name.rstrip('#'):8} {'  '.join(cells)}")
        total = {
            kind: sum(n for (key, each), n in mean.items() if each == kind and key.startswith("MONEY"))
            for kind in "WR"
        }
        return [*found, f"all money W {total['W']:.0f}  R {total['R']:.0f}"]


def _most(counts: Counter[tuple[str, str]], name: str, kind: str) -> float:
    return max((n for (key, each), n in counts.items() if each == kind and key.startswith(name)), default=0)


def main(how: str, jobs: int, more: list[int]) -> None:
    began = time.process_time()
    if how == "steady":
        workers, seconds = (more or [20])[0], (more[1:] or [45])[0]
        fleet = VirtualFleet(jobs, workers, 10**15)
        fleet.run(seconds)
    else:
        calls, workers = more[0], (more[1:] or [20])[0]
        fleet = VirtualFleet(jobs, workers, jobs * calls * _USUAL)
        while not (fleet.jobs and len(fleet.jobs) == jobs and all(job.ended for job in fleet.jobs)):
            if fleet.now > 2_000:
                break
            fleet.run(5)
    first = 1_015 if how == "steady" else 1_000
    lines = fleet.rows(first, fleet.now)
    items = len(fleet.memory.items)
    lines.append(f"largest money item {fleet.biggest} bytes; {items} items; {dict(fleet.said)}")
    if how == "small":
        lines.append(
            f"booked {100 * fleet.cost / fleet.budget:.2f}% (passed: {fleet.cost > fleet.budget}); "
            f"spent was said {fleet.spent_at - fleet.last_start:.1f} s after the last call began, "
            f"{fleet.spent_at - fleet.last_end:.1f} s after the last one ended"
        )
    sys.stdout.write(f"{jobs} jobs, {workers} workers, {how}:\n  " + "\n  ".join(lines))
    sys.stdout.write(f"\n  {time.process_time() - began:.0f} s of CPU\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("how", choices=["steady", "small"])
    parser.add_argument("jobs", type=int)
    parser.add_argument("more", type=int, nargs="*", help="as above")
    options = parser.parse_args()
    if options.how == "small" and not options.more:
        parser.error("small takes CALLS_A_JOB")
    main(options.how, options.jobs, options.more)
