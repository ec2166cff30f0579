"""What a job's calls add up to, in one item a job, so that status reads jobs and never parts.

The truth are the put-if-absent items ``CALLS#<job>#<part>``. ``TALLY#<job>`` is their absolute sum with
the number of parts in it: it is written on condition that nobody wrote in between, and added up anew
from the parts whenever that fails. Nothing can be counted twice, whatever is repeated. It is also what
stays of a closed job: what it held of the budget at its end (``settled``, after its request ``seq``), and
its record. It lies in the partition of the job's group.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from handlers.adapters.dynamodb.money.job_places import JobPlaces
from handlers.adapters.dynamodb.money.money_paths import group_of
from handlers.adapters.dynamodb.table import Table, bucket_key
from handlers.adapters.dynamodb.values import Item, Key
from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit


def calls_key(run_id: str, job_id: str, part_id: str) -> Key:
    return bucket_key(run_id, job_id), f"CALLS#{job_id}#{part_id}"


def _digest(commit: Commit) -> str:
    """Of what it says of its papers."""
    text = "".join(entry.model_dump_json() for entry in commit.entries)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Booked(NamedTuple):
    """``again``: what is booked already and may have been cut short then. ``totals``: sums by (run, job)."""

    new: list[Commit]
    again: list[Commit]
    totals: dict[tuple[str, str], JobTotals]


@dataclass(frozen=True)
class JobTotals:
    """``ended`` once the job is closed: the budget must learn of what it books from then on. ``settled``
    is final once the budget lists the job no more, ``record`` (JSON) once the job is closed."""

    parts: int
    calls: CallTotals
    ended: bool = False
    settled: int | None = None
    seq: int = 0
    record: str | None = None

    @classmethod
    def of(cls, item: Item | None) -> JobTotals:
        if item is None:
            return cls(0, CallTotals())
        calls = _calls(item) if "calls" in item else CallTotals()
        settled, seq = item.get("settled"), item.get("seq", 0)
        return cls(item.get("parts", 0), calls, item.get("ended", False), settled, seq, item.get("record"))


def _attributes(calls: CallTotals) -> Item:
    """``open``, what is held for calls of unknown cost, stands beside the sums: releases that know nothing of
    it go on reading them."""
    sums = calls.model_dump_json(exclude_defaults=True, exclude={"held"})
    return {"calls": sums, "open": calls.held or None}


def _calls(item: Item) -> CallTotals:
    calls = CallTotals.model_validate_json(item["calls"])
    return calls.model_copy(update={"held": item["open"]}) if "open" in item else calls


class JobTotalsItems:
    """Keeps the sums of the jobs that commit through it, so that one write books a part."""

    def __init__(self, table: Table, places: JobPlaces) -> None:
        self._table = table
        self._places = places
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], JobTotals] = {}

    def key(self, run_id: str, job_id: str) -> Key:
        return _partition(run_id, group_of(self._places.path(run_id, job_id))), f"TALLY#{job_id}"

    def known(self, run_id: str, job_id: str) -> int:
        """nano-USD that the job's calls take from the budget, as booked through this process."""
        totals = self._known.get((run_id, job_id))
        return 0 if totals is None else totals.calls.taken

    def book(self, commits: Sequence[Commit]) -> Booked:
        """Put each part's calls if absent."""
        found = list(zip(commits, self._table.map(self._put, commits), strict=True))
        new = [commit for commit, how in found if how == "new"]
        again = [commit for commit, how in found if how == "again" and commit not in new]
        by_job: dict[tuple[str, str], list[CallTotals]] = {(each.run_id, each.job_id): [] for each in commits}
        for commit in new:
            by_job[commit.run_id, commit.job_id].append(commit.calls)
        with self._lock:
            if len(new) < len(commits):  # who put the others may have died before he counted them
                for job in by_job:
                    self._known.pop(job, None)
            totals = {(run, job): self._add(run, job, parts) for (run, job), parts in by_job.items()}
        return Booked(new, again, totals)

    def _put(self, commit: Commit) -> Literal["new", "again", "other"]:
        """Whether it is put now (or by a repeated request), was before, or another was of its name."""
        pk, sk = calls_key(commit.run_id, commit.job_id, commit.part_id)
        mark, says = secrets.token_hex(8), _digest(commit)
        put = self._table.put_new(
            {
                "pk": pk,
                "sk": sk,
                **_attributes(commit.calls),
                "cost": commit.calls.cost,
                "batch": commit.batch_id,
                "at": commit.at,
                "mark": mark,
                "says": says,
            }
        )
        there = {} if put else self._table.get(pk, sk) or {}
        if put or there.get("mark") == mark:
            return "new"
        return "again" if there.get("says") == says else "other"

    def _add(self, run_id: str, job_id: str, parts: Sequence[CallTotals]) -> JobTotals:
        before = self._known.get((run_id, job_id))
        if before is None:
            return self.rebuild(run_id, job_id)
        calls = before.calls
        for part in parts:
            calls = calls.plus(part)
        totals = JobTotals(before.parts + len(parts), calls)
        self._known.pop((run_id, job_id))  # until it is written: an outage may come before
        written = self._write(run_id, job_id, totals, before=before.parts)
        return written or self.rebuild(run_id, job_id)

    def rebuild(self, run_id: str, job_id: str) -> JobTotals:
        """Add the job's parts up anew."""
        while True:
            before = self.of(run_id, job_id)
            parts, calls = 0, CallTotals()
            for item in self._table.query(
                bucket_key(run_id, job_id), f"CALLS#{job_id}#", attributes=["calls", "open"]
            ):
                parts += 1
                calls = calls.plus(_calls(item))
            if (before.parts, before.calls) == (parts, calls):
                self._known[run_id, job_id] = before
                return before
            written = self._write(run_id, job_id, JobTotals(parts, calls), before=before.parts)
            if written is not None:
                return written

    def _write(self, run_id: str, job_id: str, totals: JobTotals, *, before: int) -> JobTotals | None:
        item = self._table.update(
            *self.key(run_id, job_id),
            values={"parts": totals.parts, **_attributes(totals.calls)},
            condition="#parts = :before" if before else "attribute_not_exists(#parts) OR #parts = :before",
            arguments={"before": before},
        )
        if item is None:
            self._known.pop((run_id, job_id), None)
            return None
        self._known[run_id, job_id] = JobTotals.of(item)
        return self._known[run_id, job_id]

    def close(self, run_id: str, job_id: str, *, exact: bool) -> JobTotals:
        """Mark the job as ended. ``exact`` adds its parts up anew before."""
        if exact:
            self.rebuild(run_id, job_id)
        item = self._table.update(*self.key(run_id, job_id), values={"ended": True})
        return JobTotals.of(item)

    def keep(self, run_id: str, job_id: str, record: str) -> None:
        """What is to be known of a closed job; the first record stands."""
        condition = "attribute_not_exists(#record)"
        self._table.update(*self.key(run_id, job_id), values={"record": record}, condition=condition)

    def of(self, run_id: str, job_id: str) -> JobTotals:
        there = self._places.find(run_id, job_id) is not None
        return JobTotals.of(self._table.get(*self.key(run_id, job_id)) if there else None)

    def all(self, run_id: str) -> dict[str, JobTotals]:
        """By job id."""

        def totals_of(group: str) -> dict[str, JobTotals]:
            items = self._table.query(_partition(run_id, group), "TALLY#")
            return {item["sk"].removeprefix("TALLY#"): JobTotals.of(item) for item in items}

        found: dict[str, JobTotals] = {}
        for some in self._table.map(totals_of, self._places.groups(run_id)):
            found |= some
        return found


def _partition(run_id: str, group: str) -> str:
    return f"TALLIES#{run_id}#{group}"
