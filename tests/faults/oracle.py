"""What the ledger must say, in fifty lines: dictionaries, one thread, no leases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from handlers.domain.job import JobStats
from handlers.domain.ledger import Commit, PaperRow
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.result import Part, PartPointer
from handlers.ports import Drawn, Ledger, ObjectStore

Key = tuple[str, str]


@dataclass
class JobMoney:
    drawn: int = 0
    spent: int = 0
    held: int = 0
    """Beyond what is spent: what calls of unknown cost may be billed for."""
    lost: int = 0
    ended: bool = False


@dataclass
class Oracle:
    papers: dict[Key, tuple[int, PaperStatus, int, str | None]] = field(default_factory=dict)
    """(run, paper) → (generation, status, weight, error)."""
    generations: Counter[Key] = field(default_factory=Counter)
    """(run, batch) → retries."""
    batch_of: dict[Key, str] = field(default_factory=dict)
    parts: set[Key] = field(default_factory=set)
    jobs: defaultdict[Key, JobMoney] = field(default_factory=lambda: defaultdict(JobMoney))
    budgets: dict[str, int | None] = field(default_factory=dict)
    synced: set[PartPointer] = field(default_factory=set)
    """Where the store said that a result is."""
    broken: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Promise → what did not hold in the middle of a step, where an error would be taken for a paper's."""

    def must(self, promise: int, holds: bool, what: str) -> None:
        if not holds:
            self.broken[promise].append(what)

    def commit(self, commits: Sequence[Commit]) -> set[Key]:
        taken: set[Key] = set()
        for commit in commits:
            if (commit.run_id, commit.part_id) in self.parts:
                continue
            self.parts.add((commit.run_id, commit.part_id))
            job = self.jobs[commit.run_id, commit.job_id]
            returned = min(job.lost, commit.calls.taken)
            job.lost -= returned
            job.drawn += commit.calls.taken - returned if job.ended else 0
            job.spent += commit.calls.cost
            job.held += commit.calls.held
            for entry in commit.entries:
                key = (commit.run_id, entry.paper_id)
                generation, status, _, _ = self.papers.get(key, (0, "pending", 0, None))
                if status == "pending" and entry.generation >= generation:
                    # A pending paper's generation is the one in which it was opened.
                    stays = entry.status == "pending" and key in self.papers
                    now = generation if stays else entry.generation
                    self.papers[key] = (now, entry.status, entry.weight, entry.error)
                    self.batch_of[key] = commit.batch_id
                    taken.add(key)
        return taken

    def reopen(self, run_id: str, statuses: Sequence[PaperStatus], error: str | None) -> int:
        chosen = [
            key
            for key, (_, status, _, why) in self.papers.items()
            if key[0] == run_id and status in statuses and error in (None, why)
        ]
        self.generations.update({(run_id, self.batch_of[key]) for key in chosen})
        for key in chosen:
            generation = 1 + self.generations[run_id, self.batch_of[key]]
            self.papers[key] = (generation, "pending", self.papers[key][2], None)
        return sum(self.papers[key][2] for key in chosen)

    def rejudge(self, commit: Commit, before: Mapping[str, PaperRow]) -> set[str]:
        taken = set()
        for entry in commit.entries:
            row, key = before.get(entry.paper_id), (commit.run_id, entry.paper_id)
            ended = row is not None and entry.status != "pending"
            if ended and self.papers[key][:2] == (row.generation, row.status):
                self.papers[key] = (entry.generation, entry.status, row.weight, entry.error)
                batch = (commit.run_id, commit.batch_id)
                self.generations[batch] = max(self.generations[batch], entry.generation - 1)
                taken.add(entry.paper_id)
        return taken

    def draw(self, run_id: str, job_id: str, amount: int) -> bool:
        budget, job = self.budgets.get(run_id), self.jobs[run_id, job_id]
        if job.ended or (budget is not None and budget - self.drawn(run_id) < amount):
            return False
        job.drawn += amount
        return True

    def give_back(self, run_id: str, job_id: str, amount: int) -> None:
        job = self.jobs[run_id, job_id]
        job.drawn -= amount
        returned = min(job.lost, amount)
        job.lost -= returned

    def end_job(self, run_id: str, job_id: str) -> int:
        job = self.jobs[run_id, job_id]
        if job.ended:
            return 0
        job.ended = True
        job.lost = max(0, job.drawn - job.spent - job.held)
        job.drawn = max(job.drawn, job.spent + job.held)
        return job.lost

    def drawn(self, run_id: str) -> int:
        return sum(job.drawn for (run, _), job in self.jobs.items() if run == run_id)

    def held(self, run_id: str) -> int:
        return sum(job.held for (run, _), job in self.jobs.items() if run == run_id)

    def spend(self, run_id: str) -> int:
        return sum(job.spent + job.lost for (run, _), job in self.jobs.items() if run == run_id)

    def counts(self, run_id: str) -> Counter[PaperStatus]:
        found: Counter[PaperStatus] = Counter()
        for (run, _), (_, status, weight, _) in self.papers.items():
            if run == run_id and status in TERMINAL:
                found[status] += weight
        return found


