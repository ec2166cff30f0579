"""Three accounts of one run that must agree: the ledger, the parts, and the provider's bill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from handlers.audit.bill import Bill
from handlers.audit.part_index import PartIndex, ScanResult, part_index
from handlers.audit.scan_parts import scan_parts
from handlers.domain.call import CallTotals
from handlers.domain.job import JobRecord
from handlers.domain.ledger import REPAIRER, LedgerEntry, PaperRow
from handlers.domain.money import NanoUsd, usd
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.part_lines import decode
from handlers.domain.run import RunTotals
from handlers.domain.value import Frozen
from handlers.errors import DamagedObjectError, UsageError
from handlers.ports import Backend, Ledger, ObjectStore

_CHUNK = 100


class Account(Frozen):
    """Sums of one of the three accounts; None for a sum that it does not have."""

    calls: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None


class Difference(Frozen):
    """``kind`` is a stable word: ``result``, ``not_booked``, ``counts``, ``calls``, ``tokens``, ``cost``,
    ``damaged`` or ``bill``; ``where`` a paper's id, a file and byte, or a sum's name."""

    kind: str
    where: str
    detail: str


class Audit(Frozen):
    run_id: str
    ledger: Account
    parts: Account
    bill: Account | None
    indeterminate_usd: float
    """Part of the ledger's cost: calls that may not have been charged."""
    held_usd: float
    """Beside the ledger's cost: what calls of unknown cost may be billed for."""
    released_usd: float | None = None
    """What was let go of it, None if that was not asked for."""
    papers_checked: int
    """Rows of the ledger that were read."""
    explained: tuple[str, ...]
    """Differences that have a known reason and are no fault."""
    differences: tuple[Difference, ...]


def audit(backend: Backend, run_id: str, bill: Bill | None = None) -> Audit:
    """Read every row and every line of a run; memory holds the differences only. UnknownRunError if there
    is no such run. Of a run that jobs work on, what they just did is listed as a difference.
    """
    ledger, store = backend.ledger, backend.store
    ledger.run(run_id)
    explained: list[str] = []
    differences: list[Difference] = []
    with part_index() as lines:
        scan = lines.add(scan_parts(run_id, store))
        totals, jobs = ledger.totals(run_id), ledger.jobs(run_id)
        counts: Counter[PaperStatus] = Counter()
        checked = 0
        for row in ledger.entries(run_id):
            checked += 1
            counts[row.status] += row.weight
            differences += _row(row, lines.entry(row.paper_id, row.weight), store)
        differences += _not_in_ledger(run_id, lines, ledger)
    differences += _damaged(scan)
    differences += _counts(totals, counts)
    differences += _calls(totals.calls, scan.calls, jobs, explained)
    differences += _bill(totals.calls, bill)
    return Audit(
        run_id=run_id,
        ledger=_account(totals.calls),
        parts=_account(scan.calls),
        bill=None if bill is None else _billed(bill),
        indeterminate_usd=usd(totals.calls.indeterminate),
        held_usd=usd(totals.calls.held),
        papers_checked=checked,
        explained=tuple(explained),
        differences=tuple(differences),
    )


def release_held(ledger: Ledger, result: Audit, bill: Bill | None) -> Audit:
    """Give back to the budget what is held for calls of unknown cost; with a bill, all but what it has beyond
    the ledger's cost. UsageError, and nothing is changed, if the bill has no cost or does not agree.

    What dead jobs lost covers nothing of a bill: should one be alive, it takes it back."""
    keep = NanoUsd(0)
    if bill is not None:
        if bill.cost is None:
            raise UsageError("--release-held: the bill has no column for the cost")
        if off := next((each for each in result.differences if each.kind == "bill"), None):
            raise UsageError(f"--release-held: nothing is let go, for bill and ledger differ: {off.detail}")
        lost = sum(job.lost for job in ledger.jobs(result.run_id))
        keep = NanoUsd(max(0, bill.cost - (ledger.totals(result.run_id).calls.cost - lost)))
    released = ledger.release_held(result.run_id, keep=keep)
    held = ledger.totals(result.run_id).calls.held
    return result.model_copy(update={"released_usd": usd(released), "held_usd": usd(held)})


def _account(calls: CallTotals) -> Account:
    return Account(
        calls=calls.sent,
        prompt_tokens=calls.prompt,
        completion_tokens=calls.completion,
        cost_usd=usd(calls.cost),
    )


def _billed(bill: Bill) -> Account:
    return Account(
        calls=bill.calls,
        prompt_tokens=bill.prompt_tokens,
        completion_tokens=bill.completion_tokens,
        cost_usd=None if bill.cost is None else usd(bill.cost),
    )


