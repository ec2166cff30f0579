"""A whole paper's body on pages of its own: block beside block, and what became of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.domain.coverage import Coverage
from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.reporting.review import body_rows
from handlers.reporting.review import site as site_module
from handlers.reporting.review.body_rows import BodyRow, ReviewBody, body_pages
from handlers.reporting.review.selection import Selection
from handlers.reporting.review.site import write_site
from tests.builders.finished_run import RUN, Outcome, finished_run
from tests.builders.growth import assert_linear, repeated
from tests.builders.reviewed_run import HOSTILE, papers
from tests.builders.whole_bodies import BODY, whole_body

NUMBERS = Check(
    name="numbers",
    verdict="fail",
    detail='In "body/1" numbers of the source are missing or changed: 12. In "body/8/2" the same: 3.',
)


def whole(body: str = BODY, *, refused: tuple[str, ...] = (), checks: tuple[Check, ...] = ()) -> ReviewBody:
    made = whole_body(body, refused=refused)
    return ReviewBody(body, made.body, made.ends, made.coverage, checks, "zh")


def rows(paper: ReviewBody) -> list[BodyRow]:
    return [row for page in body_pages(paper) for row in page.rows]


def test_each_block_stands_beside_its_translation_and_kept_ones_name_their_rule() -> None:
    found = rows(whole())
    assert [row.kept for row in found] == [
        "", "", "mathematics", "", "", "", "image", "", "", "other_language", "", "reference"
    ]  # fmt: skip
    assert (found[0].source, found[0].result) == ("<h3>1 引言</h3>", "<h3>1 words</h3>")
    assert found[1].source.count("<math") == found[1].result.count("<math") == 1
    assert found[2].source == found[2].result
    assert "<table>" in found[8].result
    assert '<td rowspan="2">words</td>' in found[8].result
    assert "1&lt;V" in found[8].result
    assert [row.number for row in found] == list(range(12))


def test_what_was_refused_is_told_by_whom_and_of_a_table_in_which_cell() -> None:
    found = rows(whole(refused=("body/1", "body/8/2"), checks=(NUMBERS,)))
    assert found[1].refused == ("refused by numbers",)
    assert found[8].refused == ("refused by numbers: “假手术组”",)
    assert '共有<mark data-check="numbers" title="numbers">12</mark>组' in found[1].source
    assert [row.number for row in found if row.refused] == [1, 8]


def test_what_failed_says_so_and_many_cells_are_not_all_listed() -> None:
    cells = "".join(f"<tr><td>组别{chr(0x4E00 + n)}</td></tr>" for n in range(30))
    made = whole(f"<table>{cells}</table>")
    keys = tuple(f"body/0/{n}" for n in range(30))
    failed = ReviewBody(made.source, made.result, made.ends, Coverage(failed=keys), (), "zh")
    (row,) = rows(failed)
    assert row.refused[0] == "failed: “组别一”"
    assert row.refused[-1] == "and 24 more"


def test_a_block_that_became_another_is_named_by_the_check_of_the_whole_paper() -> None:
    detail = "The joined body has another structure than its source at body/3, body/5, body/900."
    found = rows(whole(checks=(Check(name="structure", verdict="fail", detail=detail),)))
    assert [row.number for row in found if row.refused == ("refused by structure",)] == [3, 5]


def test_ends_of_another_version_are_read_section_beside_section() -> None:
    made = whole()
    for ends in ((), made.ends[:-1], made.ends[::-1]):
        other = ReviewBody(made.source, made.result, ends, made.coverage, (), "zh")
        shown = "".join(row.source for row in rows(other))
        assert "<h3>1 引言</h3>" in shown
        assert "张三" in shown


def test_what_stands_behind_the_last_block_is_not_out_of_sight() -> None:
    made = whole()
    more = ReviewBody(made.source, made.result + "\n\nmore", made.ends, made.coverage, (), "zh")
    assert (rows(more)[-1].source, rows(more)[-1].result) == ("", "<p>more</p>")


def test_a_long_body_has_pages_and_says_where_something_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_rows, "BLOCKS_PER_PAGE", 5)
    body = "\n\n".join(f"第{n}段" for n in range(11))
    pages = list(body_pages(whole(body, refused=("body/0", "body/7"))))
    assert [(page.number, page.last) for page in pages] == [(1, 3), (2, 3), (3, 3)]
    assert [len(page.rows) for page in pages] == [5, 5, 1]
    assert pages[0].refused == (0, 7)


STRANGE = re.compile(
    r"<(?!/?(?:p|h[3-6]|ul|ol|li|em|strong|code|pre|a|br|hr|div|span|mark|m[a-z]+|blockquote|table|t[rdh]"
    r"|thead|tbody)\b)"
)
"""An element that is none of those that are drawn."""


@given(st.text(), st.text(), st.lists(st.integers(-5, 60)), st.lists(st.text(max_size=9), max_size=3))
@settings(max_examples=15)
def test_any_body_answer_and_verdict_are_only_text(
    body: str, result: str, ends: list[int], keys: list[str]
) -> None:
    checks = (Check(name="x", verdict="fail", detail=f'In "body/0" {result}'),)
    made = ReviewBody(body, result, tuple(ends), Coverage(flagged=tuple(keys)), checks, "zh")
    for row in rows(made):
        for side in (row.source, row.result):
            assert not STRANGE.search(side)


@pytest.mark.parametrize("piece", ["$$\n", "<table><tr><td>", "> ", "- 甲\n", "|甲|乙|\n", "⟦1⟧ 甲\n\n"])
def test_hostile_bodies_take_time_that_grows_with_their_length(piece: str) -> None:
    def draw(body: str) -> None:
        for _ in body_pages(ReviewBody(body, body, (), Coverage(), (), "zh")):
            pass

    assert_linear(repeated(piece), draw, size=4_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of pages of fifteen blocks."""
    folder = tmp_path_factory.mktemp("bodies")
    long = "\n\n".join(f"第{n}段{HOSTILE}" for n in range(18))
    bodies = {"paper-001": BODY, "paper-002": long}
    source = [{**paper, "body": bodies.get(paper["id"])} for paper in papers(3)[:3]]

    def decide(paper: Paper, _number: int) -> Outcome:
        fields = {"title": "T", "abstract": "A", "keywords": ["k"]}
        if paper.body is None:
            return Outcome("done", fields)
        refused = {"body/16"} if paper.body == long else set()
        status = "flagged" if refused else "done"
        return Outcome(status, fields, (), "numbers", whole=whole_body(paper.body, refused=refused))

    with pytest.MonkeyPatch.context() as patch, finished_run(folder / "state", source, decide) as run:
        for module in (body_rows, site_module):
            patch.setattr(module, "BLOCKS_PER_PAGE", 15)
        write_site(Selection(RUN, run.ledger, run.store, drafts=True), folder / "site")
    return folder / "site"


def test_a_paper_leads_to_its_body_and_back(site: Path) -> None:
    page = (site / "pages" / "0001.html").read_text()
    assert '<a href="../bodies/1.html">Whole paper</a>: 9 segments translated, 4 blocks kept' in page
    assert "whole-text" not in page
    assert sorted(path.name for path in (site / "bodies").iterdir()) == ["1.html", "2-2.html", "2.html"]
    assert 'href="../pages/0001.html#p2"' in (site / "bodies" / "2-2.html").read_text()
    first = (site / "bodies" / "2.html").read_text()
    assert '<a href="2-2.html#b16">block 17</a>' in first
    assert '<a rel="next" href="2-2.html">' in first
    assert '<p class="rule" lang="en">kept: other language</p>' in (site / "bodies" / "1.html").read_text()


def test_every_page_of_a_body_has_the_policy_and_no_script_of_a_stranger(site: Path) -> None:
    for path in (site / "bodies").iterdir():
        text = path.read_text()
        assert text.count("Content-Security-Policy") == 1
        assert text.count("<script") == 1
        assert "<img" not in text
