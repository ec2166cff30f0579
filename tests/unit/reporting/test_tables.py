"""The report on a terminal and as Markdown: complete, and deaf to what outside text would like to do."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from handlers.domain.run_report import (
    CallCounts,
    Latency,
    QueueReport,
    RunExpectation,
    RunReport,
    SegmentCounts,
)
from handlers.reporting.markdown import to_markdown
from handlers.reporting.page.html import verdict
from handlers.reporting.plain import markdown, plain
from handlers.reporting.tables import duration, key_metrics, latency, tables
from handlers.reporting.terminal import render
from tests.builders.growth import assert_linear, repeated
from tests.builders.reports import HOSTILE, report, terminal

KEY_FIGURES = (
    "87.5%",
    "1.00 / 2.00 / 3.00 s",
    "33.3%",
    "0.5000",
    "2.0000",
    "25.0%",
    "1 min 40 s",
    "360",
    "job-1",
)


@pytest.mark.parametrize("show", [terminal, to_markdown])
def test_the_key_metrics_are_all_there(show: object) -> None:
    text = show(report())
    for figure in (*KEY_FIGURES, "numbers", "dead letters"):
        assert figure in text, figure


def test_calls_that_there_were_not_have_no_times() -> None:
    times = [latency(Latency(p50=value, p90=value, p99=value)) for value in (0.0, 0.02, 1.5)]
    assert times == ["-", "20.0 / 20.0 / 20.0 ms", "1.50 / 1.50 / 1.50 s"]


@pytest.mark.parametrize("show", [terminal, to_markdown])
def test_why_papers_were_skipped_is_shown(show: Callable[[RunReport], str]) -> None:
    assert "already in en" in show(report(skip_reasons={"already in en": 1_294}))


@pytest.mark.parametrize("show", [terminal, to_markdown])
@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("parked", "unauthorized: 401", True),
        ("parked", "budget_spent: $1.00 of $1.00; --budget 3 finishes it", False),
        ("paused", "interrupted; the same command goes on", False),
    ],
)
def test_a_parked_run_says_how_it_goes_on(
    show: Callable[[RunReport], str], state: str, reason: str, told: bool
) -> None:
    text = show(report(state=state, reason=reason))
    assert ("paperfleet resume" in text) == told


@pytest.mark.parametrize("show", [terminal, to_markdown])
@pytest.mark.parametrize(
    ("reason", "stands"),
    [
        ("interrupted: no job is alive. Run the same command to resume.", "interrupted"),
        ("interrupted; the same command goes on", "interrupted"),
        ("stalled: no job was heard of for 5 min", "stalled"),
        ("not started: 3 messages wait", "not started"),
        ("ready: 3 papers; the same command goes on", "ready"),
        ("paused by hand; `paperfleet resume`, then work on it again", "paused"),
        ("deadline: the session's time was up; the same command goes on", "paused"),
    ],
)
def test_a_run_on_which_nobody_works_is_not_headed_as_one_that_somebody_paused(
    show: Callable[[RunReport], str], reason: str, stands: str
) -> None:
    shown = show(report(state="paused", reason=reason))
    assert stands in shown and ("paused" in shown) == (stands == "paused")
    assert verdict(report(state="paused", reason=reason))[1].startswith(stands)


@pytest.mark.parametrize("show", [terminal, to_markdown])
def test_a_run_that_stands_still_says_that_what_it_paid_for_is_kept(
    show: Callable[[RunReport], str],
) -> None:
    saved = "answered passages are saved"
    text = " ".join(show(report(state="paused", in_hand_usd=0.0123)).replace("│", " ").split())
    assert "$0.0123" in text and saved in text
    for told in (report(state="paused"), report(state="running", in_hand_usd=1.0)):
        assert saved not in " ".join(show(told).replace("│", " ").split())


@pytest.mark.parametrize("show", [terminal, to_markdown])
def test_what_became_of_bodies_is_a_sentence_and_a_table(show: Callable[[RunReport], str]) -> None:
    counts = SegmentCounts(
        translated=20_705, kept=5, flagged=3, rules={"other_language": 5}, notes={"x_y": 2}
    )
    text = " ".join(show(report(segments=counts)).split())
    assert "20,705 segments of bodies translated, 5 blocks kept, 3 refused" in text.replace(" │ │ ", " ")
    for words in ("kept: other language", "odd in the source: x y"):
        assert words in text
    assert "bodies" not in show(report())


def test_a_terminal_of_24_rows_ends_with_how_the_run_stands() -> None:
    shown = report(counts={"done": 1, "flagged": 2, "failed": 0, "skipped": 1, "pending": 0}, papers=4)
    for is_terminal, place in ((True, slice(-4, None)), (False, slice(4))):
        console = Console(file=io.StringIO(), width=80, force_terminal=is_terminal, legacy_windows=False)
        render(shown, console)
        lines = console.file.getvalue().splitlines()
        assert "4 of 4 papers (2 flagged, 1 skipped)" in re.sub(r"\x1b\[[0-9;]*m", "", "".join(lines[place]))


@pytest.mark.parametrize("show", [lambda shown: terminal(shown, width=160), to_markdown])
def test_counts_of_a_shared_queue_are_said_to_be_of_all_runs(show: Callable[[RunReport], str]) -> None:
    shared = QueueReport(visible=4, in_flight=2, dead=1, shared=True)
    assert "1 dead (of all runs that share it)" in show(report(queue=shared))
    assert "of all runs" not in show(report())


def test_markdown_tables_have_as_many_cells_in_every_row() -> None:
    text = to_markdown(report(errors={HOSTILE: 3, "a|b": 1}, model=HOSTILE, reason=HOSTILE, state="parked"))
    widths = []
    for line in text.splitlines():
        if line.startswith("|"):
            widths.append(line.count("|"))
        else:
            assert len(set(widths)) <= 1
            widths = []


def test_nothing_from_outside_is_markup_in_markdown() -> None:
    text = to_markdown(report(errors={HOSTILE: 3}, model=HOSTILE, reason=HOSTILE, run_id=HOSTILE))
    assert "<script" not in text.replace("\\<", "")
    assert "[l](" not in text.replace("\\[", "")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "http://" not in text


def test_nothing_from_outside_is_markup_on_a_terminal() -> None:
    text = terminal(report(errors={HOSTILE: 3}, model=HOSTILE, reason=HOSTILE, run_id=HOSTILE), width=300)
    assert text.count("[red]x[/red]") == 4
    assert "\x1b[31m" not in text
    assert "\u202e" not in text


@given(st.text())
def test_a_shown_text_is_one_line_without_control_characters(text: str) -> None:
    shown = plain(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert "|" not in markdown(text)
    assert "\n" not in markdown(text)


@pytest.mark.parametrize("char", ["$", "\\begin{", "<", "[", "{", "\x1b", "://", "\u202e"])
def test_a_flood_of_anything_is_cut_short_in_linear_time(char: str) -> None:
    assert len(markdown(char * 1_000_000)) < 5000
    assert_linear(repeated(char), markdown)


def test_tables_stay_short_however_many_jobs_and_classes_there_are() -> None:
    job = report().jobs[0]
    many = report(jobs=(job,) * 500, errors={f"class-{n}": 1 for n in range(100)})
    assert all(len(table.rows) <= 30 for table in tables(many))
    assert "470 earlier jobs" in to_markdown(many)
    assert "80 others" in terminal(many)


def test_a_run_that_has_not_begun_has_a_report_too() -> None:
    empty = report(jobs=(), errors={}, queue=None, failed_checks=None, paper_errors=None, warnings=(),
                   counts=dict.fromkeys(report().counts, 0), papers=0,
                   calls=CallCounts(**dict.fromkeys(CallCounts.model_fields, 0)), budget_usd=0.0)  # fmt: skip
    assert "no budget" not in terminal(empty)
    assert "nan" not in to_markdown(empty).lower()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0.0 s"), (59.94, "59.9 s"), (185, "3 min 05 s"), (7320, "2 h 02 min")]
)
def test_durations_are_told_in_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_unfinished_run_says_what_it_comes_to_and_where_the_budget_ends() -> None:
    expected = RunExpectation(
        cost_usd=13.8, papers=900, calls=950, wall_s=61.0, worked=0.5, covered=0.58, enough_usd=14.5
    )
    rows = dict(key_metrics(report(expected=expected)))
    assert rows["expected in all"] == "$13.8000; the budget ends at about 58% of the papers"
    each = rows["cost per finished paper"]
    assert each.endswith(f" so far, ${13.8 / report().papers:.6f} expected")
    assert rows["time left"] == "1 min 01 s, up to 900 papers need a call"
    lasts = dict(key_metrics(report(expected=expected.model_copy(update={"covered": 1.0, "wall_s": None}))))
    assert (lasts["expected in all"], "time left" in lasts) == ("$13.8000", False)
    assert "expected in all" not in dict(key_metrics(report()))