class Watched:
    """A ledger whose every change is made in the oracle too, and the two answers compared."""

    def __init__(self, ledger: Ledger, oracle: Oracle) -> None:
        self._ledger, self._oracle = ledger, oracle

    def __getattr__(self, method: str) -> object:
        return getattr(self._ledger, method)

    def commit(self, commits: Sequence[Commit]) -> set[Key]:
        for entry in (entry for commit in commits for entry in commit.entries):
            written = entry.pointer is None or entry.pointer in self._oracle.synced
            self._oracle.must(6, written, f"{entry.paper_id} is committed before its part is written")
        taken = self._ledger.commit(commits)
        self._oracle.must(1, taken == self._oracle.commit(commits), "commit")
        return taken

    def reopen(self, run_id: str, *, statuses: Sequence[PaperStatus], error: str | None) -> int:
        opened = self._ledger.reopen(run_id, statuses=statuses, error=error)
        self._oracle.must(1, opened == self._oracle.reopen(run_id, statuses, error), "reopen")
        return opened

    def rejudge(self, commit: Commit, before: Mapping[str, PaperRow]) -> set[str]:
        for entry in commit.entries:
            written = entry.pointer in self._oracle.synced
            self._oracle.must(6, written, f"{entry.paper_id} is judged again before its part is written")
        taken = self._ledger.rejudge(commit, before)
        self._oracle.must(1, taken == self._oracle.rejudge(commit, before), "rejudge")
        return taken

    def draw(self, run_id: str, job_id: str, seq: int, amount: int) -> Drawn:
        word = self._ledger.draw(run_id, job_id, seq, amount)
        self._oracle.must(4, (word == "drawn") == self._oracle.draw(run_id, job_id, amount), "draw")
        return word

    def give_back(self, run_id: str, job_id: str, seq: int, amount: int) -> None:
        self._ledger.give_back(run_id, job_id, seq, amount)
        self._oracle.give_back(run_id, job_id, amount)

    def set_budget(self, run_id: str, budget: int | None, *, at: float | None = None) -> None:
        self._ledger.set_budget(run_id, budget, at=at)
        self._oracle.budgets[run_id] = budget

    def end_job(self, run_id: str, job_id: str, *, at: float, outcome: str, stats: JobStats | None) -> int:
        lost = self._ledger.end_job(run_id, job_id, at=at, outcome=outcome, stats=stats)
        self._oracle.must(3, lost == self._oracle.end_job(run_id, job_id), "end_job")
        return lost


class Recording:
    """A store that notes in the oracle what it has made durable."""

    def __init__(self, store: ObjectStore, oracle: Oracle) -> None:
        self._store, self._oracle = store, oracle

    def __getattr__(self, method: str) -> object:
        return getattr(self._store, method)

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[tuple[PartPointer, ...]]:
        pointers = self._store.write_parts(job_id, parts)
        self._oracle.synced.update(where for each in pointers for where in each)
        return pointers
