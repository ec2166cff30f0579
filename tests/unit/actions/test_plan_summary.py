"""What a session's plan says of its budget."""

from __future__ import annotations

import pytest

from handlers.actions.artifact_storage import gb_hours
from handlers.actions.collect import CollectedSession
from handlers.actions.session_plan import JobShare
from handlers.actions.summary import plan_summary
from handlers.domain.money import NANO, NanoUsd
from tests.builders.plans import session_plan
from tests.builders.reports import report


def summary(budget: int | None, spent: int = 0) -> str:
    return plan_summary(
        session_plan(budget=None if budget is None else budget * NANO, spent=NanoUsd(spent * NANO)), ""
    )


@pytest.mark.parametrize(
    ("budget", "spent", "said"),
    [
        (20, 0, "$20.00 of it are left, which covers about 50% of that; budget_usd 50.00 should last"),
        (20, 10, "$10.00 of it are left, which covers about 25% of that; budget_usd 60.00"),
        (20, 20, "covers about 0% of that; budget_usd 70.00"),
        (40, 0, ""),
        (None, 30, ""),
    ],
)
def test_a_plan_says_where_a_budget_ends_that_ends_before_the_papers(
    budget: int | None, spent: int, said: str
) -> None:
    told = summary(budget, spent)
    assert ("The budget ends first" in told) == bool(said)
    assert said in told


@pytest.mark.parametrize(("size", "warns"), [(0, False), (300_000_000, False), (1_250_000_000, True)])
def test_a_corpus_that_is_too_large_to_travel_is_told_where_it_need_not(size: int, warns: bool) -> None:
    said = plan_summary(session_plan(corpus_bytes=size), "")
    assert ("The corpus has 1,250 MB" in said) == warns
    assert ("`backend: aws`" in said) == warns


@pytest.mark.parametrize(
    ("corpus", "ledger", "pending", "hours"),
    [
        (10**9, 0, 1000, 24 * (3 * 5 + 30 + 90 * 2)),
        (10**9, 0, 0, 24 * (3 * 1 + 30 + 90 * 2)),
        (10**9, 10**8, 500, 24 * (3 * 3.5 + 30 + 90 * 2.1)),
        (0, 0, 1000, 0),
    ],
)
def test_a_plan_says_how_long_so_much_is_stored(corpus: int, ledger: int, pending: int, hours: float) -> None:
    plan = session_plan(corpus_bytes=corpus, ledger_bytes=ledger, papers=1000, pending=pending)
    assert gb_hours(plan) == pytest.approx(hours)
    assert (f"{hours:,.2f} GB-hours" in plan_summary(plan, "")) == bool(hours)


@pytest.mark.parametrize(
    ("papers", "tokens", "calls"),
    [(1, 400, 2), (1, 3_500, 5), (1, 640_000, 10), (40, 16_000, 10), (3, 900, 5), (1, 1, 2)],
)
def test_a_job_s_first_step_has_the_money_for_what_its_papers_ask_for(
    papers: int, tokens: int, calls: int
) -> None:
    """Two calls ahead for each of five workers, if so much is asked: a whole paper alone keeps all busy."""
    share = JobShare(
        job=1, batches=("b1",), papers=papers, tokens=tokens, budget=None, rpm=None, tpm=None, limit=None
    )
    assert session_plan(call=NanoUsd(100)).first_allowance(share) == 100 * calls


@pytest.mark.parametrize(
    ("progress", "answered", "goes_on", "said"),
    [
        (0, 0, False, "this session ended none"),
        (0, 7, True, "1 paper is pending, and 7 calls were answered: the next session goes on from there"),
        (3, 7, True, "the next session goes on with them"),
    ],
)
def test_a_session_that_ended_no_paper_is_followed_by_another_if_it_was_answered(
    progress: int, answered: int, goes_on: bool, said: str
) -> None:
    """A whole paper may take more than one session."""
    session = CollectedSession(session_plan(), report(state="active"), None, (), progress, 1, answered)
    assert session.go_on == goes_on
    assert said in session.verdict
