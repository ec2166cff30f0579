"""What the rest of a run takes, by the sizes of the papers that are left."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.ledger import BatchFigures
from handlers.domain.money import NanoUsd
from handlers.reporting.projection import project, project_run
from tests.builders import values
from tests.builders.examples import fewer

SIZES = [int(2000 * 0.99**n) + 10 for n in range(500)]
"""Tokens of a paper of each batch, the heaviest first."""


def cost_of(size: float) -> float:
    return 80_000 + 900 * size


def half_done(share: float, *, bend: float = 1.0, skipped: int = 0) -> Iterator[BatchFigures]:
    """Batches of twenty, of which the first part is settled; then papers that need no call."""
    for n, size in enumerate(SIZES):
        settled = 20 if n < share * len(SIZES) else 0
        cost = settled * cost_of(size**bend)
        yield BatchFigures(20 * size, 20, settled, NanoUsd(round(cost)), settled, 1000 * settled)
    for _ in range(skipped):
        yield BatchFigures(0, 20, 0, NanoUsd(0), 0, 0)


@pytest.mark.parametrize("skipped", [0, 400])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.99])
def test_what_is_left_is_lighter_than_what_was_and_skipped_papers_are_nothing(
    share: float, skipped: int
) -> None:
    rest = project(half_done(share, skipped=skipped)).rest
    left = SIZES[math.ceil(share * len(SIZES)) :]
    assert rest.cost == pytest.approx(20 * sum(map(cost_of, left)), rel=1e-3)
    assert (rest.papers, round(rest.calls), round(rest.seconds)) == (20 * len(left), *(20 * len(left),) * 2)


def test_a_growth_that_bends_is_met_within_the_promise() -> None:
    truth = 20 * sum(cost_of(size**0.93) for size in SIZES)
    for share, within in ((0.1, 0.10), (0.3, 0.04), (0.6, 0.02)):
        batches = list(half_done(share, bend=0.93))
        whole = sum(batch.cost for batch in batches) + project(batches).rest.cost
        assert whole == pytest.approx(truth, rel=within)


def test_nothing_is_known_before_a_paper_that_needs_a_call_is_done() -> None:
    waits, skipped = BatchFigures(100, 2, 0, NanoUsd(0), 0, 0), BatchFigures(0, 3, 3, NanoUsd(0), 0, 0)
    projection = project([waits, skipped])
    assert (projection.known, projection.rest.papers, projection.rest.cost) == (False, 2, 0)
    assert project([]).rest.papers == 0


def test_results_that_are_taken_over_at_once_say_nothing_of_the_papers_that_wait() -> None:
    ended = BatchFigures(2000, 20, 20, NanoUsd(10_000), 10, 5000)
    taken_up = BatchFigures(2000, 20, 10, NanoUsd(0), 0, 0)
    waits = BatchFigures(2000, 20, 0, NanoUsd(0), 0, 0)
    projection = project([ended, ended, taken_up, waits])
    rest = projection.rest
    assert (rest.papers, round(rest.cost), round(rest.calls), round(rest.seconds, 6)) == (15, 15_000, 15, 7.5)


def test_a_budget_covers_the_heaviest_papers_first() -> None:
    projection = project(half_done(0.2))
    paid = projection.within(projection.rest.cost / 2).rest
    assert paid.cost == pytest.approx(projection.rest.cost / 2)
    assert 0.2 * projection.rest.papers < paid.papers < 0.45 * projection.rest.papers
    assert projection.within(2 * projection.rest.cost) == projection
    assert projection.within(-5).rest.papers == 0


def test_papers_of_one_size_cost_what_they_have_cost() -> None:
    one = BatchFigures(2000, 20, 10, NanoUsd(1000), 10, 500)
    rest = project([one, one]).rest
    assert (rest.papers, round(rest.cost), round(rest.seconds, 6)) == (20, 2000, 1.0)


def test_seconds_go_with_the_answers_length_and_bend_with_the_papers_as_it_does() -> None:
    batches = list(half_done(0.2, bend=0.8))
    timed = [batch._replace(busy_ms=batch.settled * 300 + batch.cost // 1000) for batch in batches]
    truth = sum(20 * (300 + cost_of(size**0.8) / 1000) for size in SIZES[math.ceil(0.2 * len(SIZES)) :])
    assert project(timed).rest.seconds == pytest.approx(truth / 1000, rel=0.06)
    free = project([batch._replace(cost=NanoUsd(0)) for batch in timed]).rest
    assert free.seconds > project(timed).rest.seconds, "by the tokens, where nothing has a price"


@pytest.mark.parametrize(("workers", "papers"), [(20, 240), (40, 200), (80, 400)])
def test_the_end_is_that_of_workers_who_end_one_by_one(workers: int, papers: int) -> None:
    """List schedules of papers that come heaviest first: seconds left from a third of the papers on."""
    errors = []
    for seed in range(6):
        chance = random.Random(seed)
        ends, busy, order = [0.0] * workers, {}, []
        for n in range(papers):
            size = 20_000 * 0.3 ** (n / papers)
            seconds = size / 1000 * math.exp(chance.gauss(-0.02, 0.2))
            began = heapq.heappop(ends)
            heapq.heappush(ends, began + seconds)
            order.append((began + seconds, n))
            busy[n] = (size, seconds)
        now = sorted(order)[papers // 3][0]
        done = {n for end, n in order if end <= now}
        projection = project(
            BatchFigures(round(size), 1, 1, NanoUsd(round(900 * size)), 1, round(1000 * seconds))
            if n in done
            else BatchFigures(round(size), 1, 0, NanoUsd(0), 0, 0)
            for n, (size, seconds) in busy.items()
        )
        errors.append((now + projection.wall(workers)) / max(ends) - 1)
    assert abs(mean(errors)) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_the_end_of_whole_papers_is_that_of_passages(seed: int) -> None:
    """A paper takes more or less than its size says because of all its passages, not of one of them."""
    chance, workers, papers = random.Random(seed), 40, 120
    ends, order = [0.0] * workers, []
    for n in range(papers):
        size = 20_000 * 0.2 ** (n / papers)
        each = 2.5 * math.exp(chance.gauss(-0.02, 0.2))
        passages = [each * math.exp(chance.gauss(-0.02, 0.2)) for _ in range(round(size / 1000))]
        began = [heapq.heapreplace(ends, ends[0] + seconds) for seconds in passages]
        order.append((max(map(sum, zip(began, passages, strict=True))), size, len(passages), sum(passages)))
    now = sorted(order)[papers // 3][0]
    projection = project(
        BatchFigures(round(size), 1, 1, NanoUsd(round(900 * size)), calls, round(1000 * seconds))
        if end <= now
        else BatchFigures(round(size), 1, 0, NanoUsd(0), 0, 0)
        for end, size, calls, seconds in order
    )
    assert (now + projection.wall(workers)) / max(ends) == pytest.approx(1, abs=0.04)


def test_papers_in_hand_that_have_cost_more_than_all_was_to_cost_leave_it_unknown() -> None:
    first = project([BatchFigures(80, 1, 1, NanoUsd(4), 1, 400), BatchFigures(800, 10, 0, NanoUsd(0), 0, 0)])
    assert first.less_told(44).known
    assert not first.less_told(100).known


def test_what_whole_papers_in_hand_have_cost_finishes_no_run_twice(tmp_path: Path) -> None:
    """Wherever a number is told that finishes a run."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.add_batches([values.batch("b1", ("p0", "p1"))])
    for full_text, left in ((False, 50), (True, 20)):
        record = values.run_record(papers=2, full_text=full_text)
        assert project_run(ledger, record, 30, (25.0, 0.0)).rest.cost == left
    ledger.close()


