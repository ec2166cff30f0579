"""Parts that are durable and not booked: the batch's next holder books them, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.part_lines import encode
from handlers.domain.result import PartLine
from handlers.pipeline.deliveries.adopted_parts import adopt_parts
from handlers.ports import Backend
from tests.builders import values
from tests.builders.values import RUN, call, part_line

FOLDER = f"runs/{RUN}/results/b1/"
MESSAGE = values.batch("b1", ["p1", "p2"], weights=(3, 1))


class Store(dict[str, bytes]):
    """Objects by key."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        return (key for key in sorted(super().keys()) if key.startswith(prefix))

    def lines(self, key: str) -> Iterator[bytes]:
        yield from self[key].splitlines(keepends=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    ledger.add_batches([MESSAGE])
    ledger.create_run(values.run_record(papers=4))
    ledger.start_job(values.job("job-a"))
    yield ledger
    ledger.close()


def adopt(ledger: SqliteLedger, store: Store, epoch: int = 2) -> int:
    backend: Backend = values.backend(ledger=ledger, store=store)
    return adopt_parts(backend, MESSAGE, epoch)


def content(*lines: PartLine) -> bytes:
    return b"".join(map(encode, lines))


def test_a_part_that_nobody_booked_is_booked_once_with_its_papers_answers_and_money(
    ledger: SqliteLedger,
) -> None:
    unfinished = part_line("p2", "pending", calls=(call("c2", cost=500),), fields={})
    store = Store({f"{FOLDER}1-job-a-1.jsonl.gz": content(part_line("p1"), unfinished)})
    assert adopt(ledger, store) == 1
    assert adopt(ledger, store) == 0
    totals = ledger.totals(RUN)
    assert (totals.counts["done"], totals.calls.sent, totals.calls.cost) == (3, 2, 1500)
    assert list(ledger.answers(RUN, "b1")) == ["p2"]
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    assert row.pointer is not None and row.pointer.key == f"{FOLDER}1-job-a-1.jsonl.gz"


def test_the_job_that_wrote_it_and_comes_back_books_nothing_twice(ledger: SqliteLedger) -> None:
    store = Store({f"{FOLDER}1-job-a-1.jsonl.gz": content(part_line("p1"))})
    adopt(ledger, store)
    ledger.commit([values.commit(values.entry("p1", cost=1000), calls=[call("call-p1")])])
    assert ledger.totals(RUN).calls.cost == 1000


@pytest.mark.parametrize(
    "key",
    [
        f"{FOLDER}2-job-a-1.jsonl.gz",
        f"{FOLDER}1-job-a-1.jsonl",
        f"{FOLDER}job-a-1.jsonl.gz",
        f"{FOLDER}1-job-a.jsonl.gz",
        f"{FOLDER}deep/1-job-a-1.jsonl.gz",
        f"runs/{RUN}/results/b12/1-job-a-1.jsonl.gz",
        "runs/other/results/b1/1-job-a-1.jsonl.gz",
    ],
)
def test_what_is_no_earlier_holders_part_of_the_batch_is_left_alone(ledger: SqliteLedger, key: str) -> None:
    assert adopt(ledger, Store({key: content(part_line("p1"))})) == 0
    assert ledger.totals(RUN).calls.sent == 0


def test_damaged_and_foreign_lines_are_left_out_and_hold_up_no_others(ledger: SqliteLedger) -> None:
    foreign = part_line("p2", run_id="other"), part_line("p2", batch_id="b2")
    lines = content(*foreign) + b"{broken\n" + content(part_line("p1"), part_line("unknown"))
    store = Store({
        f"{FOLDER}1-job-a-1.jsonl.gz": lines,
        f"{FOLDER}1-job-a-2.jsonl.gz": b"\x00",
        f"{FOLDER}1-job-b-1.jsonl.gz": content(part_line("p2", calls=(call("x"),))),
    })  # fmt: skip
    assert adopt(ledger, store) == 2
    totals = ledger.totals(RUN)
    assert (totals.counts["done"], totals.calls.sent) == (4, 3), "a paper of another batch was paid for, too"
