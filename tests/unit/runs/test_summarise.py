"""The run report: counts, money, time and state out of the ledger's sums."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.batch import QueueCounts
from handlers.domain.call import CallTotals, Usage
from handlers.domain.coverage import Coverage
from handlers.domain.job import JobStats
from handlers.domain.ledger import Commit
from handlers.domain.money import usd
from handlers.domain.run import Control
from handlers.domain.run_report import RunReport, SegmentCounts
from handlers.errors import UnknownRunError
from handlers.runs.summarise import summarise
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.values import RUN, call, commit, entry

Summary = Callable[..., RunReport]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.add_batches([values.batch("b1", ["p1", "p2"]), values.batch("b2", ["p3", "p4"], weights=(1, 2))])
    ledger.create_run(values.run_record(papers=5, same_as=1, budget=2_000_000))
    yield ledger
    ledger.close()


@pytest.fixture
def summary(ledger: SqliteLedger) -> Summary:
    def summarised(*, now: float = 1000.0, alive: bool = False, detail: bool = False) -> RunReport:
        backend = values.backend(ledger=ledger, clock=FakeClock(now))
        return summarise(backend, RUN, is_alive=lambda _owner: alive, detail=detail, with_queue=False)

    return summarised


def finish(ledger: SqliteLedger) -> None:
    ledger.commit([commit(entry("p1"), entry("p2", "skipped"), calls=[call("a")])])
    ledger.commit([commit(entry("p3", "failed", error="http_500"),
                          entry("p4", "flagged", weight=2, error="numbers", flags=("numbers", "length")),
                          batch_id="b2", calls=[call("b")])])  # fmt: skip


def worked(
    ledger: SqliteLedger, *, outcome: str = "finished", session: str = "s1", start: float = 0.0
) -> None:
    """A closed session of 100 s with two jobs of ten workers, busy for 1,600 of 2,000 worker-seconds."""
    ledger.open_session(values.session(session, started=start, jobs=2, workers=10))
    for job_id, busy in ((f"{session}-a", 900.0), (f"{session}-b", 700.0)):
        ledger.start_job(values.job(job_id, session=session, started=start))
        stats = JobStats(papers=2, busy=busy, latency={100: 3, 200: 1})
        ledger.end_job(RUN, job_id, at=start + 100, outcome=outcome, stats=stats)
    ledger.close_session(session, at=start + 100, outcome=outcome)


def test_counts_add_up_to_the_corpus_with_followers_in_them(ledger: SqliteLedger, summary: Summary) -> None:
    assert summary().counts == {"done": 0, "flagged": 0, "failed": 0, "skipped": 0, "pending": 5}
    finish(ledger)
    report = summary()
    assert report.counts == {"done": 1, "flagged": 2, "failed": 1, "skipped": 1, "pending": 0}
    assert (report.papers, report.same_as, report.state) == (5, 1, "finished")


def test_why_papers_were_skipped_is_counted_where_it_is_asked_for(
    ledger: SqliteLedger, summary: Summary
) -> None:
    finish(ledger)
    assert summary().skip_reasons is None
    assert summary(detail=True).skip_reasons == {"not noted by an earlier version": 1}


def test_the_json_has_the_keys_of_the_contract(ledger: SqliteLedger, summary: Summary) -> None:
    worked(ledger)
    report = json.loads(summary().model_dump_json())
    promised = (
        "run_id state reason papers counts same_as reused spend_usd indeterminate_usd budget_usd calls tokens"
        " latency_s papers_per_hour worker_utilization jobs queue errors started_at finished_at wall_s"
    )
    assert set(promised.split()) <= report.keys()
    assert set(report["calls"]) >= {"sent", "ok", "throttled", "transient", "fatal", "refused", "repairs"}
    assert set(report["tokens"]) == {"prompt", "completion", "cached", "reasoning"}
    assert set(report["latency_s"]) == {"p50", "p90", "p99"}
    assert set(report["jobs"][0]) >= {
        "id", "started_at", "ended_at", "papers", "utilization", "latency_s", "errors",
    }  # fmt: skip


def test_what_became_of_bodies_is_summed_over_papers_that_have_ended(
    ledger: SqliteLedger, summary: Summary
) -> None:
    assert summary(detail=True).segments is None
    first = Coverage(translated=9, kept={"reference": 2, "table": 1}, notes={"odd_dollars": 1}).counts()
    second = Coverage(translated=4, kept={"reference": 1}, flagged=("body/1",), failed=("body/2",)).counts()
    ledger.commit([commit(entry("p1", segments=first), entry("p2", "pending"))])
    ledger.commit([commit(entry("p4", "flagged", weight=2, segments=second), batch_id="b2")])
    assert summary().segments is None
    found = summary(detail=True).segments
    assert found == SegmentCounts(
        translated=17,
        kept=5,
        flagged=2,
        failed=2,
        rules={"reference": 4, "table": 1},
        notes={"odd_dollars": 1},
    )


@given(st.integers(0, 10**15))
def test_money_is_exact_to_the_nano_dollar_and_shown_without_noise(nano: int) -> None:
    shown = json.dumps(usd(nano))
    assert round(float(shown) * 10**9) == nano
    whole, part = divmod(nano, 10**9)
    assert float(f"{whole}.{part:09}") == float(shown)


def test_spend_tokens_and_errors_come_from_the_calls(ledger: SqliteLedger, summary: Summary) -> None:
    calls = [
        call(
            "a", usage=Usage(prompt_tokens=100, completion_tokens=50, cached_tokens=10, reasoning_tokens=20)
        ),
        call("b", outcome="transient", code="read_timeout", usage=None, cost=234, indeterminate=True),
        call("c", outcome="throttled", code="http_429", usage=None, cost=0),
        call("d", outcome="throttled", code="http_429", usage=None, cost=0),
    ]
    ledger.commit([commit(calls=calls)])
    report = summary()
    assert (report.spend_nano_usd, report.spend_usd, report.indeterminate_usd) == (1234, 1.234e-06, 2.34e-07)
    assert report.budget_usd == 0.002
    assert report.tokens.model_dump() == {"prompt": 100, "completion": 50, "cached": 10, "reasoning": 20}
    assert list(report.errors.items()) == [("http_429", 2), ("read_timeout", 1)]
    assert any("reasoning" in warning for warning in report.warnings)
    assert any("indeterminate" in warning for warning in report.warnings)


def test_pace_is_over_the_sessions_and_idle_time_between_them_does_not_count(
    ledger: SqliteLedger, summary: Summary
) -> None:
    worked(ledger, outcome="limit")
    worked(ledger, session="s2", start=90_000.0)
    finish(ledger)
    report = summary(now=200_000.0)
    assert (report.wall_s, report.worker_utilization, report.papers_per_hour) == (200, 0.8, 90)
    assert report.started_at == "1970-01-01T00:00:00.000+00:00"
    assert report.finished_at == "1970-01-02T01:01:40.000+00:00"
    first = report.jobs[0]
    assert (first.wall_s, first.utilization, first.papers, first.outcome) == (100, 0.9, 2, "limit")
    assert first.latency_s.p50 == pytest.approx(0.1315, rel=0.01)


def test_a_session_that_found_nothing_to_do_changes_no_figure(ledger: SqliteLedger, summary: Summary) -> None:
    worked(ledger)
    finish(ledger)
    before = summary(now=5000.0)
    ledger.open_session(values.session("s2", started=4000.0))
    ledger.close_session("s2", at=4001.0, outcome="finished")
    assert summary(now=5000.0) == before


def test_a_run_with_a_live_job_is_running(ledger: SqliteLedger, summary: Summary) -> None:
    ledger.open_session(values.session("s1", started=900.0))
    ledger.start_job(values.job("job-a", started=900.0))
    ledger.beat(RUN, "job-a", at=990.0, stats=JobStats(busy=500.0))
    report = summary(now=1000.0, alive=True)
    assert (report.state, report.reason, report.wall_s, report.worker_utilization) == (
        "running",
        "",
        100,
        0.5,
    )
    assert (report.jobs[0].ended_at, report.finished_at) == (None, None)


def test_a_run_whose_jobs_are_gone_is_paused_and_ended_at_their_last_sign(
    ledger: SqliteLedger, summary: Summary
) -> None:
    ledger.open_session(values.session("s1", started=900.0))
    ledger.start_job(values.job("job-a", started=900.0))
    ledger.beat(RUN, "job-a", at=990.0, stats=JobStats())
    gone = summary(now=1000.0, alive=False)
    assert (gone.state, gone.wall_s) == ("paused", 90)
    assert "no job is alive" in gone.reason
    silent = summary(now=990.0 + 121, alive=True)
    assert (silent.state, silent.wall_s) == ("paused", 90)


def test_a_session_just_opened_is_starting_for_half_a_minute(ledger: SqliteLedger, summary: Summary) -> None:
    assert "not started" in summary().reason
    ledger.open_session(values.session("s1", started=990.0))
    assert (summary(now=1000.0).state, summary(now=1000.0).reason) == ("running", "starting")
    assert summary(now=1030.0).state == "paused"


@pytest.mark.parametrize("outcome", ["limit", "deadline", "interrupted"])
def test_a_stopped_session_says_why_and_how_to_go_on(
    ledger: SqliteLedger, summary: Summary, outcome: str
) -> None:
    worked(ledger, outcome=outcome)
    report = summary()
    assert (report.state, report.outcome) == ("paused", outcome)
    assert report.reason.startswith(outcome)
    assert "goes on" in report.reason


@pytest.mark.parametrize("state", ["parked", "paused", "cancelled"])
def test_what_was_decided_over_a_run_comes_before_what_its_jobs_do(
    ledger: SqliteLedger, summary: Summary, state: str
) -> None:
    ledger.set_control(RUN, Control(state, "http_402: no credit", 1.0))
    ledger.start_job(values.job("job-a", started=900.0))
    report = summary(now=1000.0, alive=True)
    assert report.state == state
    assert "http_402" in report.reason
    finish(ledger)
    assert summary().state == ("cancelled" if state == "cancelled" else "finished")


def test_dead_letters_are_the_reason_when_nothing_else_is_left(ledger: SqliteLedger, tmp_path: Path) -> None:
    clock = FakeClock()
    queue = SqliteQueue(tmp_path / "queue.sqlite3", RUN, clock, max_receives=1)
    queue.send([("a", "body"), ("b", "body")])
    (message,) = queue.receive(limit=1, visibility=0)
    assert message.receives == 1
    queue.receive(limit=1, visibility=0)
    queue.receive(limit=1, visibility=0)
    worked(ledger)
    backend = values.backend(ledger=ledger, queue=queue, clock=FakeClock(1000.0))
    report = summarise(backend, RUN, is_alive=lambda _owner: False)
    queue.close()
    assert report.queue is not None
    assert report.queue.dead == 2
    assert report.state == "paused"
    assert "redrive" in report.reason
    assert any("dead letters" in warning for warning in report.warnings)


def test_a_run_whose_batches_were_sent_again_is_ready(ledger: SqliteLedger, tmp_path: Path) -> None:
    queue = SqliteQueue(tmp_path / "queue.sqlite3", RUN, FakeClock())
    queue.send([("a", "body"), ("b", "body")])
    worked(ledger)
    report = summarise(
        values.backend(ledger=ledger, queue=queue, clock=FakeClock(1000.0)), RUN, is_alive=bool
    )
    queue.close()
    assert report.reason == "ready: 5 papers; the same command goes on"


class Shared(SqliteQueue):
    """A queue that other runs use too, as a deployed stack's."""

    def counts(self) -> QueueCounts:
        return replace(super().counts(), shared=True)


