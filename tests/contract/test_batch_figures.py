"""``Ledger.batch_figures``: what each batch takes and has taken, of which a run's rest is reckoned."""

from __future__ import annotations

from handlers.ports import Ledger
from tests.builders import values
from tests.builders.values import call, commit, entry

RUN = "figures"


def _made(ledger: Ledger) -> None:
    ledger.add_batches(
        [
            values.batch("b1", ["p1", "p2"], weights=(3, 1), tokens=900, run_id=RUN),
            values.batch("b2", ["p3"], tokens=40, run_id=RUN),
        ]
    )
    ledger.create_run(values.run_record(RUN, papers=5, same_as=2))


def test_a_batch_tells_tokens_and_papers_before_anything_is_done(ledger: Ledger) -> None:
    _made(ledger)
    assert list(ledger.batch_figures(RUN)) == [(900, 2, 0, 0, 0, 0), (40, 1, 0, 0, 0, 0)]
    assert list(ledger.batch_figures("another")) == []


def test_settled_papers_count_once_with_all_that_they_cost(ledger: Ledger) -> None:
    _made(ledger)
    ledger.commit(
        [
            commit(
                entry("p1", "pending", cost=300, calls=1, busy_ms=20),
                batch_id="b1",
                run_id=RUN,
                calls=[call("a")],
            )
        ]
    )
    assert next(ledger.batch_figures(RUN)) == (900, 2, 0, 0, 0, 0)
    first = commit(entry("p1", cost=200, calls=2, busy_ms=7, weight=3), batch_id="b1", run_id=RUN, part="2")
    ledger.commit([first, first])
    ledger.commit([commit(entry("p1", cost=9, busy_ms=9), batch_id="b1", run_id=RUN, part="3", job="late")])
    ledger.commit([commit(entry("p3", "skipped"), batch_id="b2", run_id=RUN, part="4")])
    assert list(ledger.batch_figures(RUN)) == [(900, 2, 1, 500, 3, 27), (40, 1, 1, 0, 0, 0)]


def test_a_paper_that_is_reopened_is_settled_no_more(ledger: Ledger) -> None:
    _made(ledger)
    ledger.commit(
        [
            commit(
                entry("p1", "flagged", cost=200, calls=2, busy_ms=7, weight=3),
                entry("p2", cost=100, calls=1, busy_ms=3),
                batch_id="b1",
                run_id=RUN,
            )
        ]
    )
    ledger.reopen(RUN, statuses=["flagged"], error=None)
    assert next(ledger.batch_figures(RUN)) == (900, 2, 1, 100, 1, 3)
    again = entry("p1", generation=2, cost=50, calls=1, busy_ms=2, weight=3)
    ledger.commit([commit(again, batch_id="b1", run_id=RUN, part="2")])
    assert next(ledger.batch_figures(RUN)) == (900, 2, 2, 350, 4, 12)
