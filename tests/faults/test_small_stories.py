"""Stories that chance tells too seldom, each told once over real adapters; the promises hold at their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.paper import Paper
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.fakes import FakeClock
from tests.faults.seven_promises import PROMISES
from tests.faults.small_fleet import SmallFleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SmallFleet]:
    clock = FakeClock()
    ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    made = SmallFleet(
        tmp_path, ledger=ledger, store=store, clock=clock,
        queue_of=lambda name: SqliteQueue(tmp_path / "queue.sqlite3", name, clock, max_receives=3),
    )  # fmt: skip
    made.submit("first")
    yield made
    for standing in made.standings():
        for promise in PROMISES:
            promise(standing)
    made.close()
    ledger.close()
    store.close()


def counts(fleet: SmallFleet) -> dict[str, int]:
    return {str(status): count for status, count in fleet.raw.totals("first").counts.items() if count}


def finish(fleet: SmallFleet) -> None:
    for _ in range(4):
        fleet.clock.advance(200)
        fleet.work("first")
    assert fleet.raw.totals("first").counts["pending"] == 0


def test_papers_that_ended_are_left_out_when_their_batch_comes_again(fleet: SmallFleet) -> None:
    """One was flagged and one is done when the key is refused; the batch is delivered once more."""
    fleet.work("first", ["refused", "ok", "no_key"])
    assert (counts(fleet)["flagged"], fleet.api.calls) == (1, 3)
    fleet.submit("first")
    finish(fleet)
    assert counts(fleet) == {"done": 7, "flagged": 1, "skipped": 1}
    assert fleet.api.calls == 3 + 5


def test_an_error_that_nobody_foresaw_fails_its_paper_alone(
    fleet: SmallFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TranslateTask.run

    def stumbling(task: TranslateTask, paper: Paper, ask: Any) -> Any:
        if paper.id == "paper-00003":
            raise ZeroDivisionError("nobody foresaw this")
        return run(task, paper, ask)

    monkeypatch.setattr(TranslateTask, "run", stumbling)
    finish(fleet)
    assert counts(fleet) == {"done": 7, "failed": 1, "skipped": 1}
    (failed,) = [row for row in fleet.raw.entries("first") if row.status == "failed"]
    assert (failed.paper_id, failed.error) == ("paper-00003", "ZeroDivisionError")


def test_a_line_that_is_no_paper_any_more_fails_its_paper_alone(fleet: SmallFleet, tmp_path: Path) -> None:
    stored = tmp_path / fleet.found.key
    first, *others = stored.read_bytes().splitlines(keepends=True)
    stored.write_bytes(b"{" + b" " * (len(first) - 2) + b"\n" + b"".join(others))
    finish(fleet)
    assert sum(counts(fleet).values()) == 9
    (failed,) = [row for row in fleet.raw.entries("first") if row.status == "failed"]
    assert failed.error == "corpus_changed"
