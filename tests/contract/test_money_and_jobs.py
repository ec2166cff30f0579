"""``Ledger``: the budget, grants, jobs and sessions."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call import CallTotals
from handlers.domain.job import JobStats
from handlers.ports import Ledger
from tests.builders import values
from tests.builders.values import RUN, call, commit


@pytest.fixture
def budgeted(ledger: Ledger) -> Ledger:
    """A budget of 1,000 nano-USD and a job that draws from it."""
    ledger.set_budget(RUN, 1000)
    ledger.start_job(values.job("job-a"))
    return ledger


def held(ledger: Ledger) -> int:
    return ledger.budget_state(RUN).drawn


def test_a_grant_is_drawn_while_enough_remains(budgeted: Ledger) -> None:
    assert budgeted.draw(RUN, "job-a", 1, 600) == "drawn"
    assert budgeted.draw(RUN, "job-a", 2, 401) != "drawn"
    assert budgeted.draw(RUN, "job-a", 3, 400) == "drawn"
    assert held(budgeted) == 1000


def test_without_a_budget_any_grant_is_drawn(ledger: Ledger) -> None:
    ledger.start_job(values.job("job-a"))
    assert ledger.draw(RUN, "job-a", 1, 10**15) == "drawn"
    assert ledger.budget_state(RUN).budget is None


def test_what_is_given_back_can_be_drawn_again(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 1000)
    budgeted.give_back(RUN, "job-a", 2, 700)
    assert held(budgeted) == 300
    assert budgeted.draw(RUN, "job-a", 3, 700) == "drawn"


def test_a_repeated_draw_or_return_changes_nothing(budgeted: Ledger) -> None:
    for _ in range(3):
        assert budgeted.draw(RUN, "job-a", 1, 600) == "drawn"
    assert held(budgeted) == 600
    for _ in range(3):
        budgeted.give_back(RUN, "job-a", 2, 100)
    assert held(budgeted) == 500


def test_a_smaller_budget_stops_draws_and_a_larger_one_allows_them(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.set_budget(RUN, 400)
    assert budgeted.draw(RUN, "job-a", 2, 1) != "drawn"
    budgeted.set_budget(RUN, 501)
    assert budgeted.draw(RUN, "job-a", 3, 1) == "drawn"


def test_spend_is_the_sum_over_parts(budgeted: Ledger) -> None:
    budgeted.commit([commit(calls=[call("a", cost=30), call("b", cost=12)])])
    assert budgeted.budget_state(RUN).spend == 42


def test_a_job_that_settled_everything_loses_nothing(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.commit([commit(calls=[call(cost=200)])])
    budgeted.give_back(RUN, "job-a", 2, 300)
    assert budgeted.end_job(RUN, "job-a", at=9, outcome="finished", stats=None) == 0
    state = budgeted.budget_state(RUN)
    assert (state.drawn, state.spend) == (200, 200)


def test_what_a_dead_job_held_is_booked_as_indeterminate_once(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.commit([commit(calls=[call(cost=200)])])
    assert budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None) == 300
    assert budgeted.end_job(RUN, "job-a", at=10, outcome="killed", stats=None) == 0
    state, totals = budgeted.budget_state(RUN), budgeted.totals(RUN)
    assert (state.drawn, state.spend) == (500, 500)
    assert (totals.calls.cost, totals.calls.indeterminate, totals.calls.sent) == (500, 300, 1)
    assert [each.lost for each in budgeted.jobs(RUN)] == [300]


def test_a_late_part_takes_the_place_of_what_was_booked_as_lost(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    budgeted.commit([commit(calls=[call(cost=200)])])
    state, calls = budgeted.budget_state(RUN), budgeted.totals(RUN).calls
    assert (state.drawn, state.spend, calls.indeterminate) == (500, 500, 300)
    budgeted.commit([commit(calls=[call(cost=400)], part="2")])
    state, calls = budgeted.budget_state(RUN), budgeted.totals(RUN).calls
    assert (state.drawn, state.spend, calls.indeterminate) == (600, 600, 0)


def test_a_late_return_takes_back_what_was_booked_as_lost(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    budgeted.give_back(RUN, "job-a", 2, 500)
    state = budgeted.budget_state(RUN)
    assert (state.drawn, state.spend) == (0, 0)


def test_a_draw_whose_answer_was_lost_is_heard_of_and_returned_though_the_job_was_closed(
    budgeted: Ledger,
) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    assert budgeted.draw(RUN, "job-a", 1, 500) == "drawn"
    budgeted.give_back(RUN, "job-a", 2, 500)
    assert budgeted.draw(RUN, "job-a", 2, 500) == "drawn"
    assert budgeted.draw(RUN, "job-a", 3, 500) == "closed"
    state = budgeted.budget_state(RUN)
    assert (state.drawn, state.spend) == (0, 0)


def test_a_job_that_was_given_up_draws_no_more(budgeted: Ledger) -> None:
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    assert budgeted.draw(RUN, "job-a", 1, 100) != "drawn"
    assert held(budgeted) == 0


def test_calls_dearer_than_reserved_count_against_the_budget(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 100)
    budgeted.commit([commit(calls=[call(cost=150)])])
    assert budgeted.end_job(RUN, "job-a", at=9, outcome="finished", stats=None) == 0
    state = budgeted.budget_state(RUN)
    assert (state.drawn, state.spend) == (150, 150)


def test_a_job_is_started_once_and_its_stats_are_absolute(ledger: Ledger) -> None:
    ledger.start_job(values.job("job-a"))
    ledger.start_job(values.job("job-a", workers=99))
    stats = JobStats(papers=3, busy=2.5, throttle_wait=0.5, slots=4, in_flight=2, latency={7: 2},
                     errors={"http_500": 1}, limits={"requests_per_minute": 60})  # fmt: skip
    ledger.beat(RUN, "job-a", at=4, stats=JobStats(papers=1))
    ledger.beat(RUN, "job-a", at=5, stats=stats)
    (found,) = ledger.jobs(RUN)
    assert (found.workers, found.heartbeat_at, found.ended_at, found.stats) == (10, 5, None, stats)


def test_a_job_ends_with_its_last_stats_or_with_those_of_its_last_heartbeat(ledger: Ledger) -> None:
    for job_id in ("job-a", "job-b"):
        ledger.start_job(values.job(job_id))
        ledger.beat(RUN, job_id, at=4, stats=JobStats(papers=1))
    ledger.end_job(RUN, "job-a", at=6, outcome="finished", stats=JobStats(papers=2))
    ledger.end_job(RUN, "job-b", at=6, outcome="killed", stats=None)
    found = {each.job_id: (each.outcome, each.ended_at, each.stats.papers) for each in ledger.jobs(RUN)}
    assert found == {"job-a": ("finished", 6, 2), "job-b": ("killed", 6, 1)}


def test_live_jobs_are_those_that_are_not_closed_and_were_heard_of_lately(ledger: Ledger) -> None:
    for job_id, heard in (("ended", 90), ("silent", 10), ("one", 90), ("two", 0)):
        ledger.start_job(values.job(job_id, started=heard))
    ledger.beat(RUN, "two", at=95, stats=JobStats())
    ledger.end_job(RUN, "ended", at=96, outcome="finished", stats=None)
    assert len(ledger.live_jobs(RUN, None, since=80)) == 2
    assert len(ledger.live_jobs(RUN, None, since=0)) == 3
    assert len(ledger.live_jobs("another", None, since=0)) == 0


def test_the_dearest_calls_of_a_run_are_remembered_when_their_jobs_are_gone(ledger: Ledger) -> None:
    assert ledger.most_overrun(RUN) == 0
    for job_id, overrun in (("one", 40), ("two", 300), ("three", 7)):
        ledger.start_job(values.job(job_id))
        ledger.beat(RUN, job_id, at=4, stats=JobStats(overrun=overrun))
    assert ledger.most_overrun(RUN) == 300
    ledger.end_job(RUN, "two", at=6, outcome="killed", stats=None)
    ledger.end_job(RUN, "three", at=6, outcome="finished", stats=JobStats(overrun=8))
    assert ledger.most_overrun(RUN) == 300
    ledger.end_job(RUN, "one", at=6, outcome="finished", stats=JobStats(overrun=900))
    assert ledger.most_overrun(RUN) == 900


def test_the_room_for_thinking_is_remembered_apart_from_the_dearest_calls(ledger: Ledger) -> None:
    for job_id, room in (("one", 2_048), ("two", 4_096)):
        ledger.start_job(values.job(job_id))
        ledger.beat(RUN, job_id, at=4, stats=JobStats(room=room))
    assert (ledger.most_room(RUN), ledger.most_overrun(RUN)) == (4_096, 0)
    ledger.end_job(RUN, "two", at=6, outcome="killed", stats=None)
    ledger.end_job(RUN, "one", at=6, outcome="finished", stats=JobStats(room=1_024, overrun=3))
    assert (ledger.most_room(RUN), ledger.most_overrun(RUN)) == (4_096, 3)


def test_a_note_of_an_endpoint_is_written_over_only_by_who_has_read_it(ledger: Ledger) -> None:
    assert ledger.recall("a") is None
    assert ledger.note("a", "one", known=None)
    assert not ledger.note("a", "two", known=None)
    assert ledger.note("a", "two", known="one")
    assert not ledger.note("a", "three", known="one")
    assert (ledger.recall("a"), ledger.recall("b")) == ("two", None)


def test_a_job_that_was_closed_by_others_hears_of_it_at_its_next_heartbeat(ledger: Ledger) -> None:
    ledger.start_job(values.job("job-a"))
    assert ledger.beat(RUN, "job-a", at=4, stats=JobStats(papers=1))
    ledger.end_job(RUN, "job-a", at=300, outcome="killed", stats=None)
    assert not ledger.beat(RUN, "job-a", at=301, stats=JobStats(papers=5))
    (found,) = ledger.jobs(RUN)
    assert (found.outcome, found.ended_at, found.stats.papers) == ("killed", 300, 1)


def test_a_return_that_was_heard_before_the_job_was_closed_is_not_taken_twice(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.give_back(RUN, "job-a", 2, 100)
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    for _ in range(2):
        budgeted.give_back(RUN, "job-a", 2, 100)
        assert held(budgeted) == 400
    for _ in range(2):
        budgeted.give_back(RUN, "job-a", 3, 150)
        assert held(budgeted) == 250
    assert [each.lost for each in budgeted.jobs(RUN)] == [250]


def test_a_job_that_drew_draws_no_more_once_it_was_given_up(budgeted: Ledger) -> None:
    budgeted.draw(RUN, "job-a", 1, 500)
    budgeted.end_job(RUN, "job-a", at=9, outcome="killed", stats=None)
    for seq in (2, 3):
        assert budgeted.draw(RUN, "job-a", seq, 100) != "drawn"
        assert held(budgeted) == 500


def test_a_session_starts_so_many_papers_as_its_limit_allows(ledger: Ledger) -> None:
    ledger.open_session(values.session("s1", limit=2))
    ledger.open_session(values.session("s2"))
    assert [ledger.take_start("s1") for _ in range(4)] == [True, True, False, False]
    assert all(ledger.take_start("s2") for _ in range(4))
    assert [(each.session_id, each.started) for each in ledger.sessions(RUN)] == [("s1", 2), ("s2", 4)]


def test_jobs_and_sessions_come_in_the_order_of_their_start(ledger: Ledger) -> None:
    """And those of the same instant by id: the latest session is the last on every backend."""
    for name, started in (("b", 2), ("d", 1), ("c", 2), ("a", 3)):
        ledger.open_session(values.session(name, started=started))
        ledger.start_job(values.job(name, started=started))
    assert [each.session_id for each in ledger.sessions(RUN)] == ["d", "b", "c", "a"]
    assert [each.job_id for each in ledger.jobs(RUN)] == ["d", "b", "c", "a"]


def test_a_session_is_closed_once(ledger: Ledger) -> None:
    ledger.open_session(values.session("s1"))
    ledger.close_session("s1", at=5, outcome="limit")
    ledger.close_session("s1", at=9, outcome="finished")
    (found,) = ledger.sessions(RUN)
    assert (found.ended_at, found.outcome) == (5, "limit")


def test_threads_racing_for_grants_and_starts_do_not_pass_the_limits(
    budgeted: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    budgeted.open_session(values.session("s1", limit=25))
    ledgers = [open_ledger() for _ in range(4)]
    for number in range(4):
        budgeted.start_job(values.job(f"job-{number}"))

    def draw(number: int) -> tuple[int, int]:
        mine = ledgers[number]
        drawn = sum(mine.draw(RUN, f"job-{number}", seq, 30) == "drawn" for seq in range(1, 11))
        return drawn, sum(mine.take_start("s1") for _ in range(10))

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(draw, range(4)))
    assert sum(drawn for drawn, _ in results) == 33  # 33 x 30 is the last that fits into 1,000
    assert held(budgeted) == 990
    assert sum(started for _, started in results) == 25


def _spend(folder: Path, number: int) -> int:
    """In a process of its own: draw, spend, settle; returns the calls that were paid for."""
    ledger = SqliteLedger(folder / "ledger.sqlite3")
    job, paid = f"job-{number}", 0
    ledger.start_job(values.job(job))
    for seq in range(1, 60, 2):
        if ledger.draw(RUN, job, seq, 20) != "drawn":
            break
        calls = CallTotals.of([call(cost=15)])
        ledger.commit([values.commit(part=str(seq), job=job, calls=[call(cost=15)])])
        ledger.give_back(RUN, job, seq + 1, 20 - calls.cost)
        paid += 1
    ledger.end_job(RUN, job, at=1, outcome="finished", stats=None)
    ledger.close()
    return paid


def test_processes_share_one_budget_and_do_not_pass_it(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.create_run(values.run_record(budget=500))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paid = pool.starmap(_spend, [(tmp_path, 0), (tmp_path, 1)], chunksize=1)
        pool.close()
        pool.join()
    state = ledger.budget_state(RUN)
    ledger.close()
    assert sum(paid) * 15 == state.spend == state.drawn
    assert 480 < state.spend <= 500
