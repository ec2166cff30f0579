"""The front page of a review site: flagged papers first, the newest, and how to get to a page."""

from __future__ import annotations

import pytest

from handlers.domain.result import Check
from handlers.reporting.review.front import SHOWN_FLAGGED, SHOWN_NEWEST, Front, chosen_pages
from tests.builders.reviewed_run import review_paper


def test_flagged_papers_come_in_their_order_with_the_checks_that_failed() -> None:
    front, failed = Front(), Check(name="numbers", verdict="fail")
    checks = (failed, Check(name="echo", verdict="warn"))
    for number in range(1, 2 * SHOWN_FLAGGED + 1):
        page = 1 + number // 10
        front.add(page, number, review_paper(f"p{number}"))
        front.add(page, 100 + number, review_paper(f"f{number}", status="flagged", checks=checks))
    assert [each.id for each in front.flagged] == [f"f{number}" for number in range(1, SHOWN_FLAGGED + 1)]
    assert (front.flagged[0].href, front.flagged[0].checks) == ("pages/0001.html#p101", ("numbers",))
    assert front.choices.statuses == {"done": 2 * SHOWN_FLAGGED, "flagged": 2 * SHOWN_FLAGGED}


def test_the_newest_have_the_latest_dates_and_strange_dates_are_none() -> None:
    front = Front()
    dates = [f"20{10 + number % 9:02d}-0{1 + number % 7}" for number in range(60)]
    for number, date in enumerate([*dates, "99999", "soon", None, "", "2018-02-01T10:00"], start=1):
        front.add(1, number, review_paper(f"p{number}", date=date))
    newest = front.newest()
    assert len(newest) == SHOWN_NEWEST
    assert [each.date for each in newest] == sorted([*dates, "2018-02-01"], reverse=True)[:SHOWN_NEWEST]
    same = [each.order for each in newest if each.date == newest[0].date]
    assert same == sorted(same, reverse=True)


@pytest.mark.parametrize("pages", [1, 2, 12, 13, 54, 1526, 40_000])
def test_a_dozen_pages_are_named_the_first_and_the_last_among_them(pages: int) -> None:
    chosen = chosen_pages(pages)
    assert (chosen[0], chosen[-1]) == (1, pages)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(12, pages)
