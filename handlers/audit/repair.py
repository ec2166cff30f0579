"""A ledger made again from the parts: results and calls are durable before a ledger says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from handlers.adapters.sqlite.salvage import Salvaged
from handlers.audit.part_index import PartIndex, ScanResult, part_index
from handlers.audit.scan_parts import scan_parts
from handlers.domain.call import CallTotals
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import REPAIR_PART, REPAIRER, Commit, LedgerEntry
from handlers.domain.money import NanoUsd, usd
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.result import PartPointer
from handlers.domain.run import Control, RunRecord
from handlers.domain.value import Frozen
from handlers.ports import Clock, Ledger, ObjectStore
from handlers.runs.submit import cut_batches

_CHUNK = 200


class Damaged(Frozen):
    """Bytes of a part that are no line as it was written."""

    file: str
    byte: int
    """Where the line begins in the file."""


class Repaired(Frozen):
    """A run after its repair. Money in USD."""

    run_id: str
    papers: int
    counts: dict[PaperStatus, int]
    lines: int
    """Good lines in its parts."""
    torn: int
    """Lines that jobs were writing when they were killed: nothing had pointed at them."""
    damaged: tuple[Damaged, ...]
    """Lines that were written whole and are not any more: their papers are pending again."""
    calls: int
    spend_usd: float
    unaccounted_usd: float
    """Part of it, as indeterminate: what the old ledger had booked beyond the lines that were found."""
    old_ledger: bool
    """Whether the old ledger's spend and budget could be read."""


def repair(record: RunRecord, old: Salvaged, *, ledger: Ledger, store: ObjectStore, clock: Clock) -> Repaired:
    """Build a run in an empty ``ledger`` from its record, its corpus' index and its parts.

    ``old`` is what the old ledger still says of it. The run is parked, so that somebody reads what was
    found before it goes on; a cancelled run stays cancelled. CorpusChangedError if the corpus is gone.
    """
    run_id, spend = record.run_id, old.spend
    budget = record.budget if old.budget is None else old.budget
    record = replace(record, budget=budget)
    with part_index() as lines:
        scan = lines.add(scan_parts(run_id, store))
        ledger.create_run(record)
        ledger.set_budget(run_id, None)  # what was spent is booked, whatever the budget was
        messages = (
            message.model_copy(update={"generation": lines.generation(message.batch_id)})
            for message in cut_batches(run_id, record.spec, store)
        )
        ledger.add_batches(messages)
        unaccounted = NanoUsd(max(0, (spend or 0) - scan.calls.cost))
        rest = max(0, old.held - scan.calls.held)
        lost = CallTotals(cost=unaccounted, indeterminate=unaccounted, held=NanoUsd(rest))
        _book(run_id, scan.calls.plus(lost), ledger, clock)
        ledger.release_held(run_id, keep=NanoUsd(scan.calls.held + rest - old.released))
        _restore(run_id, lines, ledger, clock)
    ledger.set_budget(run_id, budget)
    now = clock.now()
    stopped = Control("parked", _reason(spend), now)
    ledger.set_control(run_id, stopped if old.cancelled is None else Control("cancelled", old.cancelled, now))
    return _repaired(record, scan, unaccounted, known=spend is not None, ledger=ledger)


def _reason(spend: NanoUsd | None) -> str:
    doubt = (
        ""
        if spend is not None
        else ", without what killed jobs may have spent: let the --budget allow for it"
    )
    return f"repaired: the ledger was made again from the parts{doubt}; the same command goes on"


def _book(run_id: str, calls: CallTotals, ledger: Ledger, clock: Clock) -> None:
    """Book all calls at once, as drawn and spent by one job in place of the old ones."""
    now = clock.now()
    job = JobRecord(REPAIRER, run_id, "", REPAIRER, 1, now, now, None, "", JobStats())
    ledger.start_job(job)
    ledger.draw(run_id, REPAIRER, 1, calls.taken)
    ledger.commit([Commit(run_id, "", REPAIR_PART, REPAIRER, (), calls, now)])
    ledger.end_job(run_id, REPAIRER, at=now, outcome="finished", stats=None)


def _restore(run_id: str, lines: PartIndex, ledger: Ledger, clock: Clock) -> None:
    """Each paper's outcome, batch by batch, in chunks of a few batches a transaction."""
    batches = ledger.unfinished_batches(run_id)
    while chunk := list(islice(batches, _CHUNK)):
        now = clock.now()
        ledger.commit([_papers(run_id, each.batch_id, tuple(lines.entries(each)), now) for each in chunk])
        for each in chunk:
            ledger.finish_batch(run_id, each.batch_id, now=now)


def _papers(run_id: str, batch_id: str, entries: Sequence[LedgerEntry], at: float) -> Commit:
    part = f"{batch_id}/{REPAIRER}-papers"
    return Commit(run_id, batch_id, part, REPAIRER, tuple(entries), CallTotals(), at)


def _repaired(
    record: RunRecord, scan: ScanResult, unaccounted: NanoUsd, *, known: bool, ledger: Ledger
) -> Repaired:
    totals = ledger.totals(record.run_id)
    return Repaired(
        run_id=record.run_id,
        papers=record.papers,
        counts={status: totals.counts[status] for status in (*TERMINAL, "pending")},
        lines=scan.lines,
        torn=scan.torn,
        damaged=tuple(map(_damaged, scan.damaged)),
        calls=totals.calls.sent,
        spend_usd=usd(totals.calls.cost),
        unaccounted_usd=usd(unaccounted),
        old_ledger=known,
    )


def _damaged(where: PartPointer) -> Damaged:
    return Damaged(file=where.key, byte=where.offset)
