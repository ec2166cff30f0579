"""Where the jobs of a run live: ``JOINS`` counts those at work, and a job's ``HOME`` keeps the path that it
got at its start, so that others find its heartbeat, its totals and its part of the budget."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.adapters.dynamodb.money.money_paths import depth_of, groups, path_at
from handlers.adapters.dynamodb.table import Table, bucket_key, run_key
from handlers.adapters.dynamodb.values import Key
from handlers.ports import Clock


@dataclass(frozen=True)
class Joins:
    """``live`` is about how many jobs work: a start or an end whose answer was lost counts twice, until
    somebody counts anew. ``depth`` is the longest path that was ever given."""

    live: int = 0
    depth: int = 0


class JobPlaces:
    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._paths: dict[tuple[str, str], str] = {}
        self.known: dict[str, Joins] = {}
        """Of each run as it was read last."""

    def enter(self, run_id: str, job_id: str) -> str:
        """The path of a job that starts; one that has one keeps it."""
        path = self.find(run_id, job_id)
        if path is not None:
            return path
        item = self._table.update(run_key(run_id), "JOINS", plus={"live": 1}) or {}
        bits = depth_of(item["live"])
        if bits > item.get("depth", 0):  # before anything lies so deep
            self._table.update(
                run_key(run_id),
                "JOINS",
                values={"depth": bits},
                condition="attribute_not_exists(#depth) OR #depth < :bits",
                arguments={"bits": bits},
            )
        return self._keep(run_id, job_id, path_at(self._clock.random(), bits))

    def _keep(self, run_id: str, job_id: str, path: str) -> str:
        pk, sk = _home(run_id, job_id)
        if not self._table.put_new({"pk": pk, "sk": sk, "path": path}):
            path = (self._table.get(pk, sk) or {})["path"]
        self._paths[run_id, job_id] = path
        return path

    def find(self, run_id: str, job_id: str) -> str | None:
        """None if the job never started."""
        path = self._paths.get((run_id, job_id))
        if path is None:
            item = self._table.get(*_home(run_id, job_id))
            if item is None:
                return None
            path = self._paths[run_id, job_id] = str(item["path"])
        return path

    def path(self, run_id: str, job_id: str) -> str:
        """Of a job that books without having started, the root's from now on."""
        path = self.find(run_id, job_id)
        return self._keep(run_id, job_id, "") if path is None else path

    def leave(self, run_id: str) -> None:
        self._table.update(run_key(run_id), "JOINS", plus={"live": -1})

    def joins(self, run_id: str, *, consistent: bool = True) -> Joins:
        item = self._table.get(run_key(run_id), "JOINS", consistent=consistent) or {}
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


def _home(run_id: str, job_id: str) -> Key:
    return bucket_key(run_id, job_id), f"HOME#{job_id}"
