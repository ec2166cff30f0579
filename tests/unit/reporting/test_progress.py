"""What is shown while a run goes on."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.job import JobStats
from handlers.domain.ledger import BatchFigures
from handlers.domain.money import NanoUsd
from handlers.reporting.progress import JobPart, Progress
from handlers.reporting.projection import Projection, Rest, project
from handlers.reporting.time_left import Forecast, Look, span
from tests.builders import values
from tests.builders.fakes import Tty

RUN = values.RUN


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    made.add_batches([values.batch("b1", tuple(f"p{n}" for n in range(10)))])
    made.create_run(values.run_record(papers=10, budget=1_000_000_000))
    yield made
    made.close()


def finish(ledger: SqliteLedger, part: str, papers: int, *, code: str | None = None) -> None:
    entries = [values.entry(f"p{n}", status="flagged" if n == 0 else "done") for n in range(papers)]
    call = values.call(f"call-{part}", cost=250_000_000)
    if code is not None:
        call = call.model_copy(update={"outcome": "transient", "code": code})
    ledger.commit([values.commit(*entries, part=part, calls=[call])])


def shown(width: int = 200) -> Console:
    return Console(file=io.StringIO(), width=width)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_plain_line_has_every_figure_and_comes_every_few_seconds(ledger: SqliteLedger) -> None:
    console = shown()
    progress = Progress(console)
    progress.update(ledger, RUN, now=100.0)
    assert text_of(console) == ""
    ledger.start_job(values.job("j1", workers=8))
    progress.update(ledger, RUN, now=100.2)
    ledger.beat(RUN, "j1", at=100.5, stats=JobStats(slots=5, in_flight=4))
    finish(ledger, "1", 4, code="http_[503]")
    for tenth in range(50):
        progress.update(ledger, RUN, now=101 + tenth / 10)
    first, second = text_of(console).splitlines()
    assert first.startswith("0/10 papers, 0 papers/h, time left unknown")
    assert second.startswith("4/10 papers, 2,8")
    for figure in (
        "4 calls in 5 of 8 slots of 1 job,", "0 throttled", "$0.2500 of $1.00 (25%)", "1 flagged (25.0%)",
        "0 failed", "lately http_[503] x1",
    ):  # fmt: skip
        assert figure in second


def test_a_jobs_own_part_of_a_run_is_shown_and_not_what_its_ledger_grants_it(ledger: SqliteLedger) -> None:
    """On GitHub Actions a job's ledger knows all papers of the run, and grants its share step by step."""
    ledger.start_job(values.job("j1", workers=8))
    finish(ledger, "1", 4)
    console = shown()
    Progress(console, JobPart(elsewhere=3, budget=NanoUsd(2 * 10**9))).update(ledger, RUN, now=100.0)
    Progress(console, JobPart(elsewhere=6, budget=None)).update(ledger, RUN, now=100.0)
    Progress(console, JobPart(elsewhere=6, budget=NanoUsd(0))).update(ledger, RUN, now=100.0)
    share, free, none = text_of(console).splitlines()
    assert share.startswith("4/7 papers,")
    assert "$0.2500 of $2.00 (12%)" in share
    assert free.startswith("4/4 papers, papers/h not known yet, all done,")
    assert "$0.2500, " in free
    assert "$0.2500 of $0, " in none, "a budget of nothing is one"


def test_an_endpoint_that_has_not_answered_for_seconds_is_named(ledger: SqliteLedger) -> None:
    ledger.start_job(values.job("j1", workers=8))
    console = shown()
    progress = Progress(console, endpoint="https://me:secret@api.example.com/v1?key=secret")
    for now in (100.0, 105.0, 110.0):
        ledger.beat(RUN, "j1", at=now, stats=JobStats(slots=8, in_flight=8))
        progress.update(ledger, RUN, now=now)
    finish(ledger, "1", 4)
    progress.update(ledger, RUN, now=115.0)
    first, *silent, answered = text_of(console).splitlines()
    words = [line.partition("no answer for ")[2] for line in silent]
    assert words == ["5 s from https://api.example.com/v1", "10 s from https://api.example.com/v1"]
    assert "no answer" not in first + answered


def test_calls_of_whole_papers_are_told_while_no_paper_has_ended(tmp_path: Path) -> None:
    console, ledger = shown(), SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.add_batches([values.batch("b1", ("p0", "p1"))])
    ledger.create_run(values.run_record(papers=2, full_text=True))
    ledger.start_job(values.job("j1"))
    progress = Progress(console)
    progress.update(ledger, RUN, now=100.0)
    ledger.commit([values.commit(part="1", calls=[values.call("a"), values.call("b")])])
    progress.update(ledger, RUN, now=105.0)
    finish(ledger, "2", 1)
    progress.update(ledger, RUN, now=110.0)
    ledger.close()
    none, some, whole = text_of(console).splitlines()
    assert none.startswith("0/2 papers, 0 papers/h,")
    assert some.startswith("0/2 papers, 2 calls answered, no paper is whole yet,")
    assert whole.startswith("1/2 papers, 3 calls answered, 360 papers/h,")


