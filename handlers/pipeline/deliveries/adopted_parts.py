"""Parts that became durable and were not booked, by a job that died or had no ledger: a batch's next holder
books them, and no call of theirs is paid for twice."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit, LedgerEntry
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine, PartPointer
from handlers.errors import DamagedObjectError
from handlers.pipeline.committer import entry_of
from handlers.ports import Backend
from handlers.state_paths import RESULTS, run_key

logger = logging.getLogger(__name__)

_NAME = re.compile(
    r"(?P<part>(?P<epoch>\d{1,9})-(?P<job>[A-Za-z0-9._-]{1,128})-(?P<number>\d{1,9}))\.jsonl\.gz"
)
"""Of a part's object: one a part, in a store where many jobs write to a run."""


def adopt_parts(backend: Backend, message: BatchMessage, epoch: int) -> int:
    """Book what holders before ``epoch`` made durable of a batch and the ledger does not know; returns how
    many parts. Parts of the last holder are booked once more, for it may have died in the middle of that.

    Booking is put-if-absent: a holder that lives after all changes nothing by doing the same. In the order in
    which they were written, by which a ledger may tell that a paper has a part already.
    """
    folder = run_key(message.run_id, RESULTS, message.batch_id, "")
    names = ((key, _NAME.fullmatch(key.removeprefix(folder))) for key in backend.store.keys(folder))
    parts = [(key, name) for key, name in names if name is not None and int(name["epoch"]) < epoch]
    parts.sort(key=lambda part: (int(part[1]["epoch"]), part[1]["job"], int(part[1]["number"])))
    found = {
        (name["job"], f"{message.batch_id}/{name['part']}"): (key, int(name["epoch"])) for key, name in parts
    }
    unknown = set(backend.ledger.unbooked(message.run_id, list(found)))
    adopted = 0
    for (job_id, part_id), (key, of_epoch) in found.items():
        if (job_id, part_id) in unknown or of_epoch == epoch - 1:
            commit = _commit(backend, message, key, (job_id, part_id))
            if commit.entries or commit.calls.sent:
                backend.ledger.commit([commit])
                adopted += (job_id, part_id) in unknown
    if adopted:
        logger.warning("batch %s: %d parts that nobody booked are booked now", message.batch_id, adopted)
    return adopted


def _commit(backend: Backend, message: BatchMessage, key: str, part: tuple[str, str]) -> Commit:
    weights = {paper_id: message.weight(position) for position, paper_id in enumerate(message.ids)}
    entries: list[LedgerEntry] = []
    calls = CallTotals()
    at = 0.0
    for where, line in _lines(backend, message, key):
        calls, at = calls.plus(CallTotals.of(line.calls)), max(at, line.at)
        if line.id in weights:
            entries.append(entry_of(line, weights[line.id], where))
    job_id, part_id = part
    return Commit(message.run_id, message.batch_id, part_id, job_id, tuple(entries), calls, at)


def _lines(backend: Backend, message: BatchMessage, key: str) -> Iterator[tuple[PartPointer, PartLine]]:
    """The part's good lines of this batch."""
    offset = 0
    try:
        for data in backend.store.lines(key):
            where = PartPointer(key=key, offset=offset, length=len(data))
            offset += len(data)
            line = _decoded(data, where)
            if line is not None and (line.run_id, line.batch_id) == (message.run_id, message.batch_id):
                yield where, line
    except DamagedObjectError as error:
        logger.error("batch %s: a part cannot be read: %s", message.batch_id, error)


def _decoded(data: bytes, where: PartPointer) -> PartLine | None:
    try:
        return decode(data, where)
    except DamagedObjectError as error:
        logger.error("%s", error)
        return None
