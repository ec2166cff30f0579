"""Every line that a run's jobs made durable, read again: damaged ones are named, the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from handlers.errors import CorpusChangedError
from handlers.models import PartLine, PartPointer
from handlers.part_lines import opened
from handlers.ports import ObjectStore


@dataclass(frozen=True)
class Scanned:
    """A line and where it lies. Without ``line``: ``torn`` at a file's end (its job was killed while it
    wrote, and nothing points there) or damaged."""

    where: PartPointer
    line: PartLine | None
    torn: bool = False


def scan_parts(run_id: str, store: ObjectStore) -> Iterator[Scanned]:
    """All lines of all parts, streamed. A line of another run counts as damaged."""
    for folder in ("segments", "results"):
        for key in store.keys(f"runs/{run_id}/{folder}/"):
            yield from _object(run_id, key, store)


def _object(run_id: str, key: str, store: ObjectStore) -> Iterator[Scanned]:
    offset = 0
    try:
        for data in store.lines(key):
            where = PartPointer(key=key, offset=offset, length=len(data))
            offset += len(data)
            yield _scanned(run_id, where, data)
    except CorpusChangedError:  # a packed object that cannot be unpacked, as a whole
        yield Scanned(PartPointer(key=key, offset=offset, length=0), None)


def _scanned(run_id: str, where: PartPointer, data: bytes) -> Scanned:
    try:
        line = opened(data, where)
    except CorpusChangedError:
        return Scanned(where, None, torn=not data.endswith(b"\n"))
    return Scanned(where, line if line.run_id == run_id else None)
