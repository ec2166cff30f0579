"""The site of a run's papers, from real adapters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.domain.result import Check
from handlers.errors import UsageError
from handlers.reporting.review.links import review_links
from handlers.reporting.review.selection import ReviewPaper, Selection
from handlers.reporting.review.site import Site, write_site
from tests.builders.finished_run import RUN, FinishedRun, Outcome, finished_run
from tests.builders.reviewed_run import decide, papers


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    with finished_run(tmp_path_factory.mktemp("run"), papers(), decide) as made:
        yield made


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
    for path in (tmp_path / "site" / "pages").iterdir():
        text = path.read_text()
        assert ("not for publication" in text) == ('class="flagged"' in text), path
    assert "not for publication" in (tmp_path / "site" / "index.html").read_text()


def test_drafts_of_a_run_without_a_flagged_paper_warn_of_none(run: FinishedRun, tmp_path: Path) -> None:
    class Unflagged(Selection):
        def papers(self) -> Iterator[ReviewPaper]:
            return (paper for paper in super().papers() if paper.status == "done")

    write_site(Unflagged(RUN, run.ledger, run.store, True), tmp_path / "site")
    assert "not for publication" not in (tmp_path / "site" / "index.html").read_text()


def test_what_the_built_in_server_made_up_is_no_translation_by_whatever_name(
    run: FinishedRun, tmp_path: Path
) -> None:
    class MadeUp(Selection):
        def papers(self) -> Iterator[ReviewPaper]:
            return (replace(paper, made_up=True) for paper in super().papers())

    write_site(MadeUp(RUN, run.ledger, run.store, False), tmp_path / "site")
    for name in ("index.html", "pages/0001.html"):
        text = (tmp_path / "site" / name).read_text()
        assert "ade up by the built-in model server" in text, name
        assert "Machine translation by" not in text, name


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


def test_every_page_has_a_policy_that_lets_nothing_of_a_stranger_in(run: FinishedRun, tmp_path: Path) -> None:
    written(run, tmp_path / "site", drafts=True)
    pages = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert len(pages) > 2
    for text in pages:
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


def test_every_page_says_which_of_how_many_it_is(run: FinishedRun, tmp_path: Path) -> None:
    site, pages = written(run, tmp_path / "site")
    assert site.pages == 6
    told = re.findall(r"<h1>Page ([0-9]) of ([0-9]+) *</h1>", pages)
    assert told == [(str(number), "6") for number in range(1, 7)]


def test_the_front_page_begins_with_what_is_flagged(run: FinishedRun, tmp_path: Path) -> None:
    written(run, tmp_path / "site", drafts=True)
    front = (tmp_path / "site" / "index.html").read_text()
    places = [front.index(f'<section id="{name}"') for name in ("flagged", "find", "fields", "pages")]
    assert places == sorted(places)
    assert '<a href="pages/0001.html#p9" dir="auto">Study 10</a>' in front[places[0] : places[1]]
    assert '<a href="#field=physics" dir="auto">physics (30)</a>' in front
    assert '<a href="#check=numbers%20fail">numbers (6)</a>' in front
    assert len(re.findall(r'href="pages/[0-9]+\.html"', front)) == 7


def test_what_its_calls_did_wrong_stands_beside_the_checks_and_no_text_is_said(tmp_path: Path) -> None:
    nothing = Check(name="no_text", verdict="fail", detail="No answer had a text that could be read.")
    reason = f"no_text: {nothing.detail}; in its calls: json: The answer is not a JSON object."
    outcome = Outcome("flagged", {}, (nothing,), "no_text", reason)
    with finished_run(tmp_path / "state", papers(1), lambda *_: outcome) as made:
        _, pages = written(made, tmp_path / "site", drafts=True)
    assert '<p class="reason" dir="auto">in its calls: json: The answer is not a JSON object.</p>' in pages
    assert '<p class="muted none" lang="en">no text</p>' in pages


def test_whole_papers_are_drawn(tmp_path: Path) -> None:
    body = "# 引言\n\n在 $x^2$ 时\n\n<table><tr><td>甲</td></tr></table>"
    outcome = Outcome("done", {"title": "T", "body": "# Introduction\n\n- at $x^2$"})
    with finished_run(tmp_path / "state", [{**papers(1)[0], "body": body}], lambda *_: outcome) as made:
        _, pages = written(made, tmp_path / "site")
    for html in (
        "<h3>引言</h3>",
        "<table><tr><td>甲</td></tr></table>",
        "<h3>Introduction</h3>",
        "<ul><li>at <math",
    ):
        assert html in pages


def test_the_page_of_a_run_finds_its_papers_on_the_site(run: FinishedRun, tmp_path: Path) -> None:
    written(run, tmp_path / "my site", drafts=True)
    page, ids = tmp_path / "reports" / "june.html", {"paper-001", "paper-024", "paper-101", "nobody"}
    assert review_links(tmp_path / "my site", RUN, ids, page=page) == {
        "paper-001": "../my%20site/pages/0001.html#p1",
        "paper-024": "../my%20site/pages/0003.html#p23",
    }
    assert review_links(tmp_path / "my site", "another", ids, page=page) == {}
    assert review_links(tmp_path / "nothing", RUN, ids, page=page) == {}
    (tmp_path / "my site" / "search" / "0000.js").write_text("broken")
    assert review_links(tmp_path / "my site", RUN, ids, page=page) == {}