def _row(row: PaperRow, entry: LedgerEntry | None, store: ObjectStore) -> Iterator[Difference]:
    """A paper's row against the line it points at, and against all lines of the paper."""
    if row.pointer is not None:
        try:
            line = decode(store.read(row.pointer.key, row.pointer.offset, row.pointer.length), row.pointer)
        except DamagedObjectError as error:
            yield Difference(kind="result", where=row.paper_id, detail=str(error))
            return
        stated = (line.id, line.status, line.error)
        if stated != (row.paper_id, row.status, row.error):
            detail = f"the ledger says {row.status} ({row.error}), its part {line.status} ({line.error})"
            detail += "" if line.id == row.paper_id else f" and is of paper {line.id!r}"
            yield Difference(kind="result", where=row.paper_id, detail=detail)
    elif row.status != "pending":
        yield Difference(kind="result", where=row.paper_id, detail=f"{row.status} without a result")
    has_outcome = entry is not None and entry.status in TERMINAL and entry.generation >= row.generation
    if entry is not None and has_outcome and row.status == "pending":
        yield _unbooked(entry)


def _not_in_ledger(run_id: str, lines: PartIndex, ledger: Ledger) -> Iterator[Difference]:
    papers = lines.papers()
    while chunk := list(islice(papers, _CHUNK)):
        known = ledger.paper_rows(run_id, chunk)
        for paper_id in chunk:
            entry = None if paper_id in known else lines.entry(paper_id)
            if entry is not None and entry.status in TERMINAL:
                yield _unbooked(entry)


def _unbooked(entry: LedgerEntry) -> Difference:
    where = f"{entry.pointer.key}, byte {entry.pointer.offset}"
    detail = f"{entry.status} in {where}, pending in the ledger: its job died in between; it is done again"
    return Difference(kind="not_booked", where=entry.paper_id, detail=detail)


def _damaged(scan: ScanResult) -> Iterator[Difference]:
    for where in scan.damaged:
        yield Difference(
            kind="damaged", where=f"{where.key}, byte {where.offset}", detail="not as it was written"
        )


def _counts(totals: RunTotals, counted: Counter[PaperStatus]) -> Iterator[Difference]:
    for status in TERMINAL:
        if totals.counts[status] != counted[status]:
            detail = f"the ledger sums up {totals.counts[status]:,}, its rows are {counted[status]:,}"
            yield Difference(kind="counts", where=status, detail=detail)


def _calls(
    ledger: CallTotals, parts: CallTotals, jobs: list[JobRecord], explained: list[str]
) -> Iterator[Difference]:
    """The ledger books what dead jobs held, and no part has it. It also covers lines that were durable
    and not booked yet when their job died."""
    lost = sum(job.lost for job in jobs)
    if lost:
        explained.append(f"${usd(lost):.9f} was held by jobs that died: booked as indeterminate, in no part")
    unbooked = parts.sent - ledger.sent
    if unbooked > 0 and parts.cost - ledger.cost <= 0:
        explained.append(f"{unbooked:,} calls lie in parts of jobs that died before they were booked")
    elif unbooked:
        detail = f"{ledger.sent:,} in the ledger, {parts.sent:,} in the parts"
        yield Difference(kind="calls", where="calls", detail=detail)
    missing = ledger.cost - lost - parts.cost
    if missing > 0 and any(job.job_id == REPAIRER for job in jobs):
        explained.append(f"${usd(missing):.9f} had been booked before a repair, and is in no part")
    elif missing > 0:
        detail = f"${usd(missing):.9f} of the ledger's spend is in no part"
        yield Difference(kind="cost", where="cost", detail=detail)
    if missing < 0 and -missing > lost:
        detail = f"${usd(-missing):.9f} of the parts was not booked, ${usd(lost):.9f} of it as lost"
        yield Difference(kind="cost", where="cost", detail=detail)


def _bill(ledger: CallTotals, bill: Bill | None) -> Iterator[Difference]:
    """A call that may have been charged may be on the bill or not: that is what *indeterminate* says; and for
    more than its estimate: that is what is *held*."""
    if bill is None:
        return
    least, most = ledger.cost - ledger.indeterminate, ledger.taken
    if bill.cost is not None and not least <= bill.cost <= most:
        side = "over" if bill.cost > most else "under"
        off = bill.cost - most if bill.cost > most else least - bill.cost
        detail = (
            f"${usd(bill.cost):.9f} billed, ${usd(ledger.cost):.9f} booked, "
            f"${usd(ledger.indeterminate):.9f} of it indeterminate, ${usd(ledger.held):.9f} held: "
            f"${usd(off):.9f} {side}"
        )
        yield Difference(kind="bill", where="cost", detail=detail)
    answered = ledger.ok
    if bill.calls is not None and not answered <= bill.calls <= ledger.sent:
        detail = f"{bill.calls:,} billed, {answered:,} answered, {ledger.sent:,} sent"
        yield Difference(kind="bill", where="calls", detail=detail)
    for name, billed, booked in (
        ("prompt_tokens", bill.prompt_tokens, ledger.prompt),
        ("completion_tokens", bill.completion_tokens, ledger.completion),
    ):
        if billed is not None and (billed < booked or (billed > booked and not ledger.indeterminate)):
            yield Difference(kind="bill", where=name, detail=f"{billed:,} billed, {booked:,} booked")
