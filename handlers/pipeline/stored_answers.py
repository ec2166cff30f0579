"""What papers were answered before they ended: calls that are paid for and never made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallRecord
from handlers.domain.ledger import PaperRow
from handlers.domain.part_lines import decode
from handlers.domain.result import FRAME, PartLine, PartPointer
from handlers.errors import DamagedObjectError
from handlers.ports import Ledger, ObjectStore


@dataclass(frozen=True)
class StoredCalls:
    """Of one paper, in the order in which they became durable."""

    calls: tuple[CallRecord, ...] = ()
    """Since the paper was opened."""
    earlier: tuple[CallRecord, ...] = ()
    """Of other runs, and of earlier generations, of the passages that the gate let through by then."""
    passed: frozenset[str] = frozenset()
    """The passages whose last verdict is that the gate let them through."""
    frame: dict[str, str] | None = None
    """The earliest one."""
    found: tuple[tuple[str, PartPointer], ...] = ()
    """Results of other runs that these calls are of, by the names under which they stand."""
    damaged: tuple[str, ...] = ()
    """A sentence for each line that cannot be read."""

    def after(self, other: StoredCalls) -> StoredCalls:
        """These, and what another run was answered before."""
        earlier = {call.id: call for call in (*other.earlier, *self.earlier)}
        return replace(self, earlier=tuple(earlier.values()), found=(*other.found, *self.found))


NOTHING = StoredCalls()


def stored_calls(
    ledger: Ledger, store: ObjectStore, message: BatchMessage, papers: Mapping[str, PaperRow | None]
) -> dict[str, StoredCalls]:
    """Of those ``papers`` of a batch that have some, by id. ``papers``: what the ledger knows of each, which
    is pending. What it was answered before it was opened again counts where its passage passed."""
    answers = ledger.answers(message.run_id, message.batch_id)
    found: dict[str, StoredCalls] = {}
    for paper_id, row in papers.items():
        places = [each.pointer for each in answers.get(paper_id, ())]
        if row is not None and row.pointer is not None:  # all there is of an earlier release, on DynamoDB
            places.append(row.pointer)
        if places:
            found[paper_id] = _read(store, places, 0 if row is None else row.generation)
    return found


class EveryCall(NamedTuple):
    """Of a paper, whatever became of it: its calls in the order in which they became durable, the frame that
    its body was asked with, and the last verdict on each passage."""

    calls: tuple[CallRecord, ...]
    frame: dict[str, str] | None
    passed: dict[str, bool]


def every_call(store: ObjectStore, places: Iterable[PartPointer]) -> EveryCall:
    """Of the lines at these places. DamagedObjectError if one cannot be read."""
    lines = [decode(store.read(where.key, where.offset, where.length), where) for where in places]
    lines.sort(key=lambda line: (line.generation, line.at))
    return EveryCall(
        _once_each(lines),
        next((line.frame or {} for line in lines if line.passage == FRAME), None),
        {line.passage: line.passed for line in lines if line.passage and _is_verdict(line)},
    )


def _read(store: ObjectStore, places: Sequence[PartPointer], opened: int) -> StoredCalls:
    lines: list[PartLine] = []
    damaged: list[str] = []
    for where in dict.fromkeys(places):
        try:
            lines.append(decode(store.read(where.key, where.offset, where.length), where))
        except DamagedObjectError as error:
            damaged.append(str(error))
    lines.sort(key=lambda line: (line.generation, line.at))
    passed = {line.passage: line.passed for line in lines if _is_verdict(line)}
    return StoredCalls(
        calls=_once_each(line for line in lines if still_counts(line, opened)),
        earlier=_once_each(_passed_before([line for line in lines if line.passage], opened)),
        passed=frozenset(key for key, let_through in passed.items() if let_through),
        frame=next((line.frame or {} for line in lines if line.passage == FRAME), None),
        damaged=tuple(damaged),
    )


def still_counts(line: PartLine, opened: int) -> bool:
    """Whether a paper of this generation begins with the line's answers: with its own, and with those of a
    paper without passages that one gate let through and a later one refuses, as a retry after that asks for
    repairs alone."""
    was_refused_since = line.passed and not line.passage
    return line.generation >= opened - was_refused_since


def _passed_before(lines: Iterable[PartLine], opened: int) -> list[PartLine]:
    """The lines of earlier generations whose answers may be given again: a passage that did not pass by a
    generation's end is asked anew, and one that passed later is not judged by what it was told before, but
    where a later gate lets through just that."""
    usable: dict[str, list[PartLine]] = {}
    refused: dict[str, list[PartLine]] = {}
    for generation, members in groupby(lines, lambda line: line.generation):
        if generation >= opened:
            break
        last: dict[str, bool] = {}
        for line in members:
            judged = refused.pop(line.passage, []) if line.passed and line.gate else []
            usable.setdefault(line.passage, []).extend((*judged, line))
            last[line.passage] = line.passed if _is_verdict(line) else last.get(line.passage, False)
        for passage, let_through in last.items():
            if not let_through:
                refused[passage] = usable.pop(passage)
    return [line for each in usable.values() for line in each]


def _is_verdict(line: PartLine) -> bool:
    """Calls of a passage that was broken off say nothing of it."""
    return line.passed or line.reason is not None


def _once_each(lines: Iterable[PartLine]) -> tuple[CallRecord, ...]:
    """A call that lies in several lines is one: a line of an abstract says those before it again."""
    return tuple({call.id: call for line in lines for call in line.carried + line.calls}.values())
