"""The page of a run, and the site of its papers, from real adapters."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from handlers.domain.paper import Paper
from handlers.domain.plan import PlanOutline
from handlers.domain.result import Check
from handlers.domain.run_report import ForecastFigure, RunForecast
from handlers.errors import UsageError
from handlers.extras import load
from handlers.reporting.page.charts import Pen
from handlers.reporting.page.figure import usd
from handlers.reporting.page.html import to_html
from handlers.reporting.page.survey import survey
from handlers.reporting.review.selection import Selection
from handlers.reporting.review.site import Site, write_site
from tests.builders.finished_run import RUN, FinishedRun, Outcome, finished_run

HOSTILE = "<script>window.hacked=1</script>\"'><img src=x onerror=alert(1)>"
_MISSING = Check(
    name="numbers", verdict="fail", detail='In "abstract" numbers of the source are missing or changed: 12.'
)


def paper(number: int, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": f"paper-{number:03d}",
        "title": f"第{number}种{chr(0x4E00 + number)}方法的研究",
        "abstract": f"在$T = {number}$下共有12组样品，编号{number}。",
        "keywords": ["方法"],
        "language": "zh",
        "license": "CC-BY-4.0",
        "url": f"https://example.org/{number}",
        "subject": "physics" if number % 2 else "biology",
        "source": "Archive",
    }
    return fields | changes


def decide(given: Paper, _number: int) -> Outcome:
    """Flags every tenth paper, fails 7, skips what forbids derivatives."""
    place = int(given.id[-3:])
    fields: dict[str, Any] = {
        "title": f"Study {place}",
        "abstract": f"At $T = {place}$ with 12 samples, number {place}.",
        "keywords": ["method"],
    }
    if place == 103:
        return Outcome("done", {"title": HOSTILE, "abstract": HOSTILE, "keywords": [HOSTILE]}, cost=9_000_000)
    if place % 10 == 0:
        return Outcome("flagged", fields, (_MISSING,), "numbers", "numbers: 12 is missing", cost=900_000)
    if place == 7:
        return Outcome("failed", error="http_503", cost=0)
    return Outcome("done", fields, cost=1_000_000 + place)


def papers(count: int = 60) -> list[dict[str, Any]]:
    made = [paper(number) for number in range(1, count + 1)]
    made.append(paper(101, license="CC-BY-NC-ND-4.0"))
    made.append({**paper(1), "id": "twin-102"})
    made.append(paper(103, title=HOSTILE, abstract=HOSTILE + " 中文", keywords=[HOSTILE], subject=HOSTILE))
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    with finished_run(tmp_path_factory.mktemp("run"), papers(), decide) as made:
        yield made


@pytest.fixture(scope="module")
def page(run: FinishedRun) -> str:
    return to_html(run.report(), survey(RUN, ledger=run.ledger, store=run.store))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are dear to draw, and tables have what they show."""
    monkeypatch.setattr(Pen, "_svg", lambda *_, **__: "<svg></svg>")


