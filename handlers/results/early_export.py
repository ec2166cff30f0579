"""A run's results while its last papers land: what has ended is written ahead, so that its end waits for the
rest alone."""

from __future__ import annotations

from pathlib import Path
from typing import IO, NamedTuple

from handlers.ports import Backend
from handlers.results.export import Counts, begin, json_line, no_counts, output_file, usual_shape
from handlers.results.source_rows import SourceRow, rows_of

_MOST_BYTES = 16 << 20
"""Of the corpus, that the gaps hold at most."""
_AT_ONCE = 1 << 20


class Gap(NamedTuple):
    """A paper that had not ended."""

    at: int
    """Bytes of the scratch file before its line."""
    raw: bytes
    """Its line of the corpus."""


class Ahead(NamedTuple):
    """What was written ahead: all papers but the gaps, which are in the corpus' order."""

    gaps: list[Gap]
    counts: Counts


def write_ahead(backend: Backend, run_id: str, scratch: Path) -> Ahead | None:
    """Write the lines of all papers that have ended, as ``export_jsonl`` does. None if too much has not."""
    make, chunks = begin(backend, run_id, usual_shape(backend, run_id))
    ahead, at, held = Ahead([], no_counts()), 0, 0
    with scratch.open("wb", buffering=_AT_ONCE) as file:
        for chunk in chunks:
            ended = make([row for row in chunk if not _is_pending(row)])
            for row in chunk:
                if _is_pending(row):
                    ahead.gaps.append(Gap(at, row[0]))
                    held += len(row[0])
                    continue
                status, record = next(ended)
                ahead.counts[status] += 1
                at += file.write(json_line(record))
            if held > _MOST_BYTES:
                return None
    return ahead


def _is_pending(row: SourceRow) -> bool:
    result = row[2]
    return result is None or result.status == "pending"


def complete(backend: Backend, run_id: str, target: Path, scratch: Path, ahead: Ahead) -> Counts:
    """``export_jsonl`` of a run whose papers all have an end by now."""
    make, _ = begin(backend, run_id, usual_shape(backend, run_id))
    counts, at = ahead.counts.copy(), 0
    gaps = iter(ahead.gaps)
    with output_file(target) as file, scratch.open("rb") as written:
        for chunk in rows_of(backend, run_id, (gap.raw for gap in ahead.gaps)):
            for (status, record), gap in zip(make(chunk), gaps, strict=False):
                _copy(written, file, gap.at - at)
                file.write(json_line(record))
                counts[status] += 1
                at = gap.at
        _copy(written, file, scratch.stat().st_size - at)
    return counts


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size > 0:
        block = source.read(min(size, _AT_ONCE))
        if not block:
            raise EOFError("the file that was written ahead is cut")
        target.write(block)
        size -= len(block)
