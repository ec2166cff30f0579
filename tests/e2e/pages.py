"""Pages of a run for the browser: papers of every kind, hostile ones among them, and how they are opened."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, expect

from handlers.domain.coverage import Coverage
from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.domain.run_report import RunReport
from handlers.reporting.page.html import to_html
from handlers.reporting.page.survey import survey
from handlers.reporting.review.selection import Selection
from handlers.reporting.review.site import write_site
from handlers.tasks.translation.passages.blocks import blocks as blocks_of
from tests.builders.finished_run import RUN, Outcome, finished_run
from tests.builders.whole_bodies import BODY as WHOLE_BODY
from tests.builders.whole_bodies import WholeBody, whole_body

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
    "<math href=\"javascript:window.hacked='mathref'\"><maction actiontype=toggle onclick=\"hacked=1\"><mi>x",
    "$\\style{background:url(http://evil.example/x)}{\\class{x\" onclick=\"hacked=1}{y}}$ $$\\unicode{x3C}$$",
    "<object data=\"javascript:window.hacked='object'\"><embed src=http://evil.example/x.swf>",
    "[x](javascript:window.hacked='markdown') ![](http://evil.example/x.png) <http://evil.example>",
    "<form action=http://evil.example/><input name=q autofocus onfocus=\"window.hacked='form'\"></form>",
)  # fmt: skip


BODY = (
    "# {}\n\n- $x ^ 2$ and `code`\n\n> [link](https://example.org/a)\n\n![](images/a.jpg)\n\n|a|b|\n|-|-|\n|1|2|\n\n"
    "<html><body><table><tr><td>" + "</td><td>".join(map(str, range(60))) + "</td></tr></table></body></html>"
)
"""A whole paper, with a table wider than any window."""
WHOLE = WHOLE_BODY + "\n\n" + BODY.format("附录")
"""One that is asked passage by passage."""


def corpus() -> list[dict[str, Any]]:
    plain = [
        {
            "id": f"paper-{number:03d}",
            "title": f"第{number}种光学方法" if number % 2 else f"第{number}种土壤调查",
            "abstract": f"在 $T = {number} . 5 \\pm 0 . 1$ 下，共有12组{'石墨烯' * (number == 9)}样品。"
            "$$ \\frac { a } { b } $$",
            "keywords": ["方法"],
            "language": "ja" if number == 5 else "zh",
            "license": "CC-BY-4.0",
            "url": f"https://example.org/{number}",
            "subject": "optics" if number % 2 else "soil",
            "date": f"2024-01-{number:02d}",
            "body": {1: BODY.format("引言"), 2: WHOLE}.get(number),
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
            "url": f"javascript:window.hacked='url'//{payload}"
            if number % 2
            else f"https://example.org/{payload}",
            "body": f"中文 {payload}\n\n<table><tr><td {payload}>中文 {payload}</td></tr></table>",
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
        echo = Check(name="echo", verdict="warn", detail=f"In {payload} “{payload[:60]}” is repeated.")
        fields = {
            "title": payload,
            "abstract": payload,
            "keywords": [payload],
            "body": payload,
            payload: payload,
        }
        whole = _hostile_body(paper.body or "", payload) if place % 2 else None
        return Outcome("flagged", fields, (echo,), "echo", payload, cost=5_000_000, whole=whole)
    fields = {
        "title": f"Optical method {place}" if place % 2 else f"Soil survey {place}",
        "abstract": f"At $T = {place} . 5 \\pm 0 . 1$ samples{' in spectrometers' * (place == 7)}. "
        "$$ \\frac { a } { b } $$",
        "keywords": ["method"],
        "body": BODY.format("Introduction") if place == 1 else None,
    }
    if place == 2:
        return Outcome("done", fields, cost=400_000, whole=whole_body(WHOLE))
    if place == 12:
        return Outcome("failed", error=f"http_503 {PAYLOADS[0]} {PAYLOADS[2]}", cost=0)
    missing = Check(
        name="numbers",
        verdict="fail",
        detail='In "abstract" numbers of the source are missing or changed: 12.',
    )
    short = Check(name="length", verdict="fail", detail='In "title" the text is empty.')
    if place % 10 == 3:
        seen = (missing, short) if place == 23 else (missing,)
        return Outcome("flagged", fields, seen, "numbers", "12 is missing", cost=2_000_000)
    return Outcome("done", fields, cost=1_000_000)


def _hostile_body(source: str, payload: str) -> WholeBody:
    """What no task would write: everything in it is the payload, and each block ends anywhere."""
    answer = f"{payload}\n\n<table><tr><td {payload}>{payload}</td></tr></table>{payload}"
    blocks = len(blocks_of(source))
    ends = tuple(len(answer) * (number + 1) // (blocks + 1) for number in range(blocks))
    told = Coverage(translated=1, kept={payload: 1}, flagged=("body/0", payload), notes={payload: 1})
    return WholeBody(answer, told, ends, ("head",))


@dataclass(frozen=True)
class Made:
    folder: Path
    address: str
    """Where the folder is served."""
    report: RunReport


@contextmanager
def made_pages(folder: Path) -> Iterator[Made]:
    """The report's page and the review site (drafts too) in a folder, and served."""
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


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


def site(made: Made, page: str = "index.html") -> str:
    return f"{made.address}/site/{page}"


UNREADABLE = """() => {
  const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const [r, g, b, alpha = 1] = parts(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [NaN, NaN, NaN];
  };
  const faults = [];
  for (const element of document.querySelectorAll("body, body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colour = parts(element.ownerSVGElement ? style.fill : style.color);
    const [high, low] = [luminance(colour.slice(0, 3)), luminance(behind(element))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (high + 0.05) / (low + 0.05);
    if (!(ratio >= (large ? 3 : 4.5)) || (colour[3] ?? 1) < 1) {
      const name = element.className?.baseVal ?? element.className;
      faults.push(`${element.localName}.${name} ${ratio.toFixed(2)}`);
    }
  }
  return [...new Set(faults)];
}"""
"""Elements whose text has less contrast on what is behind it than WCAG 2.2 asks at level AA (1.4.3)."""


def found(page: Page, count: int) -> list[str]:
    """Titles of the results, once there are so many."""
    expect(page.locator("#found")).to_have_text(f"{count} found")
    return page.locator("#results a").all_text_contents()
