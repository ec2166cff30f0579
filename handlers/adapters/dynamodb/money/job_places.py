"""Where the jobs of a run live: ``JOINS`` counts those at work, and a job's ``HOME`` keeps the path that it
got at its start, so that others find its heartbeat, its totals and its part of the budget.

Of few jobs each counts itself. Of many, one in sixteen or more counts for all of them: five thousand that
start or end within seconds would else write one item more often than is good for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from handlers.adapters.dynamodb.money.money_paths import counts_for, depth_of, groups, path_at
from handlers.adapters.dynamodb.table import Table, bucket_key, run_key
from handlers.adapters.dynamodb.values import Item, Key
from handlers.ports import Clock

_FRESH = 2.0
"""Seconds for which what was read of ``JOINS`` serves who asks for no more than an estimate."""


@dataclass(frozen=True)
class Joins:
    """``live`` is about how many jobs work: a start or an end whose answer was lost counts twice, until
    somebody counts anew. ``depth`` is the longest path that was ever given."""

    live: int = 0
    depth: int = 0


@dataclass(frozen=True)
class Home:
    """Of a job: its path, and how many it counts for."""

    path: str
    counts: int = 1


class JobPlaces:
    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._homes: dict[tuple[str, str], Home] = {}
        self.known: dict[str, Joins] = {}
        """Of each run as it was read last."""
        self._read_at: dict[str, float] = {}

    def enter(self, run_id: str, job_id: str) -> str:
        """The path of a job that starts; one that has one keeps it."""
        path = self.find(run_id, job_id)
        if path is not None:
            return path
        joins = self.joins(run_id, consistent=False)
        counts = counts_for(job_id, joins.live)
        if counts:
            item = self._table.update(run_key(run_id), "JOINS", plus={"live": counts}) or {}
            joins = self._note(run_id, item)
        bits = depth_of(joins.live)
        if bits > joins.depth:  # before anything lies so deep
            self._table.update(
                run_key(run_id),
                "JOINS",
                values={"depth": bits},
                condition="attribute_not_exists(#depth) OR #depth < :bits",
                arguments={"bits": bits},
            )
        return self._keep(run_id, job_id, Home(path_at(self._clock.random(), bits), counts)).path

    def _keep(self, run_id: str, job_id: str, home: Home) -> Home:
        pk, sk = _home(run_id, job_id)
        if not self._table.put_new({"pk": pk, "sk": sk, "path": home.path, "counts": home.counts}):
            home = self._read(run_id, job_id) or home
        self._homes[run_id, job_id] = home
        return home

    def _read(self, run_id: str, job_id: str) -> Home | None:
        item = self._table.get(*_home(run_id, job_id))
        return None if item is None else Home(str(item["path"]), int(item.get("counts", 1)))

    def find(self, run_id: str, job_id: str) -> str | None:
        """None if the job never started."""
        home = self._homes.get((run_id, job_id)) or self._read(run_id, job_id)
        if home is None:
            return None
        self._homes[run_id, job_id] = home
        return home.path

    def path(self, run_id: str, job_id: str) -> str:
        """Of a job that books without having started, the root's from now on."""
        path = self.find(run_id, job_id)
        return self._keep(run_id, job_id, Home("", 0)).path if path is None else path

    def leave(self, run_id: str, job_id: str) -> None:
        home = self._homes.get((run_id, job_id)) or self._read(run_id, job_id)
        if home is not None and home.counts:
            item = self._table.update(run_key(run_id), "JOINS", plus={"live": -home.counts}) or {}
            self._note(run_id, item)

    def joins(self, run_id: str, *, consistent: bool = True) -> Joins:
        age = self._clock.now() - self._read_at.get(run_id, -math.inf)
        if not consistent and 0 <= age < _FRESH:
            return self.known[run_id]
        item = self._table.get(run_key(run_id), "JOINS", consistent=consistent) or {}
        return self._note(run_id, item)

    def _note(self, run_id: str, item: Item) -> Joins:
        self._read_at[run_id] = self._clock.now()
        self.known[run_id] = Joins(item.get("live", 0), item.get("depth", 0))
        return self.known[run_id]

    def groups(self, run_id: str) -> list[str]:
        return groups(self.joins(run_id).depth)

    def mend(self, run_id: str, read: Joins, live: int) -> None:
        """Set what was counted, if no job started or ended since ``read``."""
        if live != read.live:
            condition, arguments = "#live = :read", {"read": read.live}
            values = {"live": live}
            self._table.update(
                run_key(run_id), "JOINS", values=values, condition=condition, arguments=arguments
            )
            self._read_at.pop(run_id, None)


def _home(run_id: str, job_id: str) -> Key:
    return bucket_key(run_id, job_id), f"HOME#{job_id}"
