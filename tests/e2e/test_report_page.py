"""The report's page in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.pages import UNREADABLE, Made, Theme, opened, overflow

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_the_report_opens_from_a_file_without_a_word_or_a_request(
    browser: Browser, made: Made, width: int, theme: Theme
) -> None:
    address = (made.folder / "report.html").as_uri()
    with opened(browser, width=width, theme=theme) as watched:
        watched.page.goto(address)
        assert watched.messages == []
        assert watched.requests == [address]
        assert overflow(watched.page) <= 0
        assert watched.page.locator(".chart .wide svg").first.is_visible() == (width > 720)
        assert watched.page.locator(".chart .narrow svg").first.is_visible() == (width <= 720)


def test_the_report_s_charts_have_the_numbers_of_the_json(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        drawn = watched.page.locator("#states .wide svg text").all_text_contents()
        counts = {str(state): count for state, count in made.report.counts.items()}
        names = drawn.index("done")
        assert drawn[names : names + 5] == list(counts)
        assert [label.split(" ")[0] for label in drawn[-5:]] == [str(count) for count in counts.values()]
        checks = watched.page.locator("#checks .wide svg text").all_text_contents()
        for name, count in (made.report.failed_checks or {}).items():
            assert any(text.startswith(f"{count} (") for text in checks), name
        watched.page.locator("#states summary").click()
        assert amounts(watched.page, "states", 2) == [*counts.values(), made.report.papers]


def test_the_report_s_tables_and_tiles_have_the_numbers_of_the_json(browser: Browser, made: Made) -> None:
    report = made.report
    with opened(browser) as watched:
        page = watched.page
        page.goto((made.folder / "report.html").as_uri())
        page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
        finished = report.papers - report.counts["pending"]
        assert page.locator(".facts dd.value").all_text_contents()[0] == f"{finished:,}"
        assert sum(amounts(page, "latency", 3)) == report.calls.ok
        assert sum(amounts(page, "throughput", 2)) == finished - report.counts["skipped"]
        assert amounts(page, "jobs", 4) == [job.papers for job in report.jobs]
        assert dict(zip(names(page, "errors"), amounts(page, "errors", 2), strict=True)) == report.errors
        assert names(page, "spend")[-1] == names(page, "slots")[-1] == names(page, "throughput")[-1]
        last = page.locator("#spend td").all_text_contents()[-1]
        assert float(last[1:]) == pytest.approx(report.spend_usd, abs=0.005)


def names(page: Page, section: str) -> list[str]:
    """First column of a section's table."""
    return page.locator(f"#{section} tbody th").all_text_contents()


def amounts(page: Page, section: str, column: int) -> list[int]:
    """Figures of a column, counted from 1."""
    cells = page.locator(f"#{section} tbody tr > :nth-child({column})").all_text_contents()
    return [int(cell.replace(",", "")) for cell in cells]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_every_word_of_the_report_has_the_contrast_of_wcag_aa(
    browser: Browser, made: Made, width: int, theme: Theme
) -> None:
    with opened(browser, width=width, theme=theme) as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        watched.page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
        assert watched.page.evaluate(UNREADABLE) == []


@pytest.mark.parametrize(("width", "columns"), [(400, 1), (1000, 1), (1200, 2), (1440, 2), (1880, 3)])
def test_a_wide_window_has_several_columns(browser: Browser, made: Made, width: int, columns: int) -> None:
    with opened(browser, width=width) as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        lefts = watched.page.locator("main > section").evaluate_all(
            "all => all.map(each => Math.round(each.getBoundingClientRect().left))"
        )
        assert len(set(lefts)) == columns
        assert overflow(watched.page) <= 0


def test_the_contents_lead_to_every_section(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        links = watched.page.locator(".contents a")
        sections = watched.page.locator("main section[id]").evaluate_all(
            "all => all.map(each => '#' + each.id)"
        )
        assert links.evaluate_all("all => all.map(each => each.hash)") == sections
        links.last.click()
        expect(watched.page.locator(sections[-1])).to_be_in_viewport()


def test_paper_has_the_light_colours_and_the_numbers_of_every_chart(browser: Browser, made: Made) -> None:
    with opened(browser, theme="dark") as watched:
        page = watched.page
        page.goto((made.folder / "report.html").as_uri())
        assert not page.locator("#states table").is_visible()
        page.emulate_media(media="print")
        assert (
            page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        for section in page.locator("figure").all():
            height = section.locator("table").evaluate("table => table.getBoundingClientRect().height")
            assert height > 20
        assert page.evaluate(UNREADABLE) == []
        assert len(page.pdf(format="A4")) > 10_000


def test_the_dark_theme_repaints_every_colour_of_the_charts(browser: Browser, made: Made) -> None:
    with opened(browser, theme="dark") as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        dim = watched.page.evaluate(
            """() => [...document.querySelectorAll('.wide svg text')].map(text => getComputedStyle(text).fill)
            .filter(fill => fill.match(/\\d+/g).slice(0, 3).every(part => Number(part) < 120))"""
        )
        assert dim == []
