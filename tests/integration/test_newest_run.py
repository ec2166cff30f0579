"""The runs of a state: listed, and the newest taken where none is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.bootstrap.state import SystemClock
from handlers.domain.money import NanoUsd
from handlers.errors import UnknownRunError
from tests.builders import values
from tests.builders.command import Ran, here

DAY = 86_400.0


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Runs of today, of three days ago and of a pilot."""
    ledger, now = SqliteLedger(tmp_path / "ledger.sqlite3"), SystemClock().now()
    for run, days in (("june", 3), ("default", 0.1), ("pilot-abc-20", 0.0008)):
        ledger.add_batches([values.batch("b1", ["p1", "p2"], run_id=run)])
        record = values.run_record(run, papers=2)
        ledger.create_run(replace(record, created_at=now - days * DAY))
    entry = values.entry("p1", "done")
    ledger.commit(
        [values.commit(entry, run_id="june", calls=[values.call("a", cost=NanoUsd(3_250_000_000))])]
    )
    ledger.close()
    yield tmp_path


def ran(state: Path, *words: object) -> Ran:
    return here(*words, "--state", state)


def test_the_runs_of_a_state_are_listed(state: Path) -> None:
    shown = ran(state, "runs").out.splitlines()
    rows = [" ".join(line.split()) for line in shown if " of " in line]
    assert rows == [
        "pilot-abc-20 paused 0 of 2 0 0 $0.0000 1 min",
        "default paused 0 of 2 0 0 $0.0000 2 h",
        "june paused 1 of 2 0 0 $3.2500 3 days",
    ]
    first = json.loads(ran(state, "runs", "--json").out)[-1]
    assert (first["run_id"], first["spend_usd"], first["counts"]["done"]) == ("june", 3.25, 1)
    assert 3 * DAY <= first["age_s"] < 3 * DAY + 60
    with pytest.raises(UnknownRunError, match="no state folder"):
        ran(state / "typo", "runs")


@pytest.mark.parametrize("command", [["status"], ["report"], ["redrive"], ["pause"], ["audit"]])
def test_a_command_without_a_run_takes_the_newest_and_says_so(state: Path, command: list[str]) -> None:
    done = ran(state, *command)
    assert "run default, the newest of 2 runs; --run-id names another\n" in done.err


def test_a_run_that_is_named_is_taken(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(ran(state, "status", "--json").out)["run_id"] == "default"
    named = ran(state, "status", "--json", "--run-id", "june")
    assert (json.loads(named.out)["run_id"], named.err) == ("june", "")
    monkeypatch.setenv("PAPERFLEET_RUN_ID", "june")
    assert json.loads(ran(state, "status", "--json").out)["run_id"] == "june"


def test_after_resume_and_retry_a_run_is_ready(state: Path) -> None:
    assert "run june: ready: 1 paper; `paperfleet run`" in ran(state, "resume", "--run-id", "june").out
    assert "no paper is failed; ready: 1 paper" in ran(state, "retry", "--failed", "--run-id", "june").out
    ran(state, "pause", "--run-id", "june")
    assert (
        "it stays paused until `paperfleet resume`" in ran(state, "retry", "--failed", "--run-id", "june").out
    )
