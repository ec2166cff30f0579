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
from handlers.reporting.progress import Progress
from handlers.reporting.time_left import Forecast, span
from tests.builders import values

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
    console = Console(file=io.StringIO(), width=80, force_terminal=True, legacy_windows=False)
    ledger.start_job(values.job("j1"))
    with Progress(console) as progress:
        finish(ledger, "1", 4, code="[bold]x[/]")
        progress.update(ledger, RUN, now=100.0)
        finish(ledger, "2", 5, code="[bold]x[/]")
        progress.update(ledger, RUN, now=101.0)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text_of(console))
    assert "5/10" in plain
    assert "[bold]x[/] x1" in plain


def test_a_steady_rate_is_forecast_within_its_spread() -> None:
    forecast = Forecast()
    assert forecast.left(10) is None
    for second in range(61):
        forecast.add(1000.0 + second, 20 * second)
    low, high = forecast.left(2000) or (0, 0)
    assert forecast.rate == pytest.approx(20)
    assert 90 < low < 100 < high < 110


def test_a_rate_that_comes_in_bursts_is_less_sure() -> None:
    steady, bursts = Forecast(), Forecast()
    for second in range(61):
        steady.add(second, 20 * second)
        bursts.add(second, 400 * (second // 20))
    assert (bursts.left(100) or (0, 0))[1] > (steady.left(100) or (0, 0))[1]


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1000)), max_size=50), st.integers(0, 10_000))
def test_a_forecast_is_a_span_whatever_was_seen(steps: list[tuple[float, int]], pending: int) -> None:
    forecast, now, finished = Forecast(), 0.0, 0
    for seconds, papers in steps:
        now, finished = now + seconds, finished + papers
        forecast.add(now, finished)
    left = forecast.left(pending)
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
        ((5_000_000.0, 5_400_000.0), "1,388.9-1,500.0 h left"),
    ],
)
def test_time_left_is_said_in_the_unit_that_fits(left: tuple[float, float] | None, words: str) -> None:
    assert span(left) == words
