"""The review site: static pages of papers side by side with their translations, and a search index.

Pages and index are written while the papers stream by, so memory does not grow with their number.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from handlers.atomic_file import replacing_folder
from handlers.errors import UsageError
from handlers.extras import load
from handlers.reporting.page.html import environment, page_style
from handlers.reporting.review.body_rows import BLOCKS_PER_PAGE, body_pages
from handlers.reporting.review.front import Front, chosen_pages
from handlers.reporting.review.highlighting import to_marked_html
from handlers.reporting.review.links import MARKER, body_name, marker, page_name
from handlers.reporting.review.search_index import SearchIndex
from handlers.reporting.review.selection import ReviewPaper, Selection

PAPERS_PER_PAGE = 20
_TOTAL = "of&#32;the&#32;last"
"""Stands for the number of pages until it is known: as long as any number that it becomes."""
_HEAD = 8_192
"""Bytes of a page within which it stands."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Site:
    """What was written. ``left_out``: reason → papers that are not on the site."""

    papers: int
    pages: int
    left_out: dict[str, int]


def write_site(
    selection: Selection,
    output: Path,
    *,
    per_page: int = PAPERS_PER_PAGE,
    on_page: Callable[[int], None] = lambda _papers: None,
) -> Site:
    """Write the site in place of what was there; UsageError if that is not an earlier review site.

    The folder appears whole: nothing of an earlier site stays behind in it. ``on_page`` hears after each
    page how many papers are written.
    """
    _refuse_strangers(output)
    with replacing_folder(output) as scratch:
        return _Writer(selection, scratch, per_page, on_page).write()


def _refuse_strangers(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: that is a file; give a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / MARKER).is_file():
        raise UsageError(
            f"--output {output}: the folder has other files in it, which would be lost; give a new one"
        )


class _Writer:
    def __init__(
        self, selection: Selection, folder: Path, per_page: int, on_page: Callable[[int], None]
    ) -> None:
        self._selection = selection
        self._folder = folder
        self._per_page = per_page
        self._on_page = on_page
        self._jinja = environment()
        self._markup = load("markupsafe", extra="report").Markup
        self._front_page = Front()
        self._index = SearchIndex(folder / "search")
        self._papers = 0
        self._pages = 0
        self._made_up = False

    def write(self) -> Site:
        for name in ("pages", "search", "assets"):
            (self._folder / name).mkdir(parents=True)
        self._assets()
        page: list[tuple[int, ReviewPaper]] = []
        for number, paper in zip(count(1), self._selection.papers(), strict=False):
            if len(page) == self._per_page:
                self._page(page, more=True)
                page = []
            self._made_up = self._made_up or paper.made_up
            page.append((number, self._with_body(number, paper)))
            self._papers = number
            self._front_page.add(self._pages + 1, number, paper)
            self._index.add(self._pages + 1, number, paper)
        if page:
            self._page(page, more=False)
        self._index.close()
        self._tell_total()
        self._front()
        return Site(self._papers, self._pages, dict(self._selection.left_out))

    def _assets(self) -> None:
        templates = Path(__file__).parents[1] / "templates"
        (self._folder / MARKER).write_text(marker(self._selection.run_id), encoding="utf-8")
        (self._folder / "assets" / "site.css").write_text(page_style("review.css"), encoding="utf-8")
        for name in ("review.js", "search.js"):
            shutil.copyfile(templates / name, self._folder / "assets" / name)

    def _page(self, papers: list[tuple[int, ReviewPaper]], *, more: bool) -> None:
        self._pages += 1
        self._render(
            "review_page.html",
            self._folder / "pages" / page_name(self._pages),
            papers=papers,
            page=self._pages,
            total=self._markup(_TOTAL),
            before=page_name(self._pages - 1) if self._pages > 1 else None,
            after=page_name(self._pages + 1) if more else None,
        )
        self._on_page(papers[-1][0])

    def _with_body(self, number: int, paper: ReviewPaper) -> ReviewPaper:
        """Write the pages of its body, if it has some; the paper comes back without their texts."""
        if paper.whole is None:
            return paper
        (self._folder / "bodies").mkdir(exist_ok=True)
        for page in body_pages(paper.whole):
            at, last = page.number, page.last
            self._render(
                "review_body.html",
                self._folder / "bodies" / body_name(number, at),
                paper=paper,
                back=f"{page_name(self._pages + 1)}#p{number}",
                body=page,
                before=body_name(number, at - 1) if at > 1 else None,
                after=body_name(number, at + 1) if at < last else None,
                jumps=[
                    (block, f"{body_name(number, block // BLOCKS_PER_PAGE + 1)}#b{block}")
                    for block in page.refused
                ],
            )
        return replace(paper, whole=paper.whole.told())

    def _tell_total(self) -> None:
        """Each page was written before their number was known: it is put into its place."""
        total = f"of {self._pages:,}".ljust(len(_TOTAL)).encode()
        for number in range(1, self._pages + 1):
            with (self._folder / "pages" / page_name(number)).open("r+b") as file:
                file.seek(file.read(_HEAD).index(_TOTAL.encode()))
                file.write(total)

    def _front(self) -> None:
        front = self._front_page
        self._render(
            "review_index.html",
            self._folder / "index.html",
            papers=self._papers,
            pages=[(number, page_name(number)) for number in chosen_pages(self._pages)],
            last=self._pages,
            per_page=self._per_page,
            row_files=self._index.row_files,
            word_files=" ".join(self._index.word_files),
            choices=front.choices,
            drawn=to_marked_html,
            flagged=front.flagged,
            newest=front.newest(),
            left_out=self._selection.left_out,
        )

    def _render(self, template: str, path: Path, **values: Any) -> None:
        spec = self._selection.ledger.run(self._selection.run_id).spec
        page = self._jinja.get_template(template).stream(
            run_id=self._selection.run_id,
            target=spec.target_language,
            model=spec.model,
            drafts=self._selection.drafts,
            made_up=self._made_up,
            policy=POLICY,
            body_name=body_name,
            view=self._selection.view,
            **values,
        )
        with path.open("w", encoding="utf-8") as file:
            page.dump(file)
