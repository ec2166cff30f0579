"""The lines that CloudWatch reads metrics from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.bootstrap.metrics import Figures, publish_report
from handlers.domain.run import RunState
from handlers.runs.summarise import summarise
from tests.builders import values
from tests.builders.reports import report as run_report


def test_figures_of_an_invocation_are_what_came_since_the_last() -> None:
    before = Figures(papers=3, calls=4, throttles=1, cost=10, busy=2.0, latency={5: 2, 7: 1})
    after = Figures(papers=5, calls=9, throttles=1, cost=25, busy=3.5, latency={5: 2, 7: 3, 8: 1})
    done = after.since(before)
    assert done == Figures(papers=2, calls=5, throttles=0, cost=15, busy=1.5, latency={7: 2, 8: 1})


def test_a_report_is_one_line_with_the_service_as_its_only_dimension(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger

    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "fleet")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Paperfleet")
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.add_batches([values.batch("b1", ["p1", "p2", "p3", "p4"])])
    ledger.create_run(values.run_record(budget=4000))
    entries = [values.entry("p1"), values.entry("p2", "flagged")]
    ledger.commit([values.commit(*entries, calls=[values.call(cost=1000)])])
    report = summarise(values.backend(ledger=ledger), "r", is_alive=lambda _: True, with_queue=False)
    ledger.close()
    running = report.model_copy(update={"state": "running"})
    publish_report(running.model_copy(update={"counts": report.counts | {"done": 15, "flagged": 5}}))
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["service"] == "fleet"
    assert told["run_id"] == "r"
    (emitted,) = told["_aws"]["CloudWatchMetrics"]
    assert emitted["Namespace"] == "Paperfleet"
    assert emitted["Dimensions"] == [["service"]]
    assert told["BudgetUsed"] == [25.0]
    assert told["FlaggedShare"] == [25.0]
    assert told["PendingPapers"] == [2]
    publish_report(running)
    assert json.loads(capsys.readouterr().out)["FlaggedShare"] == [0.0], "one of two says nothing yet"


@pytest.mark.parametrize("state", ["parked", "paused", "finished", "cancelled"])
def test_a_run_that_rests_keeps_no_alarm_on(
    state: RunState, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "fleet")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Paperfleet")
    publish_report(run_report(state=state, budget_usd=1.0, spend_usd=0.95))
    told = json.loads(capsys.readouterr().out)
    assert "RunSpendUsd" in told
    assert not {"BudgetUsed", "FlaggedShare"} & set(told)