def test_errors_are_shown_for_half_a_minute(ledger: SqliteLedger) -> None:
    console = shown()
    progress = Progress(console)
    ledger.start_job(values.job("j1"))
    progress.update(ledger, RUN, now=100.0)
    finish(ledger, "1", 1, code="timeout")
    for second in range(5, 60, 5):
        progress.update(ledger, RUN, now=100.0 + second)
    told = ["lately timeout x1" in line for line in text_of(console).splitlines()]
    assert told == [False, *[True] * 5, *[True] * (told.count(True) - 5), *[False] * (11 - told.count(True))]
    assert 5 <= told.count(True) <= 7


def test_a_terminal_gets_a_bar_and_nothing_is_read_as_markup(ledger: SqliteLedger) -> None:
    console = Console(file=Tty(), width=80, force_terminal=True, legacy_windows=False)
    ledger.start_job(values.job("j1"))
    with Progress(console) as progress:
        finish(ledger, "1", 4, code="[bold]x[/]")
        progress.update(ledger, RUN, now=100.0)
        finish(ledger, "2", 5, code="[bold]x[/]")
        progress.update(ledger, RUN, now=101.0)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text_of(console))
    assert "5/10" in plain
    assert "[bold]x[/] x1" in plain


def rest(papers: int, settled: int, *, seconds: float = 1.0) -> Projection:
    """Of papers of one call each that take what their size says."""
    left = Rest(papers, 100.0 * papers, 1000.0 * papers, papers, seconds * papers)
    return Projection((left,), known=True, settled=settled, seconds=settled * seconds, spread=0.0)


def test_busy_workers_share_the_seconds_of_the_calls_that_are_left() -> None:
    forecast = Forecast()
    assert forecast.left(rest(10, 0)) is None
    for second in range(61):
        forecast.add(Look(1000.0 + second, 20 * second, 20 * second, 19, 20))
    low, high = forecast.left(rest(2000, 4000)) or (0, 0)
    assert forecast.rate == pytest.approx(20)
    assert 95 < low < 100.5 < high < 105
    assert forecast.left(rest(2000, 4000, seconds=0.5)) == pytest.approx((low / 2, high / 2), rel=0.05)


def test_where_a_limit_sets_the_pace_calls_go_by_that_pace() -> None:
    forecast = Forecast()
    for second in range(61):
        forecast.add(Look(1000.0 + second, 5 * second, 5 * second, 5, 100))
    low, high = forecast.left(rest(1000, 10**6, seconds=0.1)) or (0, 0)
    assert low < 200.05 < high
    assert high - low < 3


def test_where_a_limit_bounds_tokens_they_go_by_their_pace() -> None:
    forecast, calls = Forecast(), 0
    for second in range(61):
        calls += 5 + second // 4
        forecast.add(Look(1000.0 + second, calls, calls, 5, 100, 10_000 * second))
    low, high = forecast.left(rest(1000, 10**6, seconds=0.1)) or (0, 0)
    assert low < 1000 * 1000 / 10_000 + 0.05 < high
    assert high - low < 3


def test_what_an_api_saved_up_is_no_pace_where_it_states_its_limit() -> None:
    """A hundred workers are busy with what the API lets through at once; it states forty calls a second."""
    forecast, stated = Forecast(), {"requests_per_minute": 2400, "tokens_per_minute": 10**9}
    for second in range(11):
        forecast.add(
            Look(1000.0 + second, 80 * second, 80 * second, 100, 100, 800 * second, 10**5 * second, stated)
        )
    low, high = forecast.left(rest(2000, 800, seconds=1.2)) or (0, 0)
    assert low < 2000 / 40 < high < 60
    for second in range(11, 90):
        forecast.add(
            Look(1000.0 + second, 80 * second, 80 * second, 100, 100, 800 * second, 10**5 * second, stated)
        )
    _, high = forecast.left(rest(2000, 800, seconds=1.2)) or (0, 0)
    assert high < 40, "a limit that calls go beyond for a minute is none"


def test_a_pace_that_is_still_searched_for_says_from_when_on_and_not_until_when() -> None:
    forecast, calls = Forecast(), 0
    for second in range(12):
        calls += 80 if second < 6 else 5
        forecast.add(Look(1000.0 + second, calls, calls, 20, 100, 1000 * calls))
    low, high = forecast.left(rest(2000, 500)) or (0, 0)
    assert (low > 5, high) == (True, math.inf)


def test_looks_that_are_few_and_jobs_that_have_just_ended_tell_the_time_all_the_same() -> None:
    forecast = Forecast()
    for second in range(0, 40, 5):
        forecast.add(Look(1000.0 + second, 20 * second, 20 * second, 20, 20))
    forecast.add(Look(1040.0, 790, 790, 0, 0))
    low, high = forecast.left(rest(10, 10**6)) or (0, 0)
    assert 0.3 < low < 0.8 < high < 1.1


