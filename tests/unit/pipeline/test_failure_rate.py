"""A broken prompt is noticed after tens of papers, a hard corpus never."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.call import CallTotals
from handlers.domain.paper import PaperStatus
from handlers.errors import UsageError
from handlers.pipeline.failure_rate import FailureRate, lower_bound
from handlers.reporting.plain import plain
from handlers.setting_sources import to_environment
from handlers.settings import load_settings
from tests.builders.values import part_line


def first_stop(rate: FailureRate, statuses: list[PaperStatus]) -> tuple[int, str] | None:
    """(papers ended, reason) when it says stop."""
    for number, status in enumerate(statuses, start=1):
        error = None if status == "done" else "placeholders"
        reason = rate.ended(part_line(f"p{number}", status, error=error))
        if reason is not None:
            return number, reason
    return None


def drawn(share: float, papers: int, seed: int) -> list[PaperStatus]:
    chance = random.Random(seed)
    return ["flagged" if chance.random() < share else "done" for _ in range(papers)]


def test_a_prompt_that_always_fails_is_stopped_after_twenty_papers_with_the_reason() -> None:
    stop = first_stop(FailureRate(0.05), ["flagged"] * 100)
    assert stop is not None
    papers, reason = stop
    assert papers == 20
    assert reason.startswith("failure_rate: 20 of the last 20 papers")
    for words in ("--max-failed 5%", "'placeholders'", "'p1'", "retry --failed --flagged"):
        assert words in reason


def test_the_reason_is_shown_to_its_end_which_is_the_command_to_give() -> None:
    rate = FailureRate(0.05)
    lines = (
        part_line(f"{n:02}" * 40, "flagged", error="quotes_source methods[].quote.text") for n in range(50)
    )
    reason = next(filter(None, map(rate.ended, lines)))
    assert plain(reason) == reason


@pytest.mark.parametrize("seed", range(5))
def test_four_times_the_limit_is_stopped_within_the_window(seed: int) -> None:
    stop = first_stop(FailureRate(0.05), drawn(0.20, 400, seed))
    assert stop is not None
    assert stop[0] <= 200


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_limit_is_never_stopped(seed: int) -> None:
    assert first_stop(FailureRate(0.05), drawn(0.025, 10_000, seed)) is None


def test_a_prompt_that_breaks_late_is_seen_within_the_window() -> None:
    stop = first_stop(FailureRate(0.05), ["done"] * 5_000 + ["failed"] * 200)
    assert stop is not None
    assert stop[0] <= 5_000 + 30


def test_papers_that_cost_no_call_and_retried_ones_say_nothing() -> None:
    rate = FailureRate(0.05)
    for number in range(100):
        assert rate.ended(part_line(f"s{number}", "skipped", calls=())) is None
        assert rate.ended(part_line(f"r{number}", "done", calls=(), reused_from="q/p")) is None
        assert rate.ended(part_line(f"f{number}", "flagged", generation=2)) is None
        assert rate.ended(part_line(f"q{number}", "pending")) is None


def test_whoever_goes_on_after_a_stop_gets_a_fresh_look() -> None:
    rate = FailureRate(0.05)
    assert first_stop(rate, ["failed"] * 20) is not None
    assert first_stop(rate, ["failed"] * 19) is None


def test_a_hundred_percent_never_stops() -> None:
    assert first_stop(FailureRate(1.0), ["failed"] * 500) is None


@given(st.integers(1, 500).flatmap(lambda papers: st.tuples(st.integers(0, papers), st.just(papers))))
def test_the_bound_lies_between_nothing_and_the_share(case: tuple[int, int]) -> None:
    bad, papers = case
    assert 0 <= lower_bound(bad, papers) <= bad / papers + 1e-12


@pytest.mark.parametrize(("given_text", "share"), [("5%", 0.05), ("0.05", 0.05), ("100%", 1.0), ("0%", 0.0)])
def test_the_setting_is_a_percentage_and_survives_the_way_to_a_job(given_text: str, share: float) -> None:
    settings = load_settings(max_failed=given_text)
    assert settings.max_failed == share
    assert load_settings(max_failed=to_environment(settings)["PAPERFLEET_MAX_FAILED"]) == settings


@pytest.mark.parametrize("given_text", ["5", "five", "5%%", "-1%", "101%", "nan"])
def test_what_is_no_share_is_refused_with_an_example(given_text: str) -> None:
    with pytest.raises(UsageError, match="such as 5%"):
        load_settings(max_failed=given_text)


def test_a_whole_paper_counts_by_the_calls_behind_it() -> None:
    """Its own line has none; nor has that of a paper that was taken over, which says nothing of the model."""
    for behind, papers in ((CallTotals(sent=9), 15 + 20), (None, 20)):
        rate = FailureRate(0.5)
        for number in range(15):
            assert rate.ended(part_line(f"p{number}", calls=(), behind=behind)) is None
        flagged = (rate.ended(part_line(f"f{n}", "flagged", error="numbers", calls=())) for n in range(50))
        reason = next(filter(None, flagged))
        assert int(reason.split(" of the last ")[1].split()[0]) >= papers
