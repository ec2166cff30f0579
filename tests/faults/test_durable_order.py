"""Promise 6 at the system's edge: a part is on disk before the ledger says so, and only then is it said."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.ledger import Commit
from handlers.pipeline.committer import Committer, FinishedPaper
from handlers.pipeline.pace import EMBEDDED
from handlers.ports import Backend
from tests.builders.fakes import FakeClock
from tests.builders.values import RUN, batch, part_line, run_record


class Noted(SqliteLedger):
    """Notes when a commit begins."""

    def __init__(self, path: Path, order: list[str]) -> None:
        super().__init__(path)
        self._order = order

    def commit(self, commits: Sequence[Commit]) -> set[tuple[str, str]]:
        self._order.append("commit")
        return super().commit(commits)


def test_each_part_is_synced_before_its_commit_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        if "segments" in str(name) and name.suffix == ".jsonl":
            order.append(f"{name.name}, {name.stat().st_size > 0}")

    monkeypatch.setattr(os, "fsync", noted)
    clock, failures = FakeClock(), list[str]()
    ledger, store = Noted(tmp_path / "ledger.sqlite3", order), FileStore(tmp_path)
    queue = SqliteQueue(tmp_path / "queue.sqlite3", RUN, clock)
    ledger.add_batches([batch("b1", ["p1", "p2", "p3"])])
    ledger.create_run(run_record(papers=3))
    pace = replace(EMBEDDED, commit_papers=1)
    backend = Backend(ledger, queue, store, clock)
    committer = Committer(backend, "job-a", pace=pace, on_failure=failures.append)
    for paper_id in ("p1", "p2", "p3"):
        committed = threading.Event()
        committer.add(FinishedPaper(part_line(paper_id), 1, 1, committed.set))
        assert committed.wait(60)
    committer.close()
    assert not failures
    assert order == ["job-a.jsonl, True", "commit"] * 3
    for adapter in (ledger, queue, store):
        adapter.close()