def test_papers_that_need_no_call_take_no_time() -> None:
    forecast = Forecast()
    forecast.add(Look(0.0, 0, 0, 4, 4))
    assert forecast.left(rest(0, 100)) == (0.0, 0.0)


def test_workers_that_only_start_tell_no_time_however_much_is_known_of_the_papers() -> None:
    forecast = Forecast()
    forecast.add(Look(0.0, 200, 200, 0, 10))
    assert forecast.left(rest(300, 200)) is None, "not the time of one worker"
    for second in (5, 10):  # as often as lines are told
        forecast.add(Look(float(second), 150 + 10 * second, 150 + 10 * second, 10, 10))
    low, high = forecast.left(rest(250, 250)) or (0, 0)
    assert low < 25.05 < high < 30, "and that they started is not that they were idle"


def test_papers_fewer_than_workers_whose_passages_wait_are_not_the_last_ones() -> None:
    forecast = Forecast()
    assert forecast.left(rest(20, 0)) is None, "nor is their end known before one of them has told it"
    for second, seconds in ((0, 400.0), (5, 400.0), (10, 800.0)):
        forecast.add(Look(1000.0 + second, 30, 900, 40, 40))
        passages = Rest(20, 1e5, 4e5, 400, seconds)
        left = forecast.left(Projection((passages,), known=True, settled=30, seconds=600, spread=0.0))
    assert left is not None
    assert left[0] < 20 < left[1]


def test_papers_in_hand_that_took_what_they_were_to_take_have_a_call_left() -> None:
    forecast = Forecast()
    told = project(
        [BatchFigures(900, 9, 9, NanoUsd(900), 90, 180_000), BatchFigures(300, 3, 0, NanoUsd(0), 0, 0)]
    )
    for second in range(9):
        forecast.add(Look(1000.0 + second, 9, 120, 3, 40))
        low, high = forecast.left(told.less_told(1400)) or (0, 0)
    assert 0 < low < 1 < high


def test_an_end_that_is_past_is_not_a_moment_away_for_ever() -> None:
    forecast = Forecast()
    words = []
    for tenth in range(30):
        forecast.add(Look(1000.0 + tenth / 10, 40, 40, 4, 40))
        words.append(span(forecast.left(rest(4, 10**6, seconds=0.5))))
    first = words.count("under a second left")
    assert words == ["under a second left"] * first + words[first:]
    assert 0 < first < 15
    assert words[-1] == "under 5 s left"


def test_an_end_that_moves_from_look_to_look_is_less_sure() -> None:
    steady, moving = Forecast(), Forecast()
    for second in range(20):
        for each in (steady, moving):
            each.add(Look(float(second), second, second, 10, 10))
        still = steady.left(rest(1000 - 10 * second, 10**6))
        moved = moving.left(rest(1000 - 10 * second, 10**6, seconds=1 + second % 2))
    assert still is not None
    assert moved is not None
    assert still[1] / still[0] < 1.02
    assert moved[1] / moved[0] > 1.5


looks = st.tuples(st.floats(0, 100), *[st.integers(0, 1000)] * 4)


@given(st.lists(looks, max_size=50), st.integers(0, 10_000), st.floats(0, 1e9), st.integers(0, 10**6))
def test_a_forecast_is_a_span_whatever_was_seen(
    steps: list[tuple[float, int, int, int, int]], pending: int, seconds: float, settled: int
) -> None:
    forecast, now, finished, calls = Forecast(), 0.0, 0, 0
    left = None
    for passed, papers, answered, in_flight, workers in steps:
        now, finished, calls = now + passed, finished + papers, calls + answered
        forecast.add(Look(now, finished, calls, in_flight, workers))
        left = forecast.left(rest(pending, settled, seconds=seconds))
    assert left is None or 0 <= left[0] <= left[1]
    assert "left" in span(left)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "time left unknown"),
        ((90.0, 110.0), "90-110 s left"),
        ((200.0, 290.0), "3-5 min left"),
        ((300.0, 300.1), "5 min left"),
        ((9000.0, 10800.0), "2.5-3.0 h left"),
        ((90.0, math.inf), "more than 90 s left"),
        ((0.2, math.inf), "time left unknown"),
        ((0.0, 0.0), "under a second left"),
        ((0.2, 0.7), "under a second left"),
        ((0.4, 3.0), "under 3 s left"),
        ((0.4, 1.3), "about a second left"),
        ((5_000_000.0, 5_400_000.0), "1,388.9-1,500.0 h left"),
    ],
)
def test_time_left_is_said_in_the_unit_that_fits(left: tuple[float, float] | None, words: str) -> None:
    assert span(left) == words