def test_what_whole_papers_in_hand_have_cost_already_is_not_projected_again() -> None:
    """A paper of ten passages costs ten; of the three that wait, one has eight of them behind it."""
    ended, waits = BatchFigures(8000, 4, 4, NanoUsd(40), 40, 4000), BatchFigures(6000, 3, 0, NanoUsd(0), 0, 0)
    whole = project([ended, waits])
    rest = whole.less_told(48).rest
    assert (whole.rest.cost, rest.cost, rest.calls) == (30, 22, pytest.approx(22))
    assert (rest.papers, rest.seconds) == (3, pytest.approx(2.2))
    assert whole.less_told(0) == whole
    assert whole.less_told(10**9).rest.cost == 0
    assert whole.wall(4) < whole.wall(2) < whole.wall(1), "passages are what workers take"


def test_sizes_are_few_however_many_batches_there_are() -> None:
    chance = random.Random(1)
    batches = (
        BatchFigures(chance.randrange(1, 10**6), chance.randrange(1, 20), 0, NanoUsd(0), 0, 0)
        for _ in range(5_000)
    )
    assert len(project(batches).sizes) < 250


figures = st.builds(
    lambda tokens, papers, part, cost, calls, busy: BatchFigures(
        tokens, papers, round(part * papers), NanoUsd(cost), calls, busy
    ),
    st.integers(0, 10**9),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.integers(0, 10**15),
    st.integers(0, 10**6),
    st.integers(0, 10**12),
)


@fewer(4)
@given(st.lists(figures, max_size=12), st.floats(0, 1e18))
def test_whatever_the_batches_say_the_rest_is_a_number_and_no_less_than_nothing(
    batches: list[BatchFigures], budget: float
) -> None:
    projection = project(batches)
    for each in (projection, projection.within(budget)):
        assert all(0 <= value < math.inf for value in vars(each.rest).values())
        assert 0 <= each.wall(100) < math.inf
        assert 0 <= each.luck(100) < math.inf
