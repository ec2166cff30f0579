"""The seven promises by their names: what must hold of a run after every step, whatever the step was.

What only the moment of a step can tell, the oracle notes under the promise's number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.domain.ledger import LedgerEntry
from handlers.domain.paper import TERMINAL
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.ports import Ledger, ObjectStore
from tests.faults.oracle import Oracle

_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")


@dataclass(frozen=True)
class Standing:
    """A run as ledger and parts have it; what the oracle says of it, and the API's bill in nano-USD."""

    run_id: str
    sources: Mapping[str, dict[str, Any]]
    papers: int
    ledger: Ledger
    rows: Mapping[str, LedgerEntry]
    lines: Mapping[str, PartLine]
    oracle: Oracle
    bill: int
    has_dead: bool
    """Whether a job died whose end nobody has booked yet."""


def standing_of(run_id: str, *, ledger: Ledger, store: ObjectStore, oracle: Oracle, **more: Any) -> Standing:
    rows = {row.paper_id: row for row in ledger.entries(run_id)}
    lines = {}
    for row in rows.values():
        if (where := row.pointer) is not None:
            lines[row.paper_id] = decode(store.read(where.key, where.offset, where.length), where)
    return Standing(run_id=run_id, ledger=ledger, rows=rows, lines=lines, oracle=oracle, **more)


def promise_1_every_paper_ends_in_one_state(run: Standing) -> None:
    """Counts add up to the corpus, and a paper that ended stays as it ended."""
    assert not run.oracle.broken[1]
    expected = {paper: state for (name, paper), state in run.oracle.papers.items() if name == run.run_id}
    assert {
        key: (row.generation, row.status, row.weight, row.error) for key, row in run.rows.items()
    } == expected
    counts = run.ledger.totals(run.run_id).counts
    assert sum(counts.values()) == run.papers
    assert {s: n for s, n in counts.items() if s in TERMINAL and n} == run.oracle.counts(run.run_id)


def promise_2_nothing_is_paid_twice(run: Standing) -> None:
    """No call asks for what the ledger has: the oracle looks at the moment of each."""
    assert not run.oracle.broken[2]


def promise_3_every_dollar_is_counted(run: Standing) -> None:
    """Each call is booked, what nobody knows of at its estimate; and what that may cost beyond it is held."""
    assert not run.oracle.broken[3]
    money, calls = run.ledger.budget_state(run.run_id), run.ledger.totals(run.run_id).calls
    assert money.spend == run.oracle.spend(run.run_id)
    assert calls.cost == money.spend
    if not run.has_dead:
        assert money.spend - calls.indeterminate <= run.bill <= money.spend + money.held


def promise_4_the_budget_holds_over_the_fleet(run: Standing) -> None:
    """Reserved before, settled after, and given back."""
    assert not run.oracle.broken[4]
    money = run.ledger.budget_state(run.run_id)
    assert money.drawn == run.oracle.drawn(run.run_id)
    assert money.held == run.oracle.held(run.run_id)
    assert run.bill <= money.drawn, "a call was sent without a reservation"
    assert money.budget is None or money.drawn <= money.budget
    if not run.has_dead:
        assert money.drawn == money.spend + money.held, "nothing is outstanding"


def promise_5_the_mathematics_is_exact(run: Standing) -> None:
    """Every formula of a done paper stands in it as often as in its source, byte for byte."""
    for line in run.lines.values():
        if line.status == "done":
            for field in ("title", "abstract"):
                wanted, got = run.sources[line.id].get(field, ""), line.fields.get(field) or ""
                assert Counter(_FORMULA.findall(wanted)) == Counter(_FORMULA.findall(got))


def promise_6_a_result_is_durable_before_the_ledger_says_so(run: Standing) -> None:
    """What the ledger points at was written before, and is what it says."""
    assert not run.oracle.broken[6]
    for row in run.rows.values():
        assert row.pointer is not None or row.status == "pending"
    for paper_id, line in run.lines.items():
        assert (line.id, line.status) == (paper_id, run.rows[paper_id].status)


def promise_7_bad_input_never_stops_a_run(run: Standing) -> None:
    """Each paper that was not translated says why; a stranger's message makes no run and ends no job."""
    assert not run.oracle.broken[7]
    for paper_id, line in run.lines.items():
        assert line.status not in ("flagged", "failed") or run.rows[paper_id].error
        assert line.status != "skipped" or line.reason
    assert run.ledger.run(run.run_id).run_id == run.run_id
    assert all(".." not in name for name in run.ledger.run_ids())


PROMISES = (
    promise_1_every_paper_ends_in_one_state,
    promise_2_nothing_is_paid_twice,
    promise_3_every_dollar_is_counted,
    promise_4_the_budget_holds_over_the_fleet,
    promise_5_the_mathematics_is_exact,
    promise_6_a_result_is_durable_before_the_ledger_says_so,
    promise_7_bad_input_never_stops_a_run,
)