def test_dead_letters_of_a_shared_queue_are_not_said_to_be_the_runs_own(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    queue = Shared(tmp_path / "queue.sqlite3", RUN, FakeClock(), max_receives=1)
    queue.send([("a", "another run's")])
    for _ in range(2):
        queue.receive(limit=1, visibility=0)
    worked(ledger)
    backend = values.backend(ledger=ledger, queue=queue, clock=FakeClock(1000.0))
    report = summarise(backend, RUN, is_alive=lambda _owner: False)
    queue.close()
    assert report.queue is not None
    assert (report.queue.dead, report.queue.shared) == (1, True)
    assert "batches are dead letters" not in report.reason
    assert report.reason.startswith("the queue ran dry"), "the run's own reason comes first"
    assert "1 messages of the runs that share the queue are dead letters" in report.reason
    assert any("the queue that all runs share" in warning for warning in report.warnings)


def test_a_job_that_died_is_named_with_what_it_held(ledger: SqliteLedger, summary: Summary) -> None:
    ledger.open_session(values.session("s1"))
    ledger.start_job(values.job("job-a"))
    ledger.draw(RUN, "job-a", 1, 700)
    ledger.beat(RUN, "job-a", at=50.0, stats=JobStats())
    ledger.end_job(RUN, "job-a", at=90_000.0, outcome="killed", stats=None)
    report = summary(now=90_000.0)
    assert report.lost_jobs == ("job-a",)
    assert (report.jobs[0].lost_usd, report.jobs[0].wall_s) == (7e-07, 50)
    assert report.indeterminate_usd == 7e-07


def test_papers_are_counted_by_class_only_for_the_details(ledger: SqliteLedger, summary: Summary) -> None:
    finish(ledger)
    detailed = summary(detail=True)
    assert detailed.paper_errors == {"numbers": 2, "http_500": 1}
    assert detailed.failed_checks == {"length": 2, "numbers": 2}
    assert (summary().paper_errors, summary().failed_checks) == (None, None)


def test_jobs_without_a_session_count_with_their_own_times(ledger: SqliteLedger, summary: Summary) -> None:
    for number, start in enumerate((0.0, 50.0)):
        job_id = f"lambda-{number}"
        ledger.start_job(values.job(job_id, session="", started=start))
        ledger.end_job(RUN, job_id, at=start + 100, outcome="finished", stats=JobStats(busy=500.0))
    report = summary()
    assert (report.wall_s, report.worker_utilization) == (150, 0.5)


def test_a_platforms_jobs_that_fell_silent_are_stalled_and_not_unstarted(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    queue = SqliteQueue(tmp_path / "queue.sqlite3", RUN, FakeClock())
    ledger.start_job(values.job("lambda-1", session="", started=900.0))

    def reason() -> str:
        backend = values.backend(ledger=ledger, queue=queue, clock=FakeClock(1100.0))
        report = summarise(backend, RUN, is_alive=lambda _owner: True)
        assert report.state == "paused"
        return report.reason

    assert reason().startswith("stalled: no job was heard of for 3 min 20 s and no message waits")
    queue.send([("a", "body")])
    assert "1 message waits and 0 out" in reason()
    queue.close()


def test_an_unknown_run_is_an_error(ledger: SqliteLedger) -> None:
    with pytest.raises(UnknownRunError):
        summarise(values.backend(ledger=ledger), "nowhere", is_alive=lambda _owner: False)


def test_a_run_of_no_calls_and_no_time_divides_by_nothing(ledger: SqliteLedger, summary: Summary) -> None:
    ledger.commit([Commit(RUN, "b1", "x", "job-a", (), CallTotals(), 0.0)])
    report = summary()
    assert (report.papers_per_hour, report.worker_utilization, report.latency_s.p99) == (0, 0, 0)


def test_workers_that_a_job_chose_to_do_without_were_not_idle(ledger: SqliteLedger, summary: Summary) -> None:
    ledger.open_session(values.session(jobs=1, workers=500))
    ledger.start_job(values.job(workers=500))
    stats = JobStats(busy=3000.0, offered=4_000.0)
    ledger.end_job(RUN, "job-a", at=100, outcome="finished", stats=stats)
    ledger.close_session("s1", at=100, outcome="finished")
    report = summary()
    assert report.worker_utilization == report.jobs[0].utilization == 0.75
    assert report.jobs[0].workers == 40
