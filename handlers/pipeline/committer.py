"""Group commit: what the workers finished becomes durable first, and then true."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit, LedgerEntry
from handlers.domain.part_lines import encode
from handlers.domain.result import Part, PartLine, PartPointer
from handlers.pipeline.pace import EMBEDDED, Pace
from handlers.pipeline.stop import Patience
from handlers.ports import Backend

logger = logging.getLogger(__name__)

_LOOK_UP = 0.25
"""Seconds after which who waits for room looks whether the ledger is away."""


@dataclass(frozen=True)
class FinishedPaper:
    """A paper's line on its way to disk."""

    line: PartLine
    epoch: int
    weight: int
    on_commit: Callable[[], None]
    """Called once the ledger has the line, or cannot get it."""


@dataclass(frozen=True)
class _Group:
    """Papers whose parts are durable, and what the ledger is to hear of them."""

    papers: list[FinishedPaper]
    commits: list[Commit]

    @property
    def paid(self) -> int:
        return _paid(self.papers)


class Committer:
    """Two threads, of which one writes parts, as often as the job's pace says, and the other books them: what
    waits for a ledger that is away is durable, and a batch's next holder finds it.

    No more paid papers wait for them than one group holds: a kill repeats so many calls, however long the
    disk or the ledger takes. Of a ledger that is away nobody waits for more than the part.
    """

    def __init__(
        self,
        backend: Backend,
        job_id: str,
        *,
        pace: Pace = EMBEDDED,
        on_failure: Callable[[str], None],
        time_left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """``time_left``: seconds for which it may try on while store or ledger are out of reach."""
        self._store = backend.store
        self._ledger = backend.ledger
        self._clock = backend.clock
        self._job_id = job_id
        self._delay = pace.commit_delay
        self._papers = pace.commit_papers
        self._hurries = pace.hurries
        self._on_failure = on_failure
        self._patience = Patience(backend.clock, time_left)
        lock = threading.RLock()
        self._changed, self._room = threading.Condition(lock), threading.Condition(lock)
        self._to_book = threading.Condition(lock)
        self._paid = 0
        """Papers that were paid for and are not booked yet."""
        self._at_the_door = 0
        """Papers that wait for room: closing waits for them too."""
        self._coming: int | None = None
        """Papers that are at work and not here yet; None while nobody says."""
        self._waiting: list[FinishedPaper] = []
        self._durable: deque[_Group] = deque()
        """What is to be booked, in the order of its parts, the group that is being booked first."""
        self._closing = self._all_durable = False
        self._parts = 0
        self.failure: str | None = None
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("committer", self._write_all), ("booker", self._book_all))
        ]
        for thread in self._threads:
            thread.start()

    def expect(self, papers: int) -> None:
        """So many more are at work, or fewer: those after which none is to come wait for no company."""
        with self._changed:
            self._coming = (self._coming or 0) + papers
            self._changed.notify()

    def add(self, finished: FinishedPaper) -> None:
        """Waits for room if calls were made for the paper."""
        with self._changed:
            if finished.line.calls:
                self._at_the_door += 1
                while not self._has_room():
                    self._changed.notify()
                    self._room.wait(_LOOK_UP)
                self._at_the_door -= 1
                self._paid += 1
            self._waiting.append(finished)
            if self._coming is not None:
                self._coming -= 1
            if len(self._waiting) in (1, self._papers) or self._coming == 0:
                self._changed.notify()

    def _has_room(self) -> bool:
        """In an outage of the ledger what is durable takes up none: the rest has to become it, too."""
        if self._paid < self._papers:
            return True
        return (
            self._ledger.away_for() > 0
            and self._paid - sum(each.paid for each in self._durable) < self._papers
        )

    def close(self) -> None:
        """Commit what waits and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        for thread in self._threads:
            thread.join()

    def _write_all(self) -> None:
        while group := self._next_papers():
            made = self._write(group)
            with self._to_book:
                self._durable.append(made)
                self._to_book.notify()
        with self._to_book:
            self._all_durable = True
            self._to_book.notify()

    def _next_papers(self) -> list[FinishedPaper]:
        """As many as go into one group; none, once it is closed."""
        with self._changed:
            while not self._waiting and (self._at_the_door or not self._closing):
                self._changed.wait()
            self._fill()
            group, self._waiting = self._waiting, []
            return group

    def _fill(self) -> None:
        """Wait until the group is full or nobody is to come, at most ``commit_delay`` seconds from its first
        paper."""
        until = self._clock.monotonic() + self._delay
        while len(self._waiting) < self._papers and not self._closing and self._coming != 0:
            if self._hurries and self._at_the_door:
                return
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _book_all(self) -> None:
        while True:
            with self._to_book:
                while not self._durable and not self._all_durable:
                    self._to_book.wait()
                if not self._durable:
                    return
                group = self._durable[0]
            self._book(group)
            with self._room:
                self._durable.popleft()
                self._paid -= group.paid
                self._room.notify(group.paid)
            for finished in group.papers:
                finished.on_commit()

    def _write(self, papers: list[FinishedPaper]) -> _Group:
        commits: list[Commit] = []
        self._or_fail(lambda: commits.extend(self._written(papers)))
        return _Group(papers, commits)

    def _book(self, group: _Group) -> None:
        self._or_fail(lambda: self._patience.keep_at(lambda: self._ledger.commit(group.commits)))

    def _or_fail(self, work: Callable[[], object]) -> None:
        """A full disk or a broken ledger: nothing more may be started, as it could not be kept."""
        if self.failure is not None:
            return
        try:
            work()
        except Exception as error:
            logger.exception("results cannot be kept")
            self.failure = f"results cannot be written: {error}"
            self._on_failure(self.failure)

    def _written(self, papers: list[FinishedPaper]) -> list[Commit]:
        """Commits of parts that are durable now: the same parts at each try, which do nothing twice."""
        batches: dict[tuple[str, str, int], list[FinishedPaper]] = {}
        for finished in papers:
            key = (finished.line.run_id, finished.line.batch_id, finished.epoch)
            batches.setdefault(key, []).append(finished)
        parts: list[Part] = []
        for (run_id, batch_id, epoch), members in batches.items():
            self._parts += 1
            lines = tuple(encode(member.line) for member in members)
            parts.append(Part(run_id, f"{batch_id}/{epoch}-{self._job_id}-{self._parts}", lines))
        pointers = self._patience.keep_at(lambda: self._store.write_parts(self._job_id, parts))
        return [
            self._commit_of(part, members, where)
            for members, part, where in zip(batches.values(), parts, pointers, strict=True)
        ]

    def _commit_of(self, part: Part, members: list[FinishedPaper], where: Sequence[PartPointer]) -> Commit:
        return Commit(
            run_id=part.run_id,
            batch_id=members[0].line.batch_id,
            part_id=part.name,
            job_id=self._job_id,
            entries=tuple(
                entry_of(member.line, member.weight, pointer)
                for member, pointer in zip(members, where, strict=True)
            ),
            calls=CallTotals.of([call for member in members for call in member.line.calls]),
            at=self._clock.now(),
        )


def _paid(papers: Sequence[FinishedPaper]) -> int:
    return sum(bool(finished.line.calls) for finished in papers)


def entry_of(line: PartLine, weight: int, pointer: PartPointer) -> LedgerEntry:
    """What the ledger hears of a paper's line."""
    return LedgerEntry(
        paper_id=line.id,
        generation=line.generation,
        status=line.status,
        weight=weight,
        error=line.error,
        fingerprint=line.fingerprint,
        reused=line.reused_from is not None,
        pointer=pointer,
        cost=sum(call.cost for call in line.calls),
        calls=len(line.calls),
        busy_ms=round(1000 * sum(call.latency for call in line.calls)),
        flags=tuple(check.name for check in line.checks if check.verdict == "fail"),
        segments=line.coverage.counts() if line.coverage is not None else {},
        supersedes=line.supersedes,
    )
