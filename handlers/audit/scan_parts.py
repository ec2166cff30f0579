"""Reads again every line that a run's jobs made durable, and names the damaged ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine, PartPointer
from handlers.errors import DamagedObjectError
from handlers.ports import ObjectStore
from handlers.state_paths import RESULTS, SEGMENTS, run_key

CARRIED = "carried-"
"""Begins the name of a segment of copies that travelled with a plan: their calls are booked where the
originals lie, and some are results of other runs."""


@dataclass(frozen=True)
class ScannedLine:
    """A line and where it lies. Without ``line``: ``torn`` at a file's end (its job was killed while it
    wrote, and nothing points there) or damaged."""

    where: PartPointer
    line: PartLine | None
    torn: bool = False


def scan_parts(run_id: str, store: ObjectStore) -> Iterator[ScannedLine]:
    """All lines of all parts, streamed. A line of another run counts as damaged."""
    for folder in (SEGMENTS, RESULTS):
        for key in store.keys(run_key(run_id, folder, "")):
            if key.rpartition("/")[2].startswith(CARRIED):
                yield from _copies(run_id, _object(key, store))
            else:
                yield from map(partial(_of_run, run_id), _object(key, store))


def _of_run(run_id: str, each: ScannedLine) -> ScannedLine:
    return each if each.line is None or each.line.run_id == run_id else ScannedLine(each.where, None)


def _copies(run_id: str, scanned: Iterable[ScannedLine]) -> Iterator[ScannedLine]:
    """Of the run's own papers, with no calls to be counted again."""
    for each in scanned:
        if each.line is None:
            yield each
        elif each.line.run_id == run_id:
            carried = each.line.carried + each.line.calls
            yield replace(each, line=each.line.model_copy(update={"calls": (), "carried": carried}))


def _object(key: str, store: ObjectStore) -> Iterator[ScannedLine]:
    offset = 0
    try:
        for data in store.lines(key):
            where = PartPointer(key=key, offset=offset, length=len(data))
            offset += len(data)
            yield _scanned(where, data)
    except DamagedObjectError:  # a packed object that cannot be unpacked, as a whole
        yield ScannedLine(PartPointer(key=key, offset=offset, length=0), None)


def _scanned(where: PartPointer, data: bytes) -> ScannedLine:
    try:
        return ScannedLine(where, decode(data, where))
    except DamagedObjectError:
        return ScannedLine(where, None, torn=not data.endswith(b"\n"))
