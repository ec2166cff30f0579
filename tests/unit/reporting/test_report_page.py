"""The page of a run, from real adapters."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from handlers.domain.money import NanoUsd
from handlers.domain.paper import Paper
from handlers.domain.plan import PlanOutline
from handlers.domain.run_report import ForecastFigure, RunForecast, RunReport
from handlers.errors import UsageError
from handlers.extras import load
from handlers.reporting.page.charts import TimeAxis, seam_names
from handlers.reporting.page.comparison import comparison
from handlers.reporting.page.figure import percent, usd
from handlers.reporting.page.figures_over_time import spend
from handlers.reporting.page.html import Beside, to_html, verdict
from handlers.reporting.page.run_settings import run_settings
from handlers.reporting.page.survey import Survey, survey
from handlers.runs.summarise import over_budget
from tests.builders.finished_run import RUN, FinishedRun, Outcome, finished_run
from tests.builders.reviewed_run import HOSTILE, decide, papers
from tests.builders.whole_bodies import BODY, whole_body


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    with finished_run(tmp_path_factory.mktemp("run"), papers(), decide) as made:
        yield made


@pytest.fixture(scope="module")
def report(run: FinishedRun) -> RunReport:
    """Over its budget by a half."""
    made = run.report()
    return made.model_copy(update={"budget_usd": made.spend_usd / 1.5, "warnings": ("give `--budget 3`",)})


@pytest.fixture(scope="module")
def page(run: FinishedRun, report: RunReport) -> str:
    """Its papers were worked on in two sessions, and one of them stands on a review site."""
    found = survey(RUN, ledger=run.ledger, store=run.store)
    found = replace(found, seams=[found.moments[-1].worked_s / 3])
    settings = run_settings(run.ledger.run(RUN), run.ledger.sessions(RUN))
    return to_html(report, found, Beside(settings=settings, reviews={"paper-010": "site/pages/0001.html#p9"}))


def cells(page: str, section: str) -> list[list[str]]:
    """Text of a section's table."""
    block = re.search(rf'<section id="{section}">(.*?)</section>', page, re.DOTALL)
    assert block, section
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", block[1], re.DOTALL)
    return [
        [unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in rows
    ]


def test_the_page_has_the_numbers_of_the_report(report: RunReport, page: str) -> None:
    states = {row[0]: int(row[1].replace(",", "")) for row in cells(page, "states")[1:]}
    assert states == {str(state): n for state, n in report.counts.items()} | {"all": report.papers}
    assert sum(report.counts.values()) == report.papers
    assert {row[0]: int(row[1]) for row in cells(page, "errors")[1:]} == report.errors
    assert {row[0]: int(row[1]) for row in cells(page, "checks")[1:]} == report.failed_checks
    assert [row[0] for row in cells(page, "jobs")[1:]] == [job.id for job in report.jobs]
    assert sum(int(row[2].replace(",", "")) for row in cells(page, "latency")[1:]) == report.calls.ok
    finished = sum(float(row[1].replace(",", "")) for row in cells(page, "throughput")[1:])
    assert finished == report.papers - report.counts["pending"] - report.counts["skipped"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Survey, RunReport]:
    """Of a run of whole papers, the third of which has not ended."""
    source = [{**paper, "body": BODY} for paper in papers(3)[:3]]

    def outcome(paper: Paper, number: int) -> Outcome:
        status = "pending" if number == 2 else "done"
        return Outcome(status, {"title": "T"}, cost=1_000_000, whole=whole_body())

    with finished_run(tmp_path_factory.mktemp("whole"), source, outcome) as made:
        return survey(RUN, ledger=made.ledger, store=made.store), made.report()


def test_whole_papers_are_counted_by_their_last_lines_and_their_calls_by_their_passages(
    whole: tuple[Survey, RunReport],
) -> None:
    found, told = whole
    assert [(paper.calls, paper.cost_usd) for paper in found.slowest] == [(3, 0.003)] * 2
    assert found.moments[-1].spend_usd == pytest.approx(told.spend_usd) == 0.009
    assert (found.unplaced_usd, found.unreadable) == (0, 0)
    assert sum(moment.papers for moment in found.moments) == 2


@pytest.mark.slow
def test_a_page_of_whole_papers_tells_their_segments(whole: tuple[Survey, RunReport]) -> None:
    found, told = whole
    page = to_html(told, found, Beside())
    assert cells(page, "bodies")[1:3] == [["translated", "18"], ["kept: image", "2"]]
    assert "18 segments of bodies translated, 8 blocks kept." in page


def test_spend_over_time_ends_at_the_spend_of_the_report(run: FinishedRun) -> None:
    found = survey(RUN, ledger=run.ledger, store=run.store)
    assert found.moments[-1].spend_usd == pytest.approx(run.report().spend_usd, rel=1e-12)
    assert found.unplaced_usd == 0
    assert sum(found.costs.values()) == run.report().calls.ok


def test_every_chart_has_its_table_and_both_widths(page: str) -> None:
    assert page.count('<div class="wide"><svg') == page.count('<div class="narrow"><svg') == 9
    assert page.count("<figure>") == 9
    for figure in re.findall(r"<figure>(.*?)</figure>", page, re.DOTALL):
        assert "<table>" in figure


def test_the_page_asks_nothing_of_anybody(page: str) -> None:
    assert "unsafe" not in page[: page.index("<style>")]
    assert "<script" not in page
    assert not re.search(r"\b(?:src|href|xlink:href)=\"(?!https://example\.org/|#|data:,|site/)", page)
    assert "url(" not in page
    assert "@import" not in page
    assert "style=" not in page
    assert re.search(r"default-src 'none'; style-src 'sha256-", unescape(page))


def test_the_page_names_the_dearest_first_and_escapes_it(page: str) -> None:
    dearest = [row[0] for row in cells(page, "dearest")[1:]]
    assert dearest[0].replace("\n", "") == f"paper-103 source{HOSTILE}"
    assert dearest[1].startswith("paper-101")
    assert "<img" not in page


def test_shares_are_of_all_papers_and_never_0_of_what_is_there(report: RunReport, page: str) -> None:
    assert [percent(*pair) for pair in ((5, 1251), (1, 34237), (0, 9), (34236, 34237), (9, 9), (1, 0))] == [
        "0.4%", "<0.1%", "0%", ">99.9%", "100%", "0%"
    ]  # fmt: skip
    assert cells(page, "checks")[1:] == [["numbers", "6", percent(6, report.papers)]]
    assert ["flagged", "6", "9.5%"] in cells(page, "states")
    assert f">6 ({percent(6, report.papers)})<" in page
    assert cells(page, "errors")[1:] == [["http_503", "1", percent(1, report.calls.sent)]]


def drawn(page: str, section: str, width: str = "wide") -> list[str]:
    """Words of a section's chart, in their order."""
    block = re.search(rf'<section id="{section}">.*?<div class="{width}">(.*?)</svg>', page, re.DOTALL)
    assert block, section
    return [unescape(word) for word in re.findall(r"<text[^>]*>([^<]*)</text>", block[1])]


@pytest.mark.parametrize("section", ["throughput", "slots", "jobs", "spend"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_every_chart_over_time_begins_with_the_run(page: str, section: str, width: str) -> None:
    assert drawn(page, section, width)[0] == "0"


def test_rules_of_charts_have_names_and_values(report: RunReport, page: str) -> None:
    latency = report.latency_s
    assert {f"p50 {latency.p50:.2f} s", f"p90 {latency.p90:.2f} s", f"p99 {latency.p99:.2f} s"} <= set(
        drawn(page, "latency")
    )
    assert f"budget {usd(report.budget_usd or 0)}" in drawn(page, "spend")
    assert any(word.startswith("mean $") for word in drawn(page, "cost"))
    for section in ("throughput", "slots", "spend"):
        assert "session 2" in drawn(page, section), section


def test_sessions_are_named_where_there_is_room_at_the_end_on_the_other_side() -> None:
    names = seam_names(TimeAxis("hours", 100.0, (5.0, 12.0, 15.0, 16.0, 40.0, 95.0, 99.0)), room=20.0)
    assert [row["side"] for row in names] == ["left"] * 5 + ["right"] * 2
    assert [row["line"] for row in names] == [0, 1, 2, None, 0, 0, 1]
    assert [row["name"] for row in names] == [f"session {number}" for number in range(2, 9)]


def test_a_run_over_its_budget_says_so_in_its_tile_and_its_warnings(run: FinishedRun, page: str) -> None:
    assert re.search(r'<div class="failed"><dt>spent</dt>.*?over it', page)
    assert "<li>give <code>--budget 3</code></li>" in page
    record, totals = run.ledger.run(RUN), run.ledger.totals(RUN)
    (said,) = over_budget(replace(record, budget=NanoUsd(totals.calls.cost - 1_000)), totals.calls)
    assert said.startswith("over budget: $")
    assert list(over_budget(replace(record, budget=NanoUsd(totals.calls.cost)), totals.calls)) == []


def test_finished_with_flagged_papers_is_not_plainly_finished(report: RunReport, page: str) -> None:
    assert verdict(report) == ("finished-badly", "finished, 9.5% flagged, 1.6% failed")
    assert '<span class="state finished-badly">finished, 9.5% flagged, 1.6% failed</span>' in page
    counts = {**report.counts, "flagged": 0, "failed": 0}
    assert verdict(report.model_copy(update={"counts": counts})) == ("finished", "finished")
    assert verdict(report.model_copy(update={"state": "parked"}))[0] == "parked"


def test_settings_are_shown_and_no_secrets(run: FinishedRun, page: str) -> None:
    shown = dict(row for row in cells(page, "settings") if len(row) == 2)
    assert (shown["model"], shown["target language"], shown["budget"]) == ("model-a", "en", "$45.00")
    assert shown["session 1"].endswith("3 jobs with 10 workers each, finished")
    record = run.ledger.run(RUN)
    body = {"thinking": False, "options": {"api_key": "sk-1"}, "X-Auth": "sk-2", "max_tokens": 5}
    told = run_settings(replace(record, spec=record.spec.model_copy(update={"extra_body": body})), [])
    extra = dict(told)["extra body"]
    assert "sk-" not in extra
    assert '"thinking": false' in extra
    assert '"max_tokens": 5' in extra


def test_papers_lead_to_their_review_and_to_their_source(page: str) -> None:
    flagged = page[page.index('<section id="flagged">') :]
    assert '<a href="site/pages/0001.html#p9">paper-010</a>' in flagged
    assert 'href="https://example.org/10" rel="noopener noreferrer nofollow"' in flagged
    assert page.index('id="flagged"') < page.index('id="slowest"')


@pytest.mark.slow  # two whole pages are drawn
def test_a_review_without_the_flagged_papers_is_not_said_to_have_them(
    run: FinishedRun, report: RunReport, page: str
) -> None:
    found = survey(RUN, ledger=run.ledger, store=run.store)
    said = []
    for reviews in ({"paper-000": "site/pages/0001.html#p1"}, {}):
        made = to_html(report, found, Beside(reviews=reviews))
        flagged = made[made.index('<section id="flagged">') : made.index('id="slowest"')]
        said.append(("leads to its review" in flagged, "--drafts" in flagged))
    assert said == [(False, True), (False, False)]
    assert "leads to its review" in page


def test_a_plan_is_set_against_the_run(run: FinishedRun) -> None:
    made = {"recommended": "parallel", "rows": [
        {"tier": "standard", "papers_per_hour": 1, "hours": 1, "cost_usd": 1},
        {"tier": "parallel", "papers_per_hour": 1000.0, "hours": 0.5, "cost_usd": 0.1},
    ]}  # fmt: skip
    table = comparison(run.report(), PlanOutline.model_validate(made))
    assert table is not None
    assert [row[:2] for row in table.rows] == [
        ("papers an hour", "1,000"), ("hours", "0.50"), ("cost in USD", "0.1000")
    ]  # fmt: skip


def test_the_forecast_of_the_run_s_own_plan_stands_beside_what_came(run: FinishedRun) -> None:
    cost = ForecastFigure(name="cost_usd", predicted=0.1, low=0.09, high=0.12, actual=0.11, error=0.1)
    forecast = RunForecast(
        plan="0" * 64, tier="parallel", jobs=5, workers=20, binding="workers", complete=True, figures=(cost,)
    )
    table = comparison(run.report().model_copy(update={"forecast": forecast}))
    assert table is not None
    assert list(table.rows) == [("cost_usd", "$0.1000", "$0.0900 to $0.1200", "$0.1100", "+10.0%")]


def test_a_run_that_nobody_worked_on_has_a_page_too(tmp_path: Path) -> None:
    with finished_run(tmp_path, papers(3), decide, batches=0) as made:
        page = to_html(made.report(), survey(RUN, ledger=made.ledger, store=made.store))
    assert cells(page, "states")[-1] == ["all", "6", "100%"]
    assert "Papers an hour" not in page


def test_what_is_left_is_projected_at_the_cost_so_far(tmp_path: Path) -> None:
    with finished_run(tmp_path, papers(), decide, batches=1) as made:
        report = made.report()
        figure = spend(report, survey(RUN, ledger=made.ledger, store=made.store))
    finished = report.papers - report.counts["pending"]
    assert 0 < report.counts["pending"] < report.papers
    assert figure is not None
    assert report.expected is not None
    assert report.spend_usd < report.expected.cost_usd < report.spend_usd * report.papers / finished
    assert f"{usd(report.expected.cost_usd)} expected for the whole corpus" in figure.says
    assert "projected" in figure.chart


def test_a_missing_library_is_named_with_its_extra_and_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(UsageError, match=r"pip install 'paperfleet\[report\]'"):
        load("altair", extra="report")