def cells(page: str, section: str) -> list[list[str]]:
    """Text of a section's table."""
    block = re.search(rf'<section id="{section}">(.*?)</section>', page, re.DOTALL)
    assert block, section
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", block[1], re.DOTALL)
    return [
        [unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in rows
    ]


def test_the_page_has_the_numbers_of_the_report(run: FinishedRun, page: str) -> None:
    report = run.report()
    states = {row[0]: int(row[1].replace(",", "")) for row in cells(page, "states")[1:]}
    assert states == {str(state): n for state, n in report.counts.items()} | {"all": report.papers}
    assert sum(report.counts.values()) == report.papers
    assert {row[0]: int(row[1]) for row in cells(page, "errors")[1:]} == report.errors
    assert {row[0]: int(row[1]) for row in cells(page, "checks")[1:]} == report.failed_checks
    assert [row[0] for row in cells(page, "jobs")[1:]] == [job.id for job in report.jobs]
    assert sum(int(row[2].replace(",", "")) for row in cells(page, "latency")[1:]) == report.calls.ok
    finished = sum(float(row[1].replace(",", "")) for row in cells(page, "throughput")[1:])
    assert finished == report.papers - report.counts["pending"] - report.counts["skipped"]


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
    assert "<script" not in page
    assert not re.search(r"\b(?:src|href|xlink:href)=\"(?!https://example\.org/|#|data:,)", page)
    assert "url(" not in page
    assert "@import" not in page
    assert "style=" not in page
    assert re.search(r"default-src 'none'; style-src 'sha256-", unescape(page))


def test_the_page_names_the_dearest_first_and_escapes_it(page: str) -> None:
    dearest = [row[0] for row in cells(page, "dearest")[1:]]
    assert dearest[0].replace("\n", "") == f"paper-103{HOSTILE}"
    assert dearest[1].startswith("paper-101")
    assert "<img" not in page


def test_a_plan_is_set_against_the_run(run: FinishedRun, undrawn: None) -> None:
    made = {"recommended": "parallel", "rows": [
        {"tier": "standard", "papers_per_hour": 1, "hours": 1, "cost_usd": 1},
        {"tier": "parallel", "papers_per_hour": 1000.0, "hours": 0.5, "cost_usd": 0.1},
    ]}  # fmt: skip
    plan = PlanOutline.model_validate(made)
    page = to_html(run.report(), survey(RUN, ledger=run.ledger, store=run.store), plan=plan)
    assert [row[:2] for row in cells(page, "plan")[1:]] == [
        ["papers an hour", "1,000"],
        ["hours", "0.50"],
        ["cost in USD", "0.1000"],
    ]


def test_the_forecast_of_the_run_s_own_plan_stands_beside_what_came(run: FinishedRun, undrawn: None) -> None:
    cost = ForecastFigure(name="cost_usd", predicted=0.1, low=0.09, high=0.12, actual=0.11, error=0.1)
    forecast = RunForecast(
        plan="0" * 64, tier="parallel", jobs=5, workers=20, binding="workers", complete=True, figures=(cost,)
    )
    report = run.report().model_copy(update={"forecast": forecast})
    page = to_html(report, survey(RUN, ledger=run.ledger, store=run.store))
    assert cells(page, "plan")[1:] == [["cost_usd", "$0.1000", "$0.0900 to $0.1200", "$0.1100", "+10.0%"]]
    assert '<a href="#plan">' in page


def test_a_run_that_nobody_worked_on_has_a_page_too(tmp_path: Path) -> None:
    with finished_run(tmp_path, papers(3), decide, batches=0) as made:
        page = to_html(made.report(), survey(RUN, ledger=made.ledger, store=made.store))
    assert cells(page, "states")[-1] == ["all", "6"]
    assert "Papers an hour" not in page


def test_what_is_left_is_projected_at_the_cost_so_far(tmp_path: Path) -> None:
    with finished_run(tmp_path, papers(), decide, batches=1) as made:
        report = made.report()
        page = to_html(report, survey(RUN, ledger=made.ledger, store=made.store))
    finished = report.papers - report.counts["pending"]
    assert 0 < report.counts["pending"] < report.papers
    assert f"{usd(report.spend_usd * report.papers / finished)} expected for the whole corpus" in page
    assert "projected" in page


def written(run: FinishedRun, folder: Path, *, drafts: bool = False) -> tuple[Site, str]:
    site = write_site(Selection(RUN, run.ledger, run.store, drafts), folder, per_page=10)
    return site, "".join(path.read_text() for path in sorted((folder / "pages").iterdir()))


def test_a_site_for_publication_has_no_flagged_paper(run: FinishedRun, tmp_path: Path) -> None:
    site, pages = written(run, tmp_path / "site")
    assert site.papers == 63 - 6 - 1 - 1
    assert "paper-010" not in pages
    assert 'class="flagged"' not in pages
    assert site.left_out == {
        "flagged (drafts are not shown)": 6, "failed": 1, "licence forbids derivatives": 1
    }  # fmt: skip


def test_drafts_show_flagged_papers_and_what_the_check_saw(run: FinishedRun, tmp_path: Path) -> None:
    site, pages = written(run, tmp_path / "site", drafts=True)
    assert site.papers == 63 - 1 - 1
    assert 'id="p9" tabindex="-1" class="flagged"' in pages
    assert '共有<mark data-check="numbers" title="numbers">12</mark>组样品' in pages
    assert "not for publication" in pages


def test_a_paper_whose_licence_forbids_derivatives_is_nowhere(run: FinishedRun, tmp_path: Path) -> None:
    written(run, tmp_path / "site", drafts=True)
    for path in (tmp_path / "site").rglob("*.*"):
        assert "paper-101" not in path.read_text(), path


def test_each_paper_has_source_licence_link_and_notice(run: FinishedRun, tmp_path: Path) -> None:
    site, pages = written(run, tmp_path / "site")
    for sentence in ("Source: Archive.", "Licence: CC-BY-4.0.", 'href="https://example.org/'):
        assert pages.count(sentence) == site.papers
    assert pages.count("Machine translation; not reviewed by the authors.") == site.papers


def test_a_paper_of_equal_text_shows_its_leader_s_translation(run: FinishedRun, tmp_path: Path) -> None:
    _, pages = written(run, tmp_path / "site")
    twin = pages[pages.index("twin-102") :]
    assert "same text as paper-001" in twin[:400]
    assert "Study 1<" in twin[: twin.index("</article>")]


def test_the_search_index_is_ascii_and_cannot_end_its_script(run: FinishedRun, tmp_path: Path) -> None:
    site, _ = written(run, tmp_path / "site")
    scripts = {path.stem: path.read_text(encoding="ascii") for path in (tmp_path / "site/search").iterdir()}
    assert not any("<" in script for script in scripts.values())
    rows = json.loads(scripts["0000"][len("paperfleetRows(0,") : -len(");\n")])
    assert len(rows) == site.papers
    assert rows[-1][4].startswith("<script>")


def test_every_page_has_a_policy_that_lets_nothing_of_a_stranger_in(
    run: FinishedRun, page: str, tmp_path: Path
) -> None:
    written(run, tmp_path / "site", drafts=True)
    pages = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert len(pages) > 2
    for text in (page, *pages):
        policy = re.findall('<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
        assert len(policy) == 1
        assert policy[0].startswith("default-src 'none'; ".replace("'", "&#39;"))
        assert "unsafe" not in policy[0]
        assert "http" not in policy[0]


def test_a_second_site_leaves_nothing_of_the_first(run: FinishedRun, tmp_path: Path) -> None:
    written(run, tmp_path / "site", drafts=True)
    (tmp_path / "site" / "pages" / "0999.html").write_text("old")
    site, pages = written(run, tmp_path / "site")
    assert len(list((tmp_path / "site" / "pages").iterdir())) == site.pages
    assert "paper-010" not in pages
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_of_somebody_else_s_is_refused(run: FinishedRun, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="other files"):
        written(run, tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_missing_library_is_named_with_its_extra_and_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(UsageError, match=r"pip install 'paperfleet\[report\]'"):
        load("altair", extra="report")
